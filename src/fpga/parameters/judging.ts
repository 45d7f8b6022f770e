/** How foreign values are judged: taken in their canonical type, or refused in a sentence that says what is allowed. */
import { nearest } from '../../nearest.ts';

/** Ends the judging of a value: `why` goes on "NAME …". */
export type Refuse = (why: string) => never;

const MAX_SHOWN = 40;

/** A foreign value as it may stand in a sentence: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) {
    return String(value);
  }
  if (typeof value === 'string')
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'a structure' : `a ${typeof value}`;
}

/** What a number may be. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
}

interface Measured extends Limits {
  readonly unit?: string;
}

/** As an option: absent where there is none. */
export const unitOf = ({ unit }: Measured): { unit?: string } => (unit ? { unit } : {});

/** A finite number within the limits. */
export function acceptReal(value: unknown, { min, max, unit }: Measured, refuse: Refuse): number {
  if (typeof value !== 'number') return refuse(`must be a number, not ${show(value)}`);
  if (!Number.isFinite(value)) return refuse(`must be a finite number, not ${value}`);
  const tooSmall = min !== undefined && value < min;
  const tooLarge = max !== undefined && value > max;
  if (!tooSmall && !tooLarge) return value === 0 ? 0 : value;
  const suffix = unit ? ` ${unit}` : '';
  if (min !== undefined && max !== undefined) {
    return refuse(`must be from ${min} to ${max}${suffix}, not ${value}`);
  }
  return refuse(`must be ${tooSmall ? `at least ${min}` : `at most ${max}`}${suffix}, not ${value}`);
}

/** A whole number within the limits. */
export function acceptInteger(value: unknown, limits: Measured, refuse: Refuse): number {
  const number = acceptReal(value, limits, refuse);
  return Number.isInteger(number) ? number : refuse(`must be a whole number, not ${number}`);
}

/** Why `value` is refused where only what is known is allowed. */
export function oneOfThese(value: unknown, known: readonly (string | number)[]): string {
  const near = typeof value === 'string' ? nearest(value, known.map(String)) : undefined;
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  return `must be one of ${known.join(', ')}, not ${show(value)}${hint}`;
}
