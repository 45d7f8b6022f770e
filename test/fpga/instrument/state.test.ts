import assert from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Value } from '../../../src/fpga/description.ts';
import { stateFile } from '../../../src/fpga/instrument/state.ts';
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

test('what was saved comes back, and nothing else is left in the folder', async ({ path, folder }) => {
  const file = stateFile(path, async () => settings(1000), silent, 0);
  assert.equal(await file.load(), undefined);
  file.touch();
  await file.close();
  assert.deepEqual(await stateFile(path, async () => ({}), silent).load(), settings(1000));
  assert.deepEqual(readdirSync(folder), ['state.json']);
});

test('it is not written more often than allowed, and at last what was set at last', async ({ path }) => {
  let frequency = 0;
  const file = stateFile(path, async () => settings(frequency), silent, 50);
  const began = performance.now();
  while (performance.now() - began < 120) {
    frequency++;
    file.touch();
    await pause(1);
  }
  const limit = (performance.now() - began) / 50 + 1;
  assert.ok(file.status.saves >= 2 && file.status.saves <= limit, `${file.status.saves} times`);
  file.touch();
  await file.close();
  assert.deepEqual(await file.load(), settings(frequency));
});

test('what did not change is not written again', async ({ path }) => {
  const file = stateFile(path, async () => settings(1), silent, 0);
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
  ['of another format', '{"format": 2, "modules": {}}'],
  ['without modules', '{"format": 1}'],
  ['with a module that is none', '{"format": 1, "modules": {"asg0": 3}}'],
] as const) {
  test(`a damaged file (${what}) is set aside and reported`, async ({ path, folder }) => {
    writeFileSync(path, text);
    const { log, lines } = keptLog();
    const file = stateFile(path, async () => settings(5), log, 0);
    assert.equal(await file.load(), undefined);
    assert.deepEqual(readdirSync(folder), ['state.json.damaged']);
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), text);
    assert.ok(lines.some(({ msg }) => /damaged.*set aside.*defaults/.test(String(msg))));
    file.touch();
    await file.close();
    assert.deepEqual(await file.load(), settings(5));
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
      const saved = await stateFile(path, async () => ({}), silent).load();
      for (const values of Object.values(saved ?? {})) assert.equal(typeof values, 'object');
    }),
    { numRuns: 100 },
  );
});

test('a folder that cannot be written is logged, counted, and tried again', async ({ folder }) => {
  const { log, lines } = keptLog();
  const path = join(folder, 'missing', 'state.json');
  const file = stateFile(path, async () => settings(5), log, 0);
  file.touch();
  await eventually(() => file.status.failures === 1, 'a failure');
  assert.equal(file.status.unsaved, true);
  assert.ok(lines.some(({ level }) => level === 50));
  await file.close();
  assert.equal(file.status.failures, 2);
});

test('the remains of a power cut are no obstacle', async ({ path, folder }) => {
  writeFileSync(path, JSON.stringify({ format: 1, modules: settings(7) }));
  writeFileSync(`${path}.tmp`, '{"form');
  const file = stateFile(path, async () => settings(8), silent, 0);
  assert.deepEqual(await file.load(), settings(7));
  file.touch();
  await file.close();
  assert.deepEqual(await file.load(), settings(8));
  assert.deepEqual(readdirSync(folder), ['state.json']);
});

test.run();
