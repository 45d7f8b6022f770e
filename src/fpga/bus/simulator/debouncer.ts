/**
 * A trigger line that is taken over only once in a while (PyRPL red_pitaya_scope.v, red_pitaya_asg_ch.v): after a rise
 * its level is held for so many clocks, and rises in that time are missed. One in the very clock at which the level is
 * taken again is not seen as a rise either, but begins another such time.
 */
export interface Debouncer {
  /** The line rises at a clock, not before that of an earlier call. Says whether that is seen. */
  rises(clock: number): boolean;
  /** Rises before this clock are not seen. */
  readonly deafUntil: number;
}

/** @param length clocks for which the level is held; asked for at each rise. */
export function debouncer(length: () => number): Debouncer {
  let deafUntil = Number.NEGATIVE_INFINITY;
  return {
    rises(clock) {
      if (clock < deafUntil) return false;
      const seen = clock > deafUntil;
      deafUntil = clock + length() + 1;
      return seen;
    },
    get deafUntil() {
      return deafUntil;
    },
  };
}
