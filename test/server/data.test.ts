/** One encoding for all who get the same trace; and its memory, which is not used again before all have sent it. */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Trace } from '../../src/fpga/instrument/instrument.ts';
import { traceEncoder } from '../../src/server/data.ts';
import { client, eventually, timed } from '../fpga/instrument/fixture.ts';
import { bench } from './by-hand.ts';

async function traces(
  count: number,
): Promise<{ traces: Trace[]; module: Parameters<ReturnType<typeof traceEncoder>>[1] }> {
  const { bus, instrument } = await timed();
  bus.sample = (_channel, index, armings) => (index % 50) + armings;
  const all: Trace[] = [];
  for (let k = 0; k < count; k++) all.push(await instrument.grab(client('one'), 'scope', { points: 20 }).result);
  const module = instrument.describe('scope');
  await instrument.close();
  return { traces: all, module };
}

test('a trace is encoded once a form, however many want it, and kept for no longer', async () => {
  const encode = traceEncoder();
  const {
    traces: [trace],
    module,
  } = await traces(1);
  assert.ok(trace);
  const shared = { ...trace, recipients: 6 };
  const five = [1, 2, 3].map(() => encode(shared, module, 'v5'));
  const four = [1, 2, 3].map(() => encode(shared, module, 'v4'));
  assert.equal(new Set(five).size, 1);
  assert.equal(new Set(four).size, 1);
  assert.notEqual(five[0], four[0]);
  assert.notEqual(encode(shared, module, 'v4'), four[0], 'nobody was to ask for it any more');
});

test('a trace of which some never ask is kept until there is a newer one', async () => {
  const encode = traceEncoder();
  const { traces: all, module } = await traces(2);
  const [first, second] = all.map((trace) => ({ ...trace, recipients: 3 }));
  assert.ok(first && second);
  const made = encode(first, module, 'v5');
  assert.equal(encode(first, module, 'v5'), made);
  assert.notEqual(encode(second, module, 'v5'), made);
  assert.notEqual(encode(first, module, 'v5'), made);
});

test('parts of one acquisition, in any order, are encoded once each', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const module = instrument.describe('scope');
  const grabs = [{}, { points: 50 }, {}, { points: 50, start: 5 }, { points: 50 }, {}].map((options) =>
    instrument.grab(client('one'), 'scope', options),
  );
  await eventually(() => bus.armings === 1, 'armed');
  bus.finish();
  const all = await Promise.all(grabs.map(({ result }) => result));
  const encode = traceEncoder();
  const sendings = all.map((trace) => encode(trace, module, 'v5'));
  assert.equal(new Set(sendings).size, 3);
  await instrument.close();
});

test('what is being sent is not touched by the traces that follow, however many; its memory is used when all have sent it', async () => {
  const { bus, instrument, join } = await bench();
  bus.sample = (_channel, _index, armings) => armings;
  const held: { readonly parts: readonly Uint8Array[]; readonly content: Buffer; readonly sent: () => void }[] = [];
  const slow = () =>
    join('v5', 'GRABBER', {
      outlet: {
        send(parts, sent) {
          if (sent) held.push({ parts, content: Buffer.concat(parts), sent });
        },
        close: () => undefined,
      },
    });
  /** Of all traces, two channels each; the time axis is the same of all. */
  const memories = () =>
    new Set(held.flatMap(({ parts }) => parts.filter((part) => part.length > 50_000).map(({ buffer }) => buffer)))
      .size - 1;
  const [one, other] = [slow(), slow()];
  const grab = async (...peers: ReturnType<typeof slow>[]): Promise<void> => {
    const before = held.length;
    for (const { peer } of peers) peer.command({ command: 'grab' });
    await eventually(() => held.length === before + peers.length, 'sent');
  };
  await grab(one, other);
  assert.equal(memories(), 2, 'one trace for both');
  for (let k = 0; k < 12; k++) await grab(one);
  assert.equal(memories(), 26);
  for (const { parts, content } of held) assert.ok(Buffer.concat(parts).equals(content));
  const [first, second] = held;
  first?.sent();
  await grab(one);
  assert.equal(memories(), 28, 'the other has not sent it yet');
  second?.sent();
  await grab(one);
  assert.equal(memories(), 28, 'used again');
  await instrument.close();
});

test.run();
