/**
 * The two loops in which the simulated FPGA spends its time while a trace is recorded: a generator that goes round and
 * round its table, and samples that are put into the scope's memory. In WebAssembly where there is some.
 */
import {
  get,
  I32,
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
} from '../../../wasm.ts';
import { fromCounts } from './signal.ts';

/** Samples that are worked out in one go: they stay in the cache until they are in the ring. */
export const PIECE = 2048;

/** Of a generator's table, and the bits that a pointer into it has behind the point. */
export const POINTS = 16384;
export const FRACTION_BITS = 16;
/** The whole table, in the pointer's units. */
export const FULL_TURN = POINTS << FRACTION_BITS;
const TURN = FULL_TURN - 1;

/** Samples of one turn of `round`, and of `cut`. */
const ROUND_AT_ONCE = 4;
const CUT_AT_ONCE = 8;

/** Tables that are kept ready, those of two boards. */
const TABLES = 4;

const { i32, v128 } = TYPE;

/** round(out, end, levels, pointer, step) */
function round(): WasmFunction {
  const [out, end, levels, pointer, step] = [0, 1, 2, 3, 4];
  /** Rounded down to whole points, times 4 bytes. */
  const place = [...get(pointer), ...number(FRACTION_BITS - 2), ...I32.shiftRight, ...number(-4), ...I32.and];
  const one = (at: number): number[] => [
    ...[...get(out), ...get(levels), ...place, ...I32.add, ...I32.load, ...I32.store(at)],
    ...[...get(pointer), ...get(step), ...I32.add, ...number(TURN), ...I32.and, ...set(pointer)],
  ];
  return {
    parameters: [i32, i32, i32, i32, i32],
    code: loop(out, 4 * ROUND_AT_ONCE, end, [...one(0), ...one(4), ...one(8), ...one(12)]),
  };
}

/** cut(samples, end, words) */
function cut(): WasmFunction {
  const [samples, end, words, bits] = [0, 1, 2, 3];
  const four = (at: number): number[] => [
    ...[...get(words), ...get(samples), ...V128.load(at), ...get(bits), ...V128.and, ...V128.store(at)],
  ];
  return {
    parameters: [i32, i32, i32],
    locals: [v128],
    code: [
      ...[...number(0x3fff), ...I32X4.splat, ...set(bits)],
      ...loop(samples, 4 * CUT_AT_ONCE, end, [...four(0), ...four(16), ...next(words, 4 * CUT_AT_ONCE)]),
    ],
  };
}

const loops = wasmLoops({ round: round(), cut: cut() });

/** Places in the loops' memory. */
const WORDS_AT = 4 * PIECE;
const TABLES_AT = 8 * PIECE;

/** One for all simulated boards, who use it for moments only; made when the first of them records. */
let shared: ReturnType<typeof open> | undefined;

function open() {
  const made = loops?.open(TABLES_AT + TABLES * 4 * POINTS);
  const { buffer, run } = made ?? { buffer: new ArrayBuffer(TABLES_AT), run: undefined };
  /** Which table is at a place. */
  const known: (Int32Array | undefined)[] = new Array(TABLES).fill(undefined);
  let oldest = 0;
  return {
    buffer,
    run,
    samples: new Int32Array(buffer, 0, PIECE),
    words: new Uint32Array(buffer, WORDS_AT, PIECE),
    /** Place of a table, which is not changed any more. */
    placeOf(table: Int32Array): number {
      let k = known.indexOf(table);
      if (k < 0) {
        k = oldest;
        oldest = (oldest + 1) % TABLES;
        known[k] = table;
        new Int32Array(buffer, TABLES_AT + k * 4 * POINTS, POINTS).set(table);
      }
      return TABLES_AT + k * 4 * POINTS;
    },
  };
}

/** Room for a piece of samples. Whoever fills it uses it before anybody else can. */
export function pieceOfSamples(): Int32Array {
  shared ??= open();
  return shared.samples;
}

/** Puts the first `count` samples of `pieceOfSamples` into a ring, cut to the bits that it has. */
export function cutInto(ring: Uint32Array, index: number, count: number): void {
  shared ??= open();
  const { run, samples, words } = shared;
  // What the last turn cuts beyond is not used.
  if (run) run.cut(0, 4 * wholeTurns(count, CUT_AT_ONCE), WORDS_AT);
  else for (let k = 0; k < count; k++) words[k] = fromCounts(samples[k] as number);
  ring.set(count < PIECE ? words.subarray(0, count) : words, index);
}

/**
 * What a pointer passes on its way round and round the whole table: by far the commonest, and what a trace waits for.
 * @param table is not changed any more
 */
export function goRound(table: Int32Array, out: Int32Array, pointer: number, step: number, count: number): void {
  let p = pointer;
  let done = 0;
  const whole = count - (count % ROUND_AT_ONCE);
  if (shared?.run && out.buffer === shared.buffer && whole > 0) {
    const { run, placeOf } = shared;
    run.round(out.byteOffset, out.byteOffset + 4 * whole, placeOf(table), pointer, step);
    // A power of two: the lowest bits of a product follow from those of its factors.
    p = (pointer + Math.imul(step, whole)) & TURN;
    done = whole;
  }
  for (let k = done; k < count; k++) {
    out[k] = table[p >> FRACTION_BITS] as number;
    p = (p + step) & TURN;
  }
}
