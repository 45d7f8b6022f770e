/**
 * Power spectra of samples; pure. Sources: PyRPL software_modules/spectrum_analyzer.py, red_pitaya_scope.v (the average
 * of decimated samples).
 */
import FFT from 'fft.js';
import type { DISPLAY_UNITS } from '../modules/spectrum-analyzer.ts';
import { type Window, weights } from '../modules/windows.ts';

export type DisplayUnit = (typeof DISPLAY_UNITS)[number];

/** What is added before a logarithm is taken, as PyRPL does: no −∞. */
const TINY = 2.2e-16;

/** From a power in V² (peak) and the resolution in Hz; and the unit, as PyMoDAQ knows it. */
const UNITS: Readonly<Record<DisplayUnit, { readonly unit: string; of(power: number, rbw: number): number }>> = {
  'Vpk^2': { unit: 'V**2', of: (power) => power },
  'dB(Vpk^2)': { unit: '', of: (power) => decibels(power) },
  Vpk: { unit: 'V', of: (power) => Math.sqrt(power) },
  'Vrms^2': { unit: 'V**2', of: (power) => power / 2 },
  'dB(Vrms^2)': { unit: '', of: (power) => decibels(power / 2) },
  Vrms: { unit: 'V', of: (power) => Math.sqrt(power / 2) },
  'Vrms^2/Hz': { unit: 'V**2/Hz', of: (power, rbw) => power / 2 / rbw },
  'dB(Vrms^2/Hz)': { unit: '', of: (power, rbw) => decibels(power / 2 / rbw) },
  // PyRPL divides by rbw here, not by its root.
  'Vrms/sqrt(Hz)': { unit: 'V/Hz**0.5', of: (power, rbw) => Math.sqrt(power / 2 / rbw) },
};

const decibels = (power: number): number => 10 * Math.log10(power + TINY);

/** Powers in V² (peak) in another unit. */
export function inUnit(
  powers: Float64Array,
  unit: DisplayUnit,
  rbw: number,
): { readonly unit: string; readonly values: Float64Array } {
  const { of, unit: name } = UNITS[unit];
  return { unit: name, values: powers.map((power) => of(power, rbw)) };
}

export interface Transforms {
  readonly size: number;
  /** re, im of the frequencies 0 … size/2 of real samples. */
  real(samples: ArrayLike<number>, scale: number, offset: number): Float64Array;
  /** re, im of the frequencies −size/2 … size/2 − 1 of `a` + i·`b`. */
  complex(a: ArrayLike<number>, b: ArrayLike<number>, scale: number): Float64Array;
}

/** Windowed transforms of up to `size` samples; what is missing counts as 0. @param size a power of two */
export function transforms(size: number, window: Window): Transforms {
  const fft = new FFT(size);
  let known: Float64Array = new Float64Array();
  const weightsOf = (length: number): Float64Array => {
    if (known.length !== length) known = weights(window, length);
    return known;
  };
  return {
    size,
    real(samples, scale, offset) {
      const input = new Float64Array(size);
      const shape = weightsOf(samples.length);
      for (let k = 0; k < samples.length; k++) input[k] = ((samples[k] ?? 0) * scale + offset) * (shape[k] ?? 0);
      const output = new Float64Array(2 * size);
      fft.realTransform(output, input);
      return output.subarray(0, size + 2);
    },
    complex(a, b, scale) {
      const input = new Float64Array(2 * size);
      const shape = weightsOf(a.length);
      for (let k = 0; k < a.length; k++) {
        input[2 * k] = (a[k] ?? 0) * scale * (shape[k] ?? 0);
        input[2 * k + 1] = (b[k] ?? 0) * scale * (shape[k] ?? 0);
      }
      const output = new Float64Array(2 * size);
      fft.transform(output, input);
      const shifted = new Float64Array(2 * size);
      shifted.set(output.subarray(size), 0);
      shifted.set(output.subarray(0, size), size);
      return shifted;
    },
  };
}

/** Adds |F|² of each frequency to `sum`. */
export function addPower(sum: Float64Array, spectrum: Float64Array): void {
  for (let k = 0; k < sum.length; k++) {
    const [re = 0, im = 0] = [spectrum[2 * k], spectrum[2 * k + 1]];
    sum[k] = (sum[k] ?? 0) + re * re + im * im;
  }
}

/** Adds conj(A)·B of each frequency to `re` and `im`. */
export function addCross(re: Float64Array, im: Float64Array, a: Float64Array, b: Float64Array): void {
  for (let k = 0; k < re.length; k++) {
    const [ar = 0, ai = 0, br = 0, bi = 0] = [a[2 * k], a[2 * k + 1], b[2 * k], b[2 * k + 1]];
    re[k] = (re[k] ?? 0) + ar * br + ai * bi;
    im[k] = (im[k] ?? 0) + ar * bi - ai * br;
  }
}

/** Power gain of the mean over `decimation` samples of a clock's length, at a frequency in Hz. */
export function averagingGain(frequency: number, decimation: number, clock: number): number {
  const x = Math.PI * frequency * decimation * clock;
  return decimation === 1 || x === 0 ? 1 : (Math.sin(x) / x) ** 2;
}
