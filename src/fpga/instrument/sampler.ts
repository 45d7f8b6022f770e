/** Statistics of signals that are read again and again for a time. */
import { setImmediate } from 'node:timers/promises';
import { extract } from '../fields.ts';
import type { TypedDriver } from '../module.ts';
import { dsp, type Signal } from '../modules/dsp.ts';
import { type SamplerValues, signalsOf } from '../modules/sampler.ts';
import type { Curve, Quantity } from './instrument.ts';
import type { Recorder, RecorderTools } from './recorder.ts';
import { type Run, runs } from './runs.ts';

/** Time without a turn for others, in ms. */
const STRETCH_MS = 0.5;

interface Statistics {
  readonly signal: Signal;
  count: number;
  mean: number;
  /** Sum of squared distances from the mean. */
  squares: number;
  min: number;
  max: number;
}

/** One more sample, by Welford's recurrence, which loses no digits. */
function include(found: Statistics, value: number): void {
  found.count++;
  const distance = value - found.mean;
  found.mean += distance / found.count;
  found.squares += distance * (value - found.mean);
  found.min = Math.min(found.min, value);
  found.max = Math.max(found.max, value);
}

export function samplerRecorder(tools: RecorderTools, driver: TypedDriver<SamplerValues>): Recorder {
  const { bus } = tools.registers;
  let number = 0;

  async function measure({ signal: over, progress }: Run): Promise<Curve> {
    const { signals, duration } = driver.values;
    const all = signalsOf(signals).map(
      (signal): Statistics => ({
        signal,
        count: 0,
        mean: 0,
        squares: 0,
        min: Number.POSITIVE_INFINITY,
        max: Number.NEGATIVE_INFINITY,
      }),
    );
    const begun = performance.now();
    const end = begun + duration * 1e3;
    let now = begun;
    let rested = begun;
    do {
      for (const one of all) {
        const field = dsp(one.signal).now;
        const { gain, offset } = tools.scaleOf(one.signal);
        include(one, (extract(await bus.read(field.address), field) - offset) * gain);
      }
      now = performance.now();
      if (now - rested < STRETCH_MS) continue;
      await setImmediate();
      over.throwIfAborted();
      rested = performance.now();
      progress(Math.min(1, (now - begun) / (end - begun)), `${all[0]?.count} samples of ${signals}`);
    } while (now < end);
    const quantity = (
      name: string,
      of: (one: Statistics) => number,
      error?: (one: Statistics) => number,
    ): Quantity => ({
      name,
      unit: 'V',
      channels: all.map((one) => ({
        label: one.signal,
        values: Float64Array.of(of(one)),
        ...(error ? { errors: Float64Array.of(error(one)) } : {}),
      })),
    });
    const deviation = ({ squares, count }: Statistics): number => Math.sqrt(squares / count);
    return {
      module: 'sampler',
      timestamp: Date.now() / 1e3,
      quantities: [
        quantity('Mean', ({ mean }) => mean, deviation),
        quantity('Standard deviation', deviation),
        quantity('Minimum', ({ min }) => min),
        quantity('Maximum', ({ max }) => max),
      ],
      attributes: {
        number: ++number,
        board: tools.board,
        duration: (now - begun) / 1e3,
        samples: all[0]?.count ?? 0,
        calibrated: all.every(({ signal }) => tools.isCalibrated(signal)),
        clock_synchronised: tools.clockSynchronised(),
        settings: JSON.stringify({ signals, duration }),
      },
    };
  }

  return runs({
    module: 'sampler',
    counters: tools.counters,
    tell: tools.progress,
    expected: () => driver.values.duration,
    measure,
  });
}
