/** The time axis of a trace, remembered as bytes. */
import type { NdArray } from './values.ts';

/** Axes that are remembered: those of a few clients with settings of their own. */
const REMEMBERED = 4;

interface Remembered {
  readonly first: number;
  readonly step: number;
  readonly length: number;
  readonly array: NdArray;
}

/** The most recent one first. */
const remembered: Remembered[] = [];

/**
 * first + k · step for k from 0 to length - 1. From one trace to the next the time axis is nearly always the same: the
 * array (shared: not to be changed) of the last few is kept.
 */
export function evenlySpaced(first: number, step: number, length: number): NdArray {
  const known = remembered.findIndex((each) => each.first === first && each.step === step && each.length === length);
  const found = remembered[known] ?? { first, step, length, array: spaced(first, step, length) };
  if (known !== 0) {
    if (known > 0) remembered.splice(known, 1);
    remembered.unshift(found);
    if (remembered.length > REMEMBERED) remembered.pop();
  }
  return found.array;
}

function spaced(first: number, step: number, length: number): NdArray {
  const values = Float64Array.from({ length }, (_, k) => first + k * step);
  return { type: 'ndarray', dtype: '<f8', shape: [length], bytes: new Uint8Array(values.buffer) };
}
