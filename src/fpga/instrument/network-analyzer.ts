/** Sweeps a lock-in over frequency; see sweep.ts for what is asked of it and made of its answers. */
import { type Complex, magnitude, multiply, real } from '../complex.ts';
import type { TypedDriver } from '../module.ts';
import { iqFrequency, iqRegisters } from '../modules/iq.ts';
import type { NetworkAnalyzerValues } from '../modules/network-analyzer.ts';
import { VOLTS_PER_COUNT } from '../volts.ts';
import type { Curve } from './instrument.ts';
import { readPhasor } from './phasor.ts';
import type { Recorder, RecorderTools, Reservation } from './recorder.ts';
import { type Run, runs } from './runs.ts';
import { type SweepPoint, sweepDuration, sweepPoints, transferAt } from './sweep.ts';

/** Time constants from switching on to the first point. */
const FIRST_SETTLING = 3;

export function networkAnalyzerRecorder(tools: RecorderTools, driver: TypedDriver<NetworkAnalyzerValues>): Recorder {
  const { clock, registers } = tools;

  const planned = (): { values: NetworkAnalyzerValues; points: SweepPoint[]; seconds: number } => {
    const values = driver.values;
    const points = sweepPoints(values, clock);
    return { values, points, seconds: sweepDuration(points, clock) * values.trace_average };
  };

  /** Sets the lock-in up, without a sound. */
  async function setUp(lockIn: Reservation, values: NetworkAnalyzerValues): Promise<void> {
    const { iq_name: iq, input, output_direct, acbandwidth, rbw, start_freq: frequency } = values;
    await lockIn.configure(iq, { amplitude: 0 });
    await lockIn.configure(iq, {
      frequency,
      bandwidth: [rbw, rbw],
      gain: 0,
      phase: 0,
      acbandwidth,
      input,
      output_direct,
      output_signal: 'output_direct',
      modulation_at_2f: 'off',
      demodulation_at_2f: 'off',
      on: true,
    });
  }

  async function measure({ client, signal, progress }: Run): Promise<Curve> {
    const { values, points } = planned();
    const { iq_name: iq, trace_average: sweeps, acbandwidth } = values;
    const sums = iqRegisters(iq);
    const lockIn = await tools.reserve(client, [iq], 'networkanalyzer', signal);
    try {
      await setUp(lockIn, values);
      const total = Array.from(points, (): { re: number; im: number } => ({ re: 0, im: 0 }));
      /** Of the input's own volts, what a nominal one is. */
      const volts = tools.scaleOf(values.input).gain / VOLTS_PER_COUNT;
      let set: SweepPoint | undefined;
      let amplitude = 0;
      const take = async (point: SweepPoint): Promise<Complex> => {
        if (set?.rbw !== point.rbw) {
          if (set) await lockIn.configure(iq, { bandwidth: [point.rbw, point.rbw] });
          await registers.write([sums.naAverages, point.averages], [sums.naSleepcycles, point.sleep]);
        }
        if (!set) {
          amplitude = Number((await lockIn.configure(iq, { amplitude: values.amplitude })).amplitude);
          await settle(point);
        }
        set = point;
        // Writing it begins the sums, also where it is the frequency that was.
        await registers.bus.write(iqFrequency(iq).address, point.step);
        const phasor = await readPhasor(registers, sums, point, signal);
        return transferAt(multiply(phasor, real(volts)), amplitude, point.frequency, values, clock);
      };
      /** By the clock of the FPGA, which may be a simulated one: a sum of one sample after a long pause. */
      const settle = async (point: SweepPoint): Promise<void> => {
        const first = { averages: 1, sleep: Math.round(FIRST_SETTLING / (point.rbw * clock)) };
        await registers.write([sums.naAverages, first.averages], [sums.naSleepcycles, first.sleep]);
        await registers.bus.write(iqFrequency(iq).address, point.step);
        await readPhasor(registers, sums, first, signal);
        await registers.write([sums.naAverages, point.averages], [sums.naSleepcycles, point.sleep]);
      };
      for (let sweep = 0; sweep < sweeps; sweep++) {
        let told = 0;
        for (const [k, point] of points.entries()) {
          signal.throwIfAborted();
          const { re, im } = await take(point);
          const sum = total[k];
          if (sum) Object.assign(sum, { re: sum.re + re, im: sum.im + im });
          const done = sweep * points.length + k + 1;
          const which = sweeps > 1 ? ` of sweep ${sweep + 1} of ${sweeps}` : '';
          const text = `point ${k + 1} of ${points.length}${which}`;
          progress(done / (sweeps * points.length), text, () => {
            const first = told;
            told = k + 1;
            const news = total.slice(first, told);
            return {
              first,
              frequency: points.slice(first, told).map(({ frequency }) => frequency),
              re: news.map((one) => one.re / (sweep + 1)),
              im: news.map((one) => one.im / (sweep + 1)),
            };
          });
        }
      }
      const found = total.map(({ re, im }) => ({ re: re / sweeps, im: im / sweeps }));
      return curve(values, points, found, amplitude, acbandwidth);
    } finally {
      // What the lock-in puts out ends, whatever its former settings are; the shadow knows the frequency no more.
      await lockIn.configure(iq, { amplitude: 0 }).finally(async () => {
        await registers.readBack([iqFrequency(iq)]);
        await lockIn.release();
      });
    }
  }

  function curve(
    values: NetworkAnalyzerValues,
    points: readonly SweepPoint[],
    found: readonly Complex[],
    amplitude: number,
    acbandwidth: number,
  ): Curve {
    const zeroSpan = values.start_freq === values.stop_freq;
    const seconds = points.map(({ averages, sleep: pause }) => (averages + pause) * clock);
    const axis = zeroSpan
      ? { label: 'Time', unit: 's', values: Float64Array.from(points, (_, k) => k * (seconds[k] ?? 0)) }
      : { label: 'Frequency', unit: 'Hz', values: Float64Array.from(points, ({ frequency }) => frequency) };
    const label = values.input;
    const line = (name: string, unit: string, of: (one: Complex) => number) => ({
      name,
      unit,
      channels: [{ label, values: Float64Array.from(found, of) }],
    });
    const unit = amplitude === 0 ? 'V' : '';
    return {
      module: 'networkanalyzer',
      timestamp: Date.now() / 1e3,
      axis,
      quantities: [
        line('Magnitude', unit, magnitude),
        line('Phase', 'deg', ({ re, im }) => (Math.atan2(im, re) * 180) / Math.PI),
        line('Real part', unit, ({ re }) => re),
        line('Imaginary part', unit, ({ im }) => im),
      ],
      attributes: {
        number: ++number,
        board: tools.board,
        input: values.input,
        amplitude,
        rbw: values.rbw,
        acbandwidth,
        time_per_point: seconds[0] ?? 0,
        // Twice the frequency is then not filtered out.
        unresolved: points.some((point) => point.frequency < point.rbw),
        calibrated: tools.isCalibrated(values.input) && tools.isCalibrated(values.output_direct),
        clock_synchronised: tools.clockSynchronised(),
        settings: JSON.stringify(values),
      },
    };
  }

  let number = 0;
  return runs({
    module: 'networkanalyzer',
    counters: tools.counters,
    tell: tools.progress,
    expected: () => planned().seconds,
    measure,
  });
}
