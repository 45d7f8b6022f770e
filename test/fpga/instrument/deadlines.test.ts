import assert from 'node:assert';
import { test } from 'uvu';
import { deadlines } from '../../../src/fpga/instrument/deadlines.ts';
import { eventually, pause } from './fixture.ts';

test('each expires once, not early, in whatever order they were set', async () => {
  const late: number[] = [];
  const set = new Map<string, number>();
  const limits = deadlines<string>((name) => late.push(performance.now() - (set.get(name) ?? Number.NaN)));
  for (const [name, ms] of [
    ['c', 15],
    ['a', 2],
    ['b', 8],
    ['now', 0],
  ] as const) {
    set.set(name, performance.now() + ms);
    limits.set(name, set.get(name) ?? 0);
  }
  await eventually(() => late.length === 4, 'all expired');
  await pause(10);
  assert.equal(late.length, 4);
  for (const each of late) assert.ok(each >= 0, `${-each} ms early`);
});

test('one that is removed or put off does not expire', async () => {
  const expired: string[] = [];
  const limits = deadlines<string>((name) => expired.push(name));
  const now = performance.now();
  for (const name of ['removed', 'put off', 'kept']) limits.set(name, now + 5);
  limits.remove('removed');
  limits.set('put off', now + 40);
  await eventually(() => expired.length > 0, 'the first');
  assert.deepEqual(expired, ['kept']);
  await eventually(() => expired.length > 1, 'the second');
  assert.ok(performance.now() >= now + 40);
  assert.deepEqual(expired, ['kept', 'put off']);
});

test('what expires may set and remove others', async () => {
  const expired: string[] = [];
  const limits = deadlines<string>((name) => {
    expired.push(name);
    limits.remove('b');
    if (name === 'a') limits.set('c', performance.now());
  });
  limits.set('a', performance.now());
  limits.set('b', performance.now());
  await eventually(() => expired.includes('c'), 'the one set last');
  assert.deepEqual(expired, ['a', 'c']);
});

test.run();
