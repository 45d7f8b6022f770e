/** One encoding for all who get the same trace, and its buffer back to the pool. */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Trace } from '../../src/fpga/instrument/instrument.ts';
import { traceEncoder } from '../../src/server/data.ts';
import { client, eventually, timed } from '../fpga/instrument/fixture.ts';

/** A pool that tells what it lent and got back. */
function watchedPool() {
  const taken: Uint8Array[] = [];
  const given: Uint8Array[] = [];
  return {
    taken,
    given,
    pool: {
      take: (bytes: number) => {
        const buffer = Buffer.alloc(bytes);
        taken.push(buffer);
        return buffer;
      },
      give: (buffer: Uint8Array) => void given.push(buffer),
    },
  };
}

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

test('a trace is encoded once a form, however many want it', async () => {
  const { taken, given, pool } = watchedPool();
  const encode = traceEncoder(pool);
  const {
    traces: [trace],
    module,
  } = await traces(1);
  assert.ok(trace);
  const shared = { ...trace, recipients: 6 };
  const five = [1, 2, 3].map(() => encode(shared, module, 'v5'));
  const four = [1, 2].map(() => encode(shared, module, 'v4'));
  assert.equal(new Set(five.map(({ bytes }) => bytes)).size, 1);
  assert.equal(new Set(four.map(({ bytes }) => bytes)).size, 1);
  assert.notEqual(five[0]?.bytes, four[0]?.bytes);
  assert.equal(taken.length, 2);
  for (const { sent } of [...five, ...four]) sent();
  assert.equal(given.length, 0, 'one more will ask');
  const last = encode(shared, module, 'v4');
  assert.equal(taken.length, 2);
  assert.deepEqual(given, [five[0]?.bytes], 'nobody will ask for it any more');
  last.sent();
  assert.deepEqual(new Set(given), new Set(taken));
});

test('a buffer goes back when a newer trace is there and the last has sent it, once', async () => {
  const { given, pool } = watchedPool();
  const encode = traceEncoder(pool);
  const { traces: all, module } = await traces(3);
  // One that shares each of them never asks: its connection is gone.
  const [first, second, third] = all.map((trace) => ({ ...trace, recipients: 3 }));
  assert.ok(first && second && third);
  const [slow, quick] = [encode(first, module, 'v5'), encode(first, module, 'v5')];
  const content = Buffer.from(slow.bytes);
  quick.sent();
  const next = encode(second, module, 'v5');
  assert.equal(given.length, 0, 'one still sends it');
  assert.notEqual(next.bytes, slow.bytes);
  assert.ok(content.equals(slow.bytes));
  slow.sent();
  assert.deepEqual(given, [slow.bytes]);
  next.sent();
  assert.equal(given.length, 1);
  encode(third, module, 'v5');
  assert.equal(given.length, 2);
  assert.equal(given[1], next.bytes);
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
  const { taken, given, pool } = watchedPool();
  const encode = traceEncoder(pool);
  const sendings = all.map((trace) => encode(trace, module, 'v5'));
  assert.equal(taken.length, 3);
  assert.equal(new Set(sendings.map(({ bytes }) => bytes)).size, 3);
  assert.equal(given.length, 0);
  for (const { sent } of sendings) sent();
  assert.deepEqual(new Set(given), new Set(taken));
  assert.equal(given.length, 3, 'each once');
  await instrument.close();
});

test('however many parts are asked for, none is kept', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const module = instrument.describe('scope');
  const grabs = Array.from({ length: 20 }, (_, k) => instrument.grab(client('one'), 'scope', { start: k, points: 20 }));
  await eventually(() => bus.armings === 1, 'armed');
  bus.finish();
  const { taken, given, pool } = watchedPool();
  const encode = traceEncoder(pool);
  for (const { result } of grabs) encode(await result, module, 'v4').sent();
  assert.equal(taken.length, 20);
  assert.deepEqual(new Set(given), new Set(taken));
  assert.equal(given.length, 20, 'each once');
  await instrument.close();
});

test.run();
