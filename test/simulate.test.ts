/** `pitayad simulate` as a process: its first line, its own addresses, its end. */
import assert from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import { openMonitor } from '../src/fpga/bus/monitor.ts';
import { PROGRAM } from './command.ts';

const SIDE = 0x5fff_0000;
const WINDOW = { base: 0x4000_0000, bytes: 0x4000_0000 };

interface Board {
  readonly child: ChildProcess;
  readonly port: number;
}

const test = suite<{ boards: ChildProcess[] }>('simulate');

test.before.each((context) => {
  context.boards = [];
});

test.after.each(async ({ boards }) => {
  for (const child of boards) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

function run(boards: ChildProcess[], ...options: string[]): ChildProcess {
  const child = spawn(process.execPath, [...PROGRAM, 'simulate', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  boards.push(child);
  return child;
}

async function start(boards: ChildProcess[], ...options: string[]): Promise<Board> {
  const child = run(boards, '--port', '0', ...options);
  if (!child.stdout) throw new Error('it has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const [, port] = /^pitayad simulate listening on 127\.0\.0\.1:(\d+)$/.exec(line) ?? [];
    assert.ok(port, line);
    return { child, port: Number(port) };
  }
  throw new Error('it ended before it listened');
}

async function withBus<T>(
  { port }: Board,
  use: (command: (text: string) => Promise<string>, bus: Awaited<ReturnType<typeof openMonitor>>) => Promise<T>,
): Promise<T> {
  const bus = await openMonitor({ host: '127.0.0.1', port, window: WINDOW });
  const command = async (text: string): Promise<string> => {
    const bytes = Buffer.alloc(4 * Math.ceil((text.length + 1) / 4));
    bytes.write(text);
    await bus.writeBlock(
      SIDE + 0x1000,
      Uint32Array.from({ length: bytes.length / 4 }, (_, k) => bytes.readUInt32LE(4 * k)),
    );
    const words = await bus.readBlock(SIDE + 0x1000, 256);
    return Buffer.from(words.buffer).toString().replace(/\0.*$/s, '');
  };
  try {
    return await use(command, bus);
  } finally {
    await bus.close();
  }
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = await once(child, 'exit');
  return code as number | null;
}

test('stepped: time stands still but in transfers and on command; SIGTERM ends it with status 0', async ({
  boards,
}) => {
  const board = await start(boards, '--stepped', '--loopback');
  await withBus(board, async (command, bus) => {
    assert.equal(await bus.read(SIDE + 0x3c), 0x4c50_5231);
    const clock = async (): Promise<number> => bus.read(SIDE);
    assert.equal(await clock(), 0);
    await bus.read(0x4000_0000);
    assert.equal(await clock(), 19);
    assert.equal(await command('advance 1000'), 'ok');
    await bus.write(SIDE + 0x08, 81);
    assert.equal(await clock(), 1100);
    assert.equal(await command('bus-cycles 8'), 'ok');
    await bus.read(0x4000_0000);
    assert.equal(await clock(), 1108);
    assert.equal(await command('adc 1 const:0.25'), 'ok');
    await bus.write(SIDE + 0x08, 10);
    assert.equal(await bus.read(SIDE + 0x28), 2048);
    assert.equal(await command('pins p 0x5a'), 'ok');
    assert.equal(await bus.read(0x4000_0020), 0x5a);
    const status = JSON.parse(await command('status')) as Record<string, unknown>;
    assert.equal(status.mode, 'stepped');
    assert.equal(status.adc1, 'const:0.25');
    assert.equal(status.adc2, 'loopback');
    assert.equal(status.in1, 2048);
    assert.equal(await command('reload'), 'ok');
    assert.equal(await clock(), 0);
  });
  board.child.kill('SIGTERM');
  assert.equal(await ended(board.child), 0);
});

test('commands that are none are answered by a sentence, and the rest goes on', async ({ boards }) => {
  const board = await start(boards, '--stepped');
  await withBus(board, async (command, bus) => {
    for (const text of [
      ...['', 'jump', 'constructor', 'adc 3 const:0', 'adc 1 saw:1', 'adc 1', 'advance', 'advance -1', 'advance 1e99'],
      ...['mode fast', 'bus-cycles 1000000', 'pins q 1', 'pins p 256', 'realtime-ratio x', 'pwm', 'x'.repeat(10_000)],
    ]) {
      assert.match(await command(text), /^error: /, text);
    }
    assert.equal(await bus.read(SIDE), 0, 'no time has passed');
    assert.equal(await bus.read(0x4000_0000), 1);
    assert.equal(await command('quit'), 'ok');
  });
  assert.equal(await ended(board.child), 0);
});

test('by itself, time follows the clock on the wall', async ({ boards }) => {
  const board = await start(boards, '--loopback', '--noise', '0.001', '--max-clients', '2');
  await withBus(board, async (command, bus) => {
    const before = await bus.read(SIDE);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok((await bus.read(SIDE)) - before >= 19 * 125_000);
    assert.equal(await bus.read(SIDE + 0x0c), 1);
    assert.equal(await command('mode stepped'), 'ok');
    const still = await bus.read(SIDE);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await bus.read(SIDE), still);
    await withBus(board, async (other) => assert.match(await other('status'), /"adc1":"loopback\+noise:0.001"/));
  });
});

test('options that are none end it with status 2 and a sentence, before it listens', async ({ boards }) => {
  for (const [options, wanted] of [
    [['--adc1', 'saw:1'], 'saw'],
    [['--port', '70000'], '65535'],
    [['--stepped', '--free-run'], 'stepped'],
    [['--speed', '2'], '--speed'],
  ] as const) {
    const child = run(boards, ...options);
    let said = '';
    child.stderr?.on('data', (piece) => {
      said += String(piece);
    });
    assert.equal(await ended(child), 2, said);
    assert.ok(said.includes(wanted), `${said} does not say ${wanted}`);
  }
});

test.run();
