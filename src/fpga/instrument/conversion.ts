/**
 * One word a sample → counts and volts: this is what a trace costs most, after the bus. WebAssembly does it several
 * samples at a time, on a PC in a third of the time that a loop of JavaScript takes (the board's processor has not been
 * measured yet); where there are no vectors, the loop does it.
 */

import {
  F64X2,
  get,
  I16X8,
  I32X4,
  loop,
  next,
  number,
  set,
  TYPE,
  V128,
  type WasmFunction,
  wasmLoops,
  wholeTurns,
} from '../../wasm.ts';
import { toVolts } from '../volts.ts';
import { samplesOf } from './trace.ts';

/** Volts of a channel: counts · gain + offset. */
export interface Conversion {
  readonly gain: number;
  readonly offset: number;
}

/** Where words of one channel's ring become samples, and stay. */
export interface SampleMemory {
  /** Where words are put. */
  readonly words: Uint32Array;
  readonly counts: Int16Array;
  readonly volts: Float64Array;
  /**
   * Makes samples of the first `count` words, from place `at` on; without a conversion, counts alone are for use. Up to
   * seven samples behind them are overwritten.
   * @returns whether one is at the end of the range
   */
  convert(at: number, count: number, conversion?: Conversion): boolean;
}

/** @param points that it holds @param words that are put in at a time, at most */
export function sampleMemory(points: number, words: number): SampleMemory {
  return vectorMemory(points, words) ?? plainMemory(points, words);
}

export function plainMemory(points: number, size: number): SampleMemory {
  const words = new Uint32Array(size);
  const counts = new Int16Array(points);
  const volts = new Float64Array(points);
  return {
    words,
    counts,
    volts,
    convert(at, count, conversion) {
      const samples = counts.subarray(at, at + count);
      const { clipped } = samplesOf(words.subarray(0, count), samples);
      if (conversion) toVolts(samples, conversion, volts.subarray(at, at + count));
      return clipped;
    },
  };
}

/** Words of one turn of the loop. */
const AT_ONCE = 8;

const rounded = (samples: number): number => wholeTurns(samples, AT_ONCE);

/** undefined: there are no vectors here, or no room for them. */
function vectorMemory(points: number, size: number): SampleMemory | undefined {
  // Samples that do not begin at a turn end a whole turn behind the last one.
  const room = rounded(points) + AT_ONCE;
  const [wordsAt, voltsAt] = [0, 4 * rounded(size)];
  const countsAt = voltsAt + 8 * room;
  const open = vectors?.open(countsAt + 2 * room);
  if (!open) return undefined;
  const { buffer, run } = open;
  const words = new Uint32Array(buffer, wordsAt, rounded(size));
  return {
    words: words.subarray(0, size),
    counts: new Int16Array(buffer, countsAt, points),
    volts: new Float64Array(buffer, voltsAt, points),
    convert(at, count, { gain, offset } = NO_VOLTS) {
      if (count === 0) return false;
      const whole = rounded(count);
      // What was there before may be at an end of the range.
      if (whole > count) words.fill(0, count, whole);
      return run.convert(wordsAt, wordsAt + 4 * whole, countsAt + 2 * at, voltsAt + 8 * at, gain, offset) === 1;
    },
  };
}

const NO_VOLTS: Conversion = { gain: 0, offset: 0 };

/**
 * convert(words, end, counts, volts, gain, offset): 8 words a turn, from byte `words` to before `end`; 1: one of them is
 * at an end of the range.
 */
function convert(): WasmFunction {
  const [words, end, counts, volts, gain, offset, first, second, gains, offsets, furthest] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ];
  /** Four words with their signs extended from 14 bits. */
  const four = (at: number, into: number): number[] => [
    ...[...get(words), ...V128.load(at), ...number(18), ...I32X4.shiftLeft],
    ...[...number(18), ...I32X4.shiftRight, ...set(into)],
    // Inverted where negative, both ends of the range are 8191.
    ...[...get(furthest), ...get(into), ...get(into), ...number(31), ...I32X4.shiftRight, ...V128.xor],
    ...[...I32X4.max, ...set(furthest)],
  ];
  const two = (at: number, lanes: number[]): number[] => [
    ...[...get(volts), ...lanes, ...F64X2.fromInt, ...get(gains), ...F64X2.multiply],
    ...[...get(offsets), ...F64X2.add, ...V128.store(at)],
  ];
  const { i32, f64, v128 } = TYPE;
  return {
    parameters: [i32, i32, i32, i32, f64, f64],
    result: i32,
    locals: [v128, v128, v128, v128, v128],
    code: [
      ...[...get(gain), ...F64X2.splat, ...set(gains), ...get(offset), ...F64X2.splat, ...set(offsets)],
      ...loop(words, 4 * AT_ONCE, end, [
        ...four(0, first),
        ...four(16, second),
        ...[...get(counts), ...get(first), ...get(second), ...I16X8.narrow, ...V128.store(0)],
        ...two(0, get(first)),
        ...two(16, [...get(first), ...get(first), ...V128.upperHalf]),
        ...two(32, get(second)),
        ...two(48, [...get(second), ...get(second), ...V128.upperHalf]),
        ...next(counts, 2 * AT_ONCE),
        ...next(volts, 8 * AT_ONCE),
      ]),
      ...[...get(furthest), ...number(8191), ...I32X4.splat, ...I32X4.equal, ...V128.anyTrue],
    ],
  };
}

const vectors = wasmLoops({ convert: convert() });
