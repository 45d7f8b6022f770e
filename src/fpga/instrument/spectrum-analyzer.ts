/** Spectra from traces of the scope; see spectrum.ts for the calculation. */
import { setImmediate } from 'node:timers/promises';
import { magnitude } from '../complex.ts';
import { filterResponse } from '../filter.ts';
import type { TypedDriver } from '../module.ts';
import { nearestBandwidth } from '../modules/network-analyzer.ts';
import { SAMPLES } from '../modules/scope.ts';
import { decimationOf, type SpectrumAnalyzerValues } from '../modules/spectrum-analyzer.ts';
import { equivalentNoiseBandwidth } from '../modules/windows.ts';
import { type Curve, isTrace, type Quantity, type Trace } from './instrument.ts';
import type { Recorder, RecorderTools, Reservation } from './recorder.ts';
import { type Run, runs } from './runs.ts';
import { addCross, addPower, averagingGain, inUnit, type Transforms, transforms } from './spectrum.ts';

/** The only lock-in whose second quadrature is a signal. */
const IQ = 'iq2';
/** Bandwidth of the lock-in, in spans: PyRPL's. */
const BANDWIDTH = 4;
/** A sine of 1 V makes quadratures of 0.5 V: what half the window's sum of 2 asks for. */
const QUADRATURE_FACTOR = 1;

/** What is added up over traces, and what it becomes. */
interface Sums {
  add(trace: Trace): Promise<void>;
  quantities(count: number): Quantity[];
  readonly frequencies: Float64Array;
}

export function spectrumAnalyzerRecorder(tools: RecorderTools, driver: TypedDriver<SpectrumAnalyzerValues>): Recorder {
  const { clock } = tools;
  let number = 0;

  /** Traces of one set of settings, in s: samples, and the time to begin. */
  const expected = ({ span, trace_average }: SpectrumAnalyzerValues): number =>
    trace_average * SAMPLES * decimationOf(span) * clock;

  async function measure({ client, signal, progress }: Run): Promise<Curve> {
    const values = driver.values;
    const { baseband, trace_average: count, span, window } = values;
    const decimation = decimationOf(span);
    const lockIn = baseband ? [] : [IQ];
    const board = await tools.reserve(client, ['scope', ...lockIn], 'spectrumanalyzer', signal);
    try {
      if (!baseband) await setUpLockIn(board, values);
      await board.configure('scope', {
        input1: baseband ? values.input1_baseband : IQ,
        input2: baseband ? values.input2_baseband : 'iq2_2',
        decimation,
        average: true,
        trigger_source: 'immediately',
        rolling_mode: false,
        trace_average: 1,
        ch1_active: true,
        ch2_active: true,
      });
      const made = transforms(SAMPLES * values.zero_padding, window);
      const sums = baseband ? basebandSums(values, made) : centeredSums(values, made);
      const labels = baseband ? [values.input1_baseband, values.input2_baseband] : [values.input];
      let clipped = false;
      for (let k = 0; k < count; k++) {
        const grab = board.grab('scope', { timeout: expected(values) + 60 });
        const stop = (): void => grab.stop('spectrumanalyzer');
        signal.addEventListener('abort', stop);
        const trace = await grab.result.finally(() => signal.removeEventListener('abort', stop));
        if (!isTrace(trace)) throw new Error('The scope brought no trace.');
        clipped ||= trace.attributes.clipped === true;
        await sums.add(trace);
        grab.release?.();
        signal.throwIfAborted();
        progress((k + 1) / count, `trace ${k + 1} of ${count}`);
      }
      return {
        module: 'spectrumanalyzer',
        timestamp: Date.now() / 1e3,
        axis: { label: 'Frequency', unit: 'Hz', values: sums.frequencies },
        quantities: sums.quantities(count),
        attributes: {
          number: ++number,
          board: tools.board,
          display_unit: values.display_unit,
          rbw: rbwOf(values),
          span,
          traces: count,
          clipped,
          calibrated: labels.every(tools.isCalibrated),
          clock_synchronised: tools.clockSynchronised(),
          settings: JSON.stringify(values),
        },
      };
    } finally {
      await board.release();
    }
  }

  const rbwOf = ({ span, window }: SpectrumAnalyzerValues): number => {
    const rate = 1 / (decimationOf(span) * clock);
    return equivalentNoiseBandwidth(window) * rate;
  };

  async function setUpLockIn(board: Reservation, values: SpectrumAnalyzerValues): Promise<void> {
    const bandwidth = nearestBandwidth(BANDWIDTH * values.span);
    await board.configure(IQ, {
      input: values.input,
      frequency: values.center,
      acbandwidth: values.acbandwidth,
      bandwidth: [bandwidth, bandwidth],
      quadrature_factor: QUADRATURE_FACTOR,
      output_signal: 'quadrature',
      output_direct: 'off',
      gain: 0,
      amplitude: 0,
      phase: 0,
      modulation_at_2f: 'off',
      demodulation_at_2f: 'off',
      on: true,
    });
  }

  function basebandSums(values: SpectrumAnalyzerValues, made: Transforms): Sums {
    const { display_unit, input1_baseband: label1, input2_baseband: label2 } = values;
    const shown = {
      1: values.display_input1_baseband,
      2: values.display_input2_baseband,
      cross: values.display_cross_amplitude,
    };
    const decimation = decimationOf(values.span);
    const bins = made.size / 2 + 1;
    const rate = 1 / (decimation * clock);
    const frequencies = Float64Array.from({ length: bins }, (_, k) => (k * rate) / made.size);
    const powers = [new Float64Array(shown[1] ? bins : 0), new Float64Array(shown[2] ? bins : 0)] as const;
    const cross = [new Float64Array(shown.cross ? bins : 0), new Float64Array(shown.cross ? bins : 0)] as const;
    const levelled = (sum: Float64Array, count: number): Float64Array =>
      sum.map((one, k) => one / count / averagingGain(frequencies[k] ?? 0, decimation, clock));
    return {
      frequencies,
      async add({ channels: [ch1, ch2] }) {
        const spectrum = async (channel: Trace['channels'][number] | undefined, wanted: boolean) => {
          if (!wanted || !channel) return undefined;
          // Others have their turn between two transforms.
          await setImmediate();
          return made.real(channel.counts, channel.gain, channel.offset);
        };
        const first = await spectrum(ch1, shown[1] || shown.cross);
        const second = await spectrum(ch2, shown[2] || shown.cross);
        if (first && shown[1]) addPower(powers[0], first);
        if (second && shown[2]) addPower(powers[1], second);
        if (first && second && shown.cross) addCross(cross[0], cross[1], first, second);
      },
      quantities(count) {
        const rbw = rbwOf(values);
        const lines = powers
          .map((sum, k) => ({ label: k === 0 ? label1 : label2, sum }))
          .filter(({ sum }) => sum.length > 0)
          .map(({ label, sum }) => ({ label, ...inUnit(levelled(sum, count), display_unit, rbw) }));
        const [first] = lines;
        const spectrum: Quantity[] = first
          ? [
              {
                name: 'Spectrum',
                unit: first.unit,
                channels: lines.map(({ label, values: line }) => ({ label, values: line })),
              },
            ]
          : [];
        if (!shown.cross) return spectrum;
        const [re, im] = cross.map((sum) => levelled(sum, count));
        const channels = [
          { label: 'real part', values: re ?? new Float64Array() },
          { label: 'imaginary part', values: im ?? new Float64Array() },
        ];
        return [...spectrum, { name: 'Cross spectrum', unit: 'V**2', channels }];
      },
    };
  }

  /** Of the quadratures: frequencies around center. */
  function centeredSums(values: SpectrumAnalyzerValues, made: Transforms): Sums {
    const { center, acbandwidth, span, display_unit, input } = values;
    const decimation = decimationOf(span);
    const rate = 1 / (decimation * clock);
    const bandwidth = nearestBandwidth(BANDWIDTH * span);
    const offsets = Float64Array.from({ length: made.size }, (_, k) => ((k - made.size / 2) * rate) / made.size);
    const power = new Float64Array(made.size);
    return {
      frequencies: offsets.map((offset) => center + offset),
      async add({ channels: [ch1, ch2] }) {
        if (!ch1 || !ch2) throw new Error('The scope brought no quadratures.');
        await setImmediate();
        addPower(power, made.complex(ch1.counts, ch2.counts, tools.scaleOf(input).gain / QUADRATURE_FACTOR));
      },
      quantities(count) {
        const levelled = power.map((one, k) => {
          const offset = offsets[k] ?? 0;
          const filters = magnitude(filterResponse([bandwidth, bandwidth], offset));
          const high = magnitude(filterResponse([-acbandwidth], Math.max(1, Math.abs(center + offset))));
          return one / count / averagingGain(offset, decimation, clock) / (filters * high) ** 2;
        });
        const { unit, values: line } = inUnit(levelled, display_unit, rbwOf(values));
        return [{ name: 'Spectrum', unit, channels: [{ label: input, values: line }] }];
      },
    };
  }

  return runs({
    module: 'spectrumanalyzer',
    counters: tools.counters,
    tell: tools.progress,
    expected: () => expected(driver.values),
    measure,
  });
}
