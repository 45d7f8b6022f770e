import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { type Leave, turnstile } from '../../../src/fpga/instrument/turnstile.ts';

const never = new AbortController().signal;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('many pass at once, without waiting', () => {
  const place = turnstile();
  assert.equal(typeof place.pass(), 'function');
  assert.equal(typeof place.pass(), 'function');
});

test('who wants the place alone waits for those inside, and those who come later wait for it', async () => {
  const place = turnstile();
  const first = (await place.pass()) as Leave;
  const log: string[] = [];
  const alone = place.alone(never).then((leave) => {
    log.push('alone');
    return leave;
  });
  const later = Promise.resolve(place.pass()).then(() => log.push('later'));
  await settle();
  assert.deepEqual(log, []);
  first();
  const leave = await alone;
  await settle();
  assert.deepEqual(log, ['alone']);
  leave();
  await later;
  assert.deepEqual(log, ['alone', 'later']);
});

test('who gives up waiting lets the others in', async () => {
  const place = turnstile();
  await place.pass();
  const patience = new AbortController();
  const alone = place.alone(patience.signal);
  const later = place.pass();
  patience.abort(new Error('no more'));
  await assert.rejects(alone, /no more/);
  await later;
});

test('leaving twice is leaving once', async () => {
  const place = turnstile();
  const leave = await place.alone(never);
  leave();
  const mine = await place.alone(never);
  leave();
  let entered = false;
  void Promise.resolve(place.pass()).then(() => {
    entered = true;
  });
  await settle();
  assert.equal(entered, false);
  mine();
  await settle();
  assert.equal(entered, true);
});

test('any order of coming, leaving and giving up: never two where one is alone, and nobody waits for ever', async () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('pass' as const) }),
    fc.record({ what: fc.constant('alone' as const), givesUp: fc.boolean() }),
    fc.record({ what: fc.constant('leave' as const), which: fc.nat(5) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const place = turnstile();
      const inside: { alone: boolean; leave: Leave }[] = [];
      let expected = 0;
      let came = 0;
      const enter = (alone: boolean) => (leave: Leave) => {
        came++;
        assert.ok(inside.length === 0 || (!alone && inside.every((one) => !one.alone)), 'two where one is alone');
        inside.push({ alone, leave });
      };
      for (const each of steps) {
        if (each.what === 'pass') {
          expected++;
          void Promise.resolve(place.pass()).then(enter(false));
        } else if (each.what === 'alone') {
          const patience = new AbortController();
          expected++;
          place.alone(patience.signal).then(enter(true), () => void expected--);
          if (each.givesUp) patience.abort(new Error('no more'));
        } else {
          const [gone] = inside.splice(each.which % Math.max(1, inside.length), 1);
          gone?.leave();
        }
        await settle();
      }
      while (inside.length > 0) {
        inside.shift()?.leave();
        await settle();
      }
      assert.equal(came, expected);
    }),
    { numRuns: 60 },
  );
});

test.run();
