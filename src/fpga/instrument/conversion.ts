/**
 * One word a sample → counts and volts: this is what a trace costs most, after the bus. WebAssembly does it several
 * samples at a time, on a PC in a third of the time that a loop of JavaScript takes (the board's processor has not been
 * measured yet); where there are no vectors, the loop does it.
 */
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
  return vectors ? vectorMemory(vectors, points, words) : plainMemory(points, words);
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

const PAGE = 65536;

interface Exports {
  convert(words: number, end: number, counts: number, volts: number, gain: number, offset: number): number;
}

/** What of it is used here: the types of Node do not have it. */
const { WebAssembly: engine } = globalThis as unknown as {
  readonly WebAssembly: {
    validate(bytes: Uint8Array): boolean;
    Module: new (bytes: Uint8Array) => object;
    Memory: new (pages: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
    Instance: new (module: object, imports: Record<string, Record<string, object>>) => { readonly exports: Exports };
  };
};

/** The last turn of the loop is a whole one. */
const rounded = (samples: number): number => Math.ceil(samples / AT_ONCE) * AT_ONCE;

function vectorMemory(module: object, points: number, size: number): SampleMemory {
  // Samples that do not begin at a turn end a whole turn behind the last one.
  const room = rounded(points) + AT_ONCE;
  const [wordsAt, voltsAt] = [0, 4 * rounded(size)];
  const countsAt = voltsAt + 8 * room;
  const memory = new engine.Memory({ initial: Math.ceil((countsAt + 2 * room) / PAGE) });
  const { convert } = new engine.Instance(module, { m: { m: memory } }).exports;
  const words = new Uint32Array(memory.buffer, wordsAt, rounded(size));
  return {
    words: words.subarray(0, size),
    counts: new Int16Array(memory.buffer, countsAt, points),
    volts: new Float64Array(memory.buffer, voltsAt, points),
    convert(at, count, { gain, offset } = NO_VOLTS) {
      if (count === 0) return false;
      const whole = rounded(count);
      // What was there before may be at an end of the range.
      if (whole > count) words.fill(0, count, whole);
      return convert(wordsAt, wordsAt + 4 * whole, countsAt + 2 * at, voltsAt + 8 * at, gain, offset) === 1;
    },
  };
}

const NO_VOLTS: Conversion = { gain: 0, offset: 0 };

// ---- the loop, in WebAssembly's own words

/** Instructions, by their names in the text form; those of vectors have a prefix. */
const vector = (...code: number[]): number[] => [0xfd, ...code];
const I32 = { const: 0x41, add: 0x6a, lessUnsigned: 0x49 };
const LOOP = [0x03, 0x40];
const BRANCH_IF = 0x0d;
const END = 0x0b;
const V128 = {
  load: (offset: number) => vector(0x00, 4, offset),
  store: (offset: number) => vector(0x0b, 4, offset),
  xor: vector(0x51),
  anyTrue: vector(0x53),
  /** Lanes 2 and 3 of 32 bits to the place of 0 and 1. */
  upperHalf: vector(0x0d, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15),
};
const I32X4 = {
  splat: vector(0x11),
  equal: vector(0x37),
  shiftLeft: vector(0xab, 1),
  shiftRight: vector(0xac, 1),
  max: vector(0xb8, 1),
};
const I16X8 = { narrow: vector(0x85, 1) };
const F64X2 = { splat: vector(0x14), fromInt: vector(0xfe, 1), multiply: vector(0xf2, 1), add: vector(0xf0, 1) };
const TYPE = { i32: 0x7f, f64: 0x7c, v128: 0x7b };

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
/** −64 … 8191, in LEB128. */
const number = (value: number): number[] =>
  value < 64 ? [I32.const, value & 0x7f] : [I32.const, (value & 0x7f) | 0x80, value >> 7];

/**
 * convert(words, end, counts, volts, gain, offset): 8 words a turn, from byte `words` to before `end`; 1: one of them is
 * at an end of the range.
 */
function code(): number[] {
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
  const next = (pointer: number, bytes: number): number[] => [
    ...[...get(pointer), ...number(bytes), I32.add, ...set(pointer)],
  ];
  return [
    ...[...get(gain), ...F64X2.splat, ...set(gains), ...get(offset), ...F64X2.splat, ...set(offsets)],
    ...LOOP,
    ...four(0, first),
    ...four(16, second),
    ...[...get(counts), ...get(first), ...get(second), ...I16X8.narrow, ...V128.store(0)],
    ...two(0, get(first)),
    ...two(16, [...get(first), ...get(first), ...V128.upperHalf]),
    ...two(32, get(second)),
    ...two(48, [...get(second), ...get(second), ...V128.upperHalf]),
    ...next(counts, 2 * AT_ONCE),
    ...next(volts, 8 * AT_ONCE),
    ...[...get(words), ...number(4 * AT_ONCE), I32.add, ...tee(words), ...get(end), I32.lessUnsigned],
    ...[BRANCH_IF, 0, END],
    ...[...get(furthest), ...number(8191), ...I32X4.splat, ...I32X4.equal, ...V128.anyTrue, END],
  ];
}

function assembled(): Uint8Array<ArrayBuffer> {
  const size = (length: number): number[] => (length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7]);
  const section = (id: number, content: number[]): number[] => [id, ...size(content.length), ...content];
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const { i32, f64, v128 } = TYPE;
  const body = [1, 5, v128, ...code()];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 6, i32, i32, i32, i32, f64, f64, 1, i32]),
    ...section(2, [1, ...text('m'), ...text('m'), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text('convert'), 0, 0]),
    ...section(10, [1, ...size(body.length), ...body]),
  ]);
}

/** undefined: there are no vectors here. */
function compiled(): object | undefined {
  const bytes = assembled();
  return engine.validate(bytes) ? new engine.Module(bytes) : undefined;
}

const vectors = compiled();
