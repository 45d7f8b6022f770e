/** Windows of Fourier transforms, as numpy and scipy define them (symmetric). */
import { SAMPLES } from './scope.ts';

export const WINDOWS = ['blackman', 'flattop', 'boxcar', 'hamming', 'gaussian'] as const;
export type Window = (typeof WINDOWS)[number];

/** Standard deviation of the gaussian window, of its length. */
const SIGMA = 0.1;

const cosines =
  (...weights: readonly number[]) =>
  (phase: number) =>
    weights.reduce((sum, weight, k) => sum + weight * Math.cos(k * phase), 0);

/** By the phase, which goes once round from the first sample to the last. */
const SHAPES: Readonly<Record<Window, (phase: number, length: number) => number>> = {
  blackman: cosines(0.42, -0.5, 0.08),
  flattop: cosines(1, -1.93, 1.29, -0.388, 0.032),
  boxcar: () => 1,
  hamming: cosines(0.54, -0.46),
  gaussian: (phase, length) =>
    Math.exp(-0.5 * (((phase / (2 * Math.PI) - 0.5) * (length - 1)) / (SIGMA * length)) ** 2),
};

/** Weights of `length` samples, whose sum is 2: a sine of 1 V then makes a line of 1 V. */
export function weights(window: Window, length: number): Float64Array {
  const shape = SHAPES[window];
  const raw = Float64Array.from({ length }, (_, k) => shape((2 * Math.PI * k) / (length - 1), length));
  const sum = raw.reduce((total, one) => total + one, 0);
  return raw.map((one) => (2 * one) / sum);
}

/** Bandwidth in which white noise has as much power as it shows at a point; of the sample rate. */
export function equivalentNoiseBandwidth(window: Window, length = SAMPLES): number {
  const known = bandwidths.get(`${window} ${length}`);
  if (known !== undefined) return known;
  const found = weights(window, length).reduce((total, one) => total + one * one, 0) / 4;
  bandwidths.set(`${window} ${length}`, found);
  return found;
}

const bandwidths = new Map<string, number>();
