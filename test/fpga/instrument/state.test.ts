import assert from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Value } from '../../../src/fpga/description.ts';
import { BURST, type StateFile, type StateOptions, stateFile } from '../../../src/fpga/instrument/state.ts';
import { eventually, keptLog, pause, silent } from './fixture.ts';

const test = suite<{ folder: string; path: string }>('state');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-state-'));
  context.path = join(context.folder, 'state.json');
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const settings = (frequency: number): Record<string, Record<string, Value>> => ({
  asg0: { frequency, waveform: 'sin', on: true },
});

/** Without a rest between savings. */
function open(path: string, collect: StateOptions['collect'], more: Partial<StateOptions> = {}): StateFile {
  return stateFile({ path, log: silent, intervalMs: 0, collect, ...more });
}

const loaded = async (file: StateFile) => (await file.load())?.modules;

test('what was saved comes back, and nothing else is left in the folder', async ({ path, folder }) => {
  const file = open(path, async () => settings(1000));
  assert.equal(await file.load(), undefined);
  file.touch();
  await file.close();
  assert.deepEqual(await loaded(open(path, async () => ({}))), settings(1000));
  assert.deepEqual(readdirSync(folder), ['state.json']);
});

test('while changes go on it is not written more often than allowed, and at last what was set at last', async ({
  path,
}) => {
  let frequency = 0;
  const file = open(path, async () => settings(frequency), { intervalMs: 50 });
  const began = performance.now();
  while (performance.now() - began < 400) {
    frequency++;
    file.touch();
    await pause(1);
  }
  const limit = (performance.now() - began) / 50 + BURST + 1;
  assert.ok(file.status.saves > BURST && file.status.saves <= limit, `${file.status.saves} times`);
  file.touch();
  assert.equal(file.status.unsaved, true);
  await file.close();
  assert.equal(file.status.unsaved, false);
  assert.deepEqual(await loaded(file), settings(frequency));
});

test('rare changes are saved at once', async ({ path }) => {
  let frequency = 0;
  const file = open(path, async () => settings(frequency), { intervalMs: 60_000 });
  for (frequency = 1; frequency <= BURST; frequency++) {
    file.touch();
    await eventually(() => !file.status.unsaved, 'saved');
    assert.deepEqual(await loaded(file), settings(frequency));
  }
  file.touch();
  await pause(30);
  assert.deepEqual(await loaded(file), settings(BURST));
  await file.close();
  assert.deepEqual(await loaded(file), settings(frequency));
});

test('what did not change is not written again', async ({ path }) => {
  const file = open(path, async () => settings(1));
  file.touch();
  await eventually(() => file.status.saves === 1, 'saved');
  file.touch();
  await file.close();
  assert.equal(file.status.saves, 1);
});

for (const [what, text] of [
  ['empty', ''],
  ['cut off', '{"format": 1, "modules": {"asg0": {"frequ'],
  ['of zeros', '\0'.repeat(100)],
  ['a list', '[]'],
  ['of another format', '{"format": 0, "modules": {}}'],
  ['without modules', '{"format": 1}'],
  ['with a module that is none', '{"format": 1, "modules": {"asg0": 3}}'],
] as const) {
  test(`a damaged file (${what}) is set aside and reported`, async ({ path, folder }) => {
    writeFileSync(path, text);
    const { log, lines } = keptLog();
    const file = open(path, async () => settings(5), { log });
    assert.deepEqual(await file.load(), { modules: {}, inFpga: true });
    assert.deepEqual(readdirSync(folder), ['state.json.damaged']);
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), text);
    assert.ok(lines.some(({ msg }) => /damaged.*set aside/.test(String(msg))));
    file.touch();
    await file.close();
    assert.deepEqual(await loaded(file), settings(5));
  });
}

test('whatever the file holds, loading gives modules with values, or nothing', async ({ path }) => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map((modules) => JSON.stringify({ format: 1, modules })),
  );
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      writeFileSync(path, content);
      const saved = await open(path, async () => ({})).load();
      for (const values of Object.values(saved?.modules ?? {})) assert.equal(typeof values, 'object');
    }),
    { numRuns: 100 },
  );
});

test('a folder that cannot be written is logged, counted, and tried again', async ({ folder }) => {
  const { log, lines } = keptLog();
  const path = join(folder, 'missing', 'state.json');
  const file = open(path, async () => settings(5), { log });
  file.touch();
  await eventually(() => file.status.failures === 1, 'a failure');
  assert.equal(file.status.unsaved, true);
  assert.ok(lines.some(({ level }) => level === 50));
  await file.close();
  assert.ok(file.status.failures >= 2);
});

test('the remains of a power cut are no obstacle', async ({ path, folder }) => {
  writeFileSync(path, JSON.stringify({ format: 1, modules: settings(7) }));
  writeFileSync(`${path}.tmp`, '{"form');
  const file = open(path, async () => settings(8));
  assert.deepEqual(await loaded(file), settings(7));
  file.touch();
  await file.close();
  assert.deepEqual(await loaded(file), settings(8));
  assert.deepEqual(readdirSync(folder).sort(), ['state.json', 'state.json.previous']);
});

test('after damage the state before the last is taken', async ({ path, folder }) => {
  let frequency = 1;
  const file = open(path, async () => settings(frequency));
  for (frequency of [1, 2, 3]) {
    file.touch();
    await eventually(() => file.status.saves === frequency, 'saved');
  }
  await file.close();
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40));
  assert.deepEqual(await loaded(open(path, async () => ({}))), settings(2));
  assert.deepEqual(readdirSync(folder).sort(), ['state.json.damaged', 'state.json.previous']);
  writeFileSync(path, '');
  writeFileSync(`${path}.previous`, '');
  const { log, lines } = keptLog();
  assert.deepEqual(await loaded(open(path, async () => ({}), { log })), {});
  assert.ok(lines.some(({ msg }) => /no saved state is left/.test(String(msg))));
});

test('a file of a newer version is set aside whole, for the day when that comes back', async ({ path, folder }) => {
  const text = '{"format": 2, "modules": {"asg0": {"frequency": 3}}}';
  writeFileSync(path, text);
  const { log, lines } = keptLog();
  assert.deepEqual(await open(path, async () => ({}), { log }).load(), { modules: {}, inFpga: true });
  assert.deepEqual(readdirSync(folder), ['state.json.newer']);
  assert.equal(readFileSync(`${path}.newer`, 'utf8'), text);
  assert.ok(lines.some(({ msg }) => /newer pitayad/.test(String(msg))));
});

test('it is known whether these settings were in the FPGA since it was loaded', async ({ path }) => {
  const first = open(path, async () => settings(1), { fpgaLoad: 'one' });
  assert.equal(await first.load(), undefined);
  first.touch();
  await first.close();
  const inFpga = async (fpgaLoad?: string) => (await open(path, async () => ({}), { fpgaLoad }).load())?.inFpga;
  assert.equal(await inFpga('one'), true);
  assert.equal(await inFpga('two'), false);
  assert.equal(await inFpga(undefined), true);
});

test('a failed saving is tried again by itself, without haste, and told once', async ({ path }) => {
  let failures = 2;
  const { log, lines } = keptLog();
  const collect = async () => {
    if (failures-- > 0) throw new Error('no space left on device');
    return settings(4);
  };
  const file = open(path, collect, { log });
  const began = performance.now();
  file.touch();
  await eventually(() => file.status.failures === 1, 'a failure');
  file.touch();
  await eventually(() => file.status.saves === 1, 'saved', 4000);
  assert.ok(performance.now() - began > 1500);
  assert.deepEqual([file.status.failures, file.status.unsaved], [2, false]);
  assert.deepEqual(
    lines.map(({ level }) => level),
    [50, 20, 30],
  );
  await file.close();
});

test.run();
