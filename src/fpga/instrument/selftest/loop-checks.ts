/** PID and lock-in: what is set is what the signal gets. No cable is needed but where the name says so. */
import { iqRegisters } from '../../modules/iq.ts';
import { pid0 } from '../../modules/pid.ts';
import { readPhasor } from '../phasor.ts';
import { type Bench, type Check, SINE } from './bench.ts';
import { around } from './figures.ts';
import { fitSine, type SampledSignal, slope, wrapped } from './signals.ts';

/** A pid that does nothing yet, whatever it was used for before. */
const IDLE_PID = {
  input: 'off',
  output_direct: 'off',
  setpoint: 0,
  p: 0,
  i: 0,
  ival: 0,
  inputfilter: [0],
  min_voltage: -1,
  max_voltage: 1,
  paused: false,
  differential_mode_enabled: false,
} as const;

async function both(bench: Bench, config: Parameters<Bench['record']>[0]): Promise<[SampledSignal, SampledSignal]> {
  const [first, second] = await bench.record(config);
  if (!first || !second) throw new Error('The scope brought fewer than two channels.');
  return [first, second];
}

const proportional: Check = {
  name: 'PID, proportional',
  async *run(bench) {
    const { frequency = Number.NaN } = await bench.set('asg0', { ...SINE, frequency: 50e3, amplitude: 0.5 });
    for (const p of [0.5, -1.5]) {
      await bench.set('pid0', { ...IDLE_PID, input: 'asg0', p });
      const [input, output] = (await both(bench, { input1: 'asg0', input2: 'pid0' })).map((one) =>
        fitSine(one, frequency),
      );
      if (!input || !output) throw new Error('There is no sine.');
      const sign = Math.abs(wrapped(output.phase - input.phase)) > Math.PI / 2 ? -1 : 1;
      yield around(`gain, p = ${p}`, (sign * output.amplitude) / input.amplitude, '', p, 0.005);
    }
  },
};

/** Unity-gain frequency of the integrator in Hz, and its error signal in V: it crosses the range in 0.6 ms. */
const INTEGRAL = { i: 5e3, setpoint: -0.1 } as const;
/** So often, in ms, the ramp is looked at: once it is at the top it is sent from the bottom again, until the scope saw one. */
const LOOK_EVERY_MS = 100;
/** Of the integrator, in counts: just below its limit of 4 V, long after the scope is done with a ramp. */
const TOP = 32_000;
/** Points around the crossing of 0 V in which the ramp is straight. */
const STRAIGHT = 2000;

const integral: Check = {
  name: 'PID, integral',
  async *run(bench) {
    const { setpoint = Number.NaN, i = Number.NaN } = await bench.set('pid0', { ...IDLE_PID, ...INTEGRAL });
    const [integrator] = pid0.parameters.ival.fields;
    if (!integrator) throw new Error('The integrator has no register.');
    let recorded = false;
    const recording = both(bench, { input1: 'pid0', input2: 'pid0', trigger_source: 'ch1_positive_edge' });
    const end = (): void => {
      recorded = true;
    };
    const over = recording.then(end, end);
    while (!recorded) {
      if (!recorded && (await bench.registers.read(integrator)) > TOP) await bench.set('pid0', { ival: -1 });
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))]);
    }
    const [ramp] = await recording;
    const middle = Math.round(-ramp.t0 / ramp.dt);
    const found = slope(ramp, middle - STRAIGHT, middle + STRAIGHT);
    const expected = -2 * Math.PI * i * setpoint;
    yield around('slope of the ramp', found, 'V/s', expected, 0.005 * expected);
  },
};

/** A lock-in that puts out its own sine, and looks at a signal. */
const LOCK_IN = {
  acbandwidth: 0,
  bandwidth: [0],
  gain: 0,
  phase: 0,
  output_signal: 'output_direct',
  modulation_at_2f: 'off',
  demodulation_at_2f: 'off',
  on: true,
} as const;

/** Clocks that are summed up, 1 ms, and that pass before. */
const SUMMED = { averages: 125_000, sleep: 2000 };

/** Clocks from the output of a lock-in to its demodulation. */
const OWN_CLOCKS = 3;

/** What iq0 sees of its own sine at these frequencies: amplitude over amplitude, and delay in clocks. */
async function* response(
  bench: Bench,
  settings: Parameters<Bench['set']>[1],
  frequencies: readonly number[],
): AsyncGenerator<{ readonly frequency: number; readonly gain: number; readonly delay: number }> {
  const sums = iqRegisters('iq0');
  const amplitude = 0.5;
  await bench.set('iq0', { ...LOCK_IN, ...settings, amplitude, frequency: 0 });
  await bench.registers.write([sums.naAverages, SUMMED.averages], [sums.naSleepcycles, SUMMED.sleep]);
  for (const wanted of frequencies) {
    // Writing the frequency begins the sums.
    const { frequency = Number.NaN } = await bench.set('iq0', { frequency: wanted });
    const { re, im } = await readPhasor(bench.registers, sums, SUMMED);
    const delay = -Math.atan2(im, re) / (2 * Math.PI * frequency * 8e-9);
    yield { frequency, gain: Math.hypot(re, im) / amplitude, delay };
  }
}

const lockIn: Check = {
  name: 'lock-in',
  async *run(bench) {
    for await (const { frequency, gain, delay } of response(bench, { input: 'iq0' }, [1e5, 1e6, 1e7])) {
      const at = `at ${Math.round(frequency / 1e3)} kHz`;
      yield around(`amplitude ${at}`, gain, '', 1, 0.002);
      yield around(`delay ${at}`, delay, 'clocks', OWN_CLOCKS, 0.1);
    }
  },
};

/** Clocks from output to input: the registers and converters of a board, or fewer by a loop inside the FPGA. */
const LOOP_CLOCKS = { min: 4, max: 80 };

const lockInLoop: Check = {
  name: 'lock-in, through the loop',
  async *run(bench) {
    const tolerance = bench.loop === 'cables' ? 0.15 : 0.003;
    for await (const one of response(bench, { input: 'in1', output_direct: 'out1' }, [2e5, 1e6])) {
      const at = `at ${Math.round(one.frequency / 1e3)} kHz`;
      yield around(`amplitude at in1 ${at}`, one.gain, '', 1, tolerance, 'is the cable from out1 to in1 there?');
      yield { what: `delay ${at}`, value: one.delay, unit: 'clocks', ...LOOP_CLOCKS };
    }
  },
};

export const loopChecks: readonly Check[] = [proportional, integral, lockIn, lockInLoop];
