/**
 * The comparators with hysteresis of scope and trigger block (PyRPL red_pitaya_scope.v, red_pitaya_trigger_block.v): an
 * edge is where a signal reaches the threshold after it was on the other side of threshold ∓ hysteresis.
 */
import { toCounts } from './signal.ts';

export interface Levels {
  /** −1 for falling edges, where everything is upside down. */
  readonly sign: 1 | -1;
  readonly level: number;
  readonly release: number;
}

/** @param threshold 14 bits, as in the register; so is hysteresis. Their sum and difference come around. */
export function levels(rising: boolean, threshold: number, hysteresis: number): Levels {
  const sign = rising ? 1 : -1;
  const level = toCounts(threshold) * sign;
  // Beyond the threshold nothing is released, even where the sum comes around.
  const release = Math.min(level, toCounts(rising ? threshold - hysteresis : threshold + hysteresis) * sign);
  return { sign, level, release };
}

export interface Comparator {
  /** At or beyond the threshold, and not back since. */
  beyond: boolean;
}

/** Looks at values[from … to) in turn, up to the first edge, and gives its index; −1: there is none. */
export function nextEdge(
  comparator: Comparator,
  { sign, level, release }: Levels,
  values: Int32Array,
  from: number,
  to: number,
): number {
  for (let k = from; k < to; k++) {
    if (comparator.beyond) {
      while (k < to && (values[k] as number) * sign >= release) k++;
      if (k < to) comparator.beyond = false;
    } else {
      while (k < to && (values[k] as number) * sign < level) k++;
      if (k >= to) return -1;
      comparator.beyond = true;
      return k;
    }
  }
  return -1;
}
