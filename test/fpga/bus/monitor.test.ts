/** The client against a small server of the test's own, which follows the protocol or breaks it on purpose. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import { BusError } from '../../../src/errors.ts';
import type { RegisterBus } from '../../../src/fpga/bus/bus.ts';
import { type MonitorOptions, openMonitor } from '../../../src/fpga/bus/monitor.ts';

interface Request {
  readonly command: string;
  readonly words: number;
  readonly address: number;
  readonly bytes: Buffer;
}

/** What the server does with a request in place of answering; nothing: it answers. */
type Fault = (request: Request, socket: Socket) => boolean;

interface Context {
  server: Server;
  memory: Map<number, number>;
  requests: Request[];
  sockets: Set<Socket>;
  fault: Fault;
  /** Bytes a chunk of an answer has; all by default. */
  chunk: number;
  open(options?: Partial<MonitorOptions>): Promise<RegisterBus>;
  buses: RegisterBus[];
}

const test = suite<Context>('monitor');

test.before.each(async (context) => {
  context.memory = new Map();
  context.requests = [];
  context.sockets = new Set();
  context.buses = [];
  context.fault = () => false;
  context.chunk = Number.POSITIVE_INFINITY;
  context.server = createServer((socket) => serve(context, socket));
  context.server.listen(0, '127.0.0.1');
  await once(context.server, 'listening');
  context.open = async (options = {}) => {
    const { port } = context.server.address() as AddressInfo;
    const bus = await openMonitor({ host: '127.0.0.1', port, ...options });
    context.buses.push(bus);
    return bus;
  };
});

test.after.each(async ({ buses, server, sockets }) => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(buses.map((bus) => bus.close()));
  server.close();
});

function serve(context: Context, socket: Socket): void {
  const { sockets, memory, requests } = context;
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => undefined);
  let pending: Buffer = Buffer.alloc(0);
  socket.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    while (pending.length >= 8) {
      const command = String.fromCharCode(pending[0] ?? 0);
      const words = pending.readUInt16LE(2);
      const length = command === 'w' ? 8 + 4 * words : 8;
      if (pending.length < length) return;
      const request = { command, words, address: pending.readUInt32LE(4), bytes: pending.subarray(0, length) };
      pending = pending.subarray(length);
      requests.push(request);
      if (context.fault(request, socket)) continue;
      let answer = request.bytes.subarray(0, 8);
      for (let i = 0; i < words; i++) {
        const address = request.address + 4 * i;
        if (command === 'w') memory.set(address, request.bytes.readUInt32LE(8 + 4 * i));
      }
      if (command === 'r') {
        const data = Uint32Array.from({ length: words }, (_, i) => memory.get(request.address + 4 * i) ?? 0);
        answer = Buffer.concat([answer, Buffer.from(data.buffer)]);
      }
      for (let at = 0; at < answer.length; at += context.chunk) socket.write(answer.subarray(at, at + context.chunk));
    }
  });
}

function busError(sentence: RegExp) {
  return (error: unknown) => error instanceof BusError && sentence.test(error.message);
}

test('words, by the bytes of the protocol', async ({ open, requests }) => {
  const bus = await open();
  await bus.write(0x4030_0108, 0x1000);
  await bus.write(0x4030_0108, -1);
  assert.equal(await bus.read(0x4030_0108), 0xffff_ffff);
  assert.equal(await bus.read(0x4010_0018), 0);
  assert.equal(requests[0]?.bytes.toString('hex'), '770001000801304000100000');
  assert.equal(requests[3]?.bytes.toString('hex'), '7200010018001040');
  assert.deepEqual(bus.traffic, { wordsRead: 2, wordsWritten: 2 });
  assert.match(bus.name, /^monitor:127\.0\.0\.1:\d+$/);
});

test('blocks are split at 128 KiB boundaries, and arrive whole', async ({ open, requests }) => {
  const bus = await open();
  const values = Uint32Array.from({ length: 70_000 }, (_, i) => Math.imul(i + 1, 0x9e37_79b1));
  await bus.writeBlock(0x4010_fff0, values);
  assert.deepEqual(await bus.readBlock(0x4010_fff0, values.length), values);
  assert.deepEqual(
    requests.map(({ command, words, address }) => [command, words, address]),
    ['w', 'r'].flatMap((command) => [
      [command, 16388, 0x4010_fff0],
      [command, 32768, 0x4012_0000],
      [command, 20844, 0x4014_0000],
    ]),
  );
});

test('a part of a larger array is written, not the array', async ({ open, memory }) => {
  const bus = await open();
  await bus.writeBlock(0x4000_0000, Uint32Array.of(1, 2, 3, 4).subarray(1, 3));
  assert.deepEqual(
    [...memory],
    [
      [0x4000_0000, 2],
      [0x4000_0004, 3],
    ],
  );
});

test('requests are sent before earlier ones are answered, and answers find their way', async (context) => {
  const bus = await context.open();
  const held: (() => void)[] = [];
  context.fault = ({ bytes, words }, socket) => {
    held.push(() => socket.write(Buffer.concat([bytes, Buffer.alloc(4 * words, held.length + 1)])));
    return held.length > 0;
  };
  const reads = [0, 4, 8].map((offset, i) => bus.readBlock(0x4000_0000 + offset, i + 1));
  while (held.length < 3) await sleep(1);
  for (const answer of held) answer();
  assert.deepEqual(
    (await Promise.all(reads)).map((words) => words.length),
    [1, 2, 3],
  );
});

test('answers in any split of the bytes', async (context) => {
  const bus = await context.open();
  const values = Uint32Array.from({ length: 500 }, (_, i) => i * 0x0101_0101);
  await bus.writeBlock(0x4010_0000, values);
  for (context.chunk of [1, 3, 7, 8, 9, 100]) {
    const [block, word] = await Promise.all([bus.readBlock(0x4010_0000, 500), bus.read(0x4010_0004)]);
    assert.deepEqual(block, values);
    assert.equal(word, 0x0101_0101);
  }
});

test('what no bus answers is refused, and so are no words: nothing is sent', async ({ open, requests }) => {
  const bus = await open();
  await assert.rejects(bus.read(0x4000_0001), busError(/multiple of 4/));
  await assert.rejects(bus.write(0x5fff_0000, 1), busError(/outside/));
  await assert.rejects(bus.readBlock(0x403a_0100, 1), busError(/acknowledges/));
  assert.equal((await bus.readBlock(0x4000_0000, 0)).length, 0);
  await bus.writeBlock(0x4000_0000, new Uint32Array(0));
  await bus.read(0x4000_0000);
  assert.equal(requests.length, 1);
});

const faults: [string, Fault, RegExp][] = [
  ['closes instead of answering', (_, socket) => socket.destroy() !== undefined, /closed by the server|ECONNRESET/],
  [
    'answers half and closes',
    ({ bytes }, socket) => socket.end(bytes.subarray(0, 5)) !== undefined,
    /closed by the server/,
  ],
  ['repeats another address', (_, socket) => socket.write('r\0\x01\0\x04\0\0\x40abcd') || true, /out of step/],
  [
    'says more than it was asked',
    ({ bytes }, socket) => socket.write(Buffer.concat([bytes, Buffer.alloc(9)])) || true,
    /./,
  ],
  ['says nothing', () => true, /no answer within 0\.2 s/],
];
for (const [what, fault, sentence] of faults) {
  test(`a server that ${what}: a bus error that says so, then connected again`, async (context) => {
    const events: [boolean, string | undefined][] = [];
    const bus = await context.open({ timeout: 0.2, onConnection: (up, why) => events.push([up, why]) });
    await bus.write(0x4000_0000, 42);
    context.fault = fault;
    const outcomes = await Promise.allSettled([
      bus.read(0x4000_0008),
      bus.write(0x4000_0000, 1),
      bus.read(0x4000_0000),
    ]);
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    assert.ok(reasons.length >= 2, 'later requests are refused');
    for (const reason of reasons) assert.ok(busError(sentence)(reason), String(reason));
    if (outcomes[1]?.status === 'rejected') assert.match(outcomes[1].reason.message, /took effect is not known/);
    await assert.rejects(
      bus.read(0x4000_0000),
      busError(/no connection to monitor:.*trying again; nothing was accessed/),
    );
    context.fault = () => false;
    while (events.length < 2) await sleep(5);
    assert.equal(events[0]?.[0], false);
    assert.match(events[0]?.[1] ?? '', sentence);
    assert.deepEqual(events[1], [true, undefined]);
    assert.equal(await bus.read(0x4000_0000), 42);
  });
}

test('a silence in which nothing is owed is no fault', async ({ open }) => {
  const events: boolean[] = [];
  const bus = await open({ timeout: 0.1, onConnection: (up) => events.push(up) });
  await bus.read(0x4000_0000);
  await sleep(250);
  assert.equal(await bus.read(0x4000_0000), 0);
  assert.deepEqual(events, []);
});

test('a server that comes back later is found again', async (context) => {
  const events: boolean[] = [];
  const bus = await context.open({ onConnection: (up) => events.push(up) });
  const { port } = context.server.address() as AddressInfo;
  context.server.close();
  for (const socket of context.sockets) socket.destroy();
  while (events.length < 1) await sleep(5);
  await sleep(150);
  await assert.rejects(bus.read(0x4000_0000), busError(/ECONNREFUSED/));
  context.server.listen(port, '127.0.0.1');
  while (events.length < 2) await sleep(5);
  assert.equal(await bus.read(0x4000_0000), 0);
});

test('no server: refused with what to look at', async ({ server }) => {
  const { port } = server.address() as AddressInfo;
  server.close();
  await assert.rejects(
    openMonitor({ host: '127.0.0.1', port }),
    busError(/cannot connect to monitor:.*ECONNREFUSED.*is monitor_server running/),
  );
});

test('close answers what was asked before, and refuses what is asked after', async ({ open }) => {
  const bus = await open();
  const before = bus.readBlock(0x4000_0000, 1000);
  const closing = bus.close();
  await assert.rejects(bus.read(0x4000_0000), busError(/is closed/));
  assert.equal((await before).length, 1000);
  await closing;
});

test('the window may be wider than the FPGA', async ({ open }) => {
  const bus = await open({ window: { base: 0x4000_0000, bytes: 0x4000_0000 } });
  assert.equal(await bus.read(0x5fff_0038), 0);
});

test.run();
