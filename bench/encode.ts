/**
 * Encoding a trace (2 channels of 16384 points, time axis, 12 extra attributes) against PyMoDAQ's own serialisers, which do
 * the same object, byte for byte. All sides take turns in one run, so that a machine whose speed drifts does not tell lies.
 *
 * We start from the words of the scope's memory: samples and volts are made, and the object built, in the time that is
 * measured; only the time axis is remembered from the trace before, as in service. The bytes are in parts to be sent one
 * after the other, as in service; in one piece of fresh memory they are measured too. Python is given two starts: `ready`, its best, has the finished object with
 * float64 volts before the clock starts; `counts` starts where we start. The goals are judged against `ready`.
 *
 *     PITAYAD_PYMODAQ_4=… PITAYAD_PYMODAQ_5=… node --import tsx bench/encode.ts [--quick]
 *
 * The variables name Python interpreters with PyMoDAQ 4.4 and 5.3.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { sampleMemory } from '../src/fpga/instrument/conversion.ts';
import { encode, encodeParts } from '../src/server/wire/encode.ts';
import { evenlySpaced } from '../src/server/wire/trace-arrays.ts';
import {
  axis,
  bool,
  data,
  dataToExport,
  type Form,
  float,
  floatsOf,
  int,
  str,
  type WireValue,
} from '../src/server/wire/values.ts';

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 7 : 25;
const OURS = quick ? 200 : 500;
const verdicts = { passed: 0, failed: 0 };

// The same numbers stand in encode.py.
const POINTS = 16384;
const TIMESTAMP = 1700000000.25;
const counts1 = Int16Array.from({ length: POINTS }, (_, k) => ((k * 37 + 11) % 16384) - 8192);
const counts2 = Int16Array.from({ length: POINTS }, (_, k) => ((k * 91 + 5) % 16384) - 8192);
/** As the scope's memory has them. */
const words = [counts1, counts2].map((counts) => Uint32Array.from(counts, (count) => count & 0x3fff));
const conversions = [
  { gain: 1 / 8192, offset: 0.001 },
  { gain: 1 / 8192, offset: -0.002 },
];
const memories = words.map(() => sampleMemory(POINTS, POINTS));

const SETTINGS = '{"input1": "in1", "input2": "in2", "decimation": 64, "trigger_source": "ch1_positive_edge"}';

function frame(): WireValue {
  for (const [k, channel] of words.entries()) {
    memories[k]?.words.set(channel);
    memories[k]?.convert(0, POINTS, conversions[k]);
  }
  const scope = data('DataRaw', {
    timestamp: TIMESTAMP,
    name: 'Scope',
    units: 'V',
    data: memories.map(({ volts }) => floatsOf(volts)),
    labels: ['ch1', 'ch2'],
    origin: 'pitayad',
    axes: [axis('Time', 's', evenlySpaced(-1e-4, 8e-9, POINTS))],
    extra: [
      ['board', str('rp-f0a1b2')],
      ['module', str('scope')],
      ['inputs', str('in1,in2')],
      ['settings', str(SETTINGS)],
      ['number', int(7)],
      ['decimation', int(64)],
      ['clipped', bool(false)],
      ['lost', int(0)],
      ['overwritten', bool(false)],
      ['calibrated', bool(true)],
      ['clock_synchronised', bool(true)],
      ['level', float(0.1)],
    ],
  });
  return dataToExport('pitayad', [scope], TIMESTAMP);
}

/** Microseconds a frame. */
function ours(form: Form, encoder: (form: Form, objects: readonly WireValue[]) => unknown): number {
  const begun = performance.now();
  for (let k = 0; k < OURS; k++) encoder(form, [frame()]);
  return ((performance.now() - begun) * 1000) / OURS;
}

const running: ChildProcess[] = [];

/** encode.py under an interpreter: asks it one line, gives the line it answers. */
async function peer(python: string): Promise<(question: string) => Promise<string>> {
  const child = spawn(python, ['bench/encode.py'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, QT_QPA_PLATFORM: 'offscreen' },
  });
  running.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${python} ended`);
    return value;
  };
  // PyMoDAQ prints a line or two when it is imported.
  while ((await next()) !== 'ready');
  return (question) => {
    child.stdin.write(`${question}\n`);
    return next();
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function judge(sentence: string, ok: boolean): void {
  verdicts[ok ? 'passed' : 'failed']++;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${sentence}`);
}

async function compare(form: Form, python: string, version: string, atLeast: number, calls: number): Promise<void> {
  const ask = await peer(python);
  const same = Buffer.from(encode(form, [frame()])).toString('hex') === (await ask('bytes 1'));
  judge(`${form}: the bytes are those of PyMoDAQ ${version}`, same);
  const seconds = async (start: string) => (Number(await ask(`${start} ${calls}`)) * 1e6) / calls;
  for (let k = 0; k < 3; k++) ours(form, encodeParts);
  const times: Record<'parts' | 'whole' | 'ready' | 'counts', number[]> = {
    parts: [],
    whole: [],
    ready: [],
    counts: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    times.parts.push(ours(form, encodeParts));
    times.ready.push(await seconds('ready'));
    times.whole.push(ours(form, encode));
    times.counts.push(await seconds('counts'));
  }
  const each = Object.fromEntries(
    Object.entries(times).map(([name, values]) => [name, `${median(values).toFixed(0)} us`]),
  );
  const ratio = (a: readonly number[], b: readonly number[]) =>
    median(a.map((value, k) => value / (b[k] ?? Number.NaN)));
  const found = ratio(times.ready, times.parts);
  judge(
    `${form}: a frame of 2 x ${POINTS} points from the scope's words takes ${each.parts}, ${found.toFixed(1)} times as fast as the ` +
      `serialiser of PyMoDAQ ${version} on a finished object, ${each.ready} (goal: ${atLeast}); ` +
      `${ratio(times.counts, times.parts).toFixed(1)} times from counts, ${each.counts}; in one piece of fresh memory ${each.whole}, ` +
      `${ratio(times.ready, times.whole).toFixed(1)} times`,
    found >= atLeast,
  );
}

const interpreters = [
  { form: 'v4', variable: 'PITAYAD_PYMODAQ_4', version: '4.4', atLeast: 10, calls: quick ? 5 : 10 },
  { form: 'v5', variable: 'PITAYAD_PYMODAQ_5', version: '5.3', atLeast: 1, calls: quick ? 50 : 100 },
] as const;

/** A remembered axis and memory used again must not make a frame any different. */
function sameAgain(form: Form): boolean {
  const first = encode(form, [frame()]);
  for (let k = 0; k < 3; k++) assert.ok(Buffer.concat(encodeParts(form, [frame()])).equals(first));
  return true;
}

try {
  for (const { form, variable, version, atLeast, calls } of interpreters) {
    judge(`${form}: a frame is the same in memory used again, and in parts`, sameAgain(form));
    const python = process.env[variable];
    if (python) await compare(form, python, version, atLeast, calls);
    else console.log(`skipped: PyMoDAQ ${version}: ${variable} names no Python that has it`);
  }
} finally {
  for (const child of running) child.kill();
}
console.log(`${verdicts.passed} passed, ${verdicts.failed} failed`);
if (verdicts.failed > 0) process.exitCode = 1;
