/** A clock that is not 125 MHz: frequencies, filters, integrators and time axes are those of the real one. */
import assert from 'node:assert';
import { test } from 'uvu';
import { Refusal } from '../../src/errors.ts';
import { corners } from '../../src/fpga/filter.ts';
import { moduleDriver } from '../../src/fpga/module-driver.ts';
import { iir } from '../../src/fpga/modules/iir.ts';
import { pid0 } from '../../src/fpga/modules/pid.ts';
import { registerFile } from '../../src/fpga/registers.ts';
import { client, timed } from './instrument/fixture.ts';
import { recordingBus } from './recording-bus.ts';

const FASTER = 1.25;

function two<T>(make: (registers: ReturnType<typeof registerFile>, frequencyCorrection: number) => T): T[] {
  return [1, FASTER].map((correction) => make(registerFile(recordingBus()), correction));
}

test('corners and integrators go faster with the clock, and so do their limits', async () => {
  const [nominal, fast] = two((registers, frequencyCorrection) => ({
    registers,
    driver: moduleDriver(registers, pid0, { frequencyCorrection, scales: {} }),
  }));
  assert.ok(nominal && fast);
  const highest = corners({ lowest: 24 }).at(-1)?.[0] ?? 0;
  const wanted = { inputfilter: [-2000, highest, 0, 0], i: 1000 };
  await nominal.driver.apply(nominal.driver.check(wanted));
  const faster = { inputfilter: wanted.inputfilter.map((hertz) => hertz * FASTER), i: wanted.i * FASTER };
  await fast.driver.apply(fast.driver.check(faster));
  for (const address of [0x4030_0120, 0x4030_010c]) {
    assert.equal(await fast.registers.bus.read(address), await nominal.registers.bus.read(address));
  }
  const [before, after] = [nominal.driver.values, fast.driver.values];
  assert.ok(Math.abs(after.i / before.i / FASTER - 1) < 1e-12);
  for (const [k, hertz] of before.inputfilter.entries()) assert.equal(after.inputfilter[k], hertz * FASTER);
  // What it says can be set again: a saved state would be refused otherwise.
  fast.driver.check({ inputfilter: after.inputfilter, i: after.i });
  assert.throws(() => nominal.driver.check({ inputfilter: after.inputfilter }), Refusal);
});

test('a filter of given zeros and poles has them at the frequencies that were asked for', async () => {
  const [nominal, fast] = two((registers, frequencyCorrection) => ({
    registers,
    driver: moduleDriver(registers, iir, { frequencyCorrection, scales: {} }),
  }));
  assert.ok(nominal && fast);
  await nominal.driver.apply(nominal.driver.check({ zeros: '-40000', poles: '-8000', loops: 10, on: true }));
  await fast.driver.apply(fast.driver.check({ zeros: '-50000', poles: '-10000', loops: 10, on: true }));
  assert.deepEqual(fast.driver.values.coefficients, nominal.driver.values.coefficients);
  const [corner] = fast.driver.response([10_000], 0) ?? [];
  const [same] = nominal.driver.response([8000], 0) ?? [];
  assert.ok(corner && same && Math.abs(Math.hypot(corner.re, corner.im) - Math.hypot(same.re, same.im)) < 1e-9);
});

test('the time axis of a trace is that of the clock', async () => {
  const { instrument } = await timed({ frequencyCorrection: FASTER });
  const config = { decimation: 64, trigger_source: 'immediately' };
  const { t0, dt } = await instrument.grab(client('alice'), 'scope', { config }).result;
  assert.ok(Math.abs(dt / ((64 * 8e-9) / FASTER) - 1) < 1e-12);
  assert.equal(t0, 0);
  await instrument.close();
});

test.run();
