/**
 * What the scope recorded (PyRPL red_pitaya_scope.v). Samples are noted as runs of equal distance, and their values are
 * worked out when somebody reads them, or before a signal changes.
 */
import { cutInto, PIECE, pieceOfSamples } from './loops.ts';
import { type Signal, toCounts } from './signal.ts';

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
  /** Words as the bus has them. */
  readonly rings: readonly [Uint32Array, Uint32Array];
  record(run: Run): void;
  /** Values `from` … `from + count` of a run that need not have been recorded. */
  values(channel: 0 | 1, run: Run, from: number, count: number, out: Int32Array): void;
  /** out.length words of a ring, from `index` on; what is behind its end reads 0. */
  read(channel: 0 | 1, index: number, out: Uint32Array): void;
  /**
   * A signal is about to change: works out what was recorded so far, since its past is not kept for long.
   * @param clock what was before it is known.
   * @param coming the samples that come next.
   */
  change(clock: number, coming: Run): void;
}

/**
 * @param channel the signals of the two channels, as they are selected now.
 * @param clocksAveraged a mean over more clocks takes as many of them only, spread at random.
 */
export function scopeMemory(channel: (k: 0 | 1) => Signal, clocksAveraged: () => number): ScopeMemory {
  const rings = [new Uint32Array(SAMPLES), new Uint32Array(SAMPLES)] as const;
  /** Not worked out yet; oldest first. */
  let runs: Run[] = [];
  const scratch = new Int32Array(SAMPLES);
  /** The mean that was being taken when a signal changed: its first clock, those that were added up, and their sums. */
  const partial = { start: -1, until: -1, sums: [0, 0] };

  const plain = (k: 0 | 1, { first, every }: Run, from: number, count: number, out: Int32Array): void =>
    channel(k).sample(out, first - 1 + from * every, every, count);

  /** Sum of a channel's clocks from `from` to before `to`, of those that a mean that begins at `start` takes. */
  const sum = (k: 0 | 1, start: number, every: number, from: number, to: number): number => {
    const clocks = Math.min(every, clocksAveraged());
    let total = 0;
    if (clocks < every) {
      for (let j = 0; j < clocks; j++) {
        const clock = start + taken(j, clocks, every);
        if (clock < from || clock >= to) continue;
        channel(k).sample(scratch, clock, 1, 1);
        total += scratch[0] as number;
      }
      return total;
    }
    for (let clock = from; clock < to; clock += SAMPLES) {
      const count = Math.min(SAMPLES, to - clock);
      channel(k).sample(scratch, clock, 1, count);
      for (let i = 0; i < count; i++) total += scratch[i] as number;
    }
    return total;
  };

  /** Means of all clocks, as many as fit into `scratch` at a time. */
  const meansOfAll = (k: 0 | 1, start: number, every: number, count: number, out: Int32Array, begin: number): void => {
    if (every === 1) {
      channel(k).sample(begin === 0 ? out : out.subarray(begin), start, 1, count);
      return;
    }
    const result = meanOf(every, every);
    const fit = Math.floor(SAMPLES / every);
    for (let i = begin; i < begin + count; ) {
      const first = start + (i - begin) * every;
      if (fit < 1) {
        out[i++] = result(sum(k, first, every, first, first + every));
        continue;
      }
      const piece = Math.min(fit, begin + count - i);
      channel(k).sample(scratch, first, 1, piece * every);
      for (let n = 0; n < piece * every; ) {
        let total = 0;
        for (const end = n + every; n < end; n++) total += scratch[n] as number;
        out[i++] = result(total);
      }
    }
  };

  /** Means of some clocks each, the same ones of all. */
  const meansOfSome = (k: 0 | 1, start: number, every: number, count: number, out: Int32Array, begin: number): void => {
    const clocks = clocksAveraged();
    const result = meanOf(every, clocks);
    out.fill(0, begin, begin + count);
    for (let j = 0; j < clocks; j++) {
      channel(k).sample(scratch, start + taken(j, clocks, every), every, count);
      for (let i = 0; i < count; i++) (out[begin + i] as number) += scratch[i] as number;
    }
    for (let i = begin; i < begin + count; i++) out[i] = result(out[i] as number);
  };

  const mean = (k: 0 | 1, { first, every }: Run, from: number, count: number, out: Int32Array): void => {
    const start = first - 1 - every + from * every;
    // The sum may have been begun before a signal changed.
    const begun = start === partial.start ? 1 : 0;
    if (begun === 1) {
      const rest = sum(k, start, every, partial.until, start + every);
      out[0] = meanOf(every, Math.min(every, clocksAveraged()))((partial.sums[k] ?? 0) + rest);
    }
    const means = every <= clocksAveraged() ? meansOfAll : meansOfSome;
    means(k, start + begun * every, every, count - begun, out, begun);
  };

  const values: ScopeMemory['values'] = (k, run, from, count, out) =>
    (run.average ? mean : plain)(k, run, from, count, out);

  /** Values into a ring, from an index on; they fit before its end. */
  const store = (k: 0 | 1, run: Run, from: number, count: number, index: number): void => {
    for (let done = 0; done < count; done += PIECE) {
      const piece = Math.min(PIECE, count - done);
      values(k, run, from + done, piece, pieceOfSamples());
      cutInto(rings[k], index + done, piece);
    }
  };

  /** Makes samples of what was recorded so far. */
  const workOut = (): void => {
    for (const run of runs) {
      const from = Math.max(0, run.count - SAMPLES);
      const index = (run.index + from) & INDEX;
      const toEnd = Math.min(run.count - from, SAMPLES - index);
      const fromStart = run.count - from - toEnd;
      for (const k of [0, 1] as const) {
        store(k, run, from, toEnd, index);
        if (fromStart > 0) store(k, run, from + toEnd, fromStart, 0);
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
      const whole = goesOn ? longer(last, run.count) : run;
      if (whole.count >= SAMPLES) runs = [whole];
      else if (goesOn) runs[runs.length - 1] = whole;
      else runs.push(run);
    },

    read(k, index, out) {
      workOut();
      const count = Math.max(0, Math.min(out.length, SAMPLES - index));
      out.set(rings[k].subarray(index, index + count));
      out.fill(0, count);
    },

    change(clock, { first, every, average }) {
      workOut();
      if (!average) return;
      const start = first - 1 - every;
      const until = Math.min(clock, start + every);
      const from = start === partial.start ? partial.until : start;
      for (const k of [0, 1] as const) {
        const before = start === partial.start ? (partial.sums[k] ?? 0) : 0;
        partial.sums[k] = before + sum(k, start, every, from, until);
      }
      Object.assign(partial, { start, until });
    },
  };
}

/** Written out, for it is made with each transfer. */
function longer({ first, every, average, count, index }: Run, more: number): Run {
  return { first, every, average, count: count + more, index };
}

/**
 * From a sum of `clocks` to what is stored: rounded down, cut to 14 bits. Only powers of two are divided by; any other
 * decimation stores the sum.
 */
function meanOf(every: number, clocks: number): (sum: number) => number {
  const divisor = Number.isInteger(Math.log2(every)) ? clocks : 1;
  return (sum) => toCounts(Math.floor(sum / divisor));
}

/** Which clock of `every` is the j-th of `clocks` that a mean takes: one of each equal part, at a place that varies. */
function taken(j: number, clocks: number, every: number): number {
  return clocks === every ? j : Math.floor(((j + ((j * 0.618_033_988_749_895) % 1)) * every) / clocks);
}
