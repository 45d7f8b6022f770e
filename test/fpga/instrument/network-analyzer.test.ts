/** The network analyzer on plain registers: what it writes and makes of the sums, as PyRPL; and how it is shared. */
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import { type Complex, magnitude, subtract } from '../../../src/fpga/complex.ts';
import type { Value } from '../../../src/fpga/description.ts';
import type { Curve, Progress } from '../../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../../src/fpga/instrument/open.ts';
import { phasorOf, type SumWords } from '../../../src/fpga/instrument/phasor.ts';
import { sweepPoints, transferAt } from '../../../src/fpga/instrument/sweep.ts';
import { moduleDriver } from '../../../src/fpga/module-driver.ts';
import { networkanalyzer } from '../../../src/fpga/modules/network-analyzer.ts';
import { registerFile } from '../../../src/fpga/registers.ts';
import { recordingBus } from '../recording-bus.ts';
import { client, eventually, identity, refusal, silent } from './fixture.ts';

const me = client('analyst');
const CLOCK = 8e-9;
const AMPLITUDE = 0x4037_0114;
const STEP = 0x4037_0108;

interface Vector {
  readonly id: number;
  readonly kind: string;
  readonly attribute?: string;
  readonly preset?: readonly [number, number][];
  readonly result: Complex;
  readonly arguments: Readonly<Record<string, Value>>;
  readonly writes_start: readonly [number, number][];
  readonly frequencies: readonly number[];
  readonly time_per_point: number;
  readonly rbw: number;
  readonly points_done: readonly {
    readonly index: number;
    readonly writes: readonly [number, number][];
    readonly nadata: SumWords;
    readonly amplitude: number;
    readonly result: Complex;
  }[];
}

const { vectors } = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[];
};
const sweeps = vectors.filter(({ kind }) => kind === 'na');

async function bench() {
  const bus = recordingBus();
  const instrument = await openInstrument({ bus, identity, log: silent, freshlyLoaded: false });
  return { bus, instrument };
}

const QUICK = { points: 3, rbw: 1e6, start_freq: 1e5, stop_freq: 1e6 };

test('there are sweeps recorded from PyRPL', () => assert.ok(sweeps.length >= 2));

for (const { id, ...vector } of sweeps) {
  test(`vector ${id}: registers at the start, frequencies, results`, async () => {
    const { bus, instrument } = await bench();
    await instrument.configure(me, 'networkanalyzer', vector.arguments);
    const grab = instrument.grab(me, 'networkanalyzer', { timeout: 60 });
    grab.result.catch(() => undefined);
    const isOn = ([address, value]: readonly [number, number]) => address === AMPLITUDE && value !== 0;
    await eventually(() => bus.writes.some(isOn), 'the sine');
    const replayed = (writes: readonly (readonly [number, number])[]) => {
      const registers = recordingBus();
      for (const [address, value] of writes) void registers.write(address, value);
      return registers.content();
    };
    assert.deepEqual(replayed(bus.writes.slice(0, bus.writes.findIndex(isOn) + 1)), replayed(vector.writes_start));
    grab.stop('the test');
    const driver = moduleDriver(registerFile(bus), networkanalyzer);
    await driver.apply(driver.check(vector.arguments));
    const { values } = driver;
    assert.ok(Math.abs(values.rbw / vector.rbw - 1) < 1e-12);
    const points = sweepPoints(values, CLOCK);
    for (const [k, point] of points.entries()) {
      assert.ok(Math.abs(point.frequency - (vector.frequencies[k] ?? 0)) < 1e-9 * point.frequency);
      assert.ok(Math.abs((point.averages + point.sleep) * CLOCK - vector.time_per_point) < 1e-15);
    }
    for (const { index, writes, nadata, amplitude, result } of vector.points_done) {
      const point = points[index];
      assert.ok(point);
      assert.deepEqual(writes, [[STEP, point.step]]);
      const found = transferAt(phasorOf(nadata, point.averages), amplitude, point.frequency, values, CLOCK);
      assert.ok(magnitude(subtract(found, result)) < 1e-9 * magnitude(result), `${JSON.stringify(found)}`);
    }
    await instrument.close();
  });
}

test('sums as PyRPL reads them', () => {
  const reads = vectors.filter(({ attribute = '' }) => attribute.startsWith('_nadata'));
  assert.equal(reads.length, 2);
  for (const { id, attribute, preset = [], result } of reads) {
    const words = [0x140, 0x144, 0x148, 0x14c].map(
      (offset) => preset.find(([at]) => (at & 0xfff) === offset)?.[1] ?? 0,
    );
    const averages = attribute === '_nadata' ? (preset.find(([at]) => (at & 0xfff) === 0x130)?.[1] ?? 0) : 1;
    const { re, im } = phasorOf(words as unknown as SumWords, averages);
    const found = { re: re * 2 ** 22, im: im * 2 ** 22 };
    assert.ok(magnitude(subtract(found, result)) < 1e-12 * magnitude(result), `vector ${id}`);
  }
});

test('the lock-in has its former settings back, and is silent meanwhile where it must', async () => {
  const { bus, instrument } = await bench();
  await instrument.configure(me, 'iq2', { frequency: 5e6, amplitude: 0.25, output_direct: 'out2', bandwidth: [1e3] });
  const before = bus.content();
  const settings = await instrument.get('iq2');
  await instrument.configure(me, 'networkanalyzer', { ...QUICK, output_direct: 'out1' });
  bus.writes.length = 0;
  const curve = (await instrument.grab(me, 'networkanalyzer').result) as Curve;
  assert.equal(curve.axis?.values.length, 3);
  assert.deepEqual(bus.writes[0], [AMPLITUDE, 0]);
  assert.deepEqual(await instrument.get('iq2'), settings);
  const after = bus.content();
  // The clocks of the sums are of no importance to anybody else.
  for (const address of [0x4037_0130, 0x4037_0134]) after.delete(address);
  assert.deepEqual(after, before);
  await instrument.close();
});

test('a sweep that is stopped ends at once, and the lock-in is as it was', async () => {
  const { bus, instrument } = await bench();
  await instrument.configure(me, 'iq2', { amplitude: 0.25 });
  await instrument.configure(me, 'networkanalyzer', { points: 1000, rbw: 10 });
  const grab = instrument.grab(me, 'networkanalyzer');
  const refused = refusal(grab.result);
  await eventually(() => bus.writes.some(([address]) => address === STEP), 'the sweep');
  grab.stop('the test');
  assert.match(await refused, /stopped by the test/);
  await instrument.stop(me, 'networkanalyzer');
  assert.deepEqual(await instrument.get('iq2', ['amplitude']), { amplitude: 0.25 });
  await instrument.close();
});

test('nobody else writes the lock-in during a sweep, and its owner is named where it is taken', async () => {
  const { instrument } = await bench();
  const bob = client('bob');
  await instrument.configure(me, 'networkanalyzer', { points: 1000, rbw: 100 });
  const grab = instrument.grab(me, 'networkanalyzer');
  const ended = refusal(grab.result);
  await eventually(() => true, 'a turn');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.match(await refusal(instrument.configure(bob, 'iq2', { gain: 1 })), /networkanalyzer/);
  await instrument.stop(me, 'networkanalyzer');
  await ended;
  await instrument.attach(bob, 'iq2', 'own');
  assert.match(await refusal(instrument.grab(me, 'networkanalyzer').result), /held by bob/);
  await instrument.close();
});

test('points are told as they come, once each', async () => {
  const { instrument } = await bench();
  const told: Progress[] = [];
  instrument.onProgress((progress) => told.push(progress));
  await instrument.configure(me, 'networkanalyzer', { points: 60, rbw: 100 });
  const curve = (await instrument.grab(me, 'networkanalyzer').result) as Curve;
  assert.ok(told.length >= 2, `${told.length} tellings`);
  let next = 0;
  for (const { points, module, fraction } of told) {
    assert.equal(module, 'networkanalyzer');
    assert.equal(points?.first, next);
    const frequencies = points?.frequency as readonly number[];
    next += frequencies.length;
    assert.ok(Math.abs((fraction ?? 0) - next / 60) < 1e-9);
    assert.deepEqual(frequencies, [...(curve.axis?.values ?? [])].slice(next - frequencies.length, next));
  }
  await instrument.close();
});

test('those who ask during a sweep share the next one; one that joins gets the running one', async () => {
  const { instrument } = await bench();
  await instrument.configure(me, 'networkanalyzer', { points: 20, rbw: 1000 });
  const first = instrument.grab(me, 'networkanalyzer').result;
  const joined = instrument.grab(client('bob'), 'networkanalyzer', { fresh: false }).result;
  const next = [client('eve'), client('dan')].map((who) => instrument.grab(who, 'networkanalyzer').result);
  assert.equal(await joined, await first);
  const [eve, dan] = await Promise.all(next);
  assert.equal(eve, dan);
  assert.notEqual(eve, await first);
  await instrument.close();
});

test('settings that make no sense are refused', async () => {
  const { bus, instrument } = await bench();
  const refused = (values: Record<string, unknown>) => refusal(instrument.configure(me, 'networkanalyzer', values));
  assert.match(await refused({ start_freq: 0 }), /logarithmic sweep has no frequency 0/);
  assert.match(await refused({ stop_freq: 63e6 }), /from 0 to 62500000 Hz/);
  assert.match(await refused({ points: 0 }), /from 1 to 100000/);
  assert.match(await refused({ iq_name: 'iq3' }), /one of iq2, iq1, iq0/);
  assert.match(await refusal(instrument.grab(me, 'networkanalyzer', { points: 10 }).result), /grabbed whole/);
  assert.deepEqual(bus.writes, []);
  await instrument.close();
});

test.run();
