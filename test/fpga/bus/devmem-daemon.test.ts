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
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
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
import { bitstream, IDCODES, IDENTITY, sha256 } from '../bitstream/fake-board.ts';

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

/**
 * A kernel that acts on what is written into its files, as the FPGA manager of OS 2.x does: it loads the image that the
 * overlay names, and the registers are PyRPL's from then on.
 */
function kernel(root: string): { end(): void; loads(): number } {
  let loads = 0;
  const overlay = join(root, 'configfs/device-tree/overlays/pitayad');
  mkdirSync(dirname(overlay), { recursive: true });
  const timer = setInterval(() => {
    const path = join(overlay, 'path');
    if (!existsSync(path) || existsSync(join(overlay, 'status'))) return;
    const name = readFileSync(path, 'utf8');
    // It may be in the course of being written.
    if (!name.endsWith('.dtbo')) return;
    const dtbo = join(root, 'lib/firmware', name);
    assert.match(readFileSync(dtbo, 'latin1'), /firmware-name\0pitayad\.bin\0/);
    assert.ok(existsSync(join(root, 'lib/firmware/pitayad.bin')));
    loads++;
    registers(root, IDENTITY);
    write(root, STATE, 'operating\n');
    writeFileSync(join(overlay, 'status'), 'applied\n');
  }, 5);
  return { end: () => clearInterval(timer), loads: () => loads };
}

test('from an empty FPGA to a board that serves, by the commands themselves', async (context) => {
  const { root } = context;
  write(root, STATE, 'unknown\n');
  rmSync(join(root, LOADED));
  // Without identity: whoever reads registers before the load finds nothing.
  registers(root, []);
  const eeprom = Buffer.alloc(8192, 0xff);
  eeprom.write('\0\0\0\0hw_rev=STEM_125-14_v1.1\0\0', 0x1800, 'latin1');
  mkdirSync(join(root, 'sys/bus/i2c/devices/0-0050'), { recursive: true });
  writeFileSync(join(root, 'sys/bus/i2c/devices/0-0050/eeprom'), eeprom);
  const image = bitstream(IDCODES.z7010);
  writeFileSync(join(root, 'image.bin'), image);
  writeFileSync(join(root, 'image.dtbo'), 'firmware-name\0fpga.bit.bin\0');
  const acting = kernel(root);
  const load = async () => {
    const design = ['--bitstream', join(root, 'image.bin'), '--bitstream-sha256', sha256(image)];
    const args = [main, 'load-fpga', '--root', root, ...design, '--overlay', join(root, 'image.dtbo')];
    const child = spawn(process.execPath, [
      '--import',
      'tsx',
      ...args,
      '--config',
      '/dev/null',
      '--log-format',
      'json',
    ]);
    let said = '';
    child.stdout.on('data', (data) => {
      said += data;
    });
    child.stderr.on('data', (data) => {
      said += data;
    });
    const [status] = await once(child, 'close');
    return { status: status as number, said };
  };
  try {
    const first = await load();
    assert.equal(first.status, 0, first.said);
    assert.match(first.said, /the FPGA is loaded/);
    const again = await load();
    assert.match(again.said, /the FPGA was running: nothing was touched/);
    assert.equal(acting.loads(), 1);
    const { child, ended } = start(context);
    assert.ok(child.stdout);
    for await (const text of createInterface(child.stdout)) if (JSON.parse(text).msg === 'serving') break;
    const whileServing = await load();
    assert.equal(whileServing.status, 2);
    assert.match(whileServing.said, /is in use by process \d+ .*only one process may own the FPGA/);
    child.kill('SIGTERM');
    assert.equal((await ended).status, 0);
  } finally {
    acting.end();
  }
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
