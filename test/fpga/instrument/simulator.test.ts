/**
 * The instrument on the simulator: the battery that also runs on the live Verilog, freshness two hundred times, and what
 * takes seconds of the board's time.
 */
import assert from 'node:assert';
import { suite } from 'uvu';
import { openSimulator, type Simulator } from '../../../src/fpga/bus/simulator/simulator.ts';
import type { Instrument } from '../../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../../src/fpga/instrument/open.ts';
import { SAMPLES } from '../../../src/fpga/modules/scope.ts';
import { client, identity, refusal, silent } from './fixture.ts';
import { checks, freshness } from './loopback-battery.ts';

const test = suite<{ bus: Simulator; instrument: Instrument }>('simulator');
const alice = client('alice');

test.before(async (context) => {
  context.bus = openSimulator();
  context.instrument = await openInstrument({ bus: context.bus, identity, log: silent });
});
test.after(async ({ bus, instrument }) => {
  await instrument.close();
  await bus.close();
});

for (const { name, run } of checks) {
  test(name, ({ bus, instrument }) => run({ bus, instrument, client: alice, timeout: 5 }));
}

test('no trace from before a move, two hundred times', ({ bus, instrument }) =>
  freshness({ bus, instrument, client: alice, timeout: 5 }, 200, SAMPLES));

test('stop returns at once during the longest acquisition, and during a wait for a trigger', async ({ instrument }) => {
  for (const trigger_source of ['immediately', 'ch1_positive_edge']) {
    await instrument.configure(alice, 'scope', { duration: 8.5, trigger_source, threshold: 0.9 });
    const grab = instrument.grab(alice, 'scope');
    await new Promise((resolve) => setTimeout(resolve, 30));
    const began = performance.now();
    grab.stop('alice');
    assert.match(await refusal(grab.result), /stopped by alice/);
    assert.ok(performance.now() - began < 100);
  }
});

test('rolling mode shows the present, newest at time 0', async ({ instrument }) => {
  await instrument.configure(alice, 'asg0', { waveform: 'dc', offset: 0.25, output_direct: 'out1' });
  const config = { rolling_mode: true, duration: 0.134, input1: 'in1', ch2_active: false, average: false };
  await instrument.grab(alice, 'scope', { config }).result;
  await new Promise((resolve) => setTimeout(resolve, 50));
  await instrument.configure(alice, 'asg0', { offset: -0.25 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { channels, t0, dt } = await instrument.grab(alice, 'scope').result;
  const counts = channels[0]?.counts ?? new Int16Array(0);
  assert.ok(Math.abs(t0 + (counts.length - 1) * dt) < dt / 2);
  assert.equal(counts.at(-1), -2048);
  const change = counts.indexOf(-2048);
  const ago = (counts.length - 1 - change) * dt;
  assert.ok(ago > 0.015 && ago < 0.1, `the change was ${ago} s ago`);
  assert.equal(counts[change - 1], 2048);
  await instrument.configure(alice, 'scope', { rolling_mode: false });
});

test('off ends what drives an output: a sweep, and a self-test; nothing is on afterwards', async ({
  bus,
  instrument,
}) => {
  const bob = client('bob');
  const outputsOff = async (): Promise<void> => {
    for (let slot = 0; slot < 10; slot++)
      assert.equal(await bus.read(0x4030_0004 + slot * 0x1_0000), 0, `slot ${slot}`);
  };
  await instrument.configure(alice, 'iq2', { output_direct: 'out2' });
  const sweep = { start_freq: 1e3, stop_freq: 2e3, points: 2000, rbw: 100, output_direct: 'out1', amplitude: 0.1 };
  await instrument.configure(alice, 'networkanalyzer', sweep);
  const analysis = refusal(instrument.grab(alice, 'networkanalyzer').result);
  await until(async () => (await bus.read(0x4037_0004)) === 1 && (await bus.read(0x4037_0114)) !== 0);
  await instrument.off(bob);
  await outputsOff();
  assert.match(await analysis, /stopped by bob, who switched all outputs off/);

  const report = refusal(instrument.selftest(alice, {}));
  await until(async () => (await bus.read(0x4038_0004)) !== 0);
  await instrument.off(bob);
  await outputsOff();
  assert.match(await report, /ended by bob, who switched all outputs off/);
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, 'not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test.run();
