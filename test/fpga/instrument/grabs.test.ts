/** Who gets which trace, and what it costs; on registers whose timing the test decides. */
import assert from 'node:assert';
import { test } from 'uvu';
import { Refusal } from '../../../src/errors.ts';
import type { GrabOptions, Progress } from '../../../src/fpga/instrument/instrument.ts';
import { client, eventually, pause, refusal, timed } from './fixture.ts';

const [alice, bob] = [client('alice'), client('bob')];
const RINGS = [0x4011_0000, 0x4012_0000] as const;

/** Tells the armings apart: all samples are the arming's number. */
const numbered = (_channel: number, _index: number, armings: number): number => armings;
const first = (trace: { channels: readonly { counts: ArrayLike<number> }[] }): number | undefined =>
  trace.channels[0]?.counts[0];

test('a trace costs its samples and at most 16 words more', async () => {
  const { bus, instrument } = await timed();
  for (const config of [
    {},
    { ch2_active: false },
    { decimation: 1, ch2_active: true },
    { trigger_source: 'ch1_positive_edge', decimation: 4 },
  ]) {
    await instrument.configure(alice, 'scope', config);
    bus.lasts = 0.05;
    const before = { ...bus.traffic };
    const trace = await instrument.grab(alice, 'scope').result;
    const samples = trace.channels.reduce((sum, { counts }) => sum + counts.length, 0);
    const words = bus.traffic.wordsRead - before.wordsRead + bus.traffic.wordsWritten - before.wordsWritten;
    assert.ok(words <= samples + 16, `${words - samples} words beside ${samples} samples`);
    assert.equal(samples, trace.channels.length * (trace.attributes.decimation === 1 ? 16382 : 16384));
  }
});

test('a trace that is read while it is recorded costs no more, and is begun anew when a setting changes', async () => {
  const { bus, instrument } = await timed();
  await instrument.configure(alice, 'scope', { decimation: 256 });
  bus.sample = numbered;
  bus.lasts = undefined;
  bus.sinceTrigger = 9000;
  let grab = instrument.grab(alice, 'scope');
  // A machine that is busy with others may sleep until there is nothing to read ahead any more.
  for (let tries = 0; tries < 20 && bus.blockReads.length === 0; tries++) {
    await eventually(() => bus.blockReads.length > 0, 'reading', 200).catch(async () => {
      bus.finish();
      await grab.result;
      bus.blockReads.length = 0;
      grab = instrument.grab(alice, 'scope');
    });
  }
  assert.ok(bus.blockReads.length > 0, 'it is read before it is over');
  const { armings } = bus;
  await instrument.configure(bob, 'scope', { decimation: 128 });
  await eventually(() => bus.armings === armings + 1 && bus.polls > 0, 'armed again');
  bus.finish();
  const { channels } = await grab.result;
  for (const { counts } of channels) {
    assert.ok(counts.length === 16384 && counts.every((count) => count === armings + 1));
  }
  // The test, not the acquisition, decides when it is over: until then it is polled, a word each time.
  const beside = bus.wordsSinceArming - 2 * 16384 - bus.polls;
  // What comes before it are the few words that arming takes.
  assert.ok(beside <= 16 - 4, `${beside} words beside the samples and ${bus.polls} polls`);
});

test('only the part asked for is read, in two runs at most', async () => {
  const { bus, instrument } = await timed();
  bus.registers.preset(0x4010_001c, 5000);
  bus.sample = (channel, index) => (channel === 0 ? index : 16383 - index) - 8192;
  const whole = await instrument.grab(alice, 'scope').result;
  bus.blockReads.length = 0;
  const part = await instrument.grab(alice, 'scope', { start: 11_000, points: 1000 }).result;
  // Triggered immediately: element k is at 5001 + k.
  const reads = [...bus.blockReads].sort((one, other) => one.address - other.address);
  assert.deepEqual(reads, [
    { address: RINGS[0], words: 617 },
    { address: RINGS[0] + 4 * 16001, words: 383 },
    { address: RINGS[1], words: 617 },
    { address: RINGS[1] + 4 * 16001, words: 383 },
  ]);
  for (const [k, { counts }] of part.channels.entries()) {
    assert.deepEqual([...counts], [...(whole.channels[k]?.counts.subarray(11_000, 12_000) ?? [])]);
  }
  assert.ok(Math.abs(part.t0 - (whole.t0 + 11_000 * whole.dt)) < 1e-12);
});

test('an acquisition that was triggered again at its very end is over, and is found by its last sample', async () => {
  const { bus, instrument } = await timed();
  bus.triggeredAgain = true;
  bus.registers.preset(0x4010_0018, 777);
  bus.sample = (_channel, index) => index - 8192;
  for (const [decimation, points] of [
    [1, 16382],
    [2, 16384],
    [64, 16384],
  ] as const) {
    const config = { decimation, trigger_source: 'ch1_positive_edge', ch2_active: false };
    const { channels } = await instrument.grab(alice, 'scope', { config, timeout: 1 }).result;
    const counts = channels[0]?.counts;
    assert.equal(counts?.length, points);
    // The oldest follows the newest in the ring; at full speed the two newest are no part of the trace.
    assert.equal(counts?.[0], 778 - 8192);
    assert.equal(counts?.at(-1), 777 - (16384 - points) - 8192);
  }
});

test('requests that come while an acquisition runs share the next, those before it share this one', async () => {
  const { bus, instrument } = await timed();
  bus.sample = numbered;
  bus.lasts = undefined;
  const early = [alice, bob, alice].map((who) => instrument.grab(who, 'scope'));
  await eventually(() => bus.armings === 1 && bus.polls > 0, 'armed');
  const late = [alice, bob].map((who) => instrument.grab(who, 'scope'));
  await pause(5);
  bus.finish();
  assert.deepEqual((await Promise.all(early.map(({ result }) => result))).map(first), [1, 1, 1]);
  await eventually(() => bus.armings === 2, 'armed again');
  bus.finish();
  const traces = await Promise.all(late.map(({ result }) => result));
  assert.deepEqual(traces.map(first), [2, 2]);
  assert.deepEqual(
    traces.map(({ attributes }) => attributes.number),
    [2, 2],
  );
  assert.equal(bus.armings, 2);
});

test('a request that need not be fresh joins the running acquisition, until that is read', async () => {
  const { bus, instrument } = await timed();
  bus.sample = numbered;
  bus.lasts = undefined;
  bus.blockMs = 20;
  const running = instrument.grab(alice, 'scope', { start: 100, points: 10 });
  await eventually(() => bus.polls > 0, 'armed');
  const joining = instrument.grab(bob, 'scope', { fresh: false });
  bus.finish();
  await eventually(() => bus.blockReads.length > 0, 'reading');
  const late = instrument.grab(bob, 'scope', { fresh: false });
  assert.deepEqual([first(await running.result), first(await joining.result)], [1, 1]);
  assert.equal((await running.result).channels[0]?.counts.length, 10);
  assert.equal((await joining.result).channels[0]?.counts.length, 16384);
  await eventually(() => bus.armings === 2, 'armed again');
  bus.finish();
  assert.equal(first(await late.result), 2);
});

test('a withdrawn request disturbs nobody; when all are withdrawn the acquisition ends', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  bus.sample = numbered;
  const [one, two] = [instrument.grab(alice, 'scope'), instrument.grab(bob, 'scope')];
  await eventually(() => bus.polls > 0, 'armed');
  one.stop('alice');
  assert.match(await refusal(one.result), /stopped by alice/);
  bus.finish();
  assert.equal(first(await two.result), 1);

  const three = instrument.grab(alice, 'scope');
  await eventually(() => bus.armings === 2 && bus.polls > 0, 'armed again');
  const writes = bus.registers.writes.length;
  three.stop('alice');
  assert.match(await refusal(three.result), /stopped by alice/);
  await eventually(() => bus.registers.writes.length > writes, 'ended');
  assert.deepEqual(bus.registers.writes.slice(writes), [[0x4010_0000, 2]]);
  const { polls } = bus;
  await pause(30);
  assert.equal(bus.polls, polls, 'nothing is polled any more');
});

test('nobody joins an acquisition that has just been given up', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  bus.sample = numbered;
  const given = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  given.stop('alice');
  const joining = instrument.grab(bob, 'scope', { fresh: false, timeout: 1 });
  bus.lasts = 0;
  assert.equal(first(await joining.result), 2);
  await refusal(given.result);
});

test('an acquisition that has become hopeless is refused to all, and the scope is not left armed', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  await instrument.configure(bob, 'scope', { trigger_source: 'off' });
  assert.match(await refusal(grab.result), /trigger_source off/);
  await eventually(() => bus.registers.writes.at(-1)?.[1] === 2, 'reset');
});

test('stop ends it at once, for all who wait, and the next grab works', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  await instrument.configure(alice, 'scope', { trigger_source: 'ch1_positive_edge' });
  const running = [instrument.grab(alice, 'scope'), instrument.grab(bob, 'scope')];
  await eventually(() => bus.polls > 0, 'armed');
  const waiting = instrument.grab(bob, 'scope');
  const began = performance.now();
  await instrument.stop(bob, 'scope');
  for (const { result } of [...running, waiting]) assert.match(await refusal(result), /stopped by bob/);
  assert.ok(performance.now() - began < 50);
  bus.lasts = 0;
  await instrument.grab(alice, 'scope').result;
});

test('the connection that leaves takes its requests along', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const [mine, other] = [instrument.grab(alice, 'scope'), instrument.grab(bob, 'scope')];
  await eventually(() => bus.polls > 0, 'armed');
  instrument.leave(alice);
  assert.match(await refusal(mine.result), /alice, who left/);
  bus.finish();
  await other.result;
});

test('a time-out says how long it waited, and for which trigger and level', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  await instrument.configure(alice, 'scope', {
    trigger_source: 'ch2_negative_edge',
    threshold: 0.25,
    input2: 'asg1',
  });
  const [short, long] = [0.4, 30].map((timeout) => instrument.grab(alice, 'scope', { timeout }));
  assert.ok(short && long);
  const sentence = await refusal(short.result);
  const waited = Number(/within ([\d.]+) s/.exec(sentence)?.[1]);
  assert.ok(waited >= 0.4 && waited < 30, sentence);
  assert.match(sentence, /waited for trigger ch2_negative_edge at 0.25 V \(asg1\)/);
  const queued = instrument.grab(bob, 'scope', { timeout: 0.02 });
  assert.match(await refusal(queued.result), /acquisition for others was still running/);
  bus.finish();
  await long.result;
});

test('when the only request times out the scope is not left armed', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  await refusal(instrument.grab(alice, 'scope', { timeout: 0.01 }).result);
  await eventually(() => bus.registers.writes.at(-1)?.[1] === 2, 'reset');
});

test('a setting that changes during an acquisition begins it anew with the new settings', async () => {
  const { bus, instrument } = await timed();
  bus.sample = numbered;
  bus.lasts = undefined;
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  await instrument.configure(bob, 'scope', { decimation: 64 });
  await eventually(() => bus.armings === 2, 'armed again');
  bus.finish();
  const trace = await grab.result;
  assert.equal(first(trace), 2);
  assert.equal(trace.attributes.decimation, 64);
  assert.equal(trace.dt, 512e-9);
  assert.equal(JSON.parse(String(trace.attributes.settings)).decimation, 64);
});

test('an acquisition that ends while a setting is being written is begun anew', async () => {
  const { bus, instrument } = await timed();
  bus.sample = numbered;
  bus.lasts = undefined;
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  bus.writeMs = 30;
  const writing = instrument.configure(bob, 'scope', { decimation: 64 });
  bus.finish();
  bus.lasts = 0;
  await writing;
  bus.writeMs = 0;
  const trace = await grab.result;
  assert.deepEqual([first(trace), trace.attributes.decimation], [2, 64]);
});

test('a setting that is written again as it is disturbs no acquisition', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  await instrument.configure(bob, 'scope', { decimation: 64 });
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  await instrument.configure(bob, 'scope', { decimation: 64 });
  await instrument.configure(bob, 'asg0', { frequency: 5000 });
  await pause(5);
  bus.finish();
  await grab.result;
  assert.equal(bus.armings, 1);
});

test('an acquisition that is being read keeps the settings that it was made with', async () => {
  const { bus, instrument } = await timed();
  bus.sample = numbered;
  bus.blockMs = 30;
  await instrument.configure(alice, 'scope', { decimation: 2 });
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.blockReads.length > 0, 'reading');
  await instrument.configure(bob, 'scope', { decimation: 64 });
  const after = instrument.grab(bob, 'scope');
  const trace = await grab.result;
  assert.deepEqual([first(trace), trace.attributes.decimation, trace.dt], [1, 2, 16e-9]);
  assert.equal(JSON.parse(String(trace.attributes.settings)).decimation, 2);
  const next = await after.result;
  assert.deepEqual([first(next), next.attributes.decimation], [2, 64]);
});

test('a grab with settings gets a trace made with them, whoever else grabs', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = 0.2;
  for (let k = 0; k < 20; k++) {
    const decimation = 2 ** (k % 5);
    const other = instrument.grab(bob, 'scope');
    const mine = await instrument.grab(alice, 'scope', { config: { decimation }, fresh: false }).result;
    assert.equal(mine.attributes.decimation, decimation);
    await other.result;
  }
});

test('averaging takes so many traces, all armed after the request, and gives their mean', async () => {
  const { bus, instrument } = await timed();
  bus.sample = (channel, index, armings) => (channel === 0 ? armings : index % 2 ? armings * 100 : 8191);
  bus.lasts = 0;
  await instrument.grab(bob, 'scope').result;
  await instrument.configure(alice, 'scope', { trace_average: 4 });
  const trace = await instrument.grab(alice, 'scope', { points: 2 }).result;
  assert.equal(bus.armings, 5);
  // Armings 2 … 5 have mean 3.5; the pointer at the trigger is 0, so that element 0 is at index 1.
  assert.deepEqual([...(trace.channels[0]?.counts ?? [])], [3.5, 3.5]);
  assert.deepEqual([...(trace.channels[1]?.counts ?? [])], [350, 8191]);
  assert.equal(trace.attributes.clipped, true);
  assert.ok(trace.channels[0]?.counts instanceof Float64Array);
});

test('a setting that changes while averaging begins the average anew', async () => {
  const { bus, instrument } = await timed();
  bus.sample = numbered;
  bus.lasts = undefined;
  await instrument.configure(alice, 'scope', { trace_average: 2 });
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.armings === 1 && bus.polls > 0, 'armed');
  bus.finish();
  await eventually(() => bus.armings === 2 && bus.polls > 0, 'second trace');
  await instrument.configure(bob, 'scope', { input1: 'asg0' });
  await eventually(() => bus.armings === 3 && bus.polls > 0, 'begun anew');
  bus.lasts = 0;
  assert.equal(first(await grab.result), 3.5);
});

test('a grab on a stopped trigger is refused at once, and writes nothing', async () => {
  const { bus, instrument } = await timed();
  await instrument.configure(alice, 'scope', { trigger_source: 'off' });
  const { wordsWritten } = bus.traffic;
  const sentence = await refusal(instrument.grab(alice, 'scope').result);
  assert.match(sentence, /trigger_source off.*immediately.*ch1_positive_edge/);
  await instrument.configure(alice, 'scope', { trigger_source: 'immediately' });
  await refusal(instrument.grab(alice, 'scope', { config: { trigger_source: 'off', decimation: 64 } }).result);
  assert.deepEqual(await instrument.get('scope', ['trigger_source', 'decimation']), {
    trigger_source: 'immediately',
    decimation: 8,
  });
  assert.equal(bus.traffic.wordsWritten, wordsWritten);
});

test('options that no grab can have are refused, with what is allowed, and write nothing', async () => {
  const { bus, instrument } = await timed();
  const before = { ...bus.traffic };
  for (const [name, value] of [
    ['timeout', 0],
    ['timeout', Number.NaN],
    ['timeout', Number.POSITIVE_INFINITY],
    ['timeout', '5'],
    ['timeout', null],
    ['start', -1],
    ['start', 1.5],
    ['start', 16382],
    ['points', 0],
    ['points', 16385],
    ['points', Number.NaN],
    ['points', [3]],
    ['fresh', 1],
    ['config', null],
    ['config', 3],
    ['config', [1]],
    ['constructor', 1],
    ['tiemout', 5],
  ] as const) {
    // As it may come from outside, whatever the types say.
    for (const options of [{ [name]: value }, { config: { decimation: 64 }, [name]: value }]) {
      const sentence = await refusal(instrument.grab(alice, 'scope', options as GrabOptions).result);
      assert.match(sentence, /^(The \w+ of a grab is|A grab has no option).* nothing was changed\.$/);
    }
  }
  assert.match(await refusal(instrument.grab(alice, 'asg0').result), /measures nothing; what can be grabbed: scope/);
  assert.match(await refusal(instrument.grab(alice, 'skope').result), /did you mean scope/);
  assert.deepEqual(bus.traffic, before);
});

test('a fault of the bus reaches those who wait, and the next grab works', async () => {
  const { bus, instrument } = await timed();
  bus.failPolls = 1;
  const grabs = [instrument.grab(alice, 'scope'), instrument.grab(bob, 'scope')];
  for (const { result } of grabs) {
    await assert.rejects(result, (error: unknown) => error instanceof Error && !(error instanceof Refusal));
  }
  await instrument.grab(alice, 'scope').result;
  const { counters } = (await instrument.status()) as { counters: { failed: number } };
  assert.equal(counters.failed, 1);
});

test('rolling mode shows what was recorded last, newest at time 0, and is started once', async () => {
  const { bus, instrument } = await timed();
  const [POINTER, RECORDED] = [0x4010_0018, 0x4010_002c];
  bus.sample = (_channel, index) => index - 8192;
  let reads: number[] = [];
  bus.beforeRead = (address) => {
    if (address === POINTER) bus.registers.preset(POINTER, reads.shift() ?? 0);
  };
  const config = { rolling_mode: true, duration: 0.134, trigger_source: 'off', ch2_active: false };

  // Just started: the rest of the ring is from before.
  bus.registers.preset(RECORDED, 100);
  reads = [0, 99, 101];
  const young = await instrument.grab(alice, 'scope', { config }).result;
  const counts = [...(young.channels[0]?.counts ?? [])];
  assert.deepEqual(
    counts,
    Array.from({ length: 100 }, (_, k) => k - 8192),
  );
  assert.ok(Math.abs(young.t0 + 99 * young.dt) < 1e-12);
  assert.equal(young.attributes.overwritten, 0);

  // Full, and 10 samples come during the reading: these are left out at the old end.
  // Of the samples since the snapshot before, these and 401 more are in neither.
  bus.registers.preset(RECORDED, 16_885);
  reads = [499, 500, 510];
  const old = await instrument.grab(alice, 'scope').result;
  const points = old.channels[0]?.counts;
  assert.equal(points?.length, 16374);
  assert.equal(points?.[0], 511 - 8192);
  assert.equal(points?.at(-1), 500 - 8192);
  assert.equal(old.attributes.overwritten, 10);
  assert.equal(young.attributes.lost, 0);
  assert.equal(old.attributes.lost, 411);
  assert.ok(Math.abs(old.t0 + 16373 * old.dt) < 1e-12);
  assert.equal(bus.armings, 1);

  // It goes on recording until something else is asked of it.
  await instrument.configure(alice, 'scope', { input1: 'asg0' });
  bus.registers.preset(RECORDED, 3);
  reads = [0, 2, 2];
  assert.equal((await instrument.grab(alice, 'scope').result).channels[0]?.counts.length, 3);
  assert.equal(bus.armings, 2);
  const writes = bus.registers.writes.length;
  await instrument.stop(alice, 'scope');
  assert.deepEqual(bus.registers.writes.slice(writes), [[0x4010_0000, 2]]);
});

test('progress is told of what lasts more than half a second', async () => {
  const { bus, instrument } = await timed();
  const told: Progress[] = [];
  const forget = instrument.onProgress((progress) => told.push(progress));
  await instrument.grab(alice, 'scope').result;
  assert.deepEqual(told, [], 'nothing of short ones');

  bus.lasts = undefined;
  await instrument.configure(alice, 'scope', { trigger_source: 'ch1_positive_edge', threshold: 0.1 });
  const triggered = instrument.grab(alice, 'scope');
  await eventually(() => told.length > 1, 'told', 3000);
  bus.finish();
  await triggered.result;
  assert.match(told[0]?.text ?? '', /waiting for trigger ch1_positive_edge at 0\.1 V \(in1\)/);
  assert.equal(told[0]?.fraction, undefined);
  assert.equal(told.at(-1)?.fraction, 1);
  forget();
});

test('the progress of a long acquisition grows, and costs no words', async () => {
  const { bus, instrument } = await timed();
  const fractions: number[] = [];
  instrument.onProgress(({ fraction }) => fractions.push(fraction ?? Number.NaN));
  await instrument.configure(alice, 'scope', { duration: 1 });
  bus.lasts = 1000;
  const before = bus.polls;
  await instrument.grab(alice, 'scope').result;
  assert.ok(bus.polls - before <= 8, `${bus.polls - before} polls`);
  assert.ok(fractions.length >= 2);
  assert.deepEqual(
    fractions,
    [...fractions].sort((a, b) => a - b),
  );
  assert.ok(fractions.every((fraction) => fraction >= 0 && fraction <= 1));
  assert.ok((fractions[0] ?? 0) > 0.3);
});

test('the data says what it is', async () => {
  const { bus, instrument } = await timed({ clockSynchronised: () => true });
  bus.sample = (channel) => (channel === 0 ? 8191 : -3);
  await instrument.configure(alice, 'scope', { input1: 'out1', decimation: 4 });
  const began = Date.now() / 1e3;
  const trace = await instrument.grab(alice, 'scope').result;
  const { settings, ...facts } = trace.attributes;
  assert.deepEqual(facts, {
    number: 1,
    decimation: 4,
    inputs: 'out1,in2',
    clipped: true,
    lost: 0,
    overwritten: 0,
    out1_saturated: false,
    out2_saturated: false,
    calibrated: false,
    clock_synchronised: true,
    board: 'rp-test',
    module: 'scope',
  });
  const named = JSON.parse(String(settings));
  assert.equal(named.input1, 'out1');
  assert.equal(named.average, true);
  assert.equal('voltage_in1' in named, false, 'what is measured is no setting');
  assert.ok(trace.timestamp >= began && trace.timestamp <= Date.now() / 1e3);
  assert.deepEqual(
    trace.channels.map(({ label, input, gain, offset }) => ({ label, input, gain, offset })),
    [
      { label: 'ch1', input: 'out1', gain: 1 / 8192, offset: 0 },
      { label: 'ch2', input: 'in2', gain: 1 / 8192, offset: 0 },
    ],
  );
  await instrument.configure(alice, 'scope', { ch1_active: false });
  const second = await instrument.grab(alice, 'scope').result;
  assert.deepEqual([second.attributes.clipped, second.attributes.inputs, second.attributes.number], [false, 'in2', 2]);
});

test('other modules are not delayed by a slow acquisition', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const slow = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  const began = performance.now();
  for (let k = 1; k <= 50; k++) await instrument.configure(bob, 'asg0', { frequency: 1000 * k });
  assert.ok(performance.now() - began < 500);
  bus.finish();
  await slow.result;
});

test('nothing is left waiting when the instrument is closed', async () => {
  const { bus, instrument } = await timed();
  bus.lasts = undefined;
  const grab = instrument.grab(alice, 'scope');
  await eventually(() => bus.polls > 0, 'armed');
  await instrument.close();
  assert.match(await refusal(grab.result), /stopped by pitayad/);
  await assert.rejects(instrument.grab(alice, 'scope').result, /closed/);
  await assert.rejects(instrument.configure(alice, 'scope', {}), /closed/);
});

test.run();
