/**
 * What a generator puts out comes back through the loop out1 → in1 as the scope's trace: shape, frequency, amplitude,
 * offset, and the trigger at time 0. The same battery runs on the simulator and on PyRPL's real Verilog; it needs an
 * instrument whose out1 is connected to in1 with gain 1, and bare registers for the traps below the instrument.
 */
import assert from 'node:assert';
import type { RegisterBus } from '../../../src/fpga/bus/bus.ts';
import type { Client, Instrument, Trace } from '../../../src/fpga/instrument/instrument.ts';
import { reading } from '../../../src/fpga/instrument/reading.ts';
import { arm, SAMPLES, scopeRegisters } from '../../../src/fpga/modules/scope.ts';
import { registerFile } from '../../../src/fpga/registers.ts';

export interface Bench {
  readonly instrument: Instrument;
  readonly bus: RegisterBus;
  readonly client: Client;
  /** In s, for each grab: simulated time may run slower than real time. */
  readonly timeout: number;
}

export interface Check {
  readonly name: string;
  run(bench: Bench): Promise<void>;
}

const COUNTS = 8192;
const SCOPE = 0x4010_0000;

/** Decimations, and for each of them generator frequencies with 25 samples a period or more, in Hz. */
const SWEEPS: readonly (readonly [decimation: number, frequencies: readonly number[]])[] = [
  [1, [100e3, 1.23456e6, 5e6]],
  [2, [50e3, 777e3]],
  [4, [200e3]],
  [8, [10e3, 123.4e3]],
  [64, [1234.5, 20e3]],
];

// ---------------------------------------------------------------- what a trace shows

/** Counts of a channel, the first that there is by default. */
function counts(trace: Trace, channel = 0): readonly number[] {
  return [...(trace.channels[channel]?.counts ?? [])];
}

/** Point that the time axis has at t = 0. */
function pointAtZero({ t0, dt }: Trace): number {
  return Math.round(-t0 / dt);
}

/** Times of the upward crossings of a level, in samples, between them by interpolation. */
function upwardCrossings(samples: readonly number[], level: number): number[] {
  const found: number[] = [];
  for (let k = 1; k < samples.length; k++) {
    const [before = 0, after = 0] = [samples[k - 1], samples[k]];
    if (before < level && after >= level) found.push(k - 1 + (level - before) / (after - before));
  }
  return found;
}

function frequencyOf(trace: Trace, level: number): number {
  const found = upwardCrossings(counts(trace), level);
  assert.ok(found.length >= 3, `${found.length} periods are too few to tell a frequency`);
  return (found.length - 1) / (((found.at(-1) ?? 0) - (found[0] ?? 0)) * trace.dt);
}

/** Least squares fit of offset and amplitude at a known frequency. */
function fitSine(trace: Trace, frequency: number): { amplitude: number; offset: number } {
  const samples = counts(trace);
  const step = 2 * Math.PI * frequency * trace.dt;
  const mean = samples.reduce((sum, one) => sum + one, 0) / samples.length;
  // Over many periods sine, cosine and constant are all but orthogonal; two rounds take care of the rest.
  let [a, b, offset] = [0, 0, mean];
  for (let round = 0; round < 4; round++) {
    let [sa, sb, rest] = [0, 0, 0];
    for (const [k, one] of samples.entries()) {
      const left = one - offset - a * Math.cos(step * k) - b * Math.sin(step * k);
      sa += left * Math.cos(step * k);
      sb += left * Math.sin(step * k);
      rest += left;
    }
    a += (2 * sa) / samples.length;
    b += (2 * sb) / samples.length;
    offset += rest / samples.length;
  }
  return { amplitude: Math.hypot(a, b), offset };
}

function near(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, not ${expected} ± ${tolerance}`);
}

/** The sample at t = 0 is the first at or beyond the level. */
function checkTrigger(trace: Trace, level: number, direction: 1 | -1 = 1, channel = 0): void {
  const samples = counts(trace, channel);
  const k = pointAtZero(trace);
  near(trace.t0 + k * trace.dt, 0, trace.dt * 1e-6, 'a sample lies at t = 0');
  const [before = Number.NaN, at = Number.NaN] = [samples[k - 1], samples[k]];
  const around = samples.slice(k - 4, k + 4).join(' ');
  assert.ok((at - level) * direction >= 0, `at t = 0 is ${at}, threshold ${level}; around it ${around}`);
  assert.ok((before - level) * direction < 0, `before t = 0 is ${before}, threshold ${level}; around it ${around}`);
}

/** No step larger than the signal's own: the ring was unrolled at the right place, and nothing stale is in it. */
function checkSmooth(trace: Trace, steepest: number): void {
  const samples = counts(trace);
  for (let k = 1; k < samples.length; k++) {
    const step = Math.abs((samples[k] ?? 0) - (samples[k - 1] ?? 0));
    assert.ok(step <= steepest, `a step of ${step} counts at point ${k} of ${samples.length}`);
  }
}

// ---------------------------------------------------------------- doing it

const grab = async ({ instrument, client, timeout }: Bench, config: Record<string, unknown> = {}): Promise<Trace> =>
  instrument.grab(client, 'scope', { config, timeout }).result;

async function generate(bench: Bench, values: Record<string, unknown>): Promise<Record<string, number>> {
  const { instrument, client } = bench;
  const wanted = { output_direct: 'out1', trigger_source: 'immediately', cycles_per_burst: 0, start_phase: 0 };
  await instrument.configure(client, 'asg0', { ...wanted, ...values });
  const taken = await instrument.get('asg0', ['frequency', 'amplitude', 'offset']);
  return Object.fromEntries(Object.entries(taken).map(([name, value]) => [name, Number(value)]));
}

/** Settings that every check starts from. */
const PLAIN = {
  input1: 'in1',
  input2: 'in2',
  ch1_active: true,
  ch2_active: false,
  average: false,
  threshold: 0,
  hysteresis: 20 / COUNTS,
  trigger_source: 'ch1_positive_edge',
  trigger_delay: 0,
  trace_average: 1,
  rolling_mode: false,
};

function sweep(
  waveform: string,
  judge: (trace: Trace, signal: { frequency: number; amplitude: number; offset: number }) => void,
): Check[] {
  return SWEEPS.map(([decimation, frequencies]) => ({
    name: `${waveform} at decimation ${decimation}`,
    async run(bench) {
      for (const [k, wanted] of frequencies.entries()) {
        const levels = { amplitude: k % 2 ? 0.25 : 0.7, offset: k % 2 ? -0.3 : 0.125 };
        const {
          frequency = 0,
          amplitude = 0,
          offset = 0,
        } = await generate(bench, {
          waveform,
          frequency: wanted,
          ...levels,
        });
        near(frequency, wanted, 0.06, 'frequency taken');
        const trace = await grab(bench, { ...PLAIN, decimation, threshold: offset });
        const level = Math.round(offset * COUNTS);
        assert.equal(trace.dt, decimation * 8e-9);
        assert.equal(counts(trace).length, decimation === 1 ? 16382 : 16384);
        checkTrigger(trace, level);
        near(frequencyOf(trace, level) / frequency, 1, 3e-4, `relative frequency at ${frequency} Hz`);
        judge(trace, { frequency, amplitude: amplitude * COUNTS, offset: offset * COUNTS });
      }
    },
  }));
}

const sine = sweep('sin', (trace, { frequency, amplitude, offset }) => {
  const fitted = fitSine(trace, frequency);
  // The generator rounds down: half a count.
  near(fitted.amplitude, amplitude, 1.5, 'amplitude in counts');
  near(fitted.offset, offset, 1.5, 'offset in counts');
  checkSmooth(trace, 2 * amplitude * Math.sin(Math.PI * frequency * trace.dt) + 3);
});

const square = sweep('square', (trace, { amplitude, offset }) => {
  const [high, low] = [offset + amplitude, offset - amplitude];
  for (const one of counts(trace)) {
    assert.ok(Math.abs(one - high) <= 2 || Math.abs(one - low) <= 2, `${one} is neither ${high} nor ${low}`);
  }
});

const ramp = sweep('ramp', (trace, { frequency, amplitude, offset }) => {
  const slope = 4 * amplitude * frequency * trace.dt;
  const samples = counts(trace);
  near(Math.max(...samples), offset + amplitude, slope + 2, 'highest');
  near(Math.min(...samples), offset - amplitude, slope + 2, 'lowest');
  checkSmooth(trace, slope + 2);
  const zero = pointAtZero(trace);
  const rise = Math.floor(0.2 / (frequency * trace.dt));
  near((samples[zero + rise] ?? 0) - (samples[zero] ?? 0), slope * rise, 2 + slope, 'rise after the trigger');
});

const traps: readonly Check[] = [
  {
    name: 'a falling edge, and one of channel 2',
    async run(bench) {
      await generate(bench, { waveform: 'sin', frequency: 40e3, amplitude: 0.5, offset: 0 });
      const config = { ...PLAIN, decimation: 8, input2: 'in1', ch2_active: true, threshold: 0.2 };
      const level = Math.round(0.2 * COUNTS);
      checkTrigger(await grab(bench, { ...config, trigger_source: 'ch1_negative_edge' }), level, -1, 0);
      checkTrigger(await grab(bench, { ...config, trigger_source: 'ch2_positive_edge' }), level, 1, 1);
      checkTrigger(await grab(bench, { ...config, trigger_source: 'ch2_negative_edge' }), level, -1, 1);
    },
  },
  {
    name: 'a delay moves the trace, not time 0',
    async run(bench) {
      await generate(bench, { waveform: 'sin', frequency: 100e3, amplitude: 0.5, offset: 0 });
      for (const decimation of [1, 2, 8]) {
        for (const share of [-0.4, -0.1, 0.3]) {
          const trigger_delay = share * 16384 * 8e-9 * decimation;
          const trace = await grab(bench, { ...PLAIN, decimation, trigger_delay, threshold: 0.1 });
          checkTrigger(trace, 819);
          const middle = trace.t0 + 8192 * trace.dt;
          near(middle, trigger_delay, 6 * trace.dt, 'time of the middle');
        }
      }
    },
  },
  {
    name: 'a delay so negative that the register is limited to 1 still has its trigger at time 0',
    async run(bench) {
      await generate(bench, { waveform: 'sin', frequency: 100e3, amplitude: 0.5, offset: 0 });
      for (const decimation of [1, 2, 8]) {
        const trace = await grab(bench, { ...PLAIN, decimation, trigger_delay: -0.01, threshold: 0.1 });
        assert.equal(await bench.bus.read(SCOPE + 0x10), 1);
        assert.ok(trace.t0 < 0 && trace.t0 + counts(trace).length * trace.dt < 5 * trace.dt);
        checkTrigger(trace, 819);
      }
    },
  },
  {
    name: 'a trigger in the clock after the last sample neither hangs the scope nor moves the trace',
    async run(bench) {
      // The edges come every 64 samples, so that some of these delays end in the clock before an edge.
      for (const decimation of [1, 2]) {
        await generate(bench, { waveform: 'square', frequency: 125e6 / 64 / decimation, amplitude: 0.5, offset: 0 });
        for (let samples = -4; samples <= 1; samples++) {
          const trigger_delay = samples * decimation * 8e-9;
          const trace = await grab(bench, { ...PLAIN, input1: 'asg0', decimation, trigger_delay, threshold: 0.1 });
          checkTrigger(trace, 819);
          const late = decimation === 1 ? 5 : 2;
          assert.equal(Math.round((trace.t0 + 8192 * trace.dt - trigger_delay) / trace.dt), late);
          const crossings = upwardCrossings(counts(trace), 0).map(Math.ceil);
          const periods = crossings.slice(1).map((k, n) => k - (crossings[n] ?? 0));
          assert.deepEqual([...new Set(periods)], [64], 'no jump where the ring begins');
        }
      }
    },
  },
  {
    name: 'the trigger of a generator comes seven clocks before its signal, also when it comes again at the end',
    async run(bench) {
      await generate(bench, { waveform: 'square', frequency: 125e6 / 32768, amplitude: 0.5, offset: 0 });
      const config = { ...PLAIN, input1: 'asg0', trigger_source: 'asg0', trigger_debounce: 0 };
      for (const decimation of [1, 2, 8, 8, 8, 8, 8, 8]) {
        const trace = await grab(bench, { ...config, decimation });
        const zero = pointAtZero(trace);
        const nearest = Math.min(...upwardCrossings(counts(trace), 0).map((k) => Math.abs(Math.ceil(k) - zero)));
        assert.ok(nearest * decimation >= 7 && nearest * decimation < 7 + 2 * decimation, `${nearest} samples`);
      }
    },
  },
  {
    name: 'a delay longer than the trace leaves the trigger before it',
    async run(bench) {
      const { frequency = 0 } = await generate(bench, { waveform: 'sin', frequency: 100e3, amplitude: 0.5, offset: 0 });
      const trace = await grab(bench, { ...PLAIN, decimation: 2, trigger_delay: 300e-6 });
      assert.ok(trace.t0 > 150e-6);
      // The phase goes on from the crossing at time 0.
      const samples = counts(trace);
      const turns = (trace.t0 + 100 * trace.dt) * frequency;
      near(
        samples[100] ?? 0,
        4096 * Math.sin(2 * Math.PI * turns),
        4096 * 2 * Math.PI * frequency * trace.dt + 2,
        'phase',
      );
    },
  },
  {
    name: 'immediately is never lost, and all of it is new',
    async run(bench) {
      for (const decimation of [1, 2, 8]) {
        for (const offset of [0.5, -0.5]) {
          await generate(bench, { waveform: 'dc', amplitude: 0, offset });
          const trace = await grab(bench, { ...PLAIN, decimation, trigger_source: 'immediately' });
          for (const one of counts(trace)) near(one, offset * COUNTS, 1, `level at decimation ${decimation}`);
          near(trace.t0, decimation === 1 ? 16e-9 : 0, 1e-12, 'begin');
        }
      }
    },
  },
  {
    name: 'a software trigger before there are enough samples is lost; that is why immediately has delay 16384',
    async run({ bus, instrument, client }) {
      await instrument.configure(client, 'scope', { decimation: 64 });
      const delay = await bus.read(SCOPE + 0x10);
      await bus.write(SCOPE, 2);
      await bus.write(SCOPE + 0x10, 8192);
      await bus.write(SCOPE, 1);
      await bus.write(SCOPE + 4, 1);
      while ((await bus.read(SCOPE + 0x2c)) <= 8200);
      assert.equal((await bus.read(SCOPE)) & 5, 1, 'armed, not triggered');
      assert.equal((await bus.read(SCOPE + 0x16c)) & 1, 1, 'there are enough samples now');
      await bus.write(SCOPE + 4, 1);
      assert.equal((await bus.read(SCOPE)) & 5, 5, 'triggered');
      await bus.write(SCOPE, 2);
      assert.equal((await bus.read(SCOPE)) & 5, 0, 'a reset ends it');
      assert.equal(await bus.read(SCOPE + 4), 0, 'and sets the source back');
      // The instrument relies on what it wrote itself.
      await bus.write(SCOPE + 0x10, delay);
    },
  },
  {
    name: 'averaged samples have their trigger at time 0 too, and the signal less what the mean takes',
    async run(bench) {
      for (const [decimation, wanted] of [
        [2, 777e3],
        [8, 123.4e3],
        [64, 20e3],
      ] as const) {
        const { frequency = 0 } = await generate(bench, {
          waveform: 'sin',
          frequency: wanted,
          amplitude: 0.7,
          offset: 0.125,
        });
        const trace = await grab(bench, { ...PLAIN, average: true, decimation, threshold: 0.25 });
        checkTrigger(trace, 2048);
        const half = Math.PI * frequency * trace.dt;
        const fitted = fitSine(trace, frequency);
        near(fitted.amplitude, (0.7 * COUNTS * Math.sin(half)) / half, 1.5, 'amplitude');
        near(fitted.offset, 0.125 * COUNTS, 1.5, 'offset');
      }
    },
  },
  {
    name: 'the average of a sample’s clocks rounds down',
    async run(bench) {
      // 3 and −4 in turn, at half the clock: −0.5 on average.
      await generate(bench, { waveform: 'square', frequency: 62.5e6, amplitude: 4 / COUNTS, offset: 0 });
      const raw = await grab(bench, { ...PLAIN, input1: 'asg0', decimation: 1, trigger_source: 'immediately' });
      assert.deepEqual([...new Set(counts(raw))].sort(), [-4, 3]);
      for (const decimation of [2, 8]) {
        const config = { ...PLAIN, input1: 'asg0', decimation, average: true, trigger_source: 'immediately' };
        assert.deepEqual([...new Set(counts(await grab(bench, config)))], [-1]);
      }
    },
  },
  {
    name: 'a part of a trace is that part',
    async run(bench) {
      await generate(bench, { waveform: 'sin', frequency: 100e3, amplitude: 0.5, offset: 0 });
      await bench.instrument.configure(bench.client, 'scope', { ...PLAIN, decimation: 2, threshold: 0.1 });
      const { instrument, client, timeout } = bench;
      const trace = await instrument.grab(client, 'scope', { start: 8000, points: 400, timeout }).result;
      assert.equal(counts(trace).length, 400);
      checkTrigger(trace, 819);
    },
  },
  {
    name: 'what is read while the rest is recorded is what is in the memory afterwards',
    async run(bench) {
      const { instrument, bus } = bench;
      const registers = registerFile(bus);
      // No two of its periods have the same samples.
      await generate(bench, { waveform: 'sin', frequency: 3141.59, amplitude: 0.9, offset: 0 });
      for (const trigger_source of ['immediately', 'ch1_positive_edge'] as const) {
        await instrument.configure(bench.client, 'scope', { ...PLAIN, decimation: 64, threshold: 0, trigger_source });
        const delay = trigger_source === 'immediately' ? SAMPLES : SAMPLES / 2;
        const values = { trigger_source, trigger_delay: 0, sampling_time: 64 / 125e6 };
        const part = () => ({ start: 10, points: SAMPLES - 20 });
        const trace = () => reading(registers, { values: { decimation: 64 }, delay }, ['ch1', 'ch2'], part);
        let early = trace();
        // A machine that is busy with others may sleep through an acquisition.
        for (let [before, tries] = [0, 0]; before < SAMPLES / 2; tries++) {
          assert.ok(tries < 20, 'nothing was read before the end');
          early = trace();
          assert.equal(await arm(registers, values), delay);
          for (let status = 1; status !== 0; ) {
            status = await registers.readWord(scopeRegisters.writing);
            const { wordsRead } = bus.traffic;
            if (status === 5) await early.ahead();
            before += bus.traffic.wordsRead - wordsRead;
          }
        }
        const [one, other] = [await early.rest('done'), await trace().rest('done')];
        for (const k of [0, 1]) assert.deepEqual(one[k]?.counts, other[k]?.counts);
        assert.ok(Math.max(...(one[0]?.counts ?? [])) > 7000);
      }
    },
  },
  {
    name: 'an average of traces has the signal of one',
    async run(bench) {
      const { frequency = 0 } = await generate(bench, { waveform: 'sin', frequency: 100e3, amplitude: 0.5, offset: 0 });
      const trace = await grab(bench, { ...PLAIN, decimation: 2, trace_average: 4 });
      near(fitSine(trace, frequency).amplitude, 4096, 8, 'amplitude');
    },
  },
  {
    name: 'a signal that does not reach the threshold brings a sentence, and the next grab works',
    async run(bench) {
      await generate(bench, { waveform: 'sin', frequency: 100e3, amplitude: 0.5, offset: 0 });
      const { instrument, client } = bench;
      await instrument.configure(client, 'scope', { ...PLAIN, decimation: 1, threshold: 0.6 });
      await assert.rejects(
        instrument.grab(client, 'scope', { timeout: 0.3 }).result,
        /waited for trigger ch1_positive_edge at 0\.6 V \(in1\)/,
      );
      checkTrigger(await grab(bench, { threshold: 0.4 }), Math.round(0.4 * COUNTS));
    },
  },
];

/**
 * Moves, grabs at once and compares, while somebody else grabs all the time, half of it without asking for fresh
 * traces: no trace may begin before the move.
 * @param points of the traces that are looked at: where a word takes long, the first ones tell
 */
export async function freshness({ instrument, client, timeout }: Bench, moves: number, points: number): Promise<void> {
  await instrument.configure(client, 'asg0', { waveform: 'dc', output_direct: 'out1', trigger_source: 'immediately' });
  await instrument.configure(client, 'scope', { ...PLAIN, decimation: 1, trigger_source: 'immediately' });
  const viewer: Client = { peer: 'viewer:1', owner: 'viewer' };
  let [watching, seen] = [true, 0];
  const watch = (async () => {
    for (let k = 0; watching; k++) {
      await instrument.grab(viewer, 'scope', { fresh: k % 2 === 0, points, timeout }).result;
      seen++;
    }
  })();
  try {
    for (let k = 0; k < moves; k++) {
      const level = ((k * 37) % 160) * 100 - 8000;
      await instrument.configure(client, 'asg0', { offset: level / COUNTS });
      const trace = await instrument.grab(client, 'scope', { points, timeout }).result;
      const old = counts(trace).filter((one) => Math.abs(one - level) > 1);
      assert.equal(old.length, 0, `move ${k}: ${old.length} points are from before it`);
    }
  } finally {
    watching = false;
    await watch;
  }
  assert.ok(seen >= moves / 2, `the viewer got ${seen} traces only`);
}

/** All of it; the order does not matter. */
export const checks: readonly Check[] = [...sine, ...square, ...ramp, ...traps];
