/** Large answers leave one a turn of the event loop. */
import assert from 'node:assert';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'uvu';
import { turns } from '../../src/server/turns.ts';

test('whoever is alone goes at once', async () => {
  const turn = turns();
  let gone = false;
  void turn().then(() => {
    gone = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(gone, true);
});

test('of several, one goes in each turn of the event loop, in order', async () => {
  const turn = turns();
  const gone: number[] = [];
  const all = [0, 1, 2, 3].map((k) => turn().then(() => gone.push(k)));
  const seen: number[] = [];
  for (let k = 0; k < 4; k++) {
    seen.push(gone.length);
    await nextTurn();
  }
  await Promise.all(all);
  assert.deepEqual(gone, [0, 1, 2, 3]);
  assert.ok(
    seen.every((count, k) => count <= k + 1),
    `after each turn: ${seen}`,
  );
});

test('when all have gone, the next one is alone again', async () => {
  const turn = turns();
  await Promise.all([turn(), turn()]);
  await nextTurn();
  await nextTurn();
  let gone = false;
  void turn().then(() => {
    gone = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(gone, true);
});

test.run();
