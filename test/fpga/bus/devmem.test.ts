/** The real add-ons on a plain file in place of the registers. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import { BusError, ConfigurationError } from '../../../src/errors.ts';
import type { RegisterBus } from '../../../src/fpga/bus/bus.ts';
import { openDevmem } from '../../../src/fpga/bus/devmem.ts';
import { lockExclusively } from '../../../src/fpga/bus/lock.ts';
import { loadNative } from '../../../src/fpga/bus/native.ts';

const BASE = 0x4000_0000;
const OFFSET = 4096;
const BYTES = 0x20_0000;

interface Context {
  folder: string;
  path: string;
  bus: RegisterBus;
}

const test = suite<Context>('devmem');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-devmem-'));
  context.path = join(context.folder, 'registers');
  writeFileSync(context.path, new Uint8Array(OFFSET + BYTES));
  context.bus = openDevmem({ path: context.path, offset: OFFSET, bytes: BYTES });
});

test.after.each(async (context) => {
  await context.bus.close();
  rmSync(context.folder, { recursive: true });
});

/** The file as other programs see it. */
function word(path: string, address: number): number {
  return readFileSync(path).readUInt32LE(OFFSET + address - BASE);
}

function refuses(sentence: RegExp) {
  return (error: unknown) => error instanceof BusError && sentence.test(error.message);
}

test('single words', async ({ bus, path }) => {
  await bus.write(BASE + 0x10_0014, 0x1234_5678);
  await bus.write(BASE + 4, -1);
  await bus.write(BASE + BYTES - 4, 2 ** 32 + 7);
  assert.equal(word(path, BASE + 0x10_0014), 0x1234_5678);
  assert.equal(word(path, BASE + 4), 0xffff_ffff);
  assert.equal(word(path, BASE + BYTES - 4), 7);
  assert.equal(await bus.read(BASE + 4), 0xffff_ffff);
  assert.equal(await bus.read(BASE), 0);
  assert.deepEqual(bus.traffic, { wordsRead: 2, wordsWritten: 3 });
});

for (const words of [0, 1, 511, 512, 513, 1000, 16384]) {
  test(`a block of ${words} words, there and back`, async ({ bus, path }) => {
    const values = Uint32Array.from({ length: words }, (_, i) => Math.imul(i + 1, 0x9e37_79b1));
    const address = BASE + 0x11_0000;
    await bus.write(address - 4, 0xaaaa_aaaa);
    await bus.write(address + 4 * words, 0xbbbb_bbbb);
    await bus.writeBlock(address, values);
    const bytes = readFileSync(path).subarray(OFFSET + 0x11_0000, OFFSET + 0x11_0000 + 4 * words);
    assert.ok(bytes.equals(Buffer.from(values.buffer)));
    assert.deepEqual(await bus.readBlock(address, words), values);
    assert.equal(word(path, address - 4), 0xaaaa_aaaa);
    assert.equal(word(path, address + 4 * words), 0xbbbb_bbbb);
    assert.deepEqual(bus.traffic, { wordsRead: words, wordsWritten: words + 2 });
  });
}

test('blocks follow each other in the order of the calls, short and long', async ({ bus }) => {
  const first = new Uint32Array(16384).fill(1);
  const last = new Uint32Array(10).fill(2);
  const writing = bus.writeBlock(BASE, first);
  const overwriting = bus.writeBlock(BASE, last);
  const into = new Uint32Array(20);
  const read = await bus.readBlock(BASE, 20, into);
  assert.equal(read, into);
  assert.deepEqual([...read], [...Array(10).fill(2), ...Array(10).fill(1)]);
  await Promise.all([writing, overwriting]);
});

test('the event loop turns while blocks are copied', async ({ bus }) => {
  let turns = 0;
  let done = false;
  setImmediate(function again() {
    turns += 1;
    if (!done) setImmediate(again);
  });
  await Promise.all(Array.from({ length: 20 }, () => bus.readBlock(BASE, BYTES / 4)));
  done = true;
  assert.ok(turns >= 20, `${turns} turns in 20 blocks`);
});

test('what the hardware would not answer is refused and changes nothing', async ({ bus, path }) => {
  const before = readFileSync(path);
  await assert.rejects(bus.write(BASE + 2, 1), refuses(/no multiple of 4/));
  await assert.rejects(bus.read(BASE - 4), refuses(/outside/));
  await assert.rejects(bus.write(BASE + BYTES, 1), refuses(/outside/));
  await assert.rejects(bus.writeBlock(BASE + BYTES - 8, new Uint32Array(3).fill(9)), refuses(/outside/));
  await assert.rejects(bus.readBlock(BASE + BYTES - 8, 3), refuses(/outside/));
  assert.ok(readFileSync(path).equals(before));
  assert.deepEqual(bus.traffic, { wordsRead: 0, wordsWritten: 0 });
});

test('after close nothing is accessed, and a block under way has ended', async ({ bus, path }) => {
  const writing = bus.writeBlock(BASE, new Uint32Array(16384).fill(5));
  await bus.close();
  await writing;
  assert.equal(word(path, BASE + 4 * 16383), 5);
  await assert.rejects(bus.read(BASE), refuses(/closed/));
  await assert.rejects(bus.write(BASE, 1), refuses(/closed/));
});

test('a second opening is refused with the process that has the registers, until that one closes', async ({
  bus,
  path,
}) => {
  const again = () => openDevmem({ path, offset: OFFSET, bytes: BYTES });
  assert.throws(again, (error: Error) => {
    assert.ok(error instanceof ConfigurationError);
    assert.match(error.message, new RegExp(`in use by process ${process.pid} \\(.*test`));
    return true;
  });
  await bus.close();
  await again().close();
});

test('the lock of a process that was killed is free', async ({ folder }) => {
  const path = join(folder, 'other');
  writeFileSync(path, new Uint8Array(8192));
  const holder = spawn(process.execPath, ['--import', 'tsx', '-e', script(path)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(holder.stdout, 'data');
    const fd = openSync(path, 'r+');
    assert.throws(() => lockExclusively(loadNative(), fd, path), new RegExp(`process ${holder.pid} `));
    await ended(holder);
    lockExclusively(loadNative(), fd, path);
    closeSync(fd);
  } finally {
    holder.kill('SIGKILL');
  }
});

function script(path: string): string {
  const source = new URL('../../../src/fpga/bus/devmem.ts', import.meta.url).href;
  return `import('${source}').then(({ openDevmem }) => {
    openDevmem({ path: '${path}', offset: 0, bytes: 4096 });
    console.log('locked');
    setInterval(() => {}, 1000);
  });`;
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a place that cannot be mapped is a configuration error, with a sentence', ({ folder }) => {
  const short = join(folder, 'short');
  writeFileSync(short, new Uint8Array(100));
  const cases: [Parameters<typeof openDevmem>[0], RegExp][] = [
    [{ path: join(folder, 'none'), offset: 0, bytes: 4096 }, /cannot open .*none \(ENOENT\)/],
    [{ path: short, offset: 0, bytes: 4096 }, /has 100 bytes; the registers would need 4096/],
    [{ path: short, offset: 0, bytes: 6 }, /cannot map 6 bytes/],
    [{ path: short, offset: 0, bytes: 0x80_0004 }, /up to 8388608/],
    [{ path: short, offset: -4096, bytes: 4096 }, /cannot map from offset -4096/],
    [{ path: short, offset: 2 ** 31, bytes: 4096 }, /cannot map from offset/],
    [{ path: short, offset: 4, bytes: 8 }, /cannot map 8 bytes of .* from offset 4/],
    [{ path: short, nativeFolder: folder, offset: 0, bytes: 8 }, /add-ons .* are not built: .*node build\.mjs native/],
    [{}, /Red Pitaya|FPGA/],
  ];
  for (const [options, sentence] of cases) {
    assert.throws(
      () => openDevmem(options),
      (error: Error) => error instanceof ConfigurationError && sentence.test(error.message),
      String(sentence),
    );
  }
});

test('systemd is told, through a path and through an abstract name', async ({ folder }) => {
  const native = loadNative();
  for (const name of [join(folder, 'notify'), `@pitayad-test-${process.pid}`]) {
    // Node has no Unix datagram sockets, so the reading end is a socket of Python's.
    const reader = spawn('python3', ['-c', READER, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const lines = createInterface(reader.stdout)[Symbol.asyncIterator]();
      assert.equal((await lines.next()).value, 'bound');
      assert.equal(native.sdNotify(name, 'READY=1'), 0);
      assert.equal((await lines.next()).value, 'READY=1');
    } finally {
      reader.kill('SIGKILL');
    }
  }
  assert.ok(native.sdNotify(join(folder, 'nobody'), 'READY=1') < 0);
  assert.ok(native.sdNotify('relative', 'READY=1') < 0);
  assert.ok(native.sdNotify(`/${'x'.repeat(200)}`, 'READY=1') < 0);
});

const READER = `
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
print(s.recv(100).decode(), flush=True)
`;

test.run();
