import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { moduleDriver } from '../../../src/fpga/module-driver.ts';
import { arm, armRolling, delayRegister, halt, scope } from '../../../src/fpga/modules/scope.ts';
import { registerFile } from '../../../src/fpga/registers.ts';
import { recordingBus } from '../recording-bus.ts';

const BASE = 0x4010_0000;

async function bench() {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const driver = moduleDriver(registers, scope);
  await driver.readBack();
  return { bus, registers, driver, write: (values: Record<string, unknown>) => driver.apply(driver.check(values)) };
}

test('duration: the shortest that is long enough; sampling_time: the longest that is short enough', async () => {
  const { driver, write } = await bench();
  const steps = Array.from({ length: 17 }, (_, n) => 2 ** n);
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 16384 * 8e-9, max: 16384 * 65536 * 8e-9, noNaN: true }), async (wanted) => {
      await write({ duration: wanted });
      const expected = steps.find((one) => 16384 * one * 8e-9 >= wanted * (1 - 1e-8));
      assert.equal(driver.values.decimation, expected);
      assert.equal(driver.values.duration, (16384 * driver.values.decimation) / 125e6);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 8e-9, max: 65536 * 8e-9, noNaN: true }), async (wanted) => {
      await write({ sampling_time: wanted });
      assert.equal(
        driver.values.decimation,
        steps.findLast((one) => one * 8e-9 <= wanted * (1 + 1e-8)),
      );
    }),
  );
  for (const decimation of steps) {
    await write({ duration: (16384 * decimation) / 125e6 });
    assert.equal(driver.values.decimation, decimation);
    await write({ sampling_time: decimation / 125e6 });
    assert.equal(driver.values.decimation, decimation);
  }
});

test('trigger source and delay write nothing until armed', async () => {
  const { bus, registers, driver, write } = await bench();
  await write({ decimation: 1, trigger_source: 'ch1_positive_edge', trigger_delay: 20e-6 });
  assert.deepEqual(bus.writes, [[BASE + 0x14, 1]]);
  bus.writes.length = 0;
  assert.equal(await arm(registers, driver.values), 10692);
  assert.deepEqual(bus.writes, [
    [BASE, 2],
    [BASE + 0x10, 10692],
    [BASE, 1],
    [BASE + 0x04, 2],
  ]);
  await arm(registers, driver.values);
  assert.equal(bus.writes.length, 7, 'the delay is there already');
});

test('the delay register: the whole buffer when immediate, never 0, never more than it holds', () => {
  const at = (trigger_delay: number, sampling_time = 8e-9) =>
    delayRegister({ trigger_source: 'ch1_positive_edge', trigger_delay, sampling_time });
  assert.equal(delayRegister({ trigger_source: 'immediately', trigger_delay: 1, sampling_time: 8e-9 }), 16384);
  assert.equal(at(0), 8192);
  assert.equal(at(-0.002, 64e-9), 1);
  assert.equal(at(-8192 * 8e-9), 1);
  assert.equal(at(1e6), 2 ** 32 - 1);
});

test('rolling: armed without a source; halting resets', async () => {
  const { bus, registers } = await bench();
  await armRolling(registers);
  await halt(registers);
  assert.deepEqual(
    bus.writes.filter(([address]) => address !== BASE + 0x10),
    [
      [BASE, 2],
      [BASE + 0x04, 0],
      [BASE, 1],
      [BASE, 2],
    ],
  );
});

test('a time stamp is 64 bits', async () => {
  const { bus, driver } = await bench();
  bus.preset(BASE + 0x15c, 0xffff_fff0);
  bus.preset(BASE + 0x160, 3);
  assert.deepEqual(await driver.get(['current_timestamp']), { current_timestamp: 3 * 2 ** 32 + 0xffff_fff0 });
});

test.run();
