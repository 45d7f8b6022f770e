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

/** Counts of a signal at 0 V, and volts per count: volts = (counts − offset) · gain. */
export interface Scale {
  readonly gain: number;
  readonly offset: number;
}

/**
 * Whether the comparators of scope and trig can tell these levels, in V: threshold ± hysteresis is calculated modulo
 * 2^14.
 */
export function withinComparator(threshold: number, hysteresis: number, { gain, offset }: Scale): boolean {
  return Math.abs(threshold / gain + offset) + hysteresis / gain <= MAX_COUNTS;
}

/** What `withinComparator` wants. */
export function comparatorLimits({ gain, offset }: Scale): string {
  const volts = (counts: number): number => (counts - offset) * gain;
  const range = offset === 0 ? `±${volts(MAX_COUNTS)}` : `${volts(-MAX_COUNTS)} … ${volts(MAX_COUNTS)}`;
  return `threshold ± hysteresis must stay within ${range} V, or the comparator turns over`;
}

/** Of every signal within the FPGA, and of inputs and outputs without calibration, inputs with jumper LV. */
export const NOMINAL_SCALE: Scale = { gain: VOLTS_PER_COUNT, offset: 0 };
