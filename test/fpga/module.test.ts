/** Drivers as they follow from declarations: judging, writing, knowing. The modules' own ways are tested with them. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { Refusal } from '../../src/errors.ts';
import { settable } from '../../src/fpga/description.ts';
import { block } from '../../src/fpga/fields.ts';
import { fpgaModule, ordered } from '../../src/fpga/module.ts';
import { moduleDriver } from '../../src/fpga/module-driver.ts';
import { asg0 } from '../../src/fpga/modules/asg.ts';
import { modules } from '../../src/fpga/modules/modules.ts';
import { scope } from '../../src/fpga/modules/scope.ts';
import { volts } from '../../src/fpga/parameters/levels.ts';
import { registerFile } from '../../src/fpga/registers.ts';
import { recordingBus } from './recording-bus.ts';

async function scopeBench() {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const driver = moduleDriver(registers, scope);
  await driver.readBack();
  return { bus, registers, driver };
}

function refusal(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    assert.ok(error instanceof Refusal, `${error} is no refusal`);
    assert.ok(error.message.endsWith('; nothing was changed.'), error.message);
    return error.message;
  }
  return assert.fail('was not refused');
}

test('refuses with what was wrong and what is allowed', async () => {
  const { driver, bus } = await scopeBench();
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ thresold: 0 }, /^scope has no parameter "thresold" \(did you mean threshold\?\)/],
    [{ threshold: 2 }, /^scope\.threshold must be from -1 to 1 V, not 2;/],
    [{ threshold: '0.1' }, /^scope\.threshold must be a number, not "0\.1"/],
    [{ threshold: Number.NaN }, /must be a finite number, not NaN/],
    [{ decimation: 3 }, /must be one of 1, 2, 4/],
    [{ average: 'yes' }, /must be true or false/],
    [{ input1: 'in3' }, /did you mean in1\?/],
    [{ trace_average: 2.5 }, /whole number/],
    [{ pretrig_ok: true }, /^scope\.pretrig_ok is read only/],
    [{ __proto__x: 1, constructor: 1 }, /no parameter/],
    [{ ch1_active: false, ch2_active: false }, /one channel at least must be active/],
  ];
  for (const [values, sentence] of cases)
    assert.match(
      refusal(() => driver.check(values)),
      sentence,
    );
  assert.deepEqual(bus.writes, []);
});

test('limits between parameters count the present values of those not named', async () => {
  const { driver } = await scopeBench();
  assert.match(
    refusal(() => driver.check({ threshold: 1 })),
    /threshold ± hysteresis must stay within ±0\.99987\d* V.*threshold 0\.999\d+, hysteresis 0\.00244\d+/,
  );
  await driver.apply(driver.check({ threshold: 1, hysteresis: 0 }));
  assert.equal(driver.values.threshold, 8191 / 8192);
  refusal(() => driver.check({ hysteresis: 0.001 }));
  driver.check({ hysteresis: 0.001, threshold: 0.9 });
  // Nobody is refused for what he did not touch.
  driver.check({ duration: 1 });
});

test('limits between parameters hold when two requests were checked before either was written', async () => {
  const { driver, bus } = await scopeBench();
  const first = driver.check({ threshold: 0.9 });
  const second = driver.check({ hysteresis: 0.5 });
  await driver.apply(first);
  const before = bus.writes.length;
  await assert.rejects(driver.apply(second), Refusal);
  assert.equal(bus.writes.length, before);
  assert.equal(driver.values.hysteresis, 20 / 8192);
});

test('min must not be above max, as a declared limit', async () => {
  const at = block(0x4030_0000);
  const limiter = fpgaModule(
    { name: 'pid0', title: '', help: '', constraints: [ordered('min_voltage', 'max_voltage')] },
    {
      min_voltage: volts(at(0x124, { bits: 14, signed: true }), { help: '' }),
      max_voltage: volts(at(0x128, { bits: 14, signed: true }), { help: '' }),
    },
  );
  const driver = moduleDriver(registerFile(recordingBus()), limiter);
  await driver.readBack();
  assert.equal(driver.values.min_voltage, -1);
  await driver.apply(driver.check({ max_voltage: -0.5 }));
  assert.match(
    refusal(() => driver.check({ min_voltage: 0 })),
    /min_voltage must not be above max_voltage/,
  );
});

test('two names of one register must agree', async () => {
  const { driver } = await scopeBench();
  assert.match(
    refusal(() => driver.check({ duration: 1, decimation: 8 })),
    /contradict each other/,
  );
  driver.check({ duration: 0.001, decimation: 8, sampling_time: 64e-9 });
});

test('tells every value that changed, coupled ones too, and none that did not', async () => {
  const { driver } = await scopeBench();
  const taken = await driver.apply(driver.check({ decimation: 64, average: false, threshold: 0.1 }));
  assert.deepEqual(taken, [
    { parameter: 'duration', from: 1.073741824, to: 0.008388608 },
    { parameter: 'decimation', from: 8192, to: 64 },
    { parameter: 'sampling_time', from: 65.536e-6, to: 512e-9 },
    { parameter: 'threshold', from: 0, to: 819 / 8192 },
  ]);
  assert.deepEqual(await driver.apply(driver.check({ decimation: 64, threshold: 0.1 })), []);
});

test('known values cost no bus word, unchanged ones are not written', async () => {
  const { driver, bus } = await scopeBench();
  const { wordsRead } = bus.traffic;
  await driver.apply(driver.check({ duration: 0.001, threshold: 0.1, input1: 'asg0', trace_average: 3 }));
  assert.equal(bus.traffic.wordsWritten, 3);
  await driver.apply(driver.check({ duration: 0.001, threshold: 0.1, input1: 'asg0', trigger_delay: 0.1 }));
  assert.equal(bus.traffic.wordsWritten, 3);
  const some = await driver.get(['duration', 'threshold', 'input1', 'trace_average', 'trigger_delay', 'average']);
  assert.deepEqual(some, {
    duration: 0.001048576,
    threshold: 819 / 8192,
    input1: 'asg0',
    trace_average: 3,
    trigger_delay: 0.1,
    average: false,
  });
  assert.equal(bus.traffic.wordsRead, wordsRead);
});

test('one read serves all volatile fields of a word; a time stamp takes three', async () => {
  const { driver, bus } = await scopeBench();
  const { wordsRead } = bus.traffic;
  await driver.get(['pretrig_ok', 'voltage_ch1']);
  assert.equal(bus.traffic.wordsRead - wordsRead, 2);
  await driver.get(['current_timestamp']);
  assert.equal(bus.traffic.wordsRead - wordsRead, 5);
});

test('learns from the registers what another process wrote', async () => {
  const { driver, bus } = await scopeBench();
  bus.preset(0x4010_0014, 64);
  bus.preset(0x4010_0008, 0x3000);
  assert.equal(driver.values.decimation, 8192);
  await driver.readBack();
  assert.equal(driver.values.decimation, 64);
  assert.equal(driver.values.threshold, -0.5);
  assert.deepEqual(bus.writes, []);
});

test('remembers only what no register tells, and only what is allowed', async () => {
  const { driver, bus } = await scopeBench();
  driver.remember({ trace_average: 7, trigger_source: 'ext_raw', trigger_delay: 0.25, threshold: 0.5, nonsense: 1 });
  const { trace_average, trigger_source, trigger_delay, threshold } = driver.values;
  assert.deepEqual([trace_average, trigger_source, trigger_delay, threshold], [7, 'immediately', 0.25, 0]);
  assert.deepEqual(bus.writes, []);
});

test('reads again: gives what others have made of it, and keeps what no register tells', async () => {
  const { driver, bus } = await scopeBench();
  await driver.apply(driver.check({ threshold: 0.5, trace_average: 7 }));
  assert.deepEqual(await driver.readAgain(), []);
  bus.preset(0x4010_0008, 0x3000);
  assert.deepEqual(await driver.readAgain(), [{ parameter: 'threshold', from: 0.5, to: -0.5 }]);
  assert.equal(driver.values.trace_average, 7);
});

test('reads again: where registers are other than they were, so may be the memory that nobody can read', async () => {
  const bus = recordingBus();
  const driver = moduleDriver(registerFile(bus), asg0);
  await driver.readBack();
  await driver.apply(driver.check({ waveform: 'square', amplitude: 0.5 }));
  assert.deepEqual(await driver.readAgain(), []);
  assert.equal(driver.values.waveform, 'square');
  bus.preset(0x4020_0004, 0x2000);
  assert.deepEqual(await driver.readAgain(), [
    { parameter: 'waveform', from: 'square', to: 'sin' },
    { parameter: 'amplitude', from: 0.5, to: 1 },
  ]);
  await driver.apply(driver.check({ waveform: 'square' }));
  assert.equal(bus.blocks.length, 2, 'its table is written again');
});

test('values that no driver has checked are not written', async () => {
  const { driver, bus } = await scopeBench();
  assert.throws(() => driver.apply({ module: 'scope', values: { threshold: 5 } }), /not checked/);
  assert.deepEqual(bus.writes, []);
});

test('after a bus error the old value is not claimed, and the next write goes out', async () => {
  const { driver, bus } = await scopeBench();
  bus.fail(1);
  await assert.rejects(driver.apply(driver.check({ threshold: 0.5 })), /bus error/);
  assert.deepEqual(await driver.get(['threshold']), { threshold: 0 });
  await driver.apply(driver.check({ threshold: 0.5 }));
  assert.deepEqual(await driver.get(['threshold']), { threshold: 0.5 });
});

test('writes of one driver take effect one after the other', async () => {
  const bus = recordingBus();
  const driver = moduleDriver(registerFile(bus), asg0);
  await driver.readBack();
  await Promise.all([
    driver.apply(driver.check({ trigger_source: 'immediately', amplitude: 0.25 })),
    driver.apply(driver.check({ amplitude: 0.5 })),
    driver.apply(driver.check({ trigger_source: 'off' })),
  ]);
  assert.equal((await driver.get(['amplitude'])).amplitude, 0.5);
  assert.deepEqual(
    bus.writes.filter(([address]) => address === 0x4020_0000).map(([, word]) => word),
    [0x0200_0240, 0x0200_0211, 0x0200_0250, 0x0200_0210],
  );
});

test('an unknown name is refused in get too', async () => {
  const { driver } = await scopeBench();
  await assert.rejects(driver.get(['durations']), /did you mean duration\?/);
});

/** Any JSON, and beside it requests whose names exist, so that values are judged too. */
function requests(names: readonly string[]): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.double(),
    fc.integer(),
    fc.constantFrom('off', 'immediately', 'in1', 'sin', 'noise', true, false, 0, 1, 64),
  );
  return fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 }));
}

for (const module of modules) {
  test(`${module.name}: any request is refused or checked, and touches no register`, async () => {
    const bus = recordingBus();
    const driver = moduleDriver(registerFile(bus), module as typeof scope);
    await driver.readBack();
    const before = bus.content();
    const { wordsRead } = bus.traffic;
    const names = module.description.parameters.map(({ name }) => name);
    let [checked, refused] = [0, 0];
    fc.assert(
      fc.property(requests(names), (values) => {
        try {
          const result = driver.check(values as Record<string, unknown>);
          assert.equal(result.module, module.name);
          checked += 1;
        } catch (error) {
          assert.ok(error instanceof Refusal, `${error}`);
          assert.ok(error.message.length < 1000);
          refused += 1;
        }
        assert.equal(bus.traffic.wordsRead, wordsRead);
        assert.equal(bus.traffic.wordsWritten, 0);
      }),
      { numRuns: 300 },
    );
    assert.deepEqual(bus.content(), before);
    assert.ok(checked > 0 && refused > 0, `${checked} checked, ${refused} refused`);
  });

  test(`${module.name}: whatever was checked can be written, and is then what get says`, async () => {
    const names = settable(module.description).map(({ name }) => name);
    await fc.assert(
      fc.asyncProperty(fc.array(requests(names), { maxLength: 5 }), async (list) => {
        const bus = recordingBus();
        const driver = moduleDriver(registerFile(bus), module as typeof scope);
        await driver.readBack();
        for (const values of list) {
          let checked: ReturnType<typeof driver.check>;
          try {
            checked = driver.check(values as Record<string, unknown>);
          } catch {
            continue;
          }
          await driver.apply(checked);
        }
        const kept: Record<string, unknown> = await driver.get(names);
        for (const name of names) {
          const known: Record<string, unknown> = driver.values;
          assert.deepEqual(known[name], kept[name], `${name} as known and as read`);
        }
        const again = moduleDriver(registerFile(bus), module as typeof scope);
        await again.readBack();
        again.remember(kept);
        const told: Record<string, unknown> = await again.get(names);
        // A burst's source is not left in the register, where the next write would fire it again.
        if (kept.trigger_source === 'immediately' && kept.cycles_per_burst !== 0) delete kept.trigger_source;
        for (const [name, value] of Object.entries(kept))
          assert.deepEqual(told[name], value, `${name} told by registers`);
      }),
      { numRuns: 100 },
    );
  });
}

test.run();
