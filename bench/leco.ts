/**
 * A continuous grab of 2 x 512 points by a stock LECODirector of PyMoDAQ 5.3: acknowledged frames per second of the simulated
 * board, which is its own Coordinator, and of PyMoDAQ's own mock behind PyMoDAQ's Coordinator, in the same run.
 *
 *     node --import tsx bench/leco.ts [--quick]      (needs PITAYAD_PYMODAQ_5, which `npm run bench` gives)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const quick = process.argv.includes('--quick');
const SECONDS = quick ? 4 : 20;
/** Least part of the mock's rate; a short run beside other programs only fails by a collapse. */
const LEAST = quick ? 0.4 : 0.8;
const python = process.env.PITAYAD_PYMODAQ_5;
const script = fileURLToPath(new URL('leco_rate.py', import.meta.url));
const started: ChildProcess[] = [];

interface Rate {
  readonly frames_per_second: number;
  /** Frames that came 0.5 s after the end, or later. */
  readonly late: number;
  readonly shape: readonly [channels: number, points: number];
  readonly bytes: number;
}

function start(program: string, ...args: readonly string[]): ChildProcess {
  // Nothing of ours is in its environment.
  const { PYTHONPATH: _, ...env } = process.env;
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  started.push(child);
  return child;
}

/** The first line that says what is wanted. */
async function lineOf<T>(child: ChildProcess, wanted: (line: string) => T | undefined): Promise<T> {
  const lines = createInterface({ input: child.stdout as Readable });
  const ended = once(child, 'exit').then(() => undefined);
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const found = wanted(line);
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => setTimeout(() => reject(new Error(`${child.spawnargs.join(' ')} ended`)), 200));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

async function measure(python: string, port: number, actor: string): Promise<Rate> {
  const director = start(python, script, 'director', `${port}`, actor, `${SECONDS}`);
  return lineOf(director, (line) => (line.startsWith('{') ? (JSON.parse(line) as Rate) : undefined));
}

async function ofMock(python: string): Promise<Rate> {
  const port = await freePort();
  start(python, '-m', 'pyleco.coordinators.coordinator', '--namespace', 'bench', '--port', `${port}`);
  await sleep(1500);
  await lineOf(start(python, script, 'actor', `${port}`), (line) => line === 'ready' || undefined);
  await sleep(500);
  return measure(python, port, 'mock');
}

async function ofBoard(python: string): Promise<Rate> {
  const serve = ['serve', '--bus', 'simulator', '--listen', '127.0.0.1:0', '--leco', '127.0.0.1:0'];
  const daemon = start(process.execPath, 'dist/pitayad.cjs', ...serve, '--no-discovery', '--log-format', 'json');
  const port = await lineOf(daemon, (line) => (JSON.parse(line) as { leco?: { port: number } }).leco?.port);
  return measure(python, port, 'scope');
}

function tell(who: string, { frames_per_second, shape, bytes, late }: Rate): void {
  console.log(
    `${who}: ${frames_per_second.toFixed(0)} frames/s of ${shape.join(' x ')} (${bytes} bytes), ${late} late`,
  );
}

if (python === undefined) {
  console.log('skipped: leco: PITAYAD_PYMODAQ_5 is not set');
  console.log('0 passed, 0 failed, 1 skipped');
  process.exit(0);
}
try {
  const mock = await ofMock(python);
  tell('the mock', mock);
  for (const child of started) child.kill('SIGKILL');
  const board = await ofBoard(python);
  tell('the board', board);
  const ratio = board.frames_per_second / mock.frames_per_second;
  const verdicts = [
    { good: ratio >= LEAST, text: `the board has ${ratio.toFixed(2)} of the mock's frames (goal ≥ ${LEAST})` },
    { good: board.late === 0, text: `${board.late} frames of the board came 0.5 s after the end (goal 0)` },
    { good: `${board.shape}` === '2,512', text: `the board's frames are ${board.shape.join(' x ')}` },
  ];
  for (const { good, text } of verdicts) console.log(`${good ? 'ok  ' : 'MISS'} ${text}`);
  const failed = verdicts.filter(({ good }) => !good).length;
  console.log(`${verdicts.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
} finally {
  for (const child of started) child.kill('SIGKILL');
}
