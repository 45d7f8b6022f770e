/**
 * Recorded conversations of PyMoDAQ 4.4.11: fed what the stock server said, the board says the words of the stock client,
 * in the same order and with objects of the same kinds.
 */
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import { bytes, type Data, dataActuator, list, str, type WireValue } from '../../../src/server/wire/values.ts';
import { client, eventually, pause } from '../../fpga/instrument/fixture.ts';
import { clientWords, type Dialled, dialled, type Message, reader, serverWords } from './by-hand.ts';

interface Chunk {
  readonly conn: number;
  readonly dir: 'c2s' | 's2c';
  readonly t: number;
  readonly hex: string;
}

interface Said extends Message {
  readonly dir: 'c2s' | 's2c';
}

/** The messages of one connection, in the order of their first bytes. */
function recorded(name: string, conn = 1): { readonly messages: readonly Said[]; readonly chunks: readonly Chunk[] } {
  const text = readFileSync(new URL(`recordings/${name}.json`, import.meta.url), 'utf8');
  const all = (JSON.parse(text) as { readonly chunks: readonly Chunk[] }).chunks;
  const chunks = all.filter((chunk) => chunk.conn === conn);
  const read = { c2s: reader(clientWords), s2c: reader(serverWords) };
  const messages = chunks.flatMap(({ dir, hex }) =>
    read[dir](Buffer.from(hex, 'hex')).map((message) => ({ ...message, dir })),
  );
  return { messages, chunks };
}

/** What an object is, without its numbers and names: `dwa DataActuator Data0D <f8[1]`. */
function kindOf(value: WireValue): string {
  if (value.type === 'DataToExport') return `dte of ${value.data.map(({ dim }) => dim)}`;
  if ('data' in value && 'units' in value) return `${value.type} ${value.dim} ${arraysOf(value)}`;
  if (value.type === 'list') return `list of ${new Set(value.items.map(({ type }) => type)).values().next().value}`;
  return value.type;
}

function arraysOf({ data }: Data): string {
  return data.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(' ');
}

/** Words with the kinds of their objects. While it moves a stock client tells its position every 100 ms: once here. */
function outline(messages: readonly Message[]): string[] {
  const lines = messages.map(({ word, payload }) => [word, ...payload.map(kindOf)].join(' | '));
  return lines.filter((line, k) => !(line.startsWith('position_is') && lines[k + 1] === line));
}

/** The mock's µm and settings as what the device has. */
type Translation = (word: string, payload: readonly WireValue[]) => readonly WireValue[];

const renamed = (name: string, text: string): readonly WireValue[] => [
  list([str('settings_client'), str(name)]),
  bytes(`<${name} type="float" title="x" visible="1" removable="0" readonly="0">${text}</${name}>`),
];

/** In volts instead of µm, a thousandth of the number, so that it is within what a generator has. */
const asVolts: Translation = (word, payload) => {
  const [first] = payload;
  if (word === 'set_info') return renamed('amplitude', '0.25');
  if (first?.type !== 'DataActuator') return payload;
  const [array] = first.data;
  assert.ok(array && 'bytes' in array);
  const value = Buffer.from(array.bytes).readDoubleLE(0);
  return [dataActuator(first.name, value / 1000, first.units === '' ? '' : 'V', first.timestamp)];
};

const asScope: Translation = (word, payload) => (word === 'set_info' ? renamed('threshold', '0.5') : payload);

/** Plays the server's part, waiting after each message until all answers to it are there. */
async function replay(board: Dialled, messages: readonly Said[], translate: Translation): Promise<void> {
  await board.until(2);
  for (const [k, { dir, word, payload }] of messages.entries()) {
    if (dir === 's2c') {
      board.hear(word, ...translate(word, payload));
      // Several requests in one write are heard before the first is answered.
      if (messages[k + 1]?.dir === 's2c' && messages[k + 1]?.word === word) continue;
      await settled(board);
    } else if (word === 'Info_xml' && messages[k - 1]?.word !== 'set_info') {
      // The stock client's own user changed a setting.
      const module = board.said[0]?.word === 'ACTUATOR' ? 'asg0' : 'scope';
      const config = module === 'asg0' ? { amplitude: 0.125 } : { threshold: -0.25 };
      await board.instrument.configure(client('somebody'), module, config);
      board.conversation.tick();
    }
  }
  await settled(board);
}

async function settled(board: Dialled): Promise<void> {
  for (let count = -1; count !== board.said.length; ) {
    count = board.said.length;
    await pause(15);
  }
}

/** Of home the stock mock says nothing, which leaves the server waiting: the board says when it is there. */
const notHome = (messages: readonly Said[]): readonly Said[] => messages.filter(({ word }) => word !== 'move_home');

for (const name of ['v4-move', 'v4-raw-server-to-move-client']) {
  test(`${name}: the words of the stock client, for a generator's offset`, async () => {
    const { messages } = recorded(name);
    const board = await dialled('asg0');
    await replay(board, notHome(messages), asVolts);
    const theirs = outline(messages.filter(({ dir }) => dir === 'c2s'));
    assert.deepEqual(outline(board.said), theirs);
    assert.ok(theirs.length >= 9, `${theirs.length}`);
    await board.instrument.close();
  });

  test(`${name}: bytes as they were, of another instrument: what cannot be done is answered all the same`, async () => {
    const { chunks } = recorded(name);
    for (const size of [1, 7, 4096]) {
      const board = await dialled('asg0');
      await board.until(2);
      const before = await board.instrument.get('asg0');
      const all = Buffer.concat(chunks.filter(({ dir }) => dir === 's2c').map(({ hex }) => Buffer.from(hex, 'hex')));
      for (let k = 0; k < all.length; k += size) board.conversation.receive(all.subarray(k, k + size));
      await settled(board);
      const words = board.said.map(({ word }) => word).slice(2);
      const moves = recorded(name).messages.filter(
        ({ word }) => word.startsWith('move_') && word !== 'move_done',
      ).length;
      assert.equal(words.filter((word) => word === 'move_done').length, moves);
      assert.ok(
        words.every((word) => word === 'position_is' || word === 'move_done'),
        `${words}`,
      );
      assert.equal(board.left, undefined);
      assert.deepEqual(await board.instrument.get('asg0'), before);
      await board.instrument.close();
    }
  });
}

for (const { name, conn, least } of [
  { name: 'v4-viewer-0D', conn: 1, least: 16 },
  { name: 'v4-viewer-1D', conn: 1, least: 16 },
  { name: 'v4-raw-server-to-viewer-client', conn: 1, least: 14 },
  { name: 'v4-raw-server-to-viewer-client', conn: 3, least: 14 },
]) {
  test(`${name}, connection ${conn}: the words of the stock client, for the scope`, async () => {
    const { messages } = recorded(name, conn);
    const board = await dialled('scope');
    await replay(board, messages, asScope);
    const theirs = outline(messages.filter(({ dir }) => dir === 'c2s'));
    assert.deepEqual(outline(board.said), theirs);
    assert.ok(theirs.length >= least, `${theirs.length}`);
    await eventually(() => board.left === undefined, 'it stays');
    await board.instrument.close();
  });
}

test.run();
