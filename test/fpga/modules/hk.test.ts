import assert from 'node:assert';
import { test } from 'uvu';
import { moduleDriver } from '../../../src/fpga/module-driver.ts';
import { hk } from '../../../src/fpga/modules/hk.ts';
import { registerFile } from '../../../src/fpga/registers.ts';
import { recordingBus } from '../recording-bus.ts';

const BASE = 0x4000_0000;

async function bench() {
  const bus = recordingBus();
  const driver = moduleDriver(registerFile(bus), hk);
  await driver.readBack();
  return { bus, driver, write: (values: Record<string, unknown>) => driver.apply(driver.check(values)) };
}

test('writing a pin makes it an output, the level first', async () => {
  const { bus, driver, write } = await bench();
  await write({ expansion_P3: true, expansion_P5: true });
  assert.deepEqual(bus.writes, [
    [BASE + 0x18, 0x28],
    [BASE + 0x10, 0x28],
  ]);
  assert.deepEqual(await driver.get(['expansion_P3', 'expansion_P3_output']), {
    expansion_P3: true,
    expansion_P3_output: true,
  });
});

test('a pin at 0 becomes an output too when told to be 0', async () => {
  const { bus, write } = await bench();
  await write({ expansion_N1: false });
  assert.deepEqual(bus.writes, [[BASE + 0x14, 2]]);
});

test('looking at pins changes nothing; inputs are read, all eight with one word', async () => {
  const { bus, driver } = await bench();
  bus.preset(BASE + 0x20, 0x81);
  const { wordsRead } = bus.traffic;
  const names = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `expansion_P${n}`);
  assert.deepEqual(Object.values(await driver.get(names)), [true, false, false, false, false, false, false, true]);
  assert.equal(bus.traffic.wordsRead - wordsRead, 1);
  assert.deepEqual(bus.writes, []);
});

test('a whole configuration leaves inputs inputs, whatever level was read from them', async () => {
  const { bus, driver, write } = await bench();
  bus.preset(BASE + 0x20, 0xff);
  const all = await driver.get(hk.description.parameters.filter((one) => !one.readonly).map(({ name }) => name));
  assert.equal(all.expansion_P2, true);
  await write(all);
  assert.deepEqual(bus.writes, []);
});

test('the chip’s number is 57 bits in hexadecimal', async () => {
  const { driver } = await bench();
  assert.deepEqual(await driver.get(['dna', 'id']), { dna: '0012345689abcde0', id: 'release1' });
});

test.run();
