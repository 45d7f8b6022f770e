/** The instrument as a whole: rights, changes, state, off. */
import assert from 'node:assert';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import type { Change } from '../../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../../src/fpga/instrument/open.ts';
import { modules } from '../../../src/fpga/modules/modules.ts';
import { client, identity, keptLog, refusal, silent, timed } from './fixture.ts';
import { timedBus } from './timed-bus.ts';

const [alice, bob] = [client('alice'), client('bob')];
const ASG0_OUTPUT = 0x4038_0004;
const ASG0_LEVELS = 0x4020_0004;
const IQ1_OUTPUT = 0x4036_0004;

/** Runs with the path of a state file in a folder of its own. */
async function withFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-open-'));
  try {
    await work(join(folder, 'state.json'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('it has every module that is declared', async () => {
  const { instrument } = await timed();
  assert.deepEqual(
    instrument.modules.map(({ name }) => name),
    modules.map(({ name }) => name),
  );
  assert.equal(instrument.describe('asg0').actuator, 'offset');
  assert.throws(() => instrument.describe('scop'), /did you mean scope.*there are scope, asg0/);
  assert.match(await refusal(instrument.get('__proto__')), /There is no module/);
});

test('setting answers with what the hardware took, for every key', async () => {
  const { instrument } = await timed();
  assert.deepEqual(await instrument.configure(alice, 'scope', { duration: 1e-3, threshold: 0.1, average: true }), {
    duration: 1.048576e-3,
    threshold: 819 / 8192,
    average: true,
  });
});

test('changes are told with from, to and by whom, coupled ones too, those of a grab as well', async () => {
  const { log, lines } = keptLog();
  const { instrument } = await timed({ log });
  const changes: Change[] = [];
  const forget = instrument.onChange((change) => changes.push(change));
  await instrument.configure(alice, 'asg1', { amplitude: 0.5 });
  assert.deepEqual(changes, [{ module: 'asg1', parameter: 'amplitude', from: 1, to: 0.5, by: 'alice' }]);
  changes.length = 0;
  await instrument.grab(bob, 'scope', { config: { decimation: 64 } }).result;
  assert.deepEqual(changes.map(({ parameter, from, to, by }) => [parameter, from, to, by]).sort(), [
    ['decimation', 8, 64, 'bob'],
    ['duration', 0.001048576, 0.008388608, 'bob'],
    ['sampling_time', 64e-9, 512e-9, 'bob'],
  ]);
  changes.length = 0;
  await instrument.configure(alice, 'asg1', { amplitude: 0.5 });
  forget();
  await instrument.configure(alice, 'asg1', { amplitude: 0.6 });
  assert.deepEqual(changes, []);
  const logged = lines.find(({ msg, parameter }) => msg === 'changed' && parameter === 'amplitude');
  assert.deepEqual(
    [logged?.module, logged?.from, logged?.to, logged?.by, logged?.level],
    ['asg1', 1, 0.5, 'alice', 30],
  );
});

test('a parameter that is moved often is logged once at info level, then at debug', async () => {
  const { log, lines } = keptLog();
  const { instrument } = await timed({ log });
  for (let k = 1; k < 50; k++) await instrument.configure(alice, 'asg0', { amplitude: k / 50 });
  const changed = lines.filter(({ msg }) => msg === 'changed');
  assert.equal(changed.length, 49);
  assert.equal(changed.filter(({ level }) => level === 30).length, 1);
});

test('only its owner writes a module; a grab with settings is a write, one without is not', async () => {
  const { bus, instrument } = await timed();
  await instrument.attach(alice, 'scope', 'own');
  const { wordsWritten } = bus.traffic;
  const held = /scope is held by alice since .*nothing was changed/;
  assert.match(await refusal(instrument.configure(bob, 'scope', { decimation: 64 })), held);
  assert.match(await refusal(instrument.grab(bob, 'scope', { config: { decimation: 64 } }).result), held);
  assert.match(await refusal(instrument.stop(bob, 'scope')), held);
  assert.match(await refusal(instrument.attach(bob, 'scope', 'own')), held);
  assert.equal(bus.traffic.wordsWritten, wordsWritten);
  await instrument.grab(bob, 'scope').result;
  await instrument.grab(bob, 'scope', { config: {} }).result;
  await instrument.configure(bob, 'asg0', { amplitude: 0.5 });
  const { holders, counters } = (await instrument.status()) as {
    holders: { scope: { owner: string } };
    counters: { refusedByOwner: number };
  };
  assert.equal(holders.scope.owner, 'alice');
  assert.equal(counters.refusedByOwner, 3);
  instrument.leave(alice);
  await instrument.configure(bob, 'scope', { decimation: 64 });
});

test('a write that had to wait is refused if the module has got an owner meanwhile', async () => {
  const { bus, instrument } = await timed();
  bus.writeMs = 20;
  const first = instrument.configure(alice, 'scope', { decimation: 64 });
  const second = instrument.configure(bob, 'scope', { decimation: 2 });
  await instrument.attach(alice, 'scope', 'own');
  await first;
  assert.match(await refusal(second), /held by alice/);
  assert.equal((await instrument.get('scope', ['decimation'])).decimation, 64);
});

test('after a restart beside a running FPGA, what its registers do not tell comes from the state', async () => {
  await withFolder(async (statePath) => {
    const one = await timed({ statePath });
    await one.instrument.configure(alice, 'asg0', { waveform: 'square', output_direct: 'out1' });
    await one.instrument.configure(alice, 'scope', { trace_average: 7, decimation: 64 });
    await one.instrument.close();
    const { wordsWritten } = one.bus.traffic;
    one.bus.registers.preset(0x4010_0014, 1024);
    const { bus } = one;
    const two = await openInstrument({ bus, identity, log: silent, statePath, freshlyLoaded: false });
    assert.equal(bus.traffic.wordsWritten, wordsWritten);
    assert.deepEqual(await two.get('scope', ['trace_average', 'decimation']), { trace_average: 7, decimation: 1024 });
    assert.deepEqual(await two.get('asg0', ['waveform', 'output_direct']), {
      waveform: 'square',
      output_direct: 'out1',
    });
    await two.close();
  });
});

test('the saved state is written once to each load of the FPGA; afterwards its registers tell', async () => {
  await withFolder(async (statePath) => {
    const bus = timedBus();
    const start = (fpgaLoad: string | undefined) => openInstrument({ bus, identity, log: silent, statePath, fpgaLoad });
    // The first start of all: defaults.
    bus.registers.preset(0x4010_0014, 256);
    const one = await start('boot 1');
    assert.equal((await one.get('scope', ['decimation'])).decimation, 8);
    await one.configure(alice, 'scope', { decimation: 64 });
    await one.close();
    for (const [load, inRegister, found] of [
      ['boot 1', 1024, 1024],
      ['boot 2', 1, 1024],
      ['boot 2', 16, 16],
      [undefined, 32, 32],
    ] as const) {
      bus.registers.preset(0x4010_0014, inRegister);
      const again = await start(load);
      assert.equal((await again.get('scope', ['decimation'])).decimation, found, `${load}, ${inRegister}`);
      await again.configure(alice, 'asg1', { frequency: 1000 + inRegister });
      await again.close();
    }
  });
});

test('what was off stays off after a power cut, and the rest is as it was', async () => {
  await withFolder(async (statePath) => {
    const one = await timed({ statePath });
    await one.instrument.configure(alice, 'pid0', { input: 'iq0', output_direct: 'out1', p: 2 });
    await one.instrument.configure(alice, 'asg0', {
      frequency: 1e3,
      trigger_source: 'immediately',
      output_direct: 'both',
    });
    await one.instrument.off(bob);
    await one.instrument.close();
    const two = await timed({ statePath });
    assert.deepEqual(await two.instrument.get('pid0', ['input', 'output_direct', 'p']), {
      input: 'iq0',
      output_direct: 'off',
      p: 2,
    });
    assert.deepEqual(await two.instrument.get('asg0', ['trigger_source', 'output_direct']), {
      trigger_source: 'off',
      output_direct: 'off',
    });
    await two.instrument.close();
  });
});

test('after a fresh load outputs come on last, with integrators at 0', async () => {
  await withFolder(async (statePath) => {
    const one = await timed({ statePath });
    await one.instrument.configure(alice, 'pid0', { input: 'iq0', output_direct: 'out1', i: 1e3, max_voltage: 0.25 });
    await one.instrument.configure(alice, 'asg0', { trigger_source: 'immediately', output_direct: 'out2', on: false });
    await one.instrument.configure(alice, 'iq0', { frequency: 1e6, output_direct: 'both' });
    await one.instrument.close();

    const bus = timedBus();
    const written: [address: number, value: number][] = [];
    const { write } = bus;
    bus.write = async (address, value) => {
      written.push([address, value]);
      return write.call(bus, address, value);
    };
    const two = await openInstrument({ bus, identity, log: silent, statePath, freshlyLoaded: true });
    const outputs = [ASG0_OUTPUT, 0x4030_0004, 0x4035_0004];
    const firstOn = written.findIndex(([address, value]) => outputs.includes(address) && value !== 0);
    const last = (wanted: number) => written.map(([address]) => address).lastIndexOf(wanted);
    for (const setting of [0x4030_0000, 0x4030_010c, 0x4030_0128, 0x4035_0108]) {
      assert.ok(last(setting) > 0 && last(setting) < firstOn, `0x${setting.toString(16)}`);
    }
    // The integrator, after its gain.
    assert.ok(last(0x4030_0100) > last(0x4030_010c));
    assert.deepEqual(await two.get('asg0', ['trigger_source', 'output_direct', 'on']), {
      trigger_source: 'immediately',
      output_direct: 'out2',
      on: false,
    });
    assert.equal((await two.get('iq0', ['output_direct'])).output_direct, 'both');
    await two.close();
  });
});

test('what is wrong in one value leaves all as it was', async () => {
  const { bus, instrument } = await timed();
  const before = bus.registers.content();
  for (const values of [
    { decimation: 64, threshold: 2 },
    { decimation: 64, thresold: 0 },
    { decimation: 64, average: 'yes' },
    { decimation: 64, threshold: Number.NaN },
    { decimation: 64, voltage_in1: 0 },
    { decimation: 64, duration: 1 },
    { threshold: 1, hysteresis: 0.5 },
  ]) {
    assert.match(await refusal(instrument.configure(alice, 'scope', values)), /nothing was changed/);
    assert.match(await refusal(instrument.grab(alice, 'scope', { config: values }).result), /nothing was changed/);
  }
  assert.deepEqual(bus.registers.content(), before);
});

test('both generators set at once keep their own bits of the word that they share', async () => {
  const { bus, instrument } = await timed();
  await Promise.all([
    instrument.configure(alice, 'asg0', { on: false, trigger_source: 'off' }),
    instrument.configure(bob, 'asg1', { on: false, advanced_trigger_invert: true }),
  ]);
  assert.equal((await instrument.get('asg0', ['on'])).on, false);
  assert.deepEqual(await instrument.get('asg1', ['on', 'advanced_trigger_invert']), {
    on: false,
    advanced_trigger_invert: true,
  });
  const control = bus.registers.content().get(0x4020_0000) ?? 0;
  assert.equal(control & 0x0080_0080, 0x0080_0080, control.toString(16));
});

test('off switches off what anyone switched on, whoever owns it, and other modules’ outputs', async () => {
  const { bus, instrument } = await timed();
  bus.registers.preset(IQ1_OUTPUT, 3);
  await instrument.attach(alice, 'asg0', 'own');
  await instrument.configure(alice, 'asg0', { output_direct: 'both', trigger_source: 'immediately' });
  const changes: Change[] = [];
  instrument.onChange((change) => changes.push(change));
  await instrument.off(bob);
  const content = bus.registers.content();
  for (let n = 0; n < 10; n++) assert.equal(content.get(0x4030_0004 + n * 0x1_0000) ?? 0, 0, `output of signal ${n}`);
  assert.deepEqual(await instrument.get('asg0', ['output_direct', 'trigger_source']), {
    output_direct: 'off',
    trigger_source: 'off',
  });
  assert.ok(changes.some((change) => change.parameter === 'output_direct' && change.by === 'bob'));
  assert.equal(content.get(IQ1_OUTPUT), undefined);
});

test('off does what it can when the bus fails, and says so', async () => {
  const { bus, instrument } = await timed();
  await instrument.configure(alice, 'asg1', { output_direct: 'out2' });
  bus.registers.fail(1);
  await assert.rejects(instrument.off(bob));
  await instrument.off(bob);
  assert.equal((await instrument.get('asg1', ['output_direct'])).output_direct, 'off');
});

test('a fresh FPGA gets the defaults, a running one keeps what it does', async () => {
  const fresh = await timed();
  assert.equal((await fresh.instrument.get('scope', ['decimation'])).decimation, 8);

  const bus = timedBus('monitor:board:2222');
  bus.registers.preset(ASG0_LEVELS, 0x0333_0800);
  bus.registers.preset(ASG0_OUTPUT, 1);
  const running = await openInstrument({ bus, identity, log: silent });
  assert.equal(bus.traffic.wordsWritten, 0);
  assert.deepEqual(await running.get('asg0', ['amplitude', 'offset', 'output_direct']), {
    amplitude: 0.25,
    offset: 819 / 8192,
    output_direct: 'out1',
  });
  await running.close();
  assert.equal(bus.traffic.wordsWritten, 0, 'outputs are held');
});

test('outputs go to zero at the end where that is configured', async () => {
  const { bus, instrument } = await timed({ onStop: 'zero' });
  await instrument.configure(alice, 'asg0', { output_direct: 'out1' });
  await instrument.close();
  assert.equal(bus.registers.content().get(ASG0_OUTPUT), undefined);
});

test('settings survive: those of registers and those of the driver alone', async () => {
  await withFolder(async (statePath) => {
    const wanted = { waveform: 'square', amplitude: 0.25, frequency: 1000, output_direct: 'out1' };
    const one = await timed({ statePath, onStop: 'zero' });
    await one.instrument.configure(alice, 'asg0', wanted);
    await one.instrument.configure(alice, 'scope', { trace_average: 7, decimation: 64, ch2_active: false });
    await one.instrument.configure(alice, 'asg1', { cycles_per_burst: 3, bursts: 2, delay_between_bursts: 10 });
    await one.instrument.close();

    const two = await timed({ statePath });
    const { frequency, ...rest } = await two.instrument.get('asg0', Object.keys(wanted));
    assert.ok(Math.abs(Number(frequency) - 1000) < 0.06);
    assert.deepEqual(rest, { waveform: 'square', amplitude: 0.25, output_direct: 'out1' });
    const scope = await two.instrument.get('scope', ['trace_average', 'decimation', 'ch2_active']);
    assert.deepEqual(scope, { trace_average: 7, decimation: 64, ch2_active: false });
    assert.equal((await two.instrument.get('asg1', ['bursts'])).bursts, 2);
    assert.equal(two.bus.registers.content().get(ASG0_OUTPUT), 1);
    await two.instrument.close();
  });
});

test('of a state that is not wholly right, what is right is taken, and the rest is reported', async () => {
  await withFolder(async (statePath) => {
    const modules = {
      scope: { decimation: 64, threshold: 7, colour: 'green', voltage_in1: 0.5 },
      asg0: { amplitude: 'much', offset: 0.5 },
      pid9: { p: 1 },
    };
    writeFileSync(statePath, JSON.stringify({ format: 1, modules }));
    const { log, lines } = keptLog();
    const { instrument } = await timed({ statePath, log });
    assert.deepEqual(await instrument.get('scope', ['decimation', 'threshold']), { decimation: 64, threshold: 0 });
    assert.deepEqual(await instrument.get('asg0', ['amplitude', 'offset']), { amplitude: 1, offset: 0.5 });
    const reported = lines.filter(({ level }) => level === 40);
    assert.deepEqual(reported.map(({ parameter }) => parameter).filter(Boolean), [
      'threshold',
      'colour',
      'voltage_in1',
      'amplitude',
    ]);
    assert.ok(reported.some(({ modules }) => Array.isArray(modules) && modules[0] === 'pid9'));
    await instrument.configure(alice, 'asg0', { offset: 0.25 });
    await instrument.close();
    // The version that knows it may come back.
    const { modules: saved } = JSON.parse(readFileSync(statePath, 'utf8')) as { modules: Record<string, unknown> };
    assert.deepEqual(saved.pid9, { p: 1 });
  });
});

test('a damaged state is set aside, and the instrument starts with defaults', async () => {
  await withFolder(async (statePath) => {
    writeFileSync(statePath, '{"format": 1, "mod');
    const { instrument } = await timed({ statePath });
    assert.equal((await instrument.get('scope', ['decimation'])).decimation, 8);
    assert.equal(readFileSync(`${statePath}.damaged`, 'utf8'), '{"format": 1, "mod');
    await instrument.close();
  });
});

test('status is plain data', async () => {
  const { instrument } = await timed();
  await instrument.grab(alice, 'scope').result;
  const status = await instrument.status();
  assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
  const { counters, bus } = status as { counters: Record<string, number>; bus: { name: string; wordsRead: number } };
  assert.deepEqual([counters.grabs, counters.acquisitions, counters.traces, counters.shared], [1, 1, 1, 0]);
  assert.equal(bus.name, 'timed');
  assert.ok(bus.wordsRead > 32768);
});

test('a listener that fails harms nobody', async () => {
  const { log, lines } = keptLog();
  const { instrument } = await timed({ log });
  let heard = 0;
  instrument.onChange(() => {
    throw new Error('mine');
  });
  instrument.onChange(() => heard++);
  await instrument.configure(alice, 'asg0', { amplitude: 0.5 });
  assert.equal(heard, 1);
  assert.ok(lines.some(({ level }) => level === 50));
});

test.run();
