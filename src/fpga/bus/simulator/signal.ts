/**
 * A signal of the FPGA as a function of time. Nothing is computed clock by clock: whoever needs samples asks for those
 * that it needs, and a chain of signals asks itself along. So a trace costs the same at every decimation.
 */

/** Signed counts, −8192 … 8191, as the signal's register holds them after so many clocks. */
export interface Signal {
  /** Fills out[0 … count) with the values at clocks first, first + stride, … None of them may be in the future. */
  sample(out: Int32Array, first: number, stride: number, count: number): void;
}

/** A signal whose formula changes now and then: what it was before the last change is kept for some clocks. */
export interface ChangingSignal extends Signal {
  /** The formula is about to change: values from `clock` on follow the new one. */
  change(clock: number): void;
  /** From this clock on the formula holds. */
  readonly since: number;
}

/**
 * @param formula the values since the last change.
 * @param memory how many clocks before a change are kept: as many as later stages look back. Asked for at each change.
 */
export function changing(formula: Signal['sample'], memory: () => number): ChangingSignal {
  let size = 0;
  let [ring, scratch] = [new Int32Array(0), new Int32Array(0)];
  let since = 0;
  /** Values from here on are known; what was before the first clock is 0. */
  let oldest = 0;

  const grow = (wanted: number): void => {
    if (size >= wanted) return;
    size = 2 ** Math.ceil(Math.log2(wanted));
    [ring, scratch] = [new Int32Array(size), new Int32Array(size)];
    oldest = since;
  };

  return {
    get since() {
      return since;
    },

    change(clock) {
      if (clock <= since) return;
      grow(memory());
      const first = Math.max(since, clock - size);
      formula(scratch, first, 1, clock - first);
      for (let n = first; n < clock; n++) ring[n & (size - 1)] = scratch[n - first] as number;
      since = clock;
      oldest = Math.max(oldest, clock - size);
    },

    sample(out, first, stride, count) {
      let k = 0;
      // What is older than the memory is taken to have been as the oldest that is known.
      for (let n = first; n < since && k < count; n += stride, k++) {
        out[k] = n < 0 ? 0 : (ring[Math.max(n, oldest) & (size - 1)] as number);
      }
      if (k === 0) formula(out, first, stride, count);
      else if (k < count) formula(out.subarray(k), first + k * stride, stride, count - k);
    },
  };
}

export const SILENCE: Signal = { sample: (out, _first, _stride, count) => void out.fill(0, 0, count) };

/** What 14 bits can hold: −8192 … 8191. */
export function saturate(counts: number): number {
  return Math.min(8191, Math.max(-8192, counts));
}

/** 14 bits, two's complement, as they stand in a register. */
export function fromCounts(counts: number): number {
  return counts & 0x3fff;
}

/** The number that the low 14 bits of a word stand for. */
export function toCounts(word: number): number {
  return (word << 18) >> 18;
}
