/**
 * The daemon with the real add-ons, on a file system of the test's own in which /dev/mem is a plain file: nothing is mapped
 * before the FPGA is known to be ours, and nothing is touched once it is not.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { connectBoard } from '../../../src/server/client.ts';
import { IDENTITY } from '../bitstream/fake-board.ts';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const STATE = 'sys/class/fpga_manager/fpga0/state';
const LOADED = 'tmp/loaded_fpga.inf';
const WINDOW = { base: 0x4000_0000, bytes: 0x80_0000 } as const;

interface Context {
  root: string;
  started: ChildProcess[];
}

const test = suite<Context>('the daemon and /dev/mem');

test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'pitayad-root-'));
  context.started = [];
  write(context.root, STATE, 'operating\n');
  write(context.root, LOADED, 'pyrpl\n');
});
test.after.each(({ root, started }) => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

function write(root: string, path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** A file with holes, whose registers begin at their physical address. */
function registers(root: string, words: readonly (readonly [address: number, value: number])[]): void {
  const path = join(root, 'dev/mem');
  write(root, 'dev/mem', '');
  truncateSync(path, WINDOW.base + WINDOW.bytes);
  const fd = openSync(path, 'r+');
  for (const [address, value] of words) writeSync(fd, Uint8Array.of(value, 0, 0, 0), 0, 4, address);
  closeSync(fd);
}

/** Of all registers. */
function hashOf(root: string): string {
  const fd = openSync(join(root, 'dev/mem'), 'r');
  const bytes = Buffer.alloc(WINDOW.bytes);
  readSync(fd, bytes, 0, bytes.length, WINDOW.base);
  closeSync(fd);
  return createHash('sha256').update(bytes).digest('hex');
}

function start({ root, started }: Context): { child: ChildProcess; ended: Promise<{ status: number; said: string }> } {
  const options = ['--bus', 'devmem', '--root', root, '--listen', '127.0.0.1:0', '--log-format', 'json'];
  const args = [
    main,
    'serve',
    ...options,
    '--state',
    join(root, 'state.json'),
    '--config',
    '/dev/null',
    '--no-discovery',
  ];
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      said += data;
    });
  }
  return { child, ended: once(child, 'close').then(([status]) => ({ status: status as number, said })) };
}

async function refused(context: Context, sentence: RegExp): Promise<void> {
  const { status, said } = await start(context).ended;
  assert.equal(status, 2, said);
  assert.match(said, sentence);
  assert.ok(!said.includes('"serving"'));
}

test('an FPGA that is not configured, or with another design: /dev/mem is not even opened', async (context) => {
  // It is not there: opening it would be another error.
  write(context.root, STATE, 'write error\n');
  await refused(context, /the FPGA is not configured \(.*says write error\)/);
  write(context.root, STATE, 'operating\n');
  write(context.root, LOADED, 'v0.94\n');
  await refused(context, /does not run the PyRPL design \(.*says v0\.94\)/);
});

test('registers of another design: it does not serve, and has written nothing', async (context) => {
  registers(context.root, IDENTITY.slice(1));
  const before = hashOf(context.root);
  await refused(context, /what answers at devmem is not PyRPL’s design/);
  assert.equal(hashOf(context.root), before);
});

test('another program loads its design: clients read why, and no register is written any more', async (context) => {
  const { root } = context;
  registers(root, IDENTITY);
  const { child, ended } = start(context);
  assert.ok(child.stdout);
  let port = 0;
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text);
    if (line.msg !== 'serving') continue;
    port = line.pymodaq.port;
    break;
  }
  assert.ok(port > 0, 'it serves');
  const board = await connectBoard({ host: '127.0.0.1', port });
  const set = (offset: number) => board.reply('configure', { module: 'asg0', config: { offset } });
  const before = hashOf(root);
  await set(0.25);
  const ours = hashOf(root);
  assert.notEqual(ours, before);

  write(root, LOADED, 'v0.94\n');
  const lost = /not pitayad’s any more: .*says v0\.94.*sudo pitayad reload/;
  const end = performance.now() + 15_000;
  let sentence = '';
  while (!lost.test(sentence) && performance.now() < end) {
    sentence = await board.reply('get', { module: 'asg0' }).then(String, (error: Error) => error.message);
  }
  assert.match(sentence, lost);
  await assert.rejects(set(0.5), lost);
  await assert.rejects(board.reply('off', {}), lost);
  child.kill('SIGTERM');
  const { status } = await ended;
  assert.equal(status, 0);
  assert.equal(hashOf(root), ours);
});

test.run();
