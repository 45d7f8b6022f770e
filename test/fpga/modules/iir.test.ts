/** The driver of the iir filter on plain registers. */
import assert from 'node:assert';
import { test } from 'uvu';
import { moduleDriver } from '../../../src/fpga/module-driver.ts';
import { iir } from '../../../src/fpga/modules/iir.ts';
import { registerFile } from '../../../src/fpga/registers.ts';
import { recordingBus } from '../recording-bus.ts';

const LOOPS = 0x4034_0100;
const ON = 0x4034_0104;
const COEFFICIENTS = 0x4034_8000;

async function bench(bus = recordingBus()) {
  const driver = moduleDriver(registerFile(bus), iir);
  await driver.readBack();
  return { bus, driver, write: (values: Record<string, unknown>) => driver.apply(driver.check(values)) };
}

test('a new shape: off, loops, coefficients, on, in this order', async () => {
  const { bus, driver, write } = await bench();
  await write({ poles: '-1e4', loops: 10, on: true, input: 'in2' });
  assert.deepEqual(
    bus.writes.map(([address]) => address).filter((address) => address === LOOPS || address === ON),
    [LOOPS, ON],
  );
  assert.deepEqual(
    bus.blocks.map(({ address }) => address),
    [COEFFICIENTS],
  );
  bus.writes.length = 0;
  await write({ zeros: [-1e5] });
  assert.deepEqual(bus.writes[0], [ON, 0]);
  assert.deepEqual(bus.writes.at(-1), [ON, 1]);
  assert.equal(bus.blocks.length, 2);
  assert.deepEqual(await driver.get(['zeros', 'poles', 'on']), { zeros: '-100000', poles: '-10000', on: true });
  const { coefficients } = (await driver.get(['coefficients'])) as { coefficients: number[] };
  assert.equal(coefficients.length, 8);
  assert.ok(Math.abs((coefficients[0] ?? 0) - 0.09775326) < 1e-8);
});

test('what leaves the shape alone does not start the filter anew', async () => {
  const { bus, write } = await bench();
  await write({ poles: '-1e4', on: true });
  const { length } = bus.blocks;
  bus.writes.length = 0;
  await write({ bypass: true, poles: '-10000', gain: 1 });
  assert.deepEqual(bus.writes, [[ON, 3]]);
  assert.equal(bus.blocks.length, length);
});

test('switched on before any shape was set, it passes everything; one that runs is left as it is', async () => {
  const { bus, write } = await bench();
  await write({ on: true });
  assert.equal(bus.blocks[0]?.values[0], 2 ** 29);
  const again = await bench(bus);
  await again.write({ on: true, input: 'in2' });
  assert.equal(bus.blocks.length, 1);
});

test('loops become what the filter needs, and are told', async () => {
  const { write } = await bench();
  const poles = Array.from({ length: 5 }, (_, k) => `${-1e4 * (k + 1)}+${5e4 * (k + 1)}j`).join(', ');
  const taken = await write({ poles });
  assert.equal(taken.find(({ parameter }) => parameter === 'loops')?.to, 5);
});

test('a filter that cannot be had changes nothing', async () => {
  const { bus, driver } = await bench();
  const refused = (values: Record<string, unknown>, why: RegExp) => assert.throws(() => driver.check(values), why);
  refused({ gain: 5 }, /cannot be had: one of its coefficients is 5/);
  refused({ poles: '100' }, /real parts below 0 Hz, .* not 100/);
  refused({ zeros: '0' }, /must not be 0 Hz/);
  refused({ poles: '-1+2j, -1-2j' }, /stands for both/);
  refused({ poles: 'fast' }, /takes frequencies like .* not "fast"/);
  refused({ poles: [{ re: 1 }] }, /not a structure/);
  refused({ poles: '1e999' }, /takes frequencies like/);
  refused({ poles: Array.from({ length: 29 }, () => -1) }, /at most 28/);
  refused({ coefficients: [1] }, /read only/);
  assert.deepEqual(bus.writes, []);
});

test('complex numbers as people and Python write them', async () => {
  const { driver, write } = await bench();
  for (const [text, canonical] of [
    ['(-300-40000j), -50000', '-300+40000j, -50000'],
    ['[-3e2 + 4.0e4j]', '-300+40000j'],
    ['-1+j', '-1+1j'],
    ['', ''],
  ] as const) {
    await write({ poles: text, loops: 1000 });
    assert.deepEqual(await driver.get(['poles']), { poles: canonical });
  }
});

test('a later process knows the shape from the saved state, and writes nothing', async () => {
  const { bus, driver, write } = await bench();
  await write({ zeros: '-300+40000j', poles: '-3000+50000j', on: true, loops: 35 });
  const values = await driver.get();
  const again = await bench(bus);
  again.driver.remember(values);
  bus.writes.length = 0;
  assert.deepEqual(await again.driver.get(), values);
  await again.write({ zeros: '-300+40000j' });
  assert.deepEqual(bus.writes, []);
});

test.run();
