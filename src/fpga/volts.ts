/**
 * Counts of the converters and volts: the one place where they are turned into each other. Nominal values: ±1 V is
 * ±8192 counts on inputs (jumper LV) and outputs. Sources: PyRPL red_pitaya_top.v, hardware_modules/scope.py.
 */

/** One count of ADC, DAC and of every 14-bit signal in between, in V. */
export const VOLTS_PER_COUNT = 1 / 8192;

/** Width of every signal. */
export const SIGNAL_BITS = 14;

/** Largest signal, in counts; the smallest is −8192. */
export const MAX_COUNTS = 8191;

/** Two's complement of 14 bits, upper bits ignored → −8192 … 8191. */
export function signedCounts(word: number): number {
  return (word << 18) >> 18;
}
