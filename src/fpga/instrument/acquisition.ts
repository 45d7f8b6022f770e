/**
 * One acquisition of the scope, on the registers: arm it, wait until it is over (reading.ts reads it). Knows nothing of
 * who wants the trace. Costs 3 or 4 words to arm, one a poll, and two when the trigger has just been seen. Sources: PyRPL red_pitaya_scope.v, hardware_modules/scope.py, acquisition_module.py.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { extract, type Field } from '../fields.ts';
import { arm, armRolling, SAMPLES, type ScopeValues, scope, scopeMemories, scopeRegisters } from '../modules/scope.ts';
import type { RegisterFile } from '../registers.ts';
import {
  type ChannelName,
  type ChannelSamples,
  type Destination,
  type Ending,
  freshMemory,
  ringReader,
} from './reading.ts';

/** Rolling mode has an effect on traces longer than this, in s. */
const SHORTEST_ROLLING = 0.1;

/** Traces longer than this, in ms, are polled for their trigger before they could be over, so that progress can be told. */
const LONG_MS = 500;

/** While a trigger is awaited, time between polls: this share of the time waited so far, within these limits in ms. */
const POLL_SHARE = 1 / 16;
const SHORTEST_POLL_MS = 0.02;
const LONGEST_POLL_MS = 10;

/** So long before the end, in ms, reading begins: a whole trace takes the bus some 5 ms. */
const AHEAD_MS = 25;

/** Samples after which it is looked again what can be read ahead, at most; and the last ones, not worth another look. */
const FIRST_PIECE = SAMPLES / 8;
const LAST_PIECE = SAMPLES / 32;

/**
 * An end so near, in ms, is waited for on the spot: a turn of the event loop may take as long, and what is recorded
 * meanwhile is better read than waited for.
 */
const NEAR_MS = 0.2;

/** How far the board's clock and the host's may be apart. */
const CLOCK_ERROR = 1e-4;

const CLOCK_MS = 1e3 / CLOCK_HZ;

/** An acquisition that is under way. */
export interface Armed {
  readonly values: ScopeValues;
  /** What is in the delay register. */
  readonly delay: number;
  /** When arming was over, in ms of performance.now(). */
  readonly at: number;
}

/** `filling`: too little was recorded yet for a trigger to count. */
export type Phase = 'filling' | 'waiting' | 'triggered';

/** What the waiting leaves to its caller. */
export interface Watch {
  /** As `Nap.until`. */
  until(time: number): Promise<void>;
  /** The acquisition is not wanted any more. */
  interrupted(): boolean;
  /** `end`: when it will be over, in ms of performance.now(), if that is known. */
  entered(phase: Phase, end?: number): void;
}

export function channelsOf(values: ScopeValues): ChannelName[] {
  return [...(values.ch1_active ? (['ch1'] as const) : []), ...(values.ch2_active ? (['ch2'] as const) : [])];
}

export function isRolling(values: ScopeValues): boolean {
  return values.rolling_mode && values.duration > SHORTEST_ROLLING;
}

/** Time from arming to the end, at least, in s: less would leave samples from before. */
export function shortestTime({ values, delay }: Pick<Armed, 'values' | 'delay'>): number {
  return Math.max(SAMPLES, delay) * values.sampling_time;
}

/** Starts an acquisition. @throws BusError */
export async function start(registers: RegisterFile, values: ScopeValues): Promise<Armed> {
  const delay = await arm(registers, values);
  return { values, delay, at: performance.now() };
}

/** `interrupted`: the hardware may still be armed. */
type Outcome = Ending | 'interrupted';

/**
 * Waits until an acquisition is over: sleeps as long as it must last, then polls. Between the trigger and the end calls
 * `ahead` a few times, to read what is recorded by then.
 * @throws BusError
 */
export async function finished(
  registers: RegisterFile,
  armed: Armed,
  watch: Watch,
  ahead: () => Promise<void>,
): Promise<Outcome> {
  const { values, delay, at } = armed;
  const sampleMs = values.decimation * CLOCK_MS;
  const earliestTrigger = at + Math.max(0, SAMPLES - delay) * sampleMs;
  const earliestEnd = at + shortestTime(armed) * 1e3;
  const nextLook = (now: number, end: number): number => {
    const left = end - now;
    if (left <= LAST_PIECE * sampleMs) return end;
    return left > AHEAD_MS ? end - AHEAD_MS : now + Math.min(left / 2, FIRST_PIECE * sampleMs);
  };
  let end = values.trigger_source === 'immediately' ? earliestEnd : undefined;
  let next = earliestEnd;
  if (end !== undefined) next = nextLook(at, end);
  else if (earliestEnd - at > LONG_MS) next = earliestTrigger;
  let triggered = false;
  let late = false;
  let step = Math.max(SHORTEST_POLL_MS, (earliestEnd - at) * CLOCK_ERROR);
  if (end === undefined) watch.entered('filling', earliestTrigger);
  else watch.entered('triggered', end);
  for (;;) {
    if (end !== undefined && !late && end - performance.now() <= NEAR_MS) spinUntil(next);
    else await watch.until(next);
    if (watch.interrupted()) return 'interrupted';
    const looked = performance.now();
    if (!triggered || end === undefined || looked >= end) {
      const status = await registers.readWord(scopeRegisters.writing);
      triggered = extract(status, scopeRegisters.countingDown) === 1;
      if (extract(status, scopeRegisters.writing) === 0) return triggered ? 'retriggered' : 'done';
    }
    const now = performance.now();
    if (end === undefined && triggered) {
      const sinceTrigger = (await clocksSinceTrigger(registers)) * CLOCK_MS;
      end = now + delay * sampleMs - sinceTrigger;
      watch.entered('triggered', end);
    }
    if (end === undefined) {
      watch.entered('waiting');
      next = now + Math.min(LONGEST_POLL_MS, Math.max(SHORTEST_POLL_MS, (now - at) * POLL_SHARE));
    } else if (now < end) {
      if (triggered && end - now <= AHEAD_MS) await ahead();
      next = nextLook(performance.now(), end);
    } else if (looked < end) {
      next = now;
    } else {
      late = true;
      next = now + step;
      step = Math.min(LONGEST_POLL_MS, 2 * step);
    }
  }
}

function spinUntil(time: number): void {
  while (performance.now() < time);
}

/** Low words of the 64-bit counters; they come around every 34 s, which is longer than any two polls are apart. */
const COUNTER_NOW = lowWord(scope.parameters.current_timestamp.fields);
const COUNTER_AT_TRIGGER = lowWord(scope.parameters.trigger_timestamp.fields);

function lowWord(fields: readonly Field[]): Field {
  const lowest = [...fields].sort((a, b) => a.address - b.address)[0];
  if (!lowest) throw new Error('A counter of the scope has no register.');
  return lowest;
}

async function clocksSinceTrigger(registers: RegisterFile): Promise<number> {
  const trigger = await registers.readWord(COUNTER_AT_TRIGGER);
  const now = await registers.readWord(COUNTER_NOW);
  return (now - trigger) >>> 0;
}

/** What rolling mode has recorded last. */
export interface Snapshot {
  /** Oldest first, all of the same length; the last sample is the newest. */
  readonly channels: readonly ChannelSamples[];
  /** Samples left out at the old end because new ones were written there during the reading. */
  readonly overwritten: number;
  readonly newest: Newest;
}

/** The newest sample of a snapshot. */
export interface Newest {
  /** Where it is in the ring. */
  readonly index: number;
  /** Samples since arming, about then: read a moment before. */
  readonly recorded: number;
}

/** Samples that were recorded after one snapshot, and are too old for a later one of so many points. */
export function lostBetween(before: Newest, after: Newest, points: number): number {
  const ahead = (after.index - before.index + SAMPLES) % SAMPLES;
  // The ring tells exactly, but for whole turns; the count tells these.
  const turns = Math.round((((after.recorded - before.recorded) >>> 0) - ahead) / SAMPLES);
  return Math.max(0, ahead + turns * SAMPLES - points);
}

/** Starts endless recording. @throws BusError */
export async function startRolling(registers: RegisterFile): Promise<void> {
  await armRolling(registers);
}

/**
 * Reads what rolling mode has recorded so far, up to 16384 samples, after one more sample was written.
 * @returns undefined if it was interrupted.
 * @throws BusError
 */
export async function snapshot(
  registers: RegisterFile,
  values: ScopeValues,
  channels: readonly ChannelName[],
  watch: Pick<Watch, 'until' | 'interrupted'>,
  destination: (channel: ChannelName) => Destination = freshMemory,
): Promise<Snapshot | undefined> {
  const sampleMs = values.decimation * CLOCK_MS;
  const before = await registers.readWord(scopeRegisters.writePointer);
  let recorded = 0;
  let newest = before;
  for (let step = 2 * sampleMs; recorded < 2 || newest === before; step = Math.min(LONGEST_POLL_MS, 2 * step)) {
    await watch.until(performance.now() + step);
    if (watch.interrupted()) return undefined;
    recorded = await registers.readWord(scopeRegisters.samplesSinceArm);
    newest = await registers.readWord(scopeRegisters.writePointer);
  }
  const points = Math.min(recorded, SAMPLES);
  const first = (newest + 1 - points + SAMPLES) % SAMPLES;
  const rings = channels.map((channel) => ringReader(registers, scopeMemories[channel], first, destination(channel)));
  await Promise.all(rings.map((ring) => ring.readUpTo(points)));
  const written = ((await registers.readWord(scopeRegisters.writePointer)) - newest + SAMPLES) % SAMPLES;
  const overwritten = Math.max(0, points + written - SAMPLES);
  return {
    channels: rings.map((ring) => ring.samples(overwritten, points)),
    overwritten,
    newest: { index: newest, recorded },
  };
}
