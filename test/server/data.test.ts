/** One encoding for all who get the same trace, and its buffer back to the pool. */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Trace } from '../../src/fpga/instrument/instrument.ts';
import { traceEncoder } from '../../src/server/data.ts';
import { client, timed } from '../fpga/instrument/fixture.ts';

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
  const five = [1, 2, 3].map(() => encode(trace, module, 'v5'));
  const four = [1, 2].map(() => encode(trace, module, 'v4'));
  assert.equal(new Set(five.map(({ bytes }) => bytes)).size, 1);
  assert.equal(new Set(four.map(({ bytes }) => bytes)).size, 1);
  assert.notEqual(five[0]?.bytes, four[0]?.bytes);
  assert.equal(taken.length, 2);
  for (const { sent } of [...five, ...four]) sent();
  assert.equal(given.length, 0, 'the same trace may be asked for again');
});

test('a buffer goes back when a newer trace is there and the last has sent it, once', async () => {
  const { given, pool } = watchedPool();
  const encode = traceEncoder(pool);
  const {
    traces: [first, second, third],
    module,
  } = await traces(3);
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

test.run();
