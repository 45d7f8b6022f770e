/**
 * What a network analysis asks the lock-in for, point by point, and what it makes of the answers; pure. Sources: PyRPL
 * software_modules/network_analyzer.py, red_pitaya_iq_block.v.
 */
import { add, type Complex, divide, multiply, ONE, real, turn } from '../complex.ts';
import { filterResponse } from '../filter.ts';
import { type NetworkAnalyzerValues, nearestBandwidth } from '../modules/network-analyzer.ts';

/** Register of the frequency for a turn a clock. */
const TURN = 2 ** 32;
/** Time constants that the filters are given at each frequency, in units of 1/rbw. */
const SETTLING = 0.5;

export interface SweepPoint {
  /** Register of the oscillator. */
  readonly step: number;
  /** What the register makes, in Hz. */
  readonly frequency: number;
  /** In Hz. */
  readonly rbw: number;
  /** Clocks that are summed up, and that pass before. */
  readonly averages: number;
  readonly sleep: number;
}

/** @param clock length of a clock in s */
export function sweepPoints(values: NetworkAnalyzerValues, clock: number): SweepPoint[] {
  const { start_freq: start, stop_freq: stop, points, logscale } = values;
  return Array.from({ length: points }, (_, k) => {
    const part = points === 1 ? 0 : k / (points - 1);
    const wanted = logscale ? start * (stop / start) ** part : start + (stop - start) * part;
    const step = Math.round(wanted * clock * TURN);
    const frequency = step / (clock * TURN);
    const rbw = values.auto_bandwidth
      ? nearestBandwidth(Math.min(frequency / values.q_factor_min, values.rbw))
      : values.rbw;
    return {
      step,
      frequency,
      rbw,
      averages: Math.max(1, Math.round(values.average_per_point / (rbw * clock))),
      sleep: Math.round(SETTLING / (rbw * clock)),
    };
  });
}

/** Time that the hardware takes for the points, in s. */
export function sweepDuration(points: readonly SweepPoint[], clock: number): number {
  return points.reduce((sum, { averages, sleep }) => sum + averages + sleep, 0) * clock;
}

/**
 * The transfer function at a point: the response of the lock-in itself, three clocks and the high-pass, is taken out.
 * @param phasor that was measured, in V
 * @param amplitude that was put out, in V; 0: the result is in V
 */
export function transferAt(
  phasor: Complex,
  amplitude: number,
  frequency: number,
  { acbandwidth, infer_open_loop_tf: open }: Pick<NetworkAnalyzerValues, 'acbandwidth' | 'infer_open_loop_tf'>,
  clock: number,
): Complex {
  const clocks = 3 + (acbandwidth > 0 ? 1 : 0);
  const own = multiply(filterResponse([-acbandwidth], frequency), turn(-2 * Math.PI * frequency * clocks * clock));
  const found = divide(amplitude === 0 ? phasor : multiply(phasor, real(1 / amplitude)), own);
  return open ? divide(found, add(ONE, found)) : found;
}
