/** The board's own volts: layouts of the EEPROM, scales, and every level that follows them. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { readCalibration, scalesOf, type Wiring } from '../../src/fpga/calibration.ts';
import { moduleDriver } from '../../src/fpga/module-driver.ts';
import { asg0 } from '../../src/fpga/modules/asg.ts';
import { iq0 } from '../../src/fpga/modules/iq.ts';
import { pid0 } from '../../src/fpga/modules/pid.ts';
import { sampler } from '../../src/fpga/modules/sampler.ts';
import { scope } from '../../src/fpga/modules/scope.ts';
import { NOMINAL_BOARD } from '../../src/fpga/parameters/parameter.ts';
import { registerFile } from '../../src/fpga/registers.ts';
import { recordingBus } from './recording-bus.ts';

/** A board whose values were written down by hand from the maker's formulas. */
function fixedLayout(changes: Readonly<Record<number, number>> = {}): Uint8Array {
  const bytes = new Uint8Array(8192).fill(0xff);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  const words: Record<number, number> = {
    // v/100 · 2^32 with v = 1 (jumper HV), 20 (LV), 1 (outputs); each gain off by some per cent.
    8: 42949673 * 1.01,
    12: 42949673 * 0.99,
    16: 858993459 * 1.02,
    20: 858993459 * 0.98,
    24: -100,
    28: 50,
    32: 42949673 * 1.05,
    36: 42949673 * 0.95,
    // 14 bits, two's complement: −340.
    40: 0x3eac,
    44: -12,
    48: 0xaabbccdd,
    52: -7,
    56: 8,
    ...changes,
  };
  for (const [offset, value] of Object.entries(words)) view.setUint32(Number(offset), Math.round(value) >>> 0, true);
  return bytes;
}

const close = (found: number | undefined, wanted: number): boolean => Math.abs((found ?? Number.NaN) - wanted) < 1e-6;

test('the layout of fixed places', () => {
  const found = readCalibration(fixedLayout());
  assert.equal(found?.zone, 'user');
  assert.deepEqual(found?.remarks, []);
  const { of } = found ?? {};
  assert.ok(close(of?.['in1 LV'].gain, 1.02) && of?.['in1 LV'].offset === -100);
  assert.ok(close(of?.['in2 HV'].gain, 0.99) && of?.['in2 HV'].offset === 8);
  assert.ok(close(of?.out1.gain, 1.05) && of?.out1.offset === -340);
  assert.equal(of?.out2.offset, -12);
  // Boards without this mark have no offsets for HV.
  assert.equal(readCalibration(fixedLayout({ 48: 0 }))?.of['in2 HV'].offset, 0);
});

test('the layout of records', () => {
  const records: [number, number][] = [
    [1, 1.01],
    [2, 12],
    [3, 0.99],
    [9, 1.5],
    [10, -20],
    [11, 1],
    [17, 1],
    [19, 1],
    [100, 123],
  ];
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 5);
  view.setUint16(2, records.length, true);
  for (const [k, [id, value]] of records.entries()) {
    view.setUint16(8 + 6 * k, id, true);
    view.setInt32(10 + 6 * k, id % 2 === 0 ? value : Math.round((value * 2 ** 28) / 100), true);
  }
  const { of } = readCalibration(bytes) ?? {};
  assert.ok(close(of?.out1.gain, 1.01) && of?.out1.offset === 12);
  assert.ok(close(of?.['in1 LV'].gain, 1.5) && of?.['in1 LV'].offset === -20);
  assert.equal(of?.['in2 LV'].offset, 0);
});

test('the factory’s zone where the user’s is empty; none where both are', () => {
  const bytes = new Uint8Array(8192).fill(0xff);
  bytes.set(fixedLayout().subarray(0, 124), 0x1c00);
  assert.equal(readCalibration(bytes)?.zone, 'factory');
  assert.equal(readCalibration(new Uint8Array(8192).fill(0xff)), undefined);
  assert.equal(readCalibration(new Uint8Array(0)), undefined);
});

test('a gain that cannot be is 1, and is told', () => {
  const found = readCalibration(fixedLayout({ 16: 0, 24: 5000 }));
  assert.deepEqual(found?.of['in1 LV'], { gain: 1, offset: 0 });
  assert.equal(found?.remarks.length, 2);
  assert.match(found?.remarks[0] ?? '', /gain of in1 LV is 0, .* 1 is taken/);
  assert.match(found?.remarks[1] ?? '', /offset of in1 LV is 5000 counts/);
});

test('whatever an EEPROM holds, gains and offsets are possible ones', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(1, 4, 5, 6, 9), (bytes, id) => {
      if (bytes.length > 0) bytes[0] = id;
      const found = readCalibration(bytes);
      return Object.values(found?.of ?? {}).every(
        ({ gain, offset }) => gain >= 0.1 && gain <= 1.9 && Math.abs(offset) <= 2048,
      );
    }),
  );
});

const corrections = readCalibration(fixedLayout());
const wiring: Wiring = { in1: 'LV', in2: 'HV', ...(corrections ? { corrections } : {}) };
const board = { ...NOMINAL_BOARD, scales: scalesOf(wiring) };

test('nominal boards have no scales of their own', () => {
  assert.deepEqual(scalesOf({ in1: 'LV', in2: 'LV' }), {});
  assert.deepEqual(scalesOf({ in1: 'HV', in2: 'LV' }), { in1: { gain: 20 / 8192, offset: 0 } });
});

test('a setpoint is in volts of the input, and has its limits', async () => {
  const bus = recordingBus();
  const driver = moduleDriver(registerFile(bus), pid0, board);
  await driver.readBack();
  const set = (values: Record<string, unknown>) => driver.apply(driver.check(values));
  await set({ input: 'in1', setpoint: 0.5 });
  assert.equal(bus.content().get(0x4030_0104), Math.round((0.5 / 1.02) * 8192) - 100);
  assert.ok(Math.abs(driver.values.setpoint - 0.5) < 1e-4);
  await set({ input: 'in2', setpoint: 15 });
  assert.equal(bus.content().get(0x4030_0104), Math.round((15 / 0.99 / 20) * 8192) + 8);
  // Another signal: the register stays, and its volts are told.
  const taken = await set({ input: 'asg0' });
  assert.deepEqual(
    taken.map(({ parameter }) => parameter),
    ['input', 'setpoint'],
  );
  assert.throws(() => driver.check({ setpoint: 15 }), /setpoint must be from -1 to 1 V, not 15 \(with input "asg0"\)/);
  assert.throws(() => driver.check({ input: 'in1', setpoint: 1.1 }), /must be from -1\.00/);
  const { min, max } = driver.description.parameters.find(({ name }) => name === 'setpoint') ?? {};
  assert.ok((min ?? 0) < -19.8 && (max ?? 0) > 19.7, `${min} … ${max}`);
});

test('outputs: what is asked for is what is there', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const [generator, lockIn] = [moduleDriver(registers, asg0, board), moduleDriver(registers, iq0, board)];
  await generator.apply(generator.check({ output_direct: 'out1', amplitude: 0.5, offset: 0 }));
  const word = bus.content().get(0x4020_0004) ?? 0;
  assert.equal(word & 0x3fff, Math.round((0.5 / 1.05) * 8192));
  assert.equal(((word >>> 16) << 18) >> 18, -340);
  await lockIn.apply(lockIn.check({ output_direct: 'out2', amplitude: 0.25 }));
  assert.equal(bus.content().get(0x4035_0114), Math.round((0.25 / 0.95) * 2 ** 17));
  assert.ok(Math.abs(lockIn.values.amplitude - 0.25) < 1e-5);
});

test('thresholds of the scope are those of the channel that triggers; present values those of the signal', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const driver = moduleDriver(registers, scope, board);
  await driver.readBack();
  const set = (values: Record<string, unknown>) => driver.apply(driver.check(values));
  await set({ input2: 'in2', trigger_source: 'ch2_positive_edge', threshold: 5, hysteresis: 0.1 });
  assert.equal(bus.content().get(0x4010_0008), Math.round((5 / 0.99 / 20) * 8192) + 8);
  assert.equal(bus.content().get(0x4010_0020), Math.round((0.1 / 0.99 / 20) * 8192));
  assert.throws(() => driver.check({ trigger_source: 'immediately', threshold: 5 }), /must be from/);
  bus.preset(0x403a_0010, 1000);
  const now = await moduleDriver(registers, sampler, board).get(['in1', 'asg0']);
  assert.ok(Math.abs(Number(now.in1) - ((1000 + 100) * 1.02) / 8192) < 1e-9);
});

test.run();
