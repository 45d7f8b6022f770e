import assert from 'node:assert/strict';
import { test } from 'uvu';
import { createBufferPool } from '../../../src/server/wire/buffers.ts';

test('a buffer that was given back is taken again, for a size near its own', () => {
  const pool = createBufferPool(1_000_000);
  const first = pool.take(394_000);
  assert.equal(first.length, 394_000);
  assert.notEqual(pool.take(394_000).buffer, first.buffer);
  pool.give(first);
  const second = pool.take(394_100);
  assert.equal(second.length, 394_100);
  assert.equal(second.buffer, first.buffer);
  pool.give(second);
  assert.notEqual(pool.take(20_000).buffer, first.buffer, 'a small message does not take the place of a trace');
  assert.equal(pool.take(300_000).buffer, first.buffer);
});

test('a buffer given back twice is handed out once', () => {
  const pool = createBufferPool(1_000_000);
  const first = pool.take(100_000);
  pool.give(first);
  pool.give(first);
  assert.notEqual(pool.take(100_000).buffer, pool.take(100_000).buffer);
});

test('foreign and small buffers are not kept', () => {
  const pool = createBufferPool(1_000_000);
  const foreign = Buffer.allocUnsafeSlow(131_072);
  pool.give(foreign);
  assert.notEqual(pool.take(131_072).buffer, foreign.buffer);
  const small = pool.take(100);
  pool.give(small);
  const again = pool.take(100);
  assert.ok(again.buffer !== small.buffer || again.byteOffset !== small.byteOffset);
});

test('no more than the allowed bytes are kept: the oldest go', () => {
  const pool = createBufferPool(300_000);
  const [a, b, c] = [pool.take(131_072), pool.take(131_072), pool.take(131_072)];
  for (const each of [a, b, c]) pool.give(each);
  const back = new Set([pool.take(131_072).buffer, pool.take(131_072).buffer, pool.take(131_072).buffer]);
  assert.ok(!back.has(a.buffer) && back.has(b.buffer) && back.has(c.buffer));
  const large = pool.take(400_000);
  pool.give(large);
  assert.notEqual(pool.take(400_000).buffer, large.buffer);
});

test.run();
