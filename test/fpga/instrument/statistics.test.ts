/** Statistics of a trace made on the board: against the same arithmetic on the trace itself, and what they cost. */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Curve, GrabOptions, Trace } from '../../../src/fpga/instrument/instrument.ts';
import { client, eventually, refusal, timed } from './fixture.ts';

const me = client('analyst');

/** By the textbook, from the trace. */
function expected(trace: Trace, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY) {
  return trace.channels.map(({ label, counts, gain, offset }) => {
    const values = [...counts]
      .map((count, k) => ({ time: trace.t0 + k * trace.dt, volts: count * gain + offset }))
      .filter(({ time }) => time >= from - trace.dt * 1e-3 && time <= to + trace.dt * 1e-3)
      .map(({ volts }) => volts);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const rms = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const peakToPeak = Math.max(...values) - Math.min(...values);
    return { label, mean, rms, deviation, peakToPeak, samples: values.length };
  });
}

function found({ quantities, attributes }: Curve) {
  const [mean, rms, peakToPeak] = ['Mean', 'RMS', 'Peak-to-peak'].map(
    (name) => quantities.find((one) => one.name === name)?.channels ?? [],
  );
  return (mean ?? []).map(({ label, values, errors }, k) => ({
    label,
    mean: values[0],
    rms: rms?.[k]?.values[0],
    deviation: errors?.[0],
    peakToPeak: peakToPeak?.[k]?.values[0],
    samples: attributes.samples,
  }));
}

function near(one: ReturnType<typeof found>, other: ReturnType<typeof expected>): void {
  assert.equal(one.length, other.length);
  for (const [k, wanted] of other.entries()) {
    for (const [name, value] of Object.entries(wanted)) {
      const given = one[k]?.[name as keyof typeof wanted];
      if (typeof value === 'number')
        assert.ok(Math.abs(Number(given) - value) < 1e-9, `${name}: ${given}, not ${value}`);
      else assert.equal(given, value);
    }
  }
}

test('of the whole trace and of windows, they are those of the samples', async () => {
  const { bus, instrument } = await timed();
  bus.sample = (channel, index) => Math.round(3000 * Math.sin(index / (700 + 900 * channel)) + 500 * (1 + channel));
  for (const config of [{}, { decimation: 1 }, { trigger_source: 'ch1_positive_edge', decimation: 64 }]) {
    await instrument.configure(me, 'scope', config);
    const trace = await instrument.grab(me, 'scope').result;
    const { t0, dt } = trace;
    for (const [from, to] of [
      [undefined, undefined],
      [t0 + 100 * dt, t0 + 5000 * dt],
      [t0 + 12_345 * dt, undefined],
      [undefined, t0 + 0.4 * dt],
      [t0 + 7.3 * dt, t0 + 8.2 * dt],
    ]) {
      const statistics = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
      const curve = (await instrument.grab(me, 'scope', { statistics }).result) as Curve;
      near(found(curve), expected(trace, from, to));
      assert.equal(curve.attributes.decimation, trace.attributes.decimation);
    }
  }
});

test('only the window is read', async () => {
  const { bus, instrument } = await timed();
  await instrument.configure(me, 'scope', { decimation: 8 });
  const { t0, dt } = await instrument.grab(me, 'scope').result;
  const before = bus.traffic.wordsRead;
  await instrument.grab(me, 'scope', { statistics: { from: t0 + 3000 * dt, to: t0 + 3099 * dt } }).result;
  assert.ok(bus.traffic.wordsRead - before <= 2 * 100 + 16, `${bus.traffic.wordsRead - before} words`);
});

test('who asks for a window beside the trace and has none of it is told so, and the others get theirs', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const trace = instrument.grab(me, 'scope').result;
  const statistics = instrument.grab(me, 'scope', { statistics: {} }).result as Promise<Curve>;
  const none = instrument.grab(me, 'scope', { statistics: { from: 1e3 } });
  await eventually(() => bus.armings === 1, 'armed');
  bus.lasts = 0;
  assert.match(await refusal(none.result), /No point of the trace, which is from .* s, is from 1000 to/);
  near(found(await statistics), expected(await trace));
  assert.equal((await trace).channels[0]?.counts.length, 16384);
});

test('what makes no sense is refused, and nothing is written', async () => {
  const { instrument } = await timed();
  for (const wanted of [true, 7, [], { from: 1, to: 0 }, { start: 3 }, { from: 'now' }, { to: Number.NaN }]) {
    const options = { statistics: wanted, config: { decimation: 1024 } } as unknown as GrabOptions;
    const sentence = await refusal(instrument.grab(me, 'scope', options as never).result);
    assert.match(sentence, /statistics of a grab is a dictionary with from and to/);
  }
  const both = { statistics: {}, points: 7 };
  assert.match(await refusal(instrument.grab(me, 'scope', both as never).result), /window of their own/);
  assert.match(await refusal(instrument.grab(me, 'sampler', { statistics: {} }).result), /always grabbed whole/);
  assert.notEqual((await instrument.get('scope', ['decimation'])).decimation, 1024);
});

test.run();
