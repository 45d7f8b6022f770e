/** The network analyzer on the live Verilog: a plant of known gain, corner and delay, against its analytic response. */
import assert from 'node:assert';
import { test } from 'uvu';
import { type Complex, divide, magnitude, multiply, real, turn } from '../../src/fpga/complex.ts';
import type { Curve } from '../../src/fpga/instrument/instrument.ts';
import { client } from '../fpga/instrument/fixture.ts';
import { GRAB_TIMEOUT, withInstrument } from './cosim.ts';

const me = client('analyst');
const CLOCK = 8e-9;
const PLANT = { gain: 0.8, corner: 20e3, delay: 50 };
/** Clocks to out1 and from in1, beside the delay of the plant: 5 and 1. */
const PATH = { atLeast: 5, atMost: 7 };

withInstrument('the network analyzer on the live Verilog', (bench) => {
  test.before(async () => {
    await bench().command(`adc 1 plant:${PLANT.gain},${PLANT.corner},${PLANT.delay},0,1`);
  });

  async function sweep(settings: Record<string, unknown>): Promise<{ frequency: number; found: Complex }[]> {
    const { instrument } = bench();
    await instrument.configure(me, 'networkanalyzer', settings);
    const curve = (await instrument.grab(me, 'networkanalyzer', { timeout: GRAB_TIMEOUT }).result) as Curve;
    const values = (name: string) => curve.quantities.find((one) => one.name === name)?.channels[0]?.values;
    const [re, im, size] = ['Real part', 'Imaginary part', 'Magnitude'].map(values);
    return [...(curve.axis?.values ?? [])].map((frequency, k) => {
      const found = { re: re?.[k] ?? 0, im: im?.[k] ?? 0 };
      assert.ok(Math.abs(magnitude(found) - (size?.[k] ?? 0)) < 1e-12);
      return { frequency, found };
    });
  }

  /** Without the delay of the way there and back. */
  const plant = (frequency: number): Complex => divide(real(PLANT.gain), { re: 1, im: frequency / PLANT.corner });

  test('a low-pass with delay: amplitude and phase over two decades', async () => {
    const points = await sweep({
      input: 'in1',
      output_direct: 'out1',
      amplitude: 0.5,
      start_freq: 1e4,
      stop_freq: 1e6,
      points: 9,
      rbw: 1.2e3,
      average_per_point: 3,
      acbandwidth: 0,
    });
    assert.equal(points.length, 9);
    const top = points.at(-1);
    assert.ok(top);
    const turned = divide(top.found, plant(top.frequency));
    const delay = -(Math.atan2(turned.im, turned.re) / (2 * Math.PI * top.frequency * CLOCK));
    const own = delay - PLANT.delay;
    assert.ok(own > PATH.atLeast && own < PATH.atMost, `${own} clocks beside those of the plant`);
    for (const { frequency, found } of points) {
      const wanted = multiply(plant(frequency), turn(-2 * Math.PI * frequency * CLOCK * delay));
      const off = magnitude(found) / magnitude(wanted) - 1;
      assert.ok(Math.abs(off) < 0.01, `${frequency} Hz: ${magnitude(found)}, not ${magnitude(wanted)}`);
      const { re, im } = divide(found, wanted);
      assert.ok(Math.abs(Math.atan2(im, re)) < 0.02, `${frequency} Hz: ${Math.atan2(im, re)} rad from the plant`);
    }
  });

  test('linear, averaged over sweeps, with the high-pass, from above', async () => {
    const points = await sweep({
      start_freq: 4e5,
      stop_freq: 1e5,
      points: 4,
      logscale: false,
      rbw: 1e4,
      trace_average: 2,
      acbandwidth: 5e3,
    });
    assert.deepEqual(
      points.map(({ frequency }) => Math.round(frequency / 1e5)),
      [4, 3, 2, 1],
    );
    for (const { frequency, found } of points) {
      const off = magnitude(found) / magnitude(plant(frequency)) - 1;
      assert.ok(Math.abs(off) < 0.02, `${frequency} Hz: ${magnitude(found)}`);
    }
  });

  test('zero span: the same frequency over time; auto bandwidth; the loop opened by calculation', async () => {
    const still = await sweep({
      start_freq: 2e4,
      stop_freq: 2e4,
      points: 3,
      logscale: true,
      trace_average: 1,
      auto_bandwidth: true,
      q_factor_min: 4,
      rbw: 1e5,
    });
    assert.deepEqual(still[0]?.frequency, 0);
    for (const { found } of still) assert.ok(Math.abs(magnitude(found) / magnitude(plant(2e4)) - 1) < 0.03);
    const [closed] = await sweep({ infer_open_loop_tf: true, points: 1 });
    const [open] = still;
    assert.ok(closed && open);
    const wanted = divide(open.found, { re: 1 + open.found.re, im: open.found.im });
    assert.ok(magnitude(divide(closed.found, wanted)) - 1 < 0.03);
  });

  test('amplitude 0: what is there, in V', async () => {
    await bench().instrument.configure(me, 'asg0', {
      frequency: 1e5,
      amplitude: 0.5,
      output_direct: 'off',
      trigger_source: 'immediately',
    });
    const [one] = await sweep({
      input: 'asg0',
      output_direct: 'off',
      amplitude: 0,
      start_freq: 1e5,
      stop_freq: 1e5,
      points: 1,
      infer_open_loop_tf: false,
      auto_bandwidth: false,
      rbw: 5e3,
      acbandwidth: 0,
    });
    assert.ok(Math.abs(magnitude(one?.found ?? real(0)) - 0.5) < 3e-3, `${magnitude(one?.found ?? real(0))} V`);
  });
});

test.run();
