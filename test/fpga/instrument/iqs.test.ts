/** The lock-ins as a detector, on the simulated FPGA. */
import assert from 'node:assert';
import { test } from 'uvu';
import { openSimulator } from '../../../src/fpga/bus/simulator/simulator.ts';
import type { Curve } from '../../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../../src/fpga/instrument/open.ts';
import { client, identity, refusal, silent } from './fixture.ts';

const me = client('analyst');

/** On the grids of lock-in and generator: their phases stay as they are. */
const FREQUENCY = 125e6 / 128;

async function bench() {
  const bus = openSimulator();
  const instrument = await openInstrument({ bus, identity, log: silent });
  for (const name of ['iq0', 'iq1', 'iq2']) {
    await instrument.configure(me, name, { input: 'asg0', frequency: FREQUENCY, bandwidth: [0], acbandwidth: 0 });
  }
  await instrument.configure(me, 'asg0', {
    waveform: 'sin',
    amplitude: 0.5,
    frequency: FREQUENCY,
    trigger_source: 'immediately',
  });
  const measured = async (): Promise<Record<string, Record<string, number>>> => {
    const { quantities } = (await instrument.grab(me, 'iqs', { timeout: 60 }).result) as Curve;
    return Object.fromEntries(
      quantities.map(({ name, channels }) => [
        name,
        Object.fromEntries(channels.map(({ label, values }) => [label, values[0] ?? Number.NaN])),
      ]),
    );
  };
  const close = async (): Promise<void> => {
    await instrument.close();
    await bus.close();
  };
  return { bus, instrument, measured, close };
}

const near = (value: number | undefined, wanted: number, within: number): void =>
  assert.ok(Math.abs((value ?? Number.NaN) - wanted) < within, `${value}, not ${wanted}`);

test('amplitude and phase of each, and the phase turns with its setting', async () => {
  const { instrument, measured, close } = await bench();
  await instrument.configure(me, 'iqs', { modules: ['iq0', 'iq2'], duration: 1e-4 });
  await instrument.configure(me, 'iq2', { phase: 90 });
  const { Amplitude, Phase, I, Q } = await measured();
  assert.deepEqual(Object.keys(Amplitude ?? {}), ['iq0', 'iq2']);
  for (const name of ['iq0', 'iq2']) {
    near(Amplitude?.[name], 0.5, 2e-3);
    near(Math.hypot(I?.[name] ?? 0, Q?.[name] ?? 0), Amplitude?.[name] ?? 0, 1e-9);
    near(((Math.atan2(Q?.[name] ?? 0, I?.[name] ?? 0) * 180) / Math.PI) as number, Phase?.[name] ?? 0, 1e-9);
  }
  await instrument.configure(me, 'iq0', { phase: -60 });
  const turned = await measured();
  near((((turned.Phase?.iq0 ?? 0) - (Phase?.iq0 ?? 0) + 540) % 360) - 180, -60, 0.5);
  near((((turned.Phase?.iq2 ?? 0) - (Phase?.iq2 ?? 0) + 540) % 360) - 180, 0, 0.5);
  await close();
});

test('another frequency is not seen, and its settings are not written', async () => {
  const { instrument, measured, close } = await bench();
  await instrument.configure(me, 'iqs', { modules: 'iq1', duration: 1e-4 });
  await instrument.configure(me, 'iq1', { frequency: 2 * FREQUENCY });
  const before = await instrument.get('iq1', ['frequency', 'phase', 'input', 'bandwidth']);
  near((await measured()).Amplitude?.iq1, 0, 2e-3);
  assert.deepEqual(await instrument.get('iq1', Object.keys(before)), before);
  await instrument.attach(client('bob'), 'iq1', 'own');
  near((await measured()).Amplitude?.iq1, 0, 2e-3);
  await close();
});

test('a setting that changes meanwhile begins it anew', async () => {
  const { instrument, measured, close } = await bench();
  await instrument.configure(me, 'iqs', { duration: 5e-3 });
  const result = measured();
  await new Promise((resolve) => setTimeout(resolve, 10));
  await instrument.configure(me, 'iq0', { input: 'asg1' });
  near((await result).Amplitude?.iq0, 0, 1e-6);
  await close();
});

test('it waits for a sweep of the network analyzer with the same lock-in', async () => {
  const { instrument, measured, close } = await bench();
  await instrument.configure(me, 'networkanalyzer', { iq_name: 'iq0', input: 'iq0', points: 20, rbw: 1e5 });
  const sweep = instrument.grab(me, 'networkanalyzer').result;
  await new Promise((resolve) => setTimeout(resolve, 5));
  near((await measured()).Amplitude?.iq0, 0.5, 5e-3);
  assert.equal((await sweep).module, 'networkanalyzer');
  await close();
});

test('a grab can be stopped, and what is no lock-in is refused', async () => {
  const { instrument, close } = await bench();
  await instrument.configure(me, 'iqs', { duration: 30 });
  const grab = instrument.grab(me, 'iqs');
  setTimeout(() => grab.stop('the test'), 30);
  assert.match(await refusal(grab.result), /stopped by the test/);
  assert.match(
    await refusal(instrument.configure(me, 'iqs', { modules: 'iq3' })),
    /lock-ins like .*not "iq3".*mean iq/,
  );
  await close();
});

test.run();
