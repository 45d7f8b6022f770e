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

/**
 * counts · gain + offset, into `volts`. To float64 in native code, so that whatever the counts are the loop sees one type
 * of array only; then eight numbers a turn: less than half the time of one by one.
 */
export function toVolts(
  counts: Int16Array | Float64Array,
  { gain, offset }: { readonly gain: number; readonly offset: number },
  volts: Float64Array = new Float64Array(counts.length),
): Float64Array {
  volts.set(counts);
  const whole = counts.length - (counts.length % 8);
  for (let k = 0; k < whole; k += 8) {
    volts[k] = (volts[k] as number) * gain + offset;
    volts[k + 1] = (volts[k + 1] as number) * gain + offset;
    volts[k + 2] = (volts[k + 2] as number) * gain + offset;
    volts[k + 3] = (volts[k + 3] as number) * gain + offset;
    volts[k + 4] = (volts[k + 4] as number) * gain + offset;
    volts[k + 5] = (volts[k + 5] as number) * gain + offset;
    volts[k + 6] = (volts[k + 6] as number) * gain + offset;
    volts[k + 7] = (volts[k + 7] as number) * gain + offset;
  }
  for (let k = whole; k < counts.length; k++) volts[k] = (volts[k] as number) * gain + offset;
  return volts;
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
