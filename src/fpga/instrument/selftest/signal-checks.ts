/** Scope and generators: what goes out comes back, in the right place, at the right size and at the right time. */
import { VOLTS_PER_COUNT } from '../../volts.ts';
import { type Bench, type Check, SINE } from './bench.ts';
import { around, atMost, type Figure } from './figures.ts';
import { fitSine, frequencyNear, meanAndDeviation, upwardCrossingNearZero } from './signals.ts';

/** The converters of a board that nobody calibrated are a few per cent off, and a few tens of millivolts. */
const TOLERANCE = { cables: { gain: 0.12, offset: 0.06 }, digital: { gain: 0.003, offset: 0.001 } } as const;

/** Two sines that cannot be taken for each other. */
const SIGNALS = [
  { generator: 'asg0', output: 'out1', input: 'in1', frequency: 100e3, amplitude: 0.8 },
  { generator: 'asg1', output: 'out2', input: 'in2', frequency: 70e3, amplitude: 0.4 },
] as const;

const missing = ({ loop }: Bench, output: string, input: string): string =>
  loop === 'cables' ? `is there a cable from ${output} to ${input}, and is its jumper as configured?` : '';

const loop: Check = {
  name: 'generators and scope, through the loop',
  async *run(bench) {
    const { gain, offset } = TOLERANCE[bench.loop];
    const taken: Record<string, number>[] = [];
    for (const { generator, output, frequency, amplitude } of SIGNALS) {
      taken.push(await bench.set(generator, { ...SINE, frequency, amplitude, output_direct: output }));
    }
    const traces = await bench.record({});
    for (const [k, { output, input, amplitude }] of SIGNALS.entries()) {
      const [trace, frequency = Number.NaN] = [traces[k], taken[k]?.frequency];
      const other = taken[1 - k]?.frequency ?? Number.NaN;
      if (!trace) throw new Error(`There is no trace of ${input}.`);
      const hint = missing(bench, output, input);
      const found = fitSine(trace, frequency);
      yield around(`amplitude at ${input}`, found.amplitude, 'V', amplitude, gain * amplitude, hint);
      yield around(`offset at ${input}`, found.offset, 'V', 0, offset, hint);
      yield around(`frequency at ${input}`, frequencyNear(trace, frequency), 'Hz', frequency, 5, hint);
      const strange = fitSine(trace, other).amplitude;
      yield atMost(`of the other generator at ${input}`, strange, 'V', 0.02 * amplitude, 'are the cables swapped?');
    }
  },
};

/** A level that is a whole number of counts, in V. */
const THRESHOLD = 0.125;

const trigger: Check = {
  name: 'trigger of the scope',
  async *run(bench) {
    await bench.set('asg0', { ...SINE, frequency: 100e3, amplitude: 0.5 });
    for (const decimation of [1, 8, 64]) {
      const [trace] = await bench.record({
        input1: 'asg0',
        ch2_active: false,
        decimation,
        threshold: THRESHOLD,
        trigger_source: 'ch1_positive_edge',
      });
      if (!trace) throw new Error('There is no trace of asg0.');
      const late = upwardCrossingNearZero(trace, THRESHOLD) / trace.dt;
      yield { what: `crossing at decimation ${decimation}`, value: late, unit: 'points', min: -1, max: 0 };
    }
  },
};

/** A level that is on one output, and no other. */
const LEVEL = 0.25;

const sampler: Check = {
  name: 'signals as they are now',
  async *run(bench) {
    await bench.set('asg0', { waveform: 'dc', amplitude: 0, offset: LEVEL, output_direct: 'out1' });
    const now = await bench.sample(['asg0', 'out1', 'out2', 'in1']);
    for (const signal of ['asg0', 'out1'] as const) {
      yield around(`level of ${signal}`, now[signal] ?? Number.NaN, 'V', LEVEL, 2 * VOLTS_PER_COUNT);
    }
    const { gain, offset } = TOLERANCE[bench.loop];
    const hint = missing(bench, 'out1', 'in1');
    yield around('level of in1', now.in1 ?? Number.NaN, 'V', LEVEL, gain * LEVEL + offset, hint);
    yield around('level of out2, which is off', now.out2 ?? Number.NaN, 'V', 0, VOLTS_PER_COUNT);
  },
};

/** Inputs with nothing on them but the board's own noise, in V. */
const QUIET = 3e-3;

const noise: Check = {
  name: 'noise floor, outputs off',
  async *run(bench) {
    const traces = await bench.record({ decimation: 8 });
    for (const [k, { input }] of SIGNALS.entries()) {
      const { mean, deviation } = meanAndDeviation(traces[k]?.values ?? new Float64Array(0));
      const figures: Figure[] = [
        atMost(`rms at ${input}`, deviation, 'V', QUIET, 'something else is on this input'),
        around(`mean at ${input}`, mean, 'V', 0, TOLERANCE[bench.loop].offset, 'something else is on this input'),
      ];
      yield* figures;
    }
  },
};

export const signalChecks: readonly Check[] = [loop, trigger, sampler, noise];
