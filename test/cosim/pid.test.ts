/**
 * Step responses of the PIDs on the live Verilog: each sample against arithmetic on what went in, or against theory.
 */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Trace } from '../../src/fpga/instrument/instrument.ts';
import { client } from '../fpga/instrument/fixture.ts';
import { GRAB_TIMEOUT, withInstrument } from './cosim.ts';

const me = client('pid');
const COUNTS = 8192;

/** Clocks from a change at the input to the change at the output. */
const P_CLOCKS = 4;

const STEPS = {
  waveform: 'square',
  trigger_source: 'immediately',
  output_direct: 'off',
  cycles_per_burst: 0,
  offset: 0,
};

const IDLE = {
  input: 'asg0',
  output_direct: 'off',
  setpoint: 0,
  p: 0,
  i: 0,
  ival: 0,
  inputfilter: [0],
  min_voltage: -1,
  max_voltage: 1,
  pause_gains: 'pid',
  paused: false,
  differential_mode_enabled: false,
};

const SCOPE = {
  input1: 'asg0',
  input2: 'pid0',
  ch1_active: true,
  ch2_active: true,
  average: false,
  threshold: 0,
  hysteresis: 20 / COUNTS,
  trigger_source: 'ch1_positive_edge',
  trigger_delay: 0,
  trace_average: 1,
  rolling_mode: false,
};

withInstrument('step responses of the PIDs on the live Verilog', (bench) => {
  /** What went in and what came out, in counts, and where the step at time 0 is. */
  const record = async (
    generator: Record<string, unknown>,
    pid: Record<string, unknown>,
    scope: Record<string, unknown> = {},
  ): Promise<{ input: number[]; output: number[]; zero: number; trace: Trace }> => {
    const { instrument } = bench();
    await instrument.configure(me, 'asg0', { ...STEPS, ...generator });
    await instrument.configure(me, 'pid0', { ...IDLE, ...pid });
    const config = { ...SCOPE, decimation: 1, ...scope };
    const trace = await instrument.grab(me, 'scope', { config, timeout: GRAB_TIMEOUT }).result;
    const [input = [], output = []] = trace.channels.map(({ counts }) => [...counts]);
    return { input, output, zero: Math.round(-trace.t0 / trace.dt), trace };
  };

  const saturated = (value: number, low = -8192, high = 8191): number => Math.min(high, Math.max(low, value));

  test('P: each sample is p times the error, rounded down and cut off, four clocks later', async () => {
    for (const [p, setpoint] of [
      [1, 0],
      [0.5, 0.1],
      [-1.5, -0.25],
      [10, 0],
      [-0.01, 0.9],
    ] as const) {
      const { input, output } = await record({ frequency: 100e3, amplitude: 0.6 }, { p, setpoint });
      const register = Math.round(p * 4096);
      const level = Math.round(setpoint * COUNTS);
      for (let k = P_CLOCKS; k < output.length; k++) {
        const wanted = saturated(Math.floor((((input[k - P_CLOCKS] ?? 0) - level) * register) / 4096));
        assert.equal(output[k], wanted, `p ${p}, setpoint ${setpoint}, point ${k}`);
      }
    }
  });

  test('limits hold the output, and nothing else', async () => {
    const { input, output } = await record(
      { frequency: 100e3, amplitude: 0.6 },
      { p: 1, min_voltage: -0.3, max_voltage: 0.2 },
    );
    const [low, high] = [Math.round(-0.3 * COUNTS), Math.round(0.2 * COUNTS)];
    assert.deepEqual(
      [...new Set(output)].sort((a, b) => a - b),
      [low, high],
    );
    for (let k = P_CLOCKS; k < output.length; k++)
      assert.equal(output[k], saturated(input[k - P_CLOCKS] ?? 0, low, high));
  });

  test('I: the ramp has the slope of its unity-gain frequency, and stops at the limits of the integrator', async () => {
    const { instrument, bus } = bench();
    for (const i of [2000, -5000]) {
      // A period of 131 µs: half of it up, half of it down.
      const { input, output, zero, trace } = await record({ frequency: 125e6 / 16384, amplitude: 0.25 }, { i });
      const { i: taken } = (await instrument.get('pid0', ['i'])) as { i: number };
      const error = (input[zero] ?? 0) / COUNTS;
      const wanted = 2 * Math.PI * taken * error;
      const [from, to] = [zero + 100, zero + 7000];
      const slope = ((output[to] ?? 0) - (output[from] ?? 0)) / COUNTS / ((to - from) * trace.dt);
      assert.ok(Math.abs(slope / wanted - 1) < 2e-3, `${slope} V/s, not ${wanted}`);
    }
    // Wind-up: 0.5 V for long; the integrator stops at +4 V, its output at +1 V.
    await instrument.configure(me, 'asg0', { ...STEPS, waveform: 'dc', offset: 0.5 });
    await instrument.configure(me, 'pid0', { ...IDLE, i: 38_000 });
    for (let k = 0; k < 2000; k++) await bus.read(0x4000_0000);
    const { ival, current_output_signal: out } = await instrument.get('pid0', ['ival', 'current_output_signal']);
    assert.equal(ival, 32767 / COUNTS);
    assert.equal(out, 8191 / COUNTS);
  });

  test('PI: the step, then the ramp', async () => {
    const { input, output, zero, trace } = await record(
      { frequency: 125e6 / 16384, amplitude: 0.25 },
      { p: 0.5, i: 1000 },
    );
    const step = ((input[zero] ?? 0) - (input[zero - 1] ?? 0)) * 0.5;
    const jump = (output[zero + P_CLOCKS + 1] ?? 0) - (output[zero + P_CLOCKS - 1] ?? 0);
    assert.ok(Math.abs(jump - step) <= 3, `${jump}, not ${step}`);
    const slope = ((output[zero + 7000] ?? 0) - (output[zero + 100] ?? 0)) / COUNTS / (6900 * trace.dt);
    const wanted = (2 * Math.PI * 1000 * (input[zero] ?? 0)) / COUNTS;
    assert.ok(Math.abs(slope / wanted - 1) < 5e-3, `${slope} V/s, not ${wanted}`);
  });

  test('filters: exponential approach with their time constant, and fall of a high-pass', async () => {
    for (const corner of [19_437, -19_437, 157_595]) {
      const { input, output, zero, trace } = await record(
        { frequency: 125e6 / 16384, amplitude: 0.25 },
        { p: 1, inputfilter: [corner] },
      );
      // The corner is rounded to what a shift can do: y += 2^(s − 24) · (x − y) each clock.
      const alpha = 2 ** Math.round(Math.log2((2 * Math.PI * Math.abs(corner)) / 125e6));
      const from = zero + 12;
      const [begin = 0, end = 0] = [output[from], input[zero]];
      const final = corner > 0 ? end : 0;
      for (const points of [200, 1000, 3000]) {
        const left = (final - (output[from + points] ?? 0)) / (final - begin);
        const wanted = (1 - alpha) ** points;
        assert.ok(Math.abs(left - wanted) < 0.01, `${corner} Hz after ${points * trace.dt} s: ${left}, not ${wanted}`);
      }
    }
  });

  test('paused: the proportional part is silent, the integrator holds', async () => {
    const { instrument } = bench();
    await instrument.configure(me, 'asg0', { ...STEPS, waveform: 'dc', offset: 0.1 });
    await instrument.configure(me, 'pid0', { ...IDLE, p: 1, i: 1000, ival: 0.3, paused: true });
    await instrument.configure(me, 'pid0', { ival: 0.3 });
    for (let k = 0; k < 20; k++) {
      const { ival, current_output_signal: out } = await instrument.get('pid0', ['ival', 'current_output_signal']);
      assert.equal(ival, Math.round(0.3 * COUNTS) / COUNTS);
      assert.equal(out, ival);
    }
  });

  test('differential: the setpoint is the partner’s input', async () => {
    const { instrument } = bench();
    await instrument.configure(me, 'asg0', { ...STEPS, waveform: 'dc', offset: 1000 / COUNTS });
    await instrument.configure(me, 'asg1', { ...STEPS, waveform: 'dc', offset: 300 / COUNTS });
    await instrument.configure(me, 'pid1', { input: 'asg1' });
    await instrument.configure(me, 'pid0', { ...IDLE, p: 1, differential_mode_enabled: true });
    const { current_output_signal: out } = await instrument.get('pid0', ['current_output_signal']);
    assert.equal(out, 700 / COUNTS);
  });

  test('closed around a plant: the input comes to the setpoint, with the time constant of the loop', async () => {
    const { instrument, command } = bench();
    await command('adc 1 plant:0.8,20e3,8,0,1');
    try {
      const i = -3000;
      await instrument.configure(me, 'pid0', { ...IDLE, input: 'in1', output_direct: 'out1', i, setpoint: -0.1 });
      // The trigger is the step of the setpoint: a change of in1 through 0.
      const config = { ...SCOPE, input1: 'in1', decimation: 8 };
      const grab = instrument.grab(me, 'scope', { config, timeout: GRAB_TIMEOUT });
      let over = false;
      const end = (): void => {
        over = true;
      };
      void grab.result.then(end, end);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      if (!over) await instrument.configure(me, 'pid0', { setpoint: 0.2 });
      const trace = await grab.result;
      const [input] = trace.channels;
      const counts = [...(input?.counts ?? [])];
      const last = counts.slice(-200);
      for (const one of last) assert.ok(Math.abs(one - 0.2 * COUNTS) <= 3, `settles at ${one}`);
      // The integrator with unity-gain frequency i around a plant of gain 0.8, faster than the loop.
      const wanted = 1 / (2 * Math.PI * 3000 * 0.8);
      const at = counts.findIndex((one) => one >= (-0.1 + 0.3 * (1 - Math.exp(-1))) * COUNTS);
      const from = counts.findIndex((one) => one >= -0.1 * COUNTS + 20);
      const tau = (at - from) * trace.dt;
      assert.ok(tau > 0.6 * wanted && tau < 1.4 * wanted, `time constant ${tau} s, not near ${wanted} s`);
    } finally {
      await command('adc 1 loopback:8,1,0,1');
    }
  });
});

test.run();
