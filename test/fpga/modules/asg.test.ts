import assert from 'node:assert';
import { test } from 'uvu';
import { Refusal } from '../../../src/errors.ts';
import { moduleDriver } from '../../../src/fpga/module-driver.ts';
import { asg0, asg1 } from '../../../src/fpga/modules/asg.ts';
import { registerFile } from '../../../src/fpga/registers.ts';
import { recordingBus } from '../recording-bus.ts';

const CONTROL = 0x4020_0000;

async function bench() {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const [first, second] = [moduleDriver(registers, asg0), moduleDriver(registers, asg1)];
  await first.readBack();
  await second.readBack();
  const write = (driver: typeof first, values: Record<string, unknown>) => driver.apply(driver.check(values));
  /** Words written by an action. */
  const during = async (act: () => Promise<unknown>): Promise<[number, number][]> => {
    const before = bus.writes.length;
    await act();
    return bus.writes.slice(before);
  };
  const control = (writes: [number, number][]) => writes.filter(([at]) => at === CONTROL).map(([, word]) => word);
  return { bus, registers, first, second, write, during, control };
}

test('a start holds the generator, writes the table once, and goes with one write', async () => {
  const { bus, first, write, during } = await bench();
  const words = await during(() =>
    write(first, {
      frequency: 1000,
      amplitude: 0.8,
      offset: 0.1,
      trigger_source: 'immediately',
      output_direct: 'out1',
    }),
  );
  assert.deepEqual(words, [
    [CONTROL, 0x0200_0240],
    [CONTROL + 0x04, 0x0333_199a],
    [CONTROL + 0x10, 8590],
    [CONTROL, 0x0200_0211],
    [0x4038_0004, 1],
  ]);
  assert.equal(bus.blocks.length, 1);
  await write(first, { trigger_source: 'off' });
  await write(first, { trigger_source: 'immediately' });
  assert.equal(bus.blocks.length, 1, 'the table is there already');
});

test('frequency, amplitude and offset of a running generator are one word each, and the start is not repeated', async () => {
  const { bus, first, write, during } = await bench();
  await write(first, { trigger_source: 'immediately' });
  for (const values of [{ frequency: 12345 }, { amplitude: 0.25 }, { offset: -0.5 }]) {
    const words = await during(() => write(first, values));
    assert.equal(words.length, 1);
    assert.notEqual(words[0]?.[0], CONTROL);
  }
  assert.deepEqual(await during(() => write(first, { frequency: 12345, trigger_source: 'immediately' })), []);
  assert.equal(bus.blocks.length, 1);
});

test('a new waveform of a running generator is a table and nothing else', async () => {
  const { bus, first, write, during } = await bench();
  await write(first, { trigger_source: 'immediately', waveform: 'sin' });
  assert.deepEqual(await during(() => write(first, { waveform: 'square' })), []);
  assert.deepEqual(
    bus.blocks.map(({ address }) => address),
    [CONTROL + 0x1_0000, CONTROL + 0x1_0000],
  );
  await write(first, { waveform: 'square' });
  assert.equal(bus.blocks.length, 2);
});

test('off stops: held at the start of the table, and then without a source', async () => {
  const { first, write, during, control } = await bench();
  await write(first, { trigger_source: 'immediately' });
  const words = control(await during(() => write(first, { trigger_source: 'off' })));
  assert.deepEqual(words, [0x0200_0250, 0x0200_0210]);
});

test('a finished burst is not started by a write meant for something else', async () => {
  const { first, second, write, during, control } = await bench();
  await write(first, { trigger_source: 'immediately', cycles_per_burst: 3 });
  const others = await during(async () => {
    await write(second, { trigger_source: 'immediately', frequency: 1000 });
    await write(second, { trigger_source: 'off' });
    await write(first, { on: false });
    await write(first, { on: true });
    // Endless from the next start on; that the old source is still set must not start it.
    await write(first, { cycles_per_burst: 0 });
    await write(second, { on: false });
  });
  for (const word of control(others)) assert.equal(word & 1, 0, word.toString(16));
  assert.equal(first.values.trigger_source, 'immediately');
});

test('an endless generator’s source stays in the word that both share', async () => {
  const { first, second, write, during, control } = await bench();
  await write(first, { trigger_source: 'immediately' });
  const words = control(await during(() => write(second, { trigger_source: 'ext_positive_edge' })));
  assert.deepEqual(words, [0x0240_0211, 0x0212_0211]);
});

test('a burst that waits for an external trigger goes on waiting when the other generator is written', async () => {
  const { first, second, write, during, control } = await bench();
  await write(first, { trigger_source: 'ext_positive_edge', cycles_per_burst: 3 });
  const others = control(await during(() => write(second, { trigger_source: 'immediately' })));
  for (const word of others) assert.equal(word & 7, 2, word.toString(16));
});

test('immediately, set again, repeats a burst', async () => {
  const { first, write, during, control } = await bench();
  await write(first, { trigger_source: 'immediately', cycles_per_burst: 2 });
  const again = control(await during(() => write(first, { trigger_source: 'immediately' })));
  assert.deepEqual(again, [0x0200_0250, 0x0200_0211]);
});

test('start_phase starts an endless generator anew, and waits for the next trigger otherwise', async () => {
  const { first, write, during, control } = await bench();
  assert.deepEqual(control(await during(() => write(first, { start_phase: 90 }))), []);
  await write(first, { trigger_source: 'immediately' });
  const words = await during(() => write(first, { start_phase: 180 }));
  assert.deepEqual(words, [
    [CONTROL, 0x0200_0250],
    [CONTROL + 0x0c, 0x2000_0000],
    [CONTROL, 0x0200_0211],
  ]);
  assert.deepEqual(await during(() => write(first, { start_phase: 180 })), []);
  await write(first, { trigger_source: 'ext_positive_edge' });
  assert.deepEqual(control(await during(() => write(first, { start_phase: 0 }))), []);
});

test('noise has its level in the table; leaving it, the level is lowered before the table fills', async () => {
  const { bus, first, write, during } = await bench();
  await write(first, { trigger_source: 'immediately', amplitude: 0.25 });
  const entering = await during(() => write(first, { waveform: 'noise' }));
  assert.deepEqual(entering, [
    [CONTROL + 0x04, 8192],
    [CONTROL, 0x0200_1211],
  ]);
  assert.equal(first.values.amplitude, 0.25);
  assert.equal(first.values.random_phase, true);
  const tables = bus.blocks.length;
  assert.deepEqual(await during(() => write(first, { amplitude: 0.125 })), []);
  assert.equal(bus.blocks.length, tables + 1);
  assert.equal(first.values.amplitude, 0.125);

  const order: string[] = [];
  const { write: word, writeBlock } = bus;
  bus.write = (address, value) => {
    order.push(address === CONTROL + 4 ? `level ${value & 0x3fff}` : 'other');
    return word(address, value);
  };
  bus.writeBlock = (address, values) => {
    order.push('table');
    return writeBlock(address, values);
  };
  await write(first, { waveform: 'sin' });
  assert.deepEqual(order, ['level 1024', 'table', 'other']);
  assert.equal(first.values.random_phase, false);
});

test('noise is recognised when it was running before, and its level remembered', async () => {
  const { bus, first, write } = await bench();
  await write(first, { waveform: 'noise', amplitude: 0.3, trigger_source: 'immediately' });
  const again = moduleDriver(registerFile(bus), asg0);
  await again.readBack();
  assert.equal(again.values.waveform, 'noise');
  again.remember({ waveform: 'noise', amplitude: 0.3, frequency: 5 });
  assert.equal(again.values.amplitude, 0.3);
  assert.equal(again.values.frequency, 0);
});

test('an output is connected last and disconnected first', async () => {
  const { first, write, during } = await bench();
  const on = await during(() => write(first, { output_direct: 'both', offset: 0.5, trigger_source: 'immediately' }));
  assert.equal(on.at(-1)?.[0], 0x4038_0004);
  const off = await during(() => write(first, { trigger_source: 'off', output_direct: 'off', offset: 0 }));
  assert.equal(off[0]?.[0], 0x4038_0004);
});

test('a start switches on what was off, unless told otherwise', async () => {
  const { first, write } = await bench();
  await write(first, { on: false, sm_reset: true });
  await write(first, { trigger_source: 'immediately' });
  assert.deepEqual([first.values.on, first.values.sm_reset], [true, false]);
  await write(first, { trigger_source: 'off', on: false });
  await write(first, { trigger_source: 'immediately', on: false });
  assert.equal(first.values.on, false);
  await write(first, { trigger_source: 'off' });
  assert.equal(first.values.on, false, 'off switches nothing on');
});

test('bursts without a pause between them would never end', async () => {
  const { first, write } = await bench();
  await write(first, { bursts: 3 });
  assert.throws(() => first.check({ cycles_per_burst: 2 }), Refusal);
  first.check({ cycles_per_burst: 2, delay_between_bursts: 1 });
});

test('after the driver learned the registers anew, a start fills the table again', async () => {
  const { bus, first, write } = await bench();
  await write(first, { trigger_source: 'immediately' });
  await first.readBack();
  await write(first, { frequency: 100 });
  assert.equal(bus.blocks.length, 1, 'a running generator keeps its table');
  await write(first, { trigger_source: 'off' });
  assert.equal(bus.blocks.length, 1, 'stopping needs none');
  await write(first, { trigger_source: 'immediately' });
  assert.equal(bus.blocks.length, 2);
});

test('axes of a scan have limits, units and, but for the frequency, a home', () => {
  const axes = ['frequency', 'amplitude', 'offset', 'start_phase'].map((name) => {
    const found = asg0.description.parameters.find((one) => one.name === name);
    assert.ok(found);
    return [found.name, found.kind, found.unit, found.min, found.max, found.home];
  });
  assert.deepEqual(axes, [
    ['frequency', 'number', 'Hz', 0, 62.5e6, undefined],
    ['amplitude', 'number', 'V', 0, 1, 0],
    ['offset', 'number', 'V', -1, 1, 0],
    ['start_phase', 'number', 'deg', -360, 360, 0],
  ]);
  assert.equal(asg1.description.actuator, 'offset');
});

test.run();
