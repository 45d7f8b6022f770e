/**
 * From the scope's ring buffers to a trace: which words to read, what the samples are, when they were taken. Pure
 * arithmetic, no bus. Sources: PyRPL red_pitaya_scope.v, acquisition_module.py.
 */
import { SAMPLES } from '../modules/scope.ts';
import { signedCounts } from '../volts.ts';

/** Two samples more than wanted are written at decimation 1: the two oldest elements are in truth the newest. */
const STALE_AT_FULL_SPEED = 2;

/** Consecutive points of a trace, the first being 0. */
export interface Part {
  readonly start: number;
  readonly points: number;
}

/** Consecutive words of a ring buffer. */
export interface Run {
  readonly index: number;
  readonly words: number;
}

/** Elements at the start of the ring that are no points of the trace. */
export function staleElements(decimation: number): number {
  return decimation === 1 ? STALE_AT_FULL_SPEED : 0;
}

/** Points that a whole trace has: 16384, or 16382 at decimation 1. */
export function tracePoints(decimation: number): number {
  return SAMPLES - staleElements(decimation);
}

/** What there is of the part asked for, in a trace of `total` points; by default everything. */
export function partOf(total: number, { start = 0, points = total }: Partial<Part>): Part {
  const first = Math.min(start, total);
  return { start: first, points: Math.min(points, total - first) };
}

/** The smallest part that contains all of these. */
export function union(parts: Iterable<Part>): Part {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const part of parts) {
    start = Math.min(start, part.start);
    end = Math.max(end, part.start + part.points);
  }
  return end > start ? { start, points: end - start } : { start: 0, points: 0 };
}

/** Where a finished acquisition's element 0, the oldest, is in the ring buffer. */
export function oldestIndex(pointerAtTrigger: number, delay: number): number {
  return (pointerAtTrigger + delay + 1) % SAMPLES;
}

/** The words of `points` elements from `first` on, in order: one run, or two where the ring begins anew. */
export function ringRuns(first: number, points: number): Run[] {
  const index = first % SAMPLES;
  const words = Math.min(points, SAMPLES - index);
  const runs = [
    { index, words },
    { index: 0, words: points - words },
  ];
  return runs.filter((run) => run.words > 0);
}

/**
 * By how many samples the trigger was recognised late: the pointer at the trigger is that of a sample after the first
 * one at or beyond the threshold (the comparison takes three clocks).
 */
function recognisedLate(decimation: number): number {
  if (decimation >= 4) return 1;
  return decimation === 2 ? 2 : 3;
}

/**
 * Time of point 0 and the step, in s. Of a triggered trace, time 0 is the first sample at or beyond the threshold;
 * of one triggered immediately, the arming. PyRPL's axis is that of `immediately` for all of them, so that its
 * crossings lie one (decimation ≥ 4), two or three samples before 0.
 */
export function timeAxis(settings: {
  decimation: number;
  delay: number;
  immediately: boolean;
  /** Length of a clock in s. */
  clock: number;
}): { t0: number; dt: number } {
  const { decimation, delay, immediately, clock } = settings;
  const dt = decimation * clock;
  const late = immediately ? 0 : recognisedLate(decimation);
  return { t0: (staleElements(decimation) + delay - SAMPLES + late) * dt, dt };
}

/** Samples of one channel, −8192 … 8191. */
export interface Samples {
  readonly counts: Int16Array;
  /** One that was read is at the end of the range, so that the signal may have been beyond it. */
  readonly clipped: boolean;
}

/** In two's complement of 14 bits the ends of the range, 8191 and −8192, are next to each other. */
function isAtEnd(count: number): boolean {
  return ((count + 1) & 0x3ffe) === 0x2000;
}

/**
 * One word a sample → counts, into `counts` of at least that length. In one pass, and four samples a turn, which takes
 * half the time: this is what a trace costs most, after the bus.
 */
export function samplesOf(words: Uint32Array, counts: Int16Array = new Int16Array(words.length)): Samples {
  const points = words.length;
  const whole = points - (points % 4);
  let clipped = false;
  for (let k = 0; k < whole; k += 4) {
    const a = signedCounts(words[k] as number);
    const b = signedCounts(words[k + 1] as number);
    const c = signedCounts(words[k + 2] as number);
    const d = signedCounts(words[k + 3] as number);
    counts[k] = a;
    counts[k + 1] = b;
    counts[k + 2] = c;
    counts[k + 3] = d;
    if (isAtEnd(a) || isAtEnd(b) || isAtEnd(c) || isAtEnd(d)) clipped = true;
  }
  for (let k = whole; k < points; k++) {
    const count = signedCounts(words[k] as number);
    counts[k] = count;
    clipped ||= isAtEnd(count);
  }
  return { counts: counts.length === points ? counts : counts.subarray(0, points), clipped };
}
