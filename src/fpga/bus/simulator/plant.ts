/**
 * A first-order low-pass from an output to an input. Unlike the other models it has a state, which goes through time in
 * steps: of one clock if that is asked for, otherwise of a part of its time constant, which is near enough.
 */
import { CLOCK_HZ } from '../bus.ts';
import type { Signal } from './signal.ts';

/** Longest step, and time after which the past does not matter (6 millionths are left of it): in time constants. */
const LONGEST_STEP = 1 / 16;
const MEMORY = 12;

/** Steps for which the output is looked at in one go. */
const CHUNK = 4096;

/** How states go through time. */
export interface Pace {
  /** Whether each clock is a step. */
  exact(): boolean;
  /** If not: clocks within which the outputs hardly change; 1 if they may do anything. */
  grain(): number;
}

export interface PlantOptions extends Pace {
  /** Steady state over what the output has. */
  readonly gain: number;
  /** In Hz. */
  readonly corner: number;
  readonly source: Signal;
  /** Clocks by which it sees the output late. */
  readonly latency: number;
}

export interface Plant {
  /** Adds its states at clocks first, first + stride, … to `out`, times `scale`. */
  add(out: Float64Array, first: number, stride: number, count: number, scale: number): void;
  /** The output changes its course at this clock, and forgets what it was long before: takes note of the state. */
  settle(clock: number): void;
}

/** In counts of the output. It starts from 0. */
export function plant({ gain, corner, source, latency, exact, grain }: PlantOptions): Plant {
  const constant = CLOCK_HZ / (2 * Math.PI * corner);
  /** Clocks of the longest step. */
  const coarse = Math.max(1, Math.floor(constant * LONGEST_STEP));
  const counts = new Int32Array(CHUNK);
  /** State after a clock: as noted, and as it was needed last. */
  const noted = { clock: -1, state: 0 };
  const last = { clock: -1, state: 0 };

  /** Takes so many steps of so many clocks from `last` on. */
  const walk = (steps: number, step: number): void => {
    const share = 1 - Math.exp(-step / constant);
    for (let done = 0; done < steps; ) {
      const count = Math.min(CHUNK, steps - done);
      source.sample(counts, last.clock + step - latency, step, count);
      for (let k = 0; k < count; k++) last.state += share * (gain * (counts[k] as number) - last.state);
      last.clock += count * step;
      done += count;
    }
  };

  const walkTo = (clock: number, step: number): void => {
    walk(Math.floor((clock - last.clock) / step), step);
    if (clock > last.clock) walk(1, clock - last.clock);
  };

  /** The state at a clock, in steps of about `step` in the end. */
  const reach = (clock: number, step: number): void => {
    if (clock < last.clock) Object.assign(last, noted);
    const far = Math.ceil(constant * MEMORY);
    if (exact() || clock - last.clock <= CHUNK * step) {
      walkTo(clock, exact() ? 1 : step);
      return;
    }
    if (clock - last.clock > far) {
      source.sample(counts, clock - far - latency, 1, 1);
      Object.assign(last, { clock: clock - far, state: gain * (counts[0] as number) });
    }
    walkTo(clock, coarse);
  };

  return {
    add(out, first, stride, count, scale) {
      const step = Math.min(Math.max(stride, grain()), coarse);
      reach(first, step);
      (out[0] as number) += scale * last.state;
      if (step !== stride || (stride > 1 && exact())) {
        for (let k = 1; k < count; k++) {
          reach(first + k * stride, step);
          (out[k] as number) += scale * last.state;
        }
        return;
      }
      const share = 1 - Math.exp(-stride / constant);
      for (let k = 1; k < count; ) {
        const piece = Math.min(CHUNK, count - k);
        source.sample(counts, last.clock + stride - latency, stride, piece);
        for (let i = 0; i < piece; i++, k++) {
          last.state += share * (gain * (counts[i] as number) - last.state);
          (out[k] as number) += scale * last.state;
        }
        last.clock += piece * stride;
      }
    },

    settle(clock) {
      if (clock - 1 <= noted.clock) return;
      reach(clock - 1, Math.min(grain(), coarse));
      Object.assign(noted, last);
    },
  };
}
