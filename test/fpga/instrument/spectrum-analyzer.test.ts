/** The spectrum analyzer and the sampler on the simulated FPGA. */
import assert from 'node:assert';
import { test } from 'uvu';
import { openSimulator } from '../../../src/fpga/bus/simulator/simulator.ts';
import type { Curve } from '../../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../../src/fpga/instrument/open.ts';
import { client, identity, refusal, silent } from './fixture.ts';

const me = client('analyst');

async function bench() {
  const bus = openSimulator();
  const instrument = await openInstrument({ bus, identity, log: silent });
  const close = async (): Promise<void> => {
    await instrument.close();
    await bus.close();
  };
  await instrument.configure(me, 'asg0', {
    waveform: 'sin',
    amplitude: 0.5,
    frequency: 200e3,
    trigger_source: 'immediately',
  });
  return { instrument, close };
}

test('a sine of a generator: its line, and the scope as it was', async () => {
  const { instrument, close } = await bench();
  await instrument.configure(me, 'scope', { input1: 'out2', decimation: 1024, trigger_source: 'ch1_positive_edge' });
  const before = await instrument.get('scope', ['input1', 'decimation', 'trigger_source', 'trace_average']);
  await instrument.configure(me, 'spectrumanalyzer', {
    span: 2e6,
    input1_baseband: 'asg0',
    input2_baseband: 'asg1',
    display_input2_baseband: true,
    display_cross_amplitude: true,
    window: 'flattop',
    display_unit: 'Vpk',
    trace_average: 3,
  });
  assert.deepEqual(await instrument.get('spectrumanalyzer', ['span']), { span: 125e6 / 64 });
  const curve = (await instrument.grab(me, 'spectrumanalyzer').result) as Curve;
  const [spectrum, cross] = curve.quantities;
  assert.deepEqual(
    spectrum?.channels.map(({ label }) => label),
    ['asg0', 'asg1'],
  );
  assert.equal(cross?.unit, 'V**2');
  const line = spectrum?.channels[0]?.values ?? new Float64Array();
  const peak = line.indexOf(Math.max(...line));
  const frequencies = curve.axis?.values ?? new Float64Array();
  assert.equal(frequencies.length, line.length);
  assert.ok(Math.abs((frequencies[peak] ?? 0) - 200e3) < 100, `${frequencies[peak]} Hz`);
  assert.ok(Math.abs((line[peak] ?? 0) - 0.5) < 0.005, `${line[peak]} V`);
  assert.ok(Math.max(...(spectrum?.channels[1]?.values ?? [1])) < 1e-3);
  const { rbw } = await instrument.get('spectrumanalyzer', ['rbw']);
  assert.ok(Math.abs(Number(rbw) - (3.770512 * 125e6) / 64 / 16384) < 1e-3, `${rbw}`);
  assert.equal(curve.attributes.traces, 3);
  assert.deepEqual(await instrument.get('scope', ['input1', 'decimation', 'trigger_source', 'trace_average']), before);
  await close();
});

test('a grab of the scope waits for the spectrum, and is answered', async () => {
  const { instrument, close } = await bench();
  await instrument.configure(me, 'spectrumanalyzer', { trace_average: 20 });
  const spectrum = instrument.grab(me, 'spectrumanalyzer').result;
  const trace = instrument.grab(client('bob'), 'scope').result;
  assert.equal((await spectrum).module, 'spectrumanalyzer');
  assert.equal((await trace).module, 'scope');
  await close();
});

test('what cannot be analyzed is refused', async () => {
  const { instrument, close } = await bench();
  const refused = (values: Record<string, unknown>) => refusal(instrument.configure(me, 'spectrumanalyzer', values));
  assert.match(await refused({ span: 100 }), /must be from .* to 125000000 Hz/);
  assert.match(await refused({ window: 'hann' }), /one of blackman/);
  assert.match(await refused({ display_input1_baseband: false }), /at least one/);
  assert.match(await refused({ rbw: 1 }), /read only/);
  await instrument.attach(client('bob'), 'scope', 'own');
  assert.match(await refusal(instrument.grab(me, 'spectrumanalyzer').result), /held by bob/);
  await close();
});

test('statistics of signals', async () => {
  const { instrument, close } = await bench();
  await instrument.configure(me, 'sampler', { signals: ['asg0', 'asg1'], duration: 0.05 });
  assert.deepEqual(await instrument.get('sampler', ['signals']), { signals: 'asg0, asg1' });
  const curve = (await instrument.grab(me, 'sampler').result) as Curve;
  assert.equal(curve.axis, undefined);
  const values = Object.fromEntries(
    curve.quantities.map(({ name, channels }) => [name, channels.map((channel) => channel.values[0] ?? Number.NaN)]),
  );
  assert.deepEqual(
    curve.quantities[0]?.channels.map(({ label }) => label),
    ['asg0', 'asg1'],
  );
  // A sine of 0.5 V, sampled at any phases.
  assert.ok(Math.abs((values['Standard deviation']?.[0] ?? 0) - 0.354) < 0.05, `${values['Standard deviation']}`);
  assert.ok((values.Maximum?.[0] ?? 0) > 0.45 && (values.Minimum?.[0] ?? 0) < -0.45);
  assert.deepEqual([values.Mean?.[1], values.Maximum?.[1]], [0, 0]);
  assert.equal(curve.quantities[0]?.channels[0]?.errors?.[0], values['Standard deviation']?.[0]);
  assert.ok(Number(curve.attributes.samples) > 10);
  assert.match(await refusal(instrument.configure(me, 'sampler', { signals: 'in1, in3' })), /not "in3".*mean in/);
  assert.match(await refusal(instrument.configure(me, 'sampler', { signals: '' })), /not ""/);
  await close();
});

test.run();
