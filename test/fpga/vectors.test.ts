/**
 * Every vector recorded from PyRPL that concerns modules of the FPGA, through the real drivers: the registers' content afterwards, and what is read back, must be PyRPL's, but for the table of deviations.
 */
import assert from 'node:assert';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import { Refusal } from '../../src/errors.ts';
import { type Complex, magnitude } from '../../src/fpga/complex.ts';
import type { Value } from '../../src/fpga/description.ts';
import { corners, type FilterOptions } from '../../src/fpga/filter.ts';
import { moduleDriver } from '../../src/fpga/module-driver.ts';
import type { AnyModule } from '../../src/fpga/module-table.ts';
import { coefficientWords, response as iirResponse } from '../../src/fpga/modules/iir-design.ts';
import { modules } from '../../src/fpga/modules/modules.ts';
import { arm, armRolling, type ScopeValues, type scope } from '../../src/fpga/modules/scope.ts';
import { type RegisterFile, registerFile } from '../../src/fpga/registers.ts';
import { type RecordingBus, recordingBus } from './recording-bus.ts';

interface Block {
  readonly block: number;
  readonly n: number;
  readonly sha256?: string;
}

interface Vector {
  readonly id: number;
  readonly kind: string;
  readonly module?: string;
  readonly attribute?: string;
  readonly call?: string;
  readonly value?: Value;
  readonly preset?: readonly [number, number][];
  readonly frequency_correction?: number;
  readonly arguments?: Readonly<Record<string, Value>>;
  readonly then?: readonly [string, unknown[]][];
  readonly writes?: readonly ([number, number] | Block)[];
  readonly readback?: Value;
  readonly result?: Value;
  readonly error?: string;
  readonly random_table?: boolean;
  readonly before?: readonly [string, Value][];
  readonly frequencies?: readonly number[];
  readonly design?: {
    readonly loops: number;
    /** b0, b1, 0, 1, −a1, −a2 of each section. */
    readonly coefficients: readonly (readonly number[])[];
    readonly overflows_32bit: boolean;
    readonly tf_final_at_Hz: Readonly<Record<string, Complex>>;
  };
}

const { vectors } = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[];
};

const OURS: readonly string[] = modules.map(({ name }) => name);

/** Unrolling and the time axis belong to the acquisition and are shown with it. */
const WITH_ACQUISITION: readonly number[] = [78, 79, 80];

/** Filter registers: M, stages, and width of the shift. */
const FILTERS: Readonly<Record<string, Omit<FilterOptions, 'help'> & { readonly address: number }>> = {
  'pid0.inputfilter': { address: 0x4030_0120, lowest: 24, stages: 4 },
  'pid1.inputfilter': { address: 0x4031_0120, lowest: 24, stages: 4 },
  'iq0.bandwidth': { address: 0x4035_0124, lowest: 24, stages: 2 },
  'iq1.bandwidth': { address: 0x4036_0124, lowest: 24, stages: 2 },
  'iq2.bandwidth': { address: 0x4037_0124, lowest: 24, stages: 4 },
  'iq0.inputfilter': { address: 0x4035_0120, lowest: 22, stages: 1 },
  'trig.inputfilter': { address: 0x4033_0120, lowest: 27, stages: 1 },
  'iir.inputfilter': { address: 0x4034_0120, lowest: 17, stages: 1, shiftBits: 3 },
};

/** Of network analyses: shown where these are. */
const OTHERWISE_SHOWN = ['na'];

const relevant = vectors.filter(({ kind, module = '', attribute = '' }) => {
  if (OTHERWISE_SHOWN.includes(kind) || attribute.startsWith('_')) return false;
  return kind === 'startup' || OURS.includes(module) || kind === 'filters';
});

interface Deviation {
  readonly id: number;
  readonly pyrpl: string;
  readonly ours: string;
  readonly section: string;
  /** Shows what is said under `ours`, on registers with the vector's preset. */
  show(bench: Bench): Promise<void>;
}

/** Where PyRPL errs or takes what it should refuse. Sections are those of the register facts in docs of PyRPL's FPGA. */
const DEVIATIONS: readonly Deviation[] = [
  {
    id: 3,
    pyrpl: 'takes led = 256 and shows 0',
    ours: 'refuses it; the encoder alone would stop at 255',
    section: '13, 20.6',
    async show({ driver, content }) {
      refused(driver, { led: 256 });
      await driver.set({ led: 256 });
      assert.equal(content().get(0x4000_0030), 255);
    },
  },
  {
    id: 9,
    pyrpl: 'says prototype0 and writes 0 to the register of the id',
    ours: 'says what the register has, and writes nothing',
    section: '20.1',
    async show({ driver, bus }) {
      assert.deepEqual(await driver.get(['id']), { id: 'release1' });
      assert.deepEqual(bus.writes, []);
    },
  },
  {
    id: 10,
    pyrpl: 'makes the pin an output by looking at it, and says what it now drives',
    ours: 'says what is at the pin, which stays an input',
    section: '13, 20.6',
    async show({ driver, bus }) {
      assert.deepEqual(await driver.get(['expansion_P5']), { expansion_P5: false });
      bus.preset(0x4000_0020, 0x20);
      assert.deepEqual(await driver.get(['expansion_P5']), { expansion_P5: true });
      assert.deepEqual(bus.writes, []);
    },
  },
  // 25 samples zero, which is zero in any scale; 26 is what the sampler brings, by another name.
  ...[21, 22, 23, 24, 26].map(
    (id): Deviation => ({
      id,
      pyrpl: 'takes 8191 counts for 1 V where it samples signals, and 8192 elsewhere',
      ours: 'takes 8192 everywhere: the same counts',
      section: '14, 20.7',
      async show({ driver, vector }) {
        const { attribute = '', result } = vector;
        const counts = Math.round(Number(result) * 8191);
        assert.deepEqual(await driver.get([attribute]), { [attribute]: counts / 8192 });
      },
    }),
  ),
  {
    id: 51,
    pyrpl: 'takes the register of the debounce time for signed and stops at 4.19 ms',
    ours: '8 ms is 8 ms',
    section: '20.5',
    async show({ driver, content }) {
      await driver.apply(driver.check({ trigger_debounce: 0.008 }));
      assert.equal(content().get(0x4010_0090), 1_000_000);
      assert.deepEqual(await driver.get(['trigger_debounce']), { trigger_debounce: 0.008 });
    },
  },
  ...([1, 2] as const).map(
    (n): Deviation => ({
      id: 65 + n,
      pyrpl: `voltage_in${n} is whatever channel ${n} of the scope records`,
      ours: `voltage_in${n} is input in${n}; what PyRPL gives is called voltage_ch${n}`,
      section: '20.3',
      async show({ driver, bus, vector }) {
        bus.preset(n === 1 ? 0x403a_0010 : 0x403b_0010, 0x1000);
        assert.deepEqual(await driver.get([`voltage_in${n}`, `voltage_ch${n}`]), {
          [`voltage_in${n}`]: 0.5,
          [`voltage_ch${n}`]: vector.result,
        });
      },
    }),
  ),
  {
    id: 84,
    pyrpl: 'takes the absolute value of a negative amplitude',
    ours: 'refuses it; the encoder alone would stop at 0',
    section: '2',
    async show({ driver, content }) {
      refused(driver, { amplitude: -0.3 });
      await driver.set({ amplitude: -0.3 });
      assert.equal(content().get(0x4020_0004) ?? 0, 0);
    },
  },
  {
    id: 89,
    pyrpl: 'rounds the offset towards minus infinity: −0.1 V is −820 counts',
    ours: 'takes the nearest: −819 counts',
    section: '5',
    async show({ driver, content }) {
      await driver.apply(driver.check({ offset: -0.1 }));
      assert.equal(content().get(0x4020_0004), (((-819 & 0x3fff) << 16) | 0x2000) >>> 0);
      assert.deepEqual(await driver.get(['offset']), { offset: -819 / 8192 });
    },
  },
  {
    id: 152,
    pyrpl: 'takes +4 V for the integrator and writes −4 V',
    ours: 'refuses it; the encoder alone would stop at 3.99988 V',
    section: '6.2, 20.2',
    async show({ driver, content }) {
      refused(driver, { ival: 4 });
      await driver.set({ ival: 4 });
      assert.equal(content().get(0x4030_0100), 0x7fff);
    },
  },
  {
    id: 221,
    pyrpl: 'on writes a bit that the hardware ignores',
    ours: 'on is the oscillator’s bit of the sync register: it stops and starts it',
    section: '7, 20.4',
    async show({ driver, content }) {
      await driver.apply(driver.check({ on: false }));
      assert.equal(content().get(0x4030_000c), 0xdf);
      assert.deepEqual(await driver.get(['on']), { on: false });
    },
  },
  {
    id: 224,
    pyrpl: 'divides the integral of the phase-frequency detector by 14',
    ours: 'divides it by 8192, as every signal',
    section: '7, 20.4',
    async show({ driver }) {
      assert.deepEqual(await driver.get(['pfd_integral']), { pfd_integral: 8191 / 8192 });
    },
  },
  {
    id: 265,
    pyrpl: 'says the same of every overflow of the iir filter',
    ours: 'says where it was',
    section: '10.1',
    async show({ driver }) {
      assert.deepEqual(await driver.get(['overflow']), { overflow: 'a2·y2' });
    },
  },
];

/** PyRPL's errors that nobody may copy are no others than these. */
const ALLOWED_DEVIATIONS = [0, 3, 9, 10, 21, 22, 23, 24, 25, 26, 51, 66, 67, 78, 80, 84, 89, 152, 221, 224, 265];

/** A driver whatever its module, as the vectors name parameters. */
interface AnyDriver {
  get(names?: readonly string[]): Promise<Record<string, Value>>;
  check(values: Readonly<Record<string, unknown>>): ReturnType<ReturnType<typeof moduleDriver>['check']>;
  apply(checked: ReturnType<ReturnType<typeof moduleDriver>['check']>): Promise<unknown>;
  readBack(): Promise<void>;
  response(frequencies: readonly number[], extraDelay: number): readonly Complex[] | undefined;
  set(values: Readonly<Record<string, Value>>): Promise<unknown>;
  readonly values: Readonly<Record<string, Value>>;
}

interface Bench {
  readonly vector: Vector;
  readonly bus: RecordingBus;
  readonly registers: RegisterFile;
  readonly driver: AnyDriver;
  content(): Map<number, number>;
}

function driverOf(vector: Vector, registers: RegisterFile): AnyDriver {
  const name = vector.module ?? '';
  const board = { frequencyCorrection: vector.frequency_correction ?? 1, scales: {} };
  const module = modules.find((one) => one.name === name);
  assert.ok(module, `vector ${vector.id}: no module ${name}`);
  return moduleDriver(registers, module as unknown as typeof scope, board) as AnyDriver;
}

async function bench(vector: Vector): Promise<Bench> {
  const bus = recordingBus();
  for (const [address, value] of vector.preset ?? []) bus.preset(address, value);
  const registers = registerFile(bus);
  const driver = driverOf(vector, registers);
  await driver.readBack();
  return { vector, bus, registers, driver, content: () => bus.content() };
}

function refused(driver: AnyDriver, values: Readonly<Record<string, unknown>>): void {
  assert.throws(
    () => driver.check(values),
    (error: unknown) => error instanceof Refusal && error.message.endsWith('nothing was changed.'),
  );
}

/** Registers as PyRPL left them, and the hash of each memory that it filled. */
function expected(vector: Vector): { readonly words: Map<number, number>; readonly memories: Map<number, string> } {
  const bus = recordingBus();
  const memories = new Map<number, string>();
  for (const [address, value] of vector.preset ?? []) bus.preset(address, value);
  for (const write of vector.writes ?? []) {
    if (Array.isArray(write)) void bus.write(write[0], write[1]);
    else memories.set((write as Block).block, (write as Block).sha256 ?? 'random');
  }
  return { words: bus.content(), memories };
}

function sameRegisters({ vector, bus }: Bench): void {
  const { words, memories } = expected(vector);
  const filled = new Map(
    bus.blocks.map(({ address, values }) => [
      address,
      vector.random_table ? 'random' : createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex'),
    ]),
  );
  assert.deepEqual(filled, memories, `vector ${vector.id}: memories`);
  const inMemory = (address: number): boolean =>
    bus.blocks.some((block) => address >= block.address && address < block.address + 4 * block.values.length);
  const found = new Map([...bus.content()].filter(([address]) => !inMemory(address)));
  assert.deepEqual(found, words, `vector ${vector.id}: registers`);
}

/** As Python compares: True is 1; floats to the last digits but one. */
function sameValue(found: Value | undefined, wanted: Value, id: number): void {
  if (Array.isArray(wanted)) {
    assert.ok(Array.isArray(found) && found.length === wanted.length, `vector ${id}: ${found} is not ${wanted}`);
    for (const [k, one] of wanted.entries()) sameValue(found[k], one, id);
    return;
  }
  if (typeof wanted === 'number' && !Number.isInteger(wanted)) {
    assert.ok(Math.abs(Number(found) - wanted) <= 1e-12 * Math.abs(wanted), `vector ${id}: ${found} is not ${wanted}`);
  } else if (typeof wanted === 'number') assert.equal(Number(found), wanted, `vector ${id}`);
  else assert.equal(found, wanted, `vector ${id}`);
}

/** Out of the limits that the description has: what `check` must refuse and the encoder must hold. */
function outside(module: AnyModule, attribute: string, value: Value): boolean {
  const { min, max } = module.description.parameters.find(({ name }) => name === attribute) ?? {};
  const numbers = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'number');
  return numbers.some((one) => (min !== undefined && one < min) || (max !== undefined && one > max));
}

/** Within its own limits, but refused for another parameter's sake: threshold 1 V with the hysteresis after reset. */
const CONSTRAINED: readonly number[] = [44];

async function runSet(here: Bench): Promise<void> {
  const { vector, driver, bus } = here;
  const { attribute = '', value = 0, readback = 0 } = vector;
  if (vector.error) {
    refused(driver, { [attribute]: value });
    assert.deepEqual(bus.writes, []);
    return;
  }
  const module = modules.find(({ name }) => name === vector.module);
  assert.ok(module);
  if (outside(module, attribute, value) || CONSTRAINED.includes(vector.id)) {
    refused(driver, { [attribute]: value });
    assert.deepEqual(bus.writes, []);
    await driver.set({ [attribute]: value });
  } else {
    await driver.apply(driver.check({ [attribute]: value }));
  }
  sameRegisters(here);
  sameValue((await driver.get([attribute]))[attribute], readback, vector.id);
  // The value is in the registers, not in this driver's memory alone.
  const again = driverOf(vector, registerFile(bus));
  await again.readBack();
  if (attribute !== 'trigger_source' || vector.module !== 'scope') {
    sameValue((await again.get([attribute]))[attribute], readback, vector.id);
  }
}

async function runGet({ vector, driver, bus }: Bench): Promise<void> {
  const { attribute = '', result = 0 } = vector;
  sameValue((await driver.get([attribute]))[attribute], result, vector.id);
  assert.deepEqual(bus.writes, []);
}

/** All corners of a filter register with their bytes; those that PyRPL lists twice count once. */
async function runFilters({ vector }: Bench): Promise<void> {
  const options = FILTERS[`${vector.module}.${vector.attribute}`];
  assert.ok(options);
  const wanted = new Map(vector.result as unknown as [number, number][]);
  const found = corners(options);
  assert.equal(found.length, wanted.size);
  for (const [hertz, byte] of found) {
    const [near = 0] = [...wanted.keys()].filter((one) => Math.abs(one - hertz) <= 1e-12 * Math.abs(hertz));
    assert.equal(byte, wanted.get(near), `vector ${vector.id}: ${hertz} Hz`);
  }
}

/** What PyRPL's setup() does besides, unasked; here it is asked for. */
const AT_SETUP: Readonly<Record<string, Readonly<Record<string, Value>>>> = {
  trig: { armed: true },
  iq0: { synchronize_iqs: true },
  iq2: { synchronize_iqs: true },
};

/** What remains of these calls, as the settings that bring it about. */
const SETTINGS_OF_CALL: Readonly<Record<string, Readonly<Record<string, Value>>>> = {
  _setup_unity: { zeros: '', poles: '', gain: 1, loops: 3, on: true },
  // After which PyRPL sets up its present design again, which passes everything.
  _setup_zero: { zeros: '', poles: '', gain: 1, loops: 3, on: true },
};

async function runCall(here: Bench): Promise<void> {
  const settings = SETTINGS_OF_CALL[here.vector.call ?? ''];
  if (settings) {
    await here.driver.apply(here.driver.check(settings));
    return sameRegisters(here);
  }
  assert.equal(here.vector.call, 'synchronize_iqs');
  await here.driver.apply(here.driver.check({ synchronize_iqs: true }));
  sameRegisters(here);
  assert.deepEqual(
    here.bus.writes.map(([, value]) => value),
    here.vector.writes?.map((write) => (Array.isArray(write) ? write[1] : undefined)),
  );
}

async function runModel({ vector, driver }: Bench): Promise<void> {
  await driver.apply(driver.check(Object.fromEntries(vector.before ?? [])));
  const wanted = vector.result as unknown as readonly Complex[];
  const found = driver.response(vector.frequencies ?? [], 0);
  assert.ok(found && found.length === wanted.length && wanted.length > 0);
  for (const [k, { re, im }] of wanted.entries()) {
    const one = found[k] ?? { re: Number.NaN, im: Number.NaN };
    assert.ok(magnitude({ re: one.re - re, im: one.im - im }) < 1e-9 * Math.hypot(re, im), `vector ${vector.id}: ${k}`);
  }
}

/** PyRPL's own design, which is wrong by its gain, through our encoder, and its model of the result through ours. */
async function runIir({ vector }: Bench): Promise<void> {
  const { design: made, writes = [] } = vector;
  assert.ok(made);
  const sections = made.coefficients.map(([b0 = 0, b1 = 0, , , a1 = 0, a2 = 0]) => ({ b0, b1, a1: -a1, a2: -a2 }));
  const words = coefficientWords(sections);
  const last = writes.findLast((write): write is Block => !Array.isArray(write));
  assert.equal(createHash('sha256').update(new Uint8Array(words.buffer)).digest('hex'), last?.sha256);
  if (made.overflows_32bit) return;
  for (const [frequency, { re, im }] of Object.entries(made.tf_final_at_Hz)) {
    const found = iirResponse({ loops: made.loops, sections }, Number(frequency), 8e-9);
    const off = magnitude({ re: found.re - re, im: found.im - im });
    assert.ok(off < 1e-4 * Math.hypot(re, im), `vector ${vector.id}: ${frequency} Hz: ${off}`);
  }
}

async function runSetup(here: Bench): Promise<void> {
  const { vector, driver, registers } = here;
  await driver.apply(driver.check({ ...vector.arguments, ...AT_SETUP[vector.module ?? ''] }));
  for (const [call] of vector.then ?? []) {
    if (call === '_start_trace_acquisition') await arm(registers, driver.values as ScopeValues);
    else if (call === '_start_acquisition_rolling_mode') await armRolling(registers);
    else assert.fail(`vector ${vector.id}: nobody knows ${call}`);
  }
  sameRegisters(here);
}

async function runStartup(vector: Vector): Promise<void> {
  const bus = recordingBus();
  const registers = registerFile(bus);
  for (const { name } of modules) await driverOf({ ...vector, module: name }, registers).readBack();
  assert.deepEqual(bus.writes, [], 'looking at a running FPGA writes nothing');
  assert.deepEqual(bus.content(), expected(vector).words);
}

const covered = new Set<number>();
const RUNNERS: Readonly<Record<string, (here: Bench) => Promise<void>>> = {
  set: runSet,
  get: runGet,
  setup: runSetup,
  call: runCall,
  filters: runFilters,
  model: runModel,
  iir: runIir,
};

for (const vector of relevant) {
  const { id, kind, module = '', attribute = '' } = vector;
  if (WITH_ACQUISITION.includes(id)) continue;
  const deviation = DEVIATIONS.find((one) => one.id === id);
  const title = `vector ${id}: ${kind} ${module} ${attribute}${deviation ? `, deviating: ${deviation.ours}` : ''}`;
  test(title, async () => {
    if (deviation) {
      await deviation.show(await bench(vector));
    } else if (kind === 'startup') {
      await runStartup(vector);
    } else {
      const run = RUNNERS[kind];
      assert.ok(run, `nobody runs vectors of kind ${kind}`);
      await run(await bench(vector));
    }
    covered.add(id);
  });
}

test('a deviation is a real one', async () => {
  for (const { id } of DEVIATIONS) {
    const vector = relevant.find((one) => one.id === id);
    assert.ok(vector);
    const run = RUNNERS[vector.kind];
    assert.ok(run);
    await assert.rejects(async () => run(await bench(vector)), `vector ${id} needs no deviation`);
  }
});

test('no relevant vector is left out, and nothing deviates that must not', () => {
  const missing = relevant.map(({ id }) => id).filter((id) => !covered.has(id) && !WITH_ACQUISITION.includes(id));
  assert.deepEqual(missing, []);
  assert.equal(covered.size + WITH_ACQUISITION.length, relevant.length);
  assert.ok(relevant.length >= 120, `only ${relevant.length} vectors`);
  for (const { id } of DEVIATIONS) assert.ok(ALLOWED_DEVIATIONS.includes(id));
});

test.run();
