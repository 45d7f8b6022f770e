/** That garbage which has grown old does not wait for V8's own large collection. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { test } from 'uvu';
import { collectOldGarbage } from '../src/old-garbage.ts';

const oldSpace = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? 0;

/** Objects that live until they are old, and are garbage then. Gives how much was in use with them. */
function growOld(): number {
  let held: unknown[] = [];
  for (let k = 0; k < 200_000; k++) held.push({ k, text: [k] });
  const most = oldSpace();
  held = [];
  return most;
}

test('old garbage is collected within some looks', async () => {
  const stop = collectOldGarbage(20);
  const before = oldSpace();
  const most = growOld();
  assert.ok(most - before > 4e6, `${most - before} bytes have grown old`);
  for (let tries = 0; tries < 200 && oldSpace() > before + 2e6; tries++) await sleep(20);
  assert.ok(oldSpace() <= before + 2e6, `${oldSpace() - before} bytes are left`);
  stop();
});

test.run();
