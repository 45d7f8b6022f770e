/**
 * The objects of the wire as JSON for people and scripts, in the notation of the golden vectors: `{"type": …, "value": …}`
 * for plain values, `items` for lists, tuples and dicts, `hex` for bytes, `data` (nested as `shape` says) for arrays.
 * Floats that JSON lacks are the strings NaN, Infinity, -Infinity and -0.0 (within arrays a bare -0.0); whole numbers from
 * 2**53 on are decimal strings; complex numbers are [re, im]. It is written by to-notation.ts and read by from-notation.ts.
 *
 * What the bytes say and the notation does not: the dtype of an int in v5 (that of Windows is `<i4`), and the byte order
 * of a single big-endian number. All else goes there and back.
 */
import { PitayadError } from '../../../errors.ts';

/** JSON that is not the notation of an object (the fault of who wrote it). */
export class NotationError extends PitayadError {}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The dtypes that Python's own types have in numpy. */
export const usual = { bool: 'bool1', int: 'int8', float: 'float8', complex: 'complex16' } as const;

/** One line of JSON. JSON.stringify would write -0.0 as 0. */
export function toLine(json: Json): string {
  if (typeof json === 'number') return Object.is(json, -0) ? '-0.0' : JSON.stringify(json);
  if (json === null || typeof json !== 'object') return JSON.stringify(json);
  if (isList(json)) return `[${json.map(toLine).join(', ')}]`;
  return `{${Object.entries(json)
    .map(([key, value]) => `${JSON.stringify(key)}: ${toLine(value)}`)
    .join(', ')}}`;
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
