/**
 * The writer of the state is killed at any moment: what is found is a whole state, and no more than the last one is
 * lost. The long form of it, with the daemon and its clients, is test/soak/power-cut.ts.
 */
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import { readSettings } from '../../../src/fpga/instrument/settings-file.ts';
import { pause } from './fixture.ts';

const KILLS = 8;
const WRITER = fileURLToPath(new URL('state-writer.ts', import.meta.url));

test('a writer that is killed at any moment loses the last state at most', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-power-cut-'));
  const path = join(folder, 'state.json');
  try {
    let inTheMiddle = 0;
    let next = 1;
    for (let kill = 0; kill < KILLS || (inTheMiddle === 0 && kill < 5 * KILLS); kill++) {
      const { set, saved } = await killedWriter(path, next, 40 * Math.random());
      const found = await readSettings(path);
      const frequencies = [found?.modules.asg0?.frequency, found?.modules.asg1?.frequency];
      assert.ok(frequencies[0] === set || frequencies[0] === saved, `${frequencies[0]}, set ${set}, saved ${saved}`);
      assert.equal(frequencies[1], frequencies[0]);
      if (existsSync(`${path}.tmp`)) inTheMiddle++;
      next = set + 1;
    }
    assert.ok(next > KILLS, 'it has written');
    assert.ok(inTheMiddle > 0, 'none was killed while it wrote');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Starts a writer, kills it so many ms after its first state is saved, and gives the last numbers that it told. */
async function killedWriter(path: string, first: number, ms: number): Promise<{ set: number; saved: number }> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, path, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  const written = new Promise<void>((resolve) => {
    child.stdout.on('data', (piece) => {
      told += piece;
      if (told.includes('saved')) resolve();
    });
  });
  const gone = once(child, 'close');
  try {
    await Promise.race([written, gone]);
    await pause(ms);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
  const last = (word: string): number =>
    Math.max(...[...told.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].map(([, n]) => Number(n)));
  return { set: last('set'), saved: last('saved') };
}

test.run();
