/** Arrays of a trace: volts made from counts while they are encoded, and the time axis, remembered as bytes. */
import { type FilledArray, filled, type StoredArray } from './values.ts';

/** counts · gain + offset, made while the message is encoded; `counts` must not change before. */
export function scaled(counts: Int16Array | Float64Array, gain: number, offset: number): FilledArray {
  return filled(counts.length, (out, start) => {
    // To float64 in native code, so that whatever the counts are the loop sees one type of array only.
    out.set(counts.subarray(start, start + out.length));
    scale(out, gain, offset);
  });
}

/** Eight numbers a turn: less than half the time of one by one. */
function scale(out: Float64Array, gain: number, offset: number): void {
  const length = out.length;
  const whole = length - (length % 8);
  for (let k = 0; k < whole; k += 8) {
    out[k] = (out[k] as number) * gain + offset;
    out[k + 1] = (out[k + 1] as number) * gain + offset;
    out[k + 2] = (out[k + 2] as number) * gain + offset;
    out[k + 3] = (out[k + 3] as number) * gain + offset;
    out[k + 4] = (out[k + 4] as number) * gain + offset;
    out[k + 5] = (out[k + 5] as number) * gain + offset;
    out[k + 6] = (out[k + 6] as number) * gain + offset;
    out[k + 7] = (out[k + 7] as number) * gain + offset;
  }
  for (let k = whole; k < length; k++) out[k] = (out[k] as number) * gain + offset;
}

/** Axes that are remembered: those of a few clients with settings of their own. */
const REMEMBERED = 4;

interface Remembered {
  readonly first: number;
  readonly step: number;
  readonly length: number;
  readonly array: StoredArray;
}

/** The most recent one first. */
const remembered: Remembered[] = [];

/**
 * first + k · step for k from 0 to length - 1. From one trace to the next the time axis is nearly always the same: the
 * array (shared: not to be changed) of the last few is kept.
 */
export function evenlySpaced(first: number, step: number, length: number): StoredArray {
  const known = remembered.findIndex((each) => each.first === first && each.step === step && each.length === length);
  const found = known >= 0 ? remembered.splice(known, 1)[0] : undefined;
  const entry = found ?? { first, step, length, array: spaced(first, step, length) };
  remembered.unshift(entry);
  remembered.length = Math.min(remembered.length, REMEMBERED);
  return entry.array;
}

function spaced(first: number, step: number, length: number): StoredArray {
  const values = Float64Array.from({ length }, (_, k) => first + k * step);
  return { type: 'ndarray', dtype: '<f8', shape: [length], bytes: new Uint8Array(values.buffer) };
}
