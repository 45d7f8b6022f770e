/**
 * Tables of the signal generators: one period in 16384 words, ±1 as ±8191 in 14-bit two's complement.
 * Source: PyRPL hardware_modules/asg.py. Unlike there, what is below −1 is held at −8192 and does not turn over to
 * large positive values.
 */
import { roundHalfEven } from '../fields.ts';
import { MAX_COUNTS } from '../volts.ts';

export const TABLE_WORDS = 16384;

/** Value at point n of N, −1 … 1. */
const SHAPES = {
  sin: (n: number, N: number) => Math.sin((2 * Math.PI * n) / N),
  cos: (n: number, N: number) => Math.cos((2 * Math.PI * n) / N),
  /** −1 → +1 → −1. */
  ramp: (n: number, N: number) => (n < N / 2 ? -1 + (4 * n) / N : 3 - (4 * n) / N),
  /** −1 → +1, and back at once. */
  halframp: (n: number, N: number) => -1 + (2 * n) / N,
  square: (n: number, N: number) => (n < N / 2 ? 1 : -1),
  /** Nothing but the offset. */
  dc: () => 0,
} as const;

export type Shape = keyof typeof SHAPES;
export type Waveform = Shape | 'noise';
export const WAVEFORMS = ['sin', 'cos', 'ramp', 'halframp', 'square', 'dc', 'noise'] as const;

/** The table of a waveform; of noise: normally distributed numbers with this standard deviation (of 1 V). */
export function waveformTable(waveform: Waveform, rms: number): Uint32Array {
  const table = new Uint32Array(TABLE_WORDS);
  const shape = waveform === 'noise' ? () => rms * gaussian() : SHAPES[waveform];
  for (let n = 0; n < TABLE_WORDS; n++) table[n] = tableWord(shape(n, TABLE_WORDS));
  return table;
}

/** A value of −1 … 1 as the table has it; what is beyond is held at the ends. */
export function tableWord(value: number): number {
  return Math.min(MAX_COUNTS, Math.max(-MAX_COUNTS - 1, roundHalfEven(value * MAX_COUNTS))) & 0x3fff;
}

/** Normally distributed, mean 0, standard deviation 1 (Box and Muller's method). */
function gaussian(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
