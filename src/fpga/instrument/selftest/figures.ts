/** What a self-test finds: figures, each within its limits or not. */

/** One figure of a check. */
export interface Figure {
  /** `amplitude at in1` */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Allowed, both included; absent: no limit on this side. */
  readonly min?: number;
  readonly max?: number;
  /** What is probably wrong if it is beyond its limits, and what to do. */
  readonly hint?: string;
}

/** A figure with its verdict, or a check that could not be carried out. */
export interface Finding {
  /** The check: `PID, proportional` */
  readonly check: string;
  readonly passed: boolean;
  readonly figure?: Figure;
  /** In place of a figure: why there is none. */
  readonly failure?: string;
}

export interface SelftestReport {
  readonly passed: boolean;
  readonly findings: readonly Finding[];
}

/** Not a number is within no limits. */
export function within({ value, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Figure): boolean {
  return value >= min && value <= max;
}

/** Allowed: `target` ± `tolerance`. */
export function around(
  what: string,
  value: number,
  unit: string,
  target: number,
  tolerance: number,
  hint?: string,
): Figure {
  return { what, value, unit, min: target - tolerance, max: target + tolerance, ...(hint ? { hint } : {}) };
}

/** Allowed: from 0 to `max`. */
export function atMost(what: string, value: number, unit: string, max: number, hint?: string): Figure {
  return { what, value, unit, min: 0, max, ...(hint ? { hint } : {}) };
}
