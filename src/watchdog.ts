/**
 * Feeds the watchdog of systemd, by what a client would notice: that the event loop turns without long pauses, and that
 * somebody still looks whose the FPGA is. A daemon that fails at either is not fed, and systemd starts another, which
 * leaves the outputs as they are. An FPGA that is lost is no such failure: clients are told, and a new daemon could do no more.
 */
import type { Logger } from 'pino';
import type { Verdict } from './fpga/identity-watch.ts';
import type { ServiceManager } from './service-manager.ts';

/** Feedings in the time that systemd allows: one that was late does no harm. */
const FEEDINGS = 4;

/** One pause of the event loop that a client takes for a daemon that hangs, in ms; or more, where systemd is told to be patient. */
const MAX_PAUSE_MS = 2000;
const MAX_PAUSE_SHARE = 1 / 15;

/** Looks at the clock between two feedings: one that comes late tells of a pause. */
const LOOKS = 8;

/** What is known when the daemon might be fed. */
export interface Condition {
  /** Longest pause of the event loop since it was last looked at, in ms. */
  readonly pauseMs: number;
  /** Of the last look at the FPGA; undefined: nobody else can load it (the simulator). */
  readonly verdict: Verdict | undefined;
  /** ms of `performance.now()`. */
  readonly now: number;
}

/** Why the daemon is not well; undefined: it is. @param allowedMs what systemd allows between two feedings */
export function illness({ pauseMs, verdict, now }: Condition, allowedMs: number): string | undefined {
  if (pauseMs > Math.max(MAX_PAUSE_MS, allowedMs * MAX_PAUSE_SHARE))
    return `the event loop stood still for ${Math.round(pauseMs)} ms`;
  const age = verdict === undefined ? 0 : now - verdict.at;
  if (age > allowedMs / 2) return `nobody has looked at the FPGA for ${Math.round(age)} ms`;
  return undefined;
}

export interface WatchdogOptions {
  readonly manager: ServiceManager;
  readonly log: Logger;
  /** The last verdict on the FPGA. */
  verdict(): Verdict | undefined;
  /** Variables of systemd; default: those of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Begins to feed, if systemd waits for it. Gives what ends it. */
export function feedWatchdog({ manager, log, verdict, env = process.env }: WatchdogOptions): () => void {
  const allowedMs = Number(env.WATCHDOG_USEC) / 1000;
  const forUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid;
  if (!(allowedMs > 0) || !forUs) return () => undefined;

  const everyMs = allowedMs / FEEDINGS / LOOKS;
  let last = performance.now();
  let looks = 0;
  let pauseMs = 0;

  function feed(now: number): void {
    const found = verdict();
    const ill = illness({ pauseMs, verdict: found, now }, allowedMs);
    pauseMs = 0;
    if (ill === undefined) manager.alive(found?.lost);
    else log.error({ reason: ill }, 'the watchdog is not fed');
  }

  function look(): void {
    const now = performance.now();
    pauseMs = Math.max(pauseMs, now - last - everyMs);
    last = now;
    looks = (looks + 1) % LOOKS;
    if (looks === 0) feed(now);
  }

  const timer = setInterval(look, everyMs);
  feed(last);
  return () => clearInterval(timer);
}
