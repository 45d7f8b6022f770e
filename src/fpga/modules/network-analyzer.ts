/**
 * The network analyzer: a sweep of a lock-in that drives a plant and listens to it, made by software on the board.
 * Names are those of PyRPL's software_modules/network_analyzer.py.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { corners, nearestCorner } from '../filter.ts';
import { fpgaModule, type ValuesOf } from '../module.ts';
import { bool, name } from '../parameters/choices.ts';
import { acceptReal } from '../parameters/judging.ts';
import { integer, real } from '../parameters/numbers.ts';
import { type Parameter, software } from '../parameters/parameter.ts';
import { outputDirect, signal } from './dsp.ts';

/** Of the filters behind the demodulation, and of the high-pass before it. */
const QUADRATURE = { lowest: 24 } as const;
const INPUT = { lowest: 22 } as const;

const bandwidths = corners(QUADRATURE).flatMap(([hertz]) => (hertz > 0 ? [hertz] : []));
const [LOWEST_RBW = 1, HIGHEST_RBW = 1] = [bandwidths[0], bandwidths.at(-1)];
const HIGHEST_AC = corners(INPUT).at(-1)?.[0] ?? 0;

/** Longest sweep; a point takes 4 reads and a write. */
const MAX_POINTS = 100_000;
/** With the lowest bandwidth the register of the number of clocks is nearly full. */
const MAX_AVERAGES = 40;

/** The filter corner, kept in software, that is nearest to what is wanted. */
function corner(nearest: (hertz: number) => number, options: Parameters<typeof real>[1]): Parameter<number> {
  const plain = real(software, { ...options, unit: 'Hz' });
  return { ...plain, accept: (value, refuse) => nearest(acceptReal(value, { ...options, unit: 'Hz' }, refuse)) };
}

/** Bandwidth that the sweep really has, in Hz. */
export const nearestBandwidth = (hertz: number): number =>
  nearestCorner(Math.min(HIGHEST_RBW, Math.max(LOWEST_RBW, hertz)), QUADRATURE);

const frequency = (help: string, usual: number) =>
  real(software, { help, unit: 'Hz', min: 0, max: CLOCK_HZ / 2, default: usual });

const parameters = {
  iq_name: name(['iq2', 'iq1', 'iq0'], { help: 'Lock-in that is used; it has its former settings back afterwards.' }),
  input: signal(software, { help: 'Signal that is measured.', default: 'in1' }),
  output_direct: outputDirect(software),
  amplitude: real(software, {
    help: 'Amplitude of the sine, peak. With 0 the result is the amplitude that is there, in V.',
    unit: 'V',
    min: 0,
    max: 1,
    default: 0.1,
    off: 0,
  }),
  start_freq: frequency('First frequency.', 1e3),
  stop_freq: frequency('Last frequency; that of start_freq: the same all the time, over a time axis.', 1e6),
  points: integer(software, { help: 'Number of points.', min: 1, max: MAX_POINTS, default: 201 }),
  logscale: bool(software, { help: 'Frequencies are spaced evenly by their ratio.', default: true }),
  rbw: corner(nearestBandwidth, {
    help: 'Bandwidth of the detection; well below the frequencies, or twice the frequency is seen as well. The nearest possible one is taken.',
    min: LOWEST_RBW,
    max: HIGHEST_RBW,
    default: nearestBandwidth(500),
  }),
  average_per_point: real(software, {
    help: 'How many times 1/rbw each point is averaged.',
    min: 0.01,
    max: MAX_AVERAGES,
    default: 1,
  }),
  trace_average: integer(software, { help: 'Sweeps that are averaged.', min: 1, max: 10_000, default: 1 }),
  acbandwidth: corner((hertz) => Math.abs(nearestCorner(-hertz, INPUT)), {
    help: 'Corner of the high-pass before demodulation, 0 off; its own response is taken out. The nearest possible one is taken.',
    min: 0,
    max: HIGHEST_AC,
    default: 0,
  }),
  auto_bandwidth: bool(software, {
    help: 'The bandwidth follows the frequency: frequency/q_factor_min, and rbw at most.',
  }),
  q_factor_min: real(software, { help: 'See auto_bandwidth.', min: 1, max: 1e6, default: 10 }),
  infer_open_loop_tf: bool(software, {
    help: 'What was measured is taken for a closed loop h, and h/(1 + h) is given.',
  }),
};

export type NetworkAnalyzerValues = ValuesOf<{ readonly parameters: typeof parameters }>;

export const networkanalyzer = fpgaModule(
  {
    name: 'networkanalyzer',
    title: 'Network analyzer',
    help: 'Transfer function over frequency: drives an output with a sine, and measures amplitude and phase of a signal.',
    grabs: true,
    constraints: [
      {
        of: ['logscale', 'start_freq', 'stop_freq'],
        sentence: 'a logarithmic sweep has no frequency 0',
        holds: ({ logscale, start_freq, stop_freq }) => !logscale || (start_freq > 0 && stop_freq > 0),
      },
    ],
  },
  parameters,
);
