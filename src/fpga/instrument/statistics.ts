/** Single values of a trace, for a scan: what is asked for need not be sent as samples. Pure arithmetic. */
import { Refusal } from '../../errors.ts';
import type { Curve, CurveChannel, Quantity, Statistics, Trace, TraceChannel } from './instrument.ts';
import type { Part } from './trace.ts';

/** Of a sample's distance from the window's edge, in samples: the edge itself belongs to the window. */
const ROUNDING = 1e-6;

/**
 * The points whose times are within the window.
 * @throws Refusal: there is none
 */
export function windowOf(window: Statistics, axis: { t0: number; dt: number }, total: number): Part {
  const { t0, dt } = axis;
  const { from = t0, to = t0 + (total - 1) * dt } = window;
  const first = Math.max(0, Math.ceil((from - t0) / dt - ROUNDING));
  const last = Math.min(total - 1, Math.floor((to - t0) / dt + ROUNDING));
  if (last >= first) return { start: first, points: last - first + 1 };
  const [begin, end] = [t0, t0 + (total - 1) * dt].map((time) => Number(time.toPrecision(6)));
  throw new Refusal(`No point of the trace, which is from ${begin} to ${end} s, is from ${from} to ${to} s.`);
}

interface Values {
  readonly mean: number;
  readonly deviation: number;
  readonly rms: number;
  readonly peakToPeak: number;
}

/** In V. Sums of whole counts are exact: 16384 squares of 14 bits are far below 2^53. */
function valuesOf({ counts, gain, offset }: TraceChannel): Values {
  const count = counts.length;
  let [sum, squares, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let k = 0; k < count; k++) {
    const value = counts[k] as number;
    sum += value;
    squares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const mean = (sum / count) * gain + offset;
  const deviation = Math.sqrt(Math.max(0, (squares - (sum * sum) / count) / count)) * Math.abs(gain);
  return { mean, deviation, rms: Math.hypot(mean, deviation), peakToPeak: (max - min) * Math.abs(gain) };
}

/** Mean (with the standard deviation as its error), rms and peak-to-peak of each channel. */
export function statisticsOf(trace: Trace): Curve {
  const { channels, t0, dt } = trace;
  const values = channels.map(valuesOf);
  const quantity = (name: string, of: (one: Values) => number, error?: (one: Values) => number): Quantity => ({
    name,
    unit: 'V',
    channels: values.map(
      (one, k): CurveChannel => ({
        label: channels[k]?.label ?? '',
        values: Float64Array.of(of(one)),
        ...(error ? { errors: Float64Array.of(error(one)) } : {}),
      }),
    ),
  });
  const samples = channels[0]?.counts.length ?? 0;
  return {
    module: trace.module,
    timestamp: trace.timestamp,
    quantities: [
      quantity(
        'Mean',
        ({ mean }) => mean,
        ({ deviation }) => deviation,
      ),
      quantity('RMS', ({ rms }) => rms),
      quantity('Peak-to-peak', ({ peakToPeak }) => peakToPeak),
    ],
    attributes: { ...trace.attributes, samples, window_from: t0, window_to: t0 + (samples - 1) * dt },
  };
}
