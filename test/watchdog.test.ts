/** The watchdog of systemd is fed by what a client would notice, and by nothing else. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { suite } from 'uvu';
import type { Verdict } from '../src/fpga/identity-watch.ts';
import { feedWatchdog, illness } from '../src/watchdog.ts';

const test = suite('watchdog');

interface Told {
  /** Feedings, each with what it said. */
  readonly fed: (string | undefined)[];
  /** Reasons in the log for not feeding. */
  readonly refused: string[];
  stop(): void;
}

/** A watchdog that allows `allowedMs`, with what it came to. */
function watchdog(allowedMs: number, verdict: () => Verdict | undefined, env: NodeJS.ProcessEnv = {}): Told {
  const fed: (string | undefined)[] = [];
  const refused: string[] = [];
  const log = pino({}, { write: (line: string) => void refused.push((JSON.parse(line) as { reason: string }).reason) });
  const manager = {
    ready: () => undefined,
    stopping: () => undefined,
    alive: (trouble?: string) => void fed.push(trouble),
  };
  const stop = feedWatchdog({ manager, log, verdict, env: { WATCHDOG_USEC: String(allowedMs * 1000), ...env } });
  return { fed, refused, stop };
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a daemon that is well is fed several times in the time allowed, and no more once it stops', async () => {
  const { fed, refused, stop } = watchdog(400, () => ({ lost: undefined, at: performance.now() }));
  while (fed.length < 5) await sleep(20);
  stop();
  const count = fed.length;
  await sleep(250);
  assert.equal(fed.length, count);
  assert.deepEqual(refused, []);
});

test('an event loop that stands still is not fed, and is again once it turns', async () => {
  const { fed, refused, stop } = watchdog(1200, () => undefined);
  while (fed.length < 2) await sleep(20);
  const before = fed.length;
  block(2300);
  while (refused.length < 1) await sleep(20);
  assert.equal(fed.length, before);
  assert.match(refused[0] ?? '', /^the event loop stood still for \d{4,} ms$/);
  while (fed.length === before) await sleep(20);
  stop();
});

test('an FPGA at which nobody looks any more', async () => {
  const at = performance.now();
  const { fed, refused, stop } = watchdog(400, () => ({ lost: undefined, at }));
  while (refused.length < 1) await sleep(20);
  stop();
  assert.ok(fed.length >= 1, 'it was fed while the verdict was fresh');
  assert.match(refused[0] ?? '', /^nobody has looked at the FPGA for \d+ ms$/);
});

test('an FPGA that is lost is told to systemd, by a daemon that is well', async () => {
  const { fed, stop } = watchdog(400, () => ({ lost: 'The FPGA is another’s.', at: performance.now() }));
  stop();
  assert.deepEqual(fed, ['The FPGA is another’s.']);
});

test('nobody is fed where systemd waits for nothing, or for another process', () => {
  const others = [{ WATCHDOG_USEC: '' }, { WATCHDOG_USEC: undefined }, { WATCHDOG_PID: String(process.pid + 1) }];
  for (const env of others) {
    const { fed, stop } = watchdog(400, () => undefined, env);
    stop();
    assert.deepEqual(fed, [], JSON.stringify(env));
  }
});

test('limits', () => {
  const now = 1e6;
  const verdict = { lost: undefined, at: now - 1000 };
  assert.equal(illness({ pauseMs: 1999, verdict, now }, 2000), undefined);
  assert.equal(
    illness({ pauseMs: 19_999, verdict, now }, 300_000),
    undefined,
    'so patient is systemd with an emulator',
  );
  assert.match(illness({ pauseMs: 20_001, verdict, now }, 300_000) ?? '', /stood still for 20001 ms/);
  assert.match(illness({ pauseMs: 2001, verdict, now }, 2000) ?? '', /stood still for 2001 ms/);
  assert.match(illness({ pauseMs: 0, verdict, now }, 1998) ?? '', /for 1000 ms/);
});

test.run();
