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

/** Of two 14-bit samples in the halves of a word: all bits, the sign's, and those that differ from the ends of the range. */
const SAMPLE = 0x3fff_3fff;
const SIGN = 0x2000_2000;
const BUT_LAST = 0x3ffe_3ffe;

/**
 * One word a sample → counts, into `counts` of at least that length: this is what a trace costs most, after the bus.
 * Native code takes the lower halves of the words; then two samples at a time, in half the time of one by one, get the
 * bits of their signs.
 */
export function samplesOf(words: Uint32Array, counts: Int16Array = new Int16Array(words.length)): Samples {
  const points = words.length;
  counts.set(words);
  // The first pair begins at an even place of the memory.
  const odd = (counts.byteOffset % 4) / 2;
  const pairs = Math.max(0, (points - odd) >> 1);
  let clipped = signed(new Int32Array(counts.buffer, counts.byteOffset + 2 * odd, pairs));
  for (const k of odd === 1 ? [0, odd + 2 * pairs] : [2 * pairs]) {
    if (k >= points) continue;
    const count = signedCounts(words[k] as number);
    counts[k] = count;
    clipped ||= count === 8191 || count === -8192;
  }
  return { counts: counts.length === points ? counts : counts.subarray(0, points), clipped };
}

/** Extends the signs of pairs of samples. Gives whether one is at an end of the range. */
function signed(pairs: Int32Array): boolean {
  // In two's complement the ends, 8191 and −8192, are next to each other: one more, and but for the last bit they are
  // equal. Bit 15 of a half stays set for ever if no sample of that half was there.
  let inside = -1;
  const whole = pairs.length - (pairs.length % 4);
  for (let k = 0; k < whole; k += 4) {
    const a = (pairs[k] as number) & SAMPLE;
    const b = (pairs[k + 1] as number) & SAMPLE;
    const c = (pairs[k + 2] as number) & SAMPLE;
    const d = (pairs[k + 3] as number) & SAMPLE;
    pairs[k] = a | ((a & SIGN) << 1) | ((a & SIGN) << 2);
    pairs[k + 1] = b | ((b & SIGN) << 1) | ((b & SIGN) << 2);
    pairs[k + 2] = c | ((c & SIGN) << 1) | ((c & SIGN) << 2);
    pairs[k + 3] = d | ((d & SIGN) << 1) | ((d & SIGN) << 2);
    inside &= awayFromEnds(a) & awayFromEnds(b) & awayFromEnds(c) & awayFromEnds(d);
  }
  for (let k = whole; k < pairs.length; k++) {
    const a = (pairs[k] as number) & SAMPLE;
    pairs[k] = a | ((a & SIGN) << 1) | ((a & SIGN) << 2);
    inside &= awayFromEnds(a);
  }
  return (inside & 0x8000_8000) !== (0x8000_8000 | 0);
}

/** Bit 15 of each half: this sample is not at an end of the range. Neither half carries into the other. */
function awayFromEnds(pair: number): number {
  return (((pair + 0x0001_0001) & BUT_LAST) ^ SIGN) + 0x7fff_7fff;
}
