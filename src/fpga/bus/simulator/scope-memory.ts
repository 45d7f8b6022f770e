/**
 * What the scope recorded (PyRPL red_pitaya_scope.v). Samples are noted as runs of equal distance, and their values are
 * worked out when somebody reads them, or before a signal changes.
 */
import type { Signal } from './signal.ts';

export const SAMPLES = 16384;
export const INDEX = SAMPLES - 1;

/** Samples of equal distance. */
export interface Run {
  /** Clock of the first one. */
  readonly first: number;
  /** Clocks from one to the next. */
  readonly every: number;
  /** Each is the mean of the clocks since the one before. */
  readonly average: boolean;
  readonly count: number;
  /** Where in the ring the first one is. */
  readonly index: number;
}

export interface ScopeMemory {
  readonly rings: readonly [Int32Array, Int32Array];
  record(run: Run): void;
  /** Values `from` … `from + count` of a run that need not have been recorded. */
  values(channel: 0 | 1, run: Run, from: number, count: number, out: Int32Array): void;
  /** out.length words of a ring, from `index` on; what is behind its end reads 0. */
  read(channel: 0 | 1, index: number, out: Uint32Array): void;
  /** Works out what was recorded so far: to be called before a signal changes, since its past is not kept for long. */
  change(): void;
}

/**
 * @param channel the signals of the two channels, as they are selected now.
 * @param clocksAveraged a mean over more clocks takes as many of them only, spread at random.
 */
export function scopeMemory(channel: (k: 0 | 1) => Signal, clocksAveraged: () => number): ScopeMemory {
  const rings = [new Int32Array(SAMPLES), new Int32Array(SAMPLES)] as const;
  /** Not worked out yet; oldest first. */
  let runs: Run[] = [];
  let scratch = new Int32Array(SAMPLES);

  const plain = (k: 0 | 1, { first, every }: Run, from: number, count: number, out: Int32Array): void =>
    channel(k).sample(out, first - 1 + from * every, every, count);

  const mean = (k: 0 | 1, { first, every }: Run, from: number, count: number, out: Int32Array): void => {
    const signal = channel(k);
    const clocks = Math.min(every, clocksAveraged());
    const start = first - 1 - every + from * every;
    if (every === 1) {
      signal.sample(out, start, 1, count);
      return;
    }
    if (scratch.length < count) scratch = new Int32Array(count);
    out.fill(0, 0, count);
    for (let j = 0; j < clocks; j++) {
      const offset = clocks === every ? j : Math.floor(((j + spread(j)) * every) / clocks);
      signal.sample(scratch, start + offset, every, count);
      for (let i = 0; i < count; i++) (out[i] as number) += scratch[i] as number;
    }
    const divisor = Number.isInteger(Math.log2(every)) ? clocks : 1;
    for (let i = 0; i < count; i++) out[i] = (Math.floor((out[i] as number) / divisor) << 18) >> 18;
  };

  const values: ScopeMemory['values'] = (k, run, from, count, out) =>
    (run.average ? mean : plain)(k, run, from, count, out);

  const workOut = (): void => {
    for (const run of runs) {
      const from = Math.max(0, run.count - SAMPLES);
      const index = (run.index + from) & INDEX;
      const toEnd = Math.min(run.count - from, SAMPLES - index);
      const fromStart = run.count - from - toEnd;
      for (const k of [0, 1] as const) {
        values(k, run, from, toEnd, rings[k].subarray(index, index + toEnd));
        if (fromStart > 0) values(k, run, from + toEnd, fromStart, rings[k].subarray(0, fromStart));
      }
    }
    runs = [];
  };

  return {
    rings,
    values,

    record(run) {
      const last = runs.at(-1);
      const goesOn =
        last !== undefined &&
        last.every === run.every &&
        last.average === run.average &&
        last.first + last.count * last.every === run.first &&
        ((last.index + last.count) & INDEX) === run.index;
      const whole = goesOn ? { ...last, count: last.count + run.count } : run;
      if (whole.count >= SAMPLES) runs = [whole];
      else if (goesOn) runs[runs.length - 1] = whole;
      else runs.push(run);
    },

    read(k, index, out) {
      workOut();
      const ring = rings[k];
      const count = Math.min(out.length, SAMPLES - index);
      for (let i = 0; i < count; i++) out[i] = (ring[index + i] as number) & 0x3fff;
      out.fill(0, Math.max(0, count));
    },

    change: workOut,
  };
}

/** 0 ≤ spread < 1, for different j all over. */
function spread(j: number): number {
  return (j * 0.618_033_988_749_895) % 1;
}
