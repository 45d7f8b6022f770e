/**
 * The daemon is killed at random moments while a client changes settings; each restart must find a whole state and set
 * it. Of a client that waits until a change is on the disk the last change is lost at most; of one that does not, what
 * came while one saving took its time.
 *
 *     node --import tsx test/soak/power-cut.ts [--tenth | --kills N] [--program FILE]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readSettings } from '../../src/fpga/instrument/settings-file.ts';
import { type BoardClient, connectBoard } from '../../src/server/client.ts';

const { values: options } = parseArgs({
  options: {
    tenth: { type: 'boolean' },
    kills: { type: 'string' },
    program: { type: 'string', default: 'dist/pitayad.cjs' },
  },
});
const kills = Number(options.kills ?? (options.tenth ? 20 : 200));

/** From the first change to the kill, at most, in ms. */
const LIFE_MS = 400;
/** One saving may take so long, in ms, on a disk that others use. */
const SAVING_MS = 2000;
/** Steps of the amplitude. */
const STEPS = 8000;

const folder = mkdtempSync(join(tmpdir(), 'pitayad-power-cut-'));
const path = join(folder, 'state.json');
const faults: string[] = [];
const counts = { changes: 0, inTheMiddle: 0, mostLost: 0, longestLoss: 0 };

interface Daemon {
  readonly port: number;
  /** Complaints in its log. */
  readonly complaints: readonly string[];
  kill(): Promise<void>;
}

async function start(): Promise<Daemon> {
  const child = spawn(
    process.execPath,
    [
      ...[options.program, 'serve', '--bus', 'simulator', '--listen', '127.0.0.1:0', '--no-discovery'],
      ...['--log-format', 'json', '--state', path, '--save-every-ms', '0'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const gone = once(child, 'close');
  const complaints: string[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once('close', () => reject(new Error('the daemon ended before it served')));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as { level: number | string; msg?: string; pymodaq?: { port: number } };
      if (event.level === 'warn' || event.level === 'error' || Number(event.level) > 30) complaints.push(line);
      if (event.msg === 'serving' && event.pymodaq) resolve(event.pymodaq.port);
    });
  });
  return {
    port,
    complaints,
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

interface Life {
  /** Highest numbers that were sent, answered, and known to be on the disk. */
  sent: number;
  answered: number;
  saved: number;
  /** When each was answered. */
  readonly times: { readonly number: number; readonly at: number }[];
}

/** Sets numbers, one after the other, until the connection is lost. */
async function change(board: BoardClient, life: Life, waits: boolean): Promise<void> {
  for (;;) {
    const number = life.sent + 1;
    life.sent = number;
    await set(board, number);
    life.answered = number;
    life.times.push({ number, at: performance.now() });
    if (!waits) continue;
    while (await unsaved(board));
    life.saved = number;
  }
}

async function set(board: BoardClient, number: number): Promise<void> {
  await board.reply('configure', {
    module: 'asg0',
    config: { frequency: number, amplitude: (number % STEPS) / 8192 },
  });
}

async function unsaved(board: BoardClient): Promise<boolean> {
  const { state } = (await board.reply('status')) as { state: { unsaved: boolean } };
  return state.unsaved;
}

/** The number in asg0's settings. @throws Error: they are not those of one change */
function numberIn(values: Readonly<Record<string, unknown>> | undefined): number {
  const number = Math.round(Number(values?.frequency));
  const steps = Math.round(Number(values?.amplitude) * 8192);
  if (number % STEPS !== steps) throw new Error(`half a change was found: ${number}, ${steps}`);
  return number;
}

async function live(first: number, kill: number): Promise<number> {
  const waits = kill % 2 === 0;
  const daemon = await start();
  const board = await connectBoard({ host: '127.0.0.1', port: daemon.port });
  const life: Life = { sent: first, answered: first, saved: first, times: [] };
  let killedAt = 0;
  try {
    const present = numberIn(await board.reply('get', { module: 'asg0' }));
    if (present !== first) throw new Error(`it was started with ${present}, and saved was ${first}`);
    const changing = change(board, life, waits).catch(() => undefined);
    await sleep(LIFE_MS * Math.random());
    killedAt = performance.now();
    await daemon.kill();
    await changing;
  } finally {
    board.close();
    await daemon.kill();
  }
  if (daemon.complaints.length > 0) throw new Error(`it complained: ${daemon.complaints.join('\n')}`);
  if (existsSync(`${path}.tmp`)) counts.inTheMiddle++;
  counts.changes += life.answered - first;
  const found = numberIn((await readSettings(path))?.modules.asg0);
  if (found > life.sent) throw new Error(`${found} was found, which nobody had set`);
  if (waits && found < life.saved) throw new Error(`${found} was found, and ${life.saved} had been on the disk`);
  const lost = life.answered - found;
  const loss = lost === 0 ? 0 : killedAt - (life.times.find(({ number }) => number === found + 1)?.at ?? killedAt);
  if (waits && lost > 1) throw new Error(`${lost} changes were lost by one who waits`);
  if (loss > SAVING_MS) throw new Error(`changes of the last ${loss.toFixed(0)} ms were lost`);
  if (!waits) {
    counts.mostLost = Math.max(counts.mostLost, lost);
    counts.longestLoss = Math.max(counts.longestLoss, Math.round(loss));
  }
  return found;
}

/** So that there is a state of ours to begin with. */
async function firstLife(): Promise<void> {
  const daemon = await start();
  try {
    const board = await connectBoard({ host: '127.0.0.1', port: daemon.port });
    await set(board, 0);
    while (await unsaved(board));
    board.close();
  } finally {
    await daemon.kill();
  }
}

try {
  await firstLife();
  let number = 0;
  for (let kill = 0; kill < kills; kill++) {
    try {
      number = await live(number, kill);
    } catch (error) {
      faults.push(`kill ${kill + 1}: ${(error as Error).message}`);
      break;
    }
  }
  const left = readdirSync(folder).filter((file) => !/^state\.json(\.tmp|\.previous)?$/.test(file));
  if (left.length > 0) faults.push(`left in the folder: ${left.join(', ')}`);
  if (counts.inTheMiddle === 0) faults.push('none was killed while it wrote');
} finally {
  rmSync(folder, { recursive: true });
}

const { changes, inTheMiddle, mostLost, longestLoss } = counts;
console.log(`${kills} kills, ${inTheMiddle} of them while it wrote, ${changes} changes`);
console.log(`lost by one who does not wait: ${mostLost} changes at most, those of ${longestLoss} ms`);
const good = faults.length === 0;
const verdict = 'each restart found a whole state, and who waits for the disk lost the last change at most';
console.log(`${good ? 'ok    ' : 'FAILED'} ${good ? verdict : faults.join('\n       ')}`);
console.log(good ? '1 passed, 0 failed' : '0 passed, 1 failed');
process.exit(good ? 0 : 1);
