/** Named setups, through the instrument. */
import assert from 'node:assert';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import { BusError, PitayadError } from '../../../src/errors.ts';
import type { Instrument } from '../../../src/fpga/instrument/instrument.ts';
import { client, refusal, timed } from './fixture.ts';
import type { TimedBus } from './timed-bus.ts';

const [alice, bob] = [client('alice'), client('bob')];

const test = suite<{ folder: string; bus: TimedBus; instrument: Instrument }>('setups');
test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-setups-'));
  Object.assign(context, await timed({ statePath: join(context.folder, 'state.json') }));
});
test.after.each(async ({ instrument, folder }) => {
  await instrument.close();
  rmSync(folder, { recursive: true });
});

/** The text of a setup of asg0's frequency and so on. */
const textOf = (modules: unknown): string => JSON.stringify({ format: 1, modules });

test('what was saved is loaded, of every module', async ({ instrument }) => {
  const { setups } = instrument;
  await instrument.configure(alice, 'asg0', { frequency: 1e3, waveform: 'square', output_direct: 'out1' });
  await instrument.configure(alice, 'scope', { decimation: 64, trace_average: 3 });
  const before = await all(instrument);
  assert.deepEqual(
    await setups.save('lock-A'),
    instrument.modules.map(({ name }) => name),
  );
  await instrument.configure(alice, 'asg0', { frequency: 2e3, waveform: 'sin', output_direct: 'off' });
  await instrument.configure(alice, 'scope', { decimation: 1, trace_average: 1 });
  const changes: string[] = [];
  instrument.onChange(({ module, parameter, by }) => void changes.push(`${module}.${parameter} by ${by}`));
  const taken = await setups.load(bob, 'lock-A');
  assert.equal(taken.scope?.decimation, 64);
  assert.deepEqual(await all(instrument), before);
  for (const change of ['scope.decimation by bob', 'asg0.waveform by bob']) assert.ok(changes.includes(change), change);
  assert.ok(!changes.some((change) => change.startsWith('asg1')));
});

test('a setup that was asked for before all outputs went off is not loaded after', async ({ instrument, bus }) => {
  await instrument.configure(alice, 'asg0', { output_direct: 'out1' });
  await instrument.setups.save('on');
  bus.writeMs = 5;
  const loading = refusal(instrument.setups.load(alice, 'on'));
  await instrument.off(bob);
  assert.match(await loading, /all outputs were switched off meanwhile; nothing was changed/);
  assert.deepEqual(await instrument.get('asg0', ['output_direct']), { output_direct: 'off' });
});

test('list, replace and remove', async ({ instrument }) => {
  const { setups } = instrument;
  assert.deepEqual(await setups.list(), []);
  await setups.save('b');
  await setups.save('a');
  await instrument.configure(alice, 'asg0', { frequency: 123e3 });
  await setups.save('b');
  const listed = await setups.list();
  assert.deepEqual(
    listed.map(({ name }) => name),
    ['a', 'b'],
  );
  for (const { saved } of listed) assert.ok(Math.abs(saved - Date.now() / 1e3) < 60);
  await setups.load(alice, 'a');
  await setups.load(alice, 'b');
  const { frequency } = await instrument.get('asg0', ['frequency']);
  assert.ok(Math.abs(Number(frequency) - 123e3) < 1);
  await setups.remove('b');
  assert.match(await refusal(setups.remove('b')), /There is no setup "b"/);
  assert.match(
    await refusal(setups.load(alice, 'aa')),
    /There is no setup "aa" \(did you mean a\?\); nothing was changed/,
  );
});

test('a setup of which anything is not allowed is refused whole, with every reason', async ({
  instrument,
  bus,
  folder,
}) => {
  const { setups } = instrument;
  await setups.save('good');
  writeFileSync(
    join(folder, 'setups', 'bad.json'),
    textOf({ asg0: { frequency: 1e9 }, lockbox: { gain: 1 }, scope: { decimation: 2 }, hk: { leds: 3 } }),
  );
  const before = bus.registers.content();
  const sentence = await refusal(setups.load(alice, 'bad'));
  assert.match(
    sentence,
    /^The setup bad cannot be loaded: asg0.frequency must be from 0 to 62500000 Hz, not 1000000000; /,
  );
  assert.match(
    sentence,
    /There is no module "lockbox".*hk has no parameter "leds" \(did you mean led\?\); nothing was/,
  );
  assert.equal(sentence.match(/nothing was changed/g)?.length, 1);
  await instrument.attach(bob, 'scope', 'own');
  assert.match(await refusal(setups.load(alice, 'good')), /scope is held by bob since .*; nothing was changed\.$/);
  assert.deepEqual(bus.registers.content(), before);
  await setups.load(bob, 'good');
});

test('a module that gets an owner while the setup waits for its turn is not written, nor are the others', async ({
  instrument,
  bus,
}) => {
  await instrument.setups.save('it', { scope: { decimation: 2 }, asg0: { frequency: 5e3 } });
  bus.writeMs = 20;
  const first = instrument.configure(bob, 'scope', { decimation: 64 });
  const load = instrument.setups.load(alice, 'it');
  await new Promise((resolve) => setTimeout(resolve, 5));
  await instrument.attach(bob, 'scope', 'own');
  await first;
  assert.match(await refusal(load), /scope is held by bob/);
  assert.equal((await instrument.get('asg0', ['frequency'])).frequency, 0);
  assert.equal((await instrument.get('scope', ['decimation'])).decimation, 64);
});

test('setups that are loaded at the same time come one after the other', async ({ instrument }) => {
  const { setups } = instrument;
  await setups.save('one', { scope: { decimation: 2 }, asg0: { frequency: 1e3 }, asg1: { amplitude: 0.25 } });
  await setups.save('two', { asg1: { amplitude: 0.5 }, asg0: { frequency: 2e3 }, scope: { decimation: 4 } });
  await Promise.all(['one', 'two', 'one', 'two', 'one'].map((name) => setups.load(alice, name)));
  const { decimation } = await instrument.get('scope', ['decimation']);
  const expected = decimation === 2 ? [0.25, 1e3] : [0.5, 2e3];
  const { amplitude } = await instrument.get('asg1', ['amplitude']);
  const { frequency } = await instrument.get('asg0', ['frequency']);
  assert.deepEqual([amplitude, Math.round(Number(frequency))], expected);
});

test('outputs that go off go first, and those that come on come last', async ({ instrument, bus }) => {
  const PID0 = 0x4030_0000;
  await instrument.configure(alice, 'asg0', { frequency: 1e3, output_direct: 'out1' });
  await instrument.setups.save('lock', {
    pid0: { output_direct: 'out2', p: -2, max_voltage: 0.5, input: 'iq0' },
    asg0: { output_direct: 'off', frequency: 2e3, trigger_source: 'off' },
    iq0: { frequency: 1e6 },
  });
  const { write } = bus;
  const written: number[] = [];
  bus.write = async (address, value) => {
    written.push(address);
    return write.call(bus, address, value);
  };
  await instrument.setups.load(alice, 'lock');
  assert.equal(written[0], 0x4038_0004, 'the output of asg0');
  assert.equal(written.at(-1), PID0 + 4, 'the output of pid0');
  assert.ok(written.includes(PID0 + 0x128) && written.includes(0x4035_0108));
  // A lock that goes on is not interrupted.
  await instrument.setups.save('stronger', { pid0: { output_direct: 'out2', p: -3 } });
  written.length = 0;
  await instrument.setups.load(alice, 'stronger');
  assert.deepEqual(written, [PID0 + 0x108]);
});

test('registers that fail in the middle are told, with what was set', async ({ instrument, bus }) => {
  await instrument.setups.save('it', { asg0: { frequency: 1e3 }, scope: { decimation: 64 } });
  const { write } = bus;
  bus.write = async (address, value) => {
    if (address === 0x4010_0014) throw new BusError('The board is off.');
    return write.call(bus, address, value);
  };
  await assert.rejects(instrument.setups.load(alice, 'it'), (error: unknown) => {
    assert.ok(error instanceof PitayadError);
    assert.match(error.message, /loaded in part: The board is off/);
    return true;
  });
  bus.write = write;
  await instrument.setups.load(alice, 'it');
});

test('settings that came from elsewhere are checked before they are saved', async ({ instrument, folder }) => {
  const { setups } = instrument;
  assert.deepEqual(await setups.save('pid', { asg1: { amplitude: 0.5 } }), ['asg1']);
  assert.match(
    await refusal(setups.save('pid', { asg1: { amplitude: 5 } })),
    /cannot be saved: asg1.amplitude must be .*nothing was changed/,
  );
  assert.deepEqual(await setups.load(alice, 'pid'), { asg1: { amplitude: 0.5 } });
  assert.deepEqual(readdirSync(join(folder, 'setups')), ['pid.json']);
});

test('no name leads out of the folder', async ({ instrument, folder }) => {
  const { setups } = instrument;
  writeFileSync(join(folder, 'state.json'), textOf({}));
  for (const name of ['', '.', '..', '../state', '/etc/passwd', 'a/b', 'a\\b', '.hidden', '-rf', 'a\0', 'a b', 'ä']) {
    for (const doing of [setups.save(name), setups.load(alice, name), setups.remove(name)]) {
      assert.match(await refusal(doing), /A setup cannot be called .*nothing was changed/);
    }
  }
  assert.match(await refusal(setups.save('x'.repeat(65))), /1 to 64/);
  for (const name of [3, null, {}, ['a']])
    assert.match(await refusal(setups.save(name as unknown as string)), /called/);
  assert.ok(existsSync(join(folder, 'state.json')));
  assert.deepEqual(await setups.list(), []);
});

test('whatever a setup’s file holds, it is loaded or refused', async ({ instrument, folder }) => {
  await instrument.setups.save('x');
  const values = fc.dictionary(fc.constantFrom('frequency', 'amplitude', 'on', '__proto__'), fc.jsonValue());
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(fc.constantFrom('asg0', 'scope', 'constructor', '__proto__'), values).map(textOf),
  );
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      writeFileSync(join(folder, 'setups', 'x.json'), content);
      await instrument.setups.load(alice, 'x').catch((error) => assert.equal(error.name, 'Refusal'));
    }),
    { numRuns: 200 },
  );
});

test('a folder that fails is told in a sentence; the same setup saved twice at once is whole', async ({
  instrument,
  folder,
}) => {
  const { setups } = instrument;
  await Promise.all(Array.from({ length: 5 }, () => setups.save('twice')));
  await setups.load(alice, 'twice');
  mkdirSync(join(folder, 'setups', 'odd.json'));
  for (const [doing, sentence] of [
    [setups.load(alice, 'odd'), /The setup odd cannot be read: EISDIR/],
    [setups.save('odd'), /The setup odd cannot be saved: EISDIR/],
    [setups.remove('odd'), /The setup "odd" cannot be removed: E/],
  ] as const) {
    await assert.rejects(doing, (error: unknown) => {
      assert.ok(error instanceof PitayadError);
      assert.match(error.message, sentence);
      return true;
    });
  }
});

test('a daemon without a state has no setups, and says so', async () => {
  const { instrument } = await timed();
  for (const doing of [instrument.setups.save('a'), instrument.setups.list(), instrument.setups.load(alice, 'a')]) {
    assert.match(await refusal(doing), /keeps no files/);
  }
  await instrument.close();
});

async function all(instrument: Instrument): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const { name } of instrument.modules) values[name] = await instrument.get(name);
  return values;
}

test.run();
