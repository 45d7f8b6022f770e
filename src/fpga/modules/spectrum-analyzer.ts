/**
 * The spectrum analyzer: Fourier transforms of the scope's traces, made by software on the board. Names are those of
 * PyRPL's software_modules/spectrum_analyzer.py.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { corners, nearestCorner } from '../filter.ts';
import { fpgaModule, type ValuesOf } from '../module.ts';
import { bool, name, oneOf, powersOfTwo } from '../parameters/choices.ts';
import { acceptReal } from '../parameters/judging.ts';
import { integer, real } from '../parameters/numbers.ts';
import { type Parameter, software } from '../parameters/parameter.ts';
import { signal } from './dsp.ts';
import { equivalentNoiseBandwidth, WINDOWS } from './windows.ts';

/** Of each unit what PyMoDAQ is told, and what a power in V² (peak) is in it. */
export const DISPLAY_UNITS = [
  'Vpk^2',
  'dB(Vpk^2)',
  'Vpk',
  'Vrms^2',
  'dB(Vrms^2)',
  'Vrms',
  'Vrms^2/Hz',
  'dB(Vrms^2/Hz)',
  'Vrms/sqrt(Hz)',
] as const;

const DECIMATIONS = powersOfTwo(0, 16);
const INPUT = { lowest: 22 } as const;
const HIGHEST_AC = corners(INPUT).at(-1)?.[0] ?? 0;

/** Decimation of the scope whose sample rate is nearest to a span in Hz, by their ratio. */
export function decimationOf(span: number): number {
  const exponent = Math.round(Math.log2(CLOCK_HZ / span));
  return 2 ** Math.min(16, Math.max(0, exponent));
}

const spans = { unit: 'Hz', min: CLOCK_HZ / Math.max(...DECIMATIONS), max: CLOCK_HZ } as const;
const span: Parameter<number> = {
  ...real(software, {
    help: 'Width of the spectrum: the sample rate of the scope. The nearest power of two below 125 MHz is taken.',
    default: CLOCK_HZ / 64,
    ...spans,
  }),
  accept: (value, refuse) => CLOCK_HZ / decimationOf(acceptReal(value, spans, refuse)),
};

const parameters = {
  baseband: bool(software, {
    help: 'From 0 to span/2, of two signals. Off: around center, of one signal, by lock-in iq2.',
    default: true,
  }),
  span,
  center: real(software, {
    help: 'Middle of the spectrum, without baseband.',
    unit: 'Hz',
    min: 0,
    max: CLOCK_HZ / 2,
    default: 10e6,
  }),
  input1_baseband: signal(software, { help: 'First signal in baseband.', label: 'Input 1', default: 'in1' }),
  input2_baseband: signal(software, { help: 'Second signal in baseband.', label: 'Input 2', default: 'in2' }),
  display_input1_baseband: bool(software, { help: 'The spectrum of the first signal is given.', default: true }),
  display_input2_baseband: bool(software, { help: 'The spectrum of the second signal is given.' }),
  display_cross_amplitude: bool(software, {
    help: 'The cross spectrum of both is given, real and imaginary part in V² (peak).',
  }),
  input: signal(software, { help: 'Signal that is analyzed around center.', default: 'in1' }),
  acbandwidth: {
    ...real(software, {
      help: 'Corner of the high-pass before the demodulation around center, 0 off; its response is taken out. The nearest possible one is taken.',
      unit: 'Hz',
      min: 0,
      max: HIGHEST_AC,
    }),
    accept: (value, refuse) =>
      Math.abs(nearestCorner(-acceptReal(value, { min: 0, max: HIGHEST_AC, unit: 'Hz' }, refuse), INPUT)),
  } satisfies Parameter<number>,
  window: name(WINDOWS, {
    help: 'Weights of the samples. With flattop the height of a line is right wherever it lies between two points.',
  }),
  zero_padding: oneOf(software, [4, 1, 2, 8, 16], {
    help: 'How many times more points than the samples demand; PyRPL takes 16.',
  }),
  display_unit: name(DISPLAY_UNITS, {
    help: 'Unit of the spectra; a sine of 1 V peak is 1 Vpk². Densities are those of white noise (PyRPL divides Vrms/sqrt(Hz) by the resolution, not by its root).',
  }),
  trace_average: integer(software, { help: 'Spectra whose powers are averaged.', min: 1, max: 10_000, default: 1 }),
  rbw: {
    ...real(software, { help: 'Resolution: the equivalent noise bandwidth of the window.', unit: 'Hz' }),
    readonly: true,
  } satisfies Parameter<number>,
};

export type SpectrumAnalyzerValues = ValuesOf<{ readonly parameters: typeof parameters }>;

export const spectrumanalyzer = fpgaModule(
  {
    name: 'spectrumanalyzer',
    title: 'Spectrum analyzer',
    help: 'Spectra of one or two signals, from traces of the scope.',
    grabs: true,
    derive: ({ window, span: width }) => ({ rbw: equivalentNoiseBandwidth(window) * width }),
    constraints: [
      {
        of: ['baseband', 'display_input1_baseband', 'display_input2_baseband', 'display_cross_amplitude'],
        sentence: 'at least one of input 1, input 2 and their cross spectrum must be displayed',
        holds: (values) =>
          !values.baseband ||
          values.display_input1_baseband ||
          values.display_input2_baseband ||
          values.display_cross_amplitude,
      },
    ],
  },
  parameters,
);
