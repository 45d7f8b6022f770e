/**
 * Sessions against anything that may come: conversations cut anywhere, damaged, made up. Every request has one answer,
 * nothing a client sends breaks pitayad or another client, and no parameter leaves its limits.
 */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import type { Instrument } from '../../src/fpga/instrument/instrument.ts';
import { encode } from '../../src/server/wire/encode.ts';
import { bytes, dataActuator, type Form, fromPlain, path, str, type WireValue } from '../../src/server/wire/values.ts';
import { commands, unasked } from '../../src/server/words.ts';
import { keptLog } from '../fpga/instrument/fixture.ts';
import { type Bench, bench, type Joined } from './by-hand.ts';
import { forms, type Peer, plainOf } from './peer.ts';
import { wireValue } from './wire/arbitrary.ts';

const command = (form: Form, fields: Record<string, unknown>): WireValue =>
  form === 'v5' ? fromPlain(fields) : str(JSON.stringify(fields));

/** Requests, and the word of the answer. None overtakes, so that answers come in the order of the requests. */
const exchanges: readonly (readonly [ask: (form: Form) => readonly WireValue[], answer: string])[] = [
  [() => [str('move_abs'), dataActuator('a', 0.25, 'V', 0)], 'move_done'],
  [() => [str('move_rel'), dataActuator('a', 3, 'V', 0)], 'Error'],
  [() => [str('get_actuator_value')], 'position_is'],
  [() => [str('set_info'), path(['asg0', 'offset']), bytes('<offset type="float">0.5</offset>')], 'Info_xml'],
  [() => [str('set_info'), path(['asg0', 'offset']), bytes('<offset')], 'Error'],
  [() => [str('Send Infos')], 'Infos'],
  [() => [str('Send Data 1D')], 'Error'],
  [() => [str('nonsense')], 'Error'],
  [(form) => [command(form, { command: 'get', module: 'asg1', parameters: ['amplitude'] })], 'Reply'],
  [(form) => [command(form, { command: 'grab', module: 'scope', points: 3 })], 'Done'],
  [(form) => [command(form, { command: 'configure', module: 'asg1', config: { frequency: 1e3 } })], 'Reply'],
  [(form) => [command(form, { command: 'grab', module: 'scope', points: -1 })], 'Error'],
];

/** Pieces between these places of a stream. */
function cutAt(stream: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % stream.length))].sort((a, b) => a - b);
  return [0, ...at].map((from, k) => stream.subarray(from, at[k] ?? stream.length));
}

const pieces = fc.array(fc.nat(), { maxLength: 30 });

async function wordsOf(peer: Peer, count: number): Promise<string[]> {
  const words: string[] = [];
  while (words.length < count) words.push((await peer.told()).word);
  return words;
}

for (const form of forms) {
  test(`${form}: any conversation, cut anywhere, has the same answers`, async () => {
    const { instrument, join } = await bench();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(exchanges.length - 1), { maxLength: 12 }), pieces, async (chosen, places) => {
        const wanted = chosen.map((k) => exchanges[k] ?? assert.fail());
        const stream = Buffer.from(encode(form, [str('ACTUATOR'), ...wanted.flatMap(([ask]) => ask(form))]));
        const { peer, session } = join(form, '');
        for (const piece of cutAt(stream, places)) {
          peer.raw(piece);
          if (piece.length % 2 === 0) await Promise.resolve();
        }
        assert.deepEqual(
          await wordsOf(peer, wanted.length),
          wanted.map(([, answer]) => answer),
        );
        assert.equal(peer.unread, 0);
        assert.equal(peer.ended, undefined);
        assert.equal(session.unfinished, undefined);
        session.end();
      }),
      { numRuns: 100 },
    );
    await instrument.close();
  });
}

/** Whether every value is one that its parameter allows. */
async function withinLimits(instrument: Instrument): Promise<void> {
  for (const { name: module, parameters } of instrument.modules) {
    const values = await instrument.get(module);
    for (const { name, kind, min, max, choices } of parameters) {
      const value = values[name];
      const what = `${module}.${name} is ${JSON.stringify(value)}`;
      if (kind === 'number' || kind === 'integer') {
        assert.ok(typeof value === 'number' && Number.isFinite(value), what);
        assert.ok(value >= (min ?? value) && value <= (max ?? value), what);
      }
      if (kind === 'bool') assert.equal(typeof value, 'boolean', what);
      if (choices)
        assert.ok(
          choices.some((choice) => choice === value),
          what,
        );
    }
  }
}

interface Fuzzed extends Bench {
  /** A peer whose session logs into `faults` what is a fault of pitayad itself. */
  guest(form: Form, typeWord: string): Joined;
  readonly faults: readonly Record<string, unknown>[];
  readonly witness: Peer;
}

async function fuzzed(): Promise<Fuzzed> {
  const all = await bench();
  const { log, lines } = keptLog();
  return {
    ...all,
    guest: (form, typeWord) => all.join(form, typeWord, { log }),
    get faults() {
      return lines.filter(({ level }) => Number(level) >= 50);
    },
    witness: all.join('v5', 'GRABBER').peer,
  };
}

/** Nothing is broken but what the guest itself sees. */
async function unharmed({ faults, witness, instrument }: Fuzzed): Promise<void> {
  assert.deepEqual(faults, []);
  assert.equal((await witness.ask({ command: 'ping' })).word, 'pong');
  await withinLimits(instrument);
}

/** What was sent is whole answers, and nothing else. */
async function onlyAnswers(peer: Peer): Promise<void> {
  while (peer.unread > 0) await peer.told();
}

const damage = fc.record({
  kind: fc.constantFrom('flip', 'drop', 'insert', 'cut', 'repeat'),
  at: fc.nat(),
  value: fc.nat(255),
  length: fc.integer({ min: 1, max: 16 }),
});

function damaged(
  stream: Buffer,
  { kind, at, value, length }: { kind: string; at: number; value: number; length: number },
) {
  const place = at % stream.length;
  const [before, after] = [stream.subarray(0, place), stream.subarray(place)];
  if (kind === 'cut') return before;
  if (kind === 'drop') return Buffer.concat([before, after.subarray(length)]);
  if (kind === 'insert') return Buffer.concat([before, Buffer.alloc(length, value), after]);
  if (kind === 'repeat') return Buffer.concat([before, after.subarray(0, length), after]);
  return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (value || 1)), after.subarray(1)]);
}

for (const form of forms) {
  test(`${form}: damage is answered, or ends that one connection`, async () => {
    const all = await fuzzed();
    const word = encode(form, [str('ACTUATOR')]).length;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(exchanges.length - 1), { minLength: 1, maxLength: 4 }),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        pieces,
        async (chosen, wounds, places) => {
          const asked = chosen.flatMap((k) => exchanges[k]?.[0](form) ?? []);
          const whole = Buffer.from(encode(form, [str('ACTUATOR'), ...asked]));
          // What comes after a good type word, most of the time: that is where there is something to break.
          const sound = places.length % 4 === 0 ? 0 : word;
          const broken = wounds.reduce(
            (stream: Buffer, wound) => (stream.length === 0 ? stream : damaged(stream, wound)),
            whole.subarray(sound),
          );
          const { peer, session } = all.guest(form, '');
          const stream = Buffer.concat([whole.subarray(0, sound), broken]);
          if (stream.length > 0) for (const piece of cutAt(stream, places)) peer.raw(piece);
          for (let k = 0; k < 20; k++) await Promise.resolve();
          session.end();
          if (sound > 0) await onlyAnswers(peer);
          assert.ok(peer.ended === undefined || peer.ended === 'end' || peer.ended === 'reset', peer.ended);
          await unharmed(all);
        },
      ),
      { numRuns: 200 },
    );
    await all.instrument.close();
  });
}

/** A value as it may stand in a dictionary of either form. */
const plain = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom('scope', 'asg0', 'hk', 'own', 'share', 'offset', 'trigger_source', ['offset'], { offset: 0.5 }, true),
);
const names = [...new Set(Object.values(commands).flatMap(({ fields }) => [...fields]))];
const request = fc.record({
  command: fc.oneof(
    // A self-test takes its time; it is shown elsewhere.
    {
      weight: 9,
      arbitrary: fc.constantFrom(...Object.keys(commands).filter((name) => name !== 'Quit' && name !== 'selftest')),
    },
    { weight: 1, arbitrary: fc.string() },
  ),
  fields: fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, fc.string()), plain, {
    maxKeys: 4,
    noNullPrototype: true,
  }),
});

for (const form of forms) {
  test(`${form}: a dictionary with anything in it has one answer, and its id`, async () => {
    const all = await fuzzed();
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
        const { peer, session } = all.guest(form, 'GRABBER');
        for (const [id, { command, fields }] of requests.entries()) peer.command({ ...fields, command, id });
        const answered: unknown[] = [];
        while (answered.length < requests.length) {
          const { word } = await peer.told();
          if (Object.hasOwn(unasked, word)) continue;
          answered.push(plainOf(form, await peer.object('string')));
        }
        assert.deepEqual(
          answered.sort((a, b) => Number(a) - Number(b)),
          requests.map((_, id) => id),
        );
        assert.equal(peer.ended, undefined);
        session.end();
        await unharmed(all);
      }),
      { numRuns: 200 },
    );
    await all.instrument.close();
  });
}

test('v5: any object in place of a request has one answer', async () => {
  const all = await fuzzed();
  const strange = wireValue('v5')
    .map(({ value }) => value)
    .filter(({ type }) => type !== 'str' && type !== 'dict');
  await fc.assert(
    fc.asyncProperty(fc.array(strange, { minLength: 1, maxLength: 10 }), async (objects) => {
      const { peer, session } = all.guest('v5', 'ACTUATOR');
      peer.say(...objects, 'check_position');
      assert.deepEqual(await wordsOf(peer, objects.length + 1), [...objects.map(() => 'Error'), 'position_is']);
      assert.equal(peer.unread, 0);
      session.end();
    }),
    { numRuns: 200 },
  );
  await unharmed(all);
  await all.instrument.close();
});

test('any bytes at all: one sentence at most, and the others go on', async () => {
  const all = await fuzzed();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), pieces, async (noise, places) => {
      const { peer, session, sends } = all.guest('v5', '');
      const stream = Buffer.from(noise);
      if (stream.length > 0) for (const piece of cutAt(stream, places)) peer.raw(piece);
      assert.ok(sends.length <= 1);
      session.end();
    }),
    { numRuns: 500 },
  );
  await unharmed(all);
  await all.instrument.close();
});

test.run();
