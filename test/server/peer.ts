/** The other side of a connection, in either form: says words and commands, and reads answers one by one. */
import assert from 'node:assert';
import { createDecoder } from '../../src/server/wire/decode.ts';
import { encode } from '../../src/server/wire/encode.ts';
import { type Form, fromPlain, type Kind, str, toPlain, type WireValue } from '../../src/server/wire/values.ts';
import { answers, unasked } from '../../src/server/words.ts';

export const forms = ['v4', 'v5'] as const satisfies readonly Form[];

export interface Told {
  readonly word: string;
  readonly payload: readonly WireValue[];
}

export interface Peer {
  readonly form: Form;
  /** Bytes from the board. */
  take(bytes: Uint8Array): void;
  /** The board closed. */
  closed(how: string): void;
  readonly ended: string | undefined;
  /** Bytes that came and were not read. */
  readonly unread: number;
  raw(bytes: Uint8Array): void;
  say(...objects: readonly (WireValue | string)[]): void;
  /** A command dictionary, in the way of the form. */
  command(fields: Readonly<Record<string, unknown>>): void;
  object(kind: Kind): Promise<WireValue>;
  /** The next word and what belongs to it. */
  told(): Promise<Told>;
  /** A command with an id, and its answer, which must carry it. Unasked words on the way are left out. */
  ask(fields: Readonly<Record<string, unknown>>): Promise<Told>;
  /** The dictionary of a `Reply`. */
  reply(fields: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** The sentence of an `Error`. */
  refused(fields: Readonly<Record<string, unknown>>): Promise<string>;
}

/** Whatever is awaited comes within this time, in ms. */
const WITHIN = 5000;

export function peer(form: Form, transmit: (bytes: Uint8Array) => void): Peer {
  const decoder = createDecoder(form, { waitingBytes: 64 * 2 ** 20 });
  let ended: string | undefined;
  let wake: () => void = () => undefined;
  let lastId = 0;

  const tables: Readonly<Record<string, readonly string[]>> = { ...answers, ...unasked };

  const self: Peer = {
    form,
    take(bytes) {
      decoder.push(bytes);
      wake();
    },
    closed(how) {
      ended ??= how;
      wake();
    },
    get ended() {
      return ended;
    },
    get unread() {
      return decoder.waiting;
    },
    raw: transmit,
    say(...objects) {
      transmit(
        encode(
          form,
          objects.map((object) => (typeof object === 'string' ? str(object) : object)),
        ),
      );
    },
    command(fields) {
      self.say(form === 'v5' ? fromPlain(fields) : JSON.stringify(fields));
    },

    async object(kind) {
      const end = performance.now() + WITHIN;
      for (;;) {
        const object = decoder.next(kind);
        if (object) return object;
        assert.equal(ended, undefined, 'the board closed the connection');
        const left = end - performance.now();
        assert.ok(left > 0, `nothing came within ${WITHIN} ms`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },

    async told() {
      const word = await self.object('string');
      assert.ok(word.type === 'str');
      const kinds = tables[word.value];
      assert.ok(kinds, `${word.value} is no answer`);
      const payload: WireValue[] = [];
      for (const kind of kinds) payload.push(await self.object(kind === 'dict' ? 'string' : (kind as Kind)));
      return { word: word.value, payload };
    },

    async ask(fields) {
      const id = `n${++lastId}`;
      self.command({ ...fields, id });
      for (;;) {
        const told = await self.told();
        if (Object.hasOwn(unasked, told.word)) continue;
        assert.deepEqual(plainOf(form, await self.object('string')), id);
        return told;
      }
    },

    async reply(fields) {
      const { word, payload } = await self.ask(fields);
      assert.equal(word, 'Reply', sentence(payload));
      return dictionaryOf(form, payload[0]);
    },

    async refused(fields) {
      const { word, payload } = await self.ask(fields);
      assert.equal(word, 'Error');
      return sentence(payload);
    },
  };
  return self;
}

/** A dictionary, or an id: JSON text in v4. */
export function plainOf(form: Form, value: WireValue | undefined): unknown {
  assert.ok(value);
  const plain = toPlain(value);
  return form === 'v4' && typeof plain === 'string' ? JSON.parse(plain) : plain;
}

export function dictionaryOf(form: Form, value: WireValue | undefined): Record<string, unknown> {
  const plain = plainOf(form, value);
  assert.ok(typeof plain === 'object' && plain !== null && !Array.isArray(plain));
  return { ...plain };
}

/** The text of the first object. */
export function sentence(payload: readonly WireValue[]): string {
  const [first] = payload;
  return first?.type === 'str' ? first.value : `(${first?.type})`;
}

/** The value and the unit of a position. */
export function positionOf({ payload }: Told): { readonly value: number; readonly units: string } {
  const [data] = payload;
  assert.ok(data?.type === 'DataActuator');
  const [array] = data.data;
  assert.ok(array && 'bytes' in array);
  const bytes = new Uint8Array(array.bytes);
  return { value: new Float64Array(bytes.buffer)[0] ?? Number.NaN, units: data.units };
}
