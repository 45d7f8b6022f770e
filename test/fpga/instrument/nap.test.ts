import assert from 'node:assert';
import { test } from 'uvu';
import { nap } from '../../../src/fpga/instrument/nap.ts';

test('never returns early, short or long', async () => {
  const rest = nap();
  for (const ms of [0, 0.05, 0.5, 2, 6]) {
    const time = performance.now() + ms;
    await rest.until(time);
    const late = performance.now() - time;
    assert.ok(late >= 0, `${ms} ms: ${-late} ms early`);
  }
});

test('is woken, also before it began, and only once', async () => {
  const rest = nap();
  const began = performance.now();
  const long = rest.until(began + 5000);
  setTimeout(() => rest.wake(), 5);
  await long;
  assert.ok(performance.now() - began < 1000);
  rest.wake();
  await rest.until(performance.now() + 5000);
  assert.ok(performance.now() - began < 1000);
  const time = performance.now() + 3;
  await rest.until(time);
  assert.ok(performance.now() >= time);
});

test('others get their turn, even when the time has passed already', async () => {
  const rest = nap();
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  const end = performance.now() + 20;
  while (performance.now() < end) await rest.until(0);
  clearInterval(ticking);
  assert.ok(turns >= 3, `${turns} turns`);
});

test('others get a turn, unless they had one since the last', async () => {
  const rest = nap();
  let turns = 0;
  assert.equal(rest.turn(), undefined);
  for (let k = 1; k <= 3; k++) {
    setImmediate(() => turns++);
    await rest.turn();
    assert.equal(turns, k, 'none since the call before');
  }
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(rest.turn(), undefined);
});

test.run();
