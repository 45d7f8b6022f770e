/** PyRPL's protocol, byte by byte, in front of a simulated board. */
import assert from 'node:assert';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { suite } from 'uvu';
import { openMonitor } from '../../../src/fpga/bus/monitor.ts';
import { type MonitorServer, serveMonitor } from '../../../src/fpga/bus/monitor-server.ts';
import { openSimulator, type Simulator } from '../../../src/fpga/bus/simulator/simulator.ts';

interface Context {
  simulator: Simulator;
  server: MonitorServer;
  reasons: string[];
  clients: Client[];
  client(): Promise<Client>;
}

interface Client {
  readonly socket: Socket;
  send(...bytes: (string | number[] | Buffer)[]): void;
  /** So many bytes, as hexadecimal digits; fewer if the server closes. */
  receive(bytes: number): Promise<string>;
}

const test = suite<Context>('monitor-server');

test.before.each(async (context) => {
  context.simulator = openSimulator({ timing: { clock: 'stepped' }, repeated: true });
  context.reasons = [];
  context.clients = [];
  context.server = await serveMonitor(context.simulator, {
    host: '127.0.0.1',
    port: 0,
    dropped: (reason) => void context.reasons.push(reason),
  });
  context.client = async () => {
    const made = await open(context.server.port);
    context.clients.push(made);
    return made;
  };
});

test.after.each(async ({ server, clients }) => {
  for (const { socket } of clients) socket.destroy();
  await server.close();
});

async function open(port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let held = Buffer.alloc(0);
  let ended = false;
  let wake = (): void => {};
  socket.on('data', (piece) => {
    held = Buffer.concat([held, piece]);
    wake();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    ended = true;
    wake();
  });
  return {
    socket,
    send(...parts) {
      socket.write(
        Buffer.concat(parts.map((one) => (typeof one === 'string' ? Buffer.from(one, 'hex') : Buffer.from(one)))),
      );
    },
    async receive(bytes) {
      while (held.length < bytes && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const taken = held.subarray(0, bytes);
      held = held.subarray(taken.length);
      return taken.toString('hex');
    },
  };
}

function header(command: string, words: number, address: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.write(command, 0, 'latin1');
  bytes.writeUInt16LE(words, 2);
  bytes.writeUInt32LE(address, 4);
  return bytes;
}

/** A server that is in step and well answers this with 1. */
const ID = header('r', 1, 0x4000_0000);
const ID_ANSWER = `${ID.toString('hex')}01000000`;

test('reads and writes as PyRPL sends them', async ({ client }) => {
  const one = await client();
  one.send('7700010008013040', '00100000');
  assert.equal(await one.receive(8), '7700010008013040');
  one.send('7200010008013040');
  assert.equal(await one.receive(12), '720001000801304000100000');
  one.send('7200020010001040');
  assert.equal(await one.receive(16), '72000200100010400020000000200000', 'delay and decimation after reset, 8192');
});

test('requests may come in pieces, or many at a time', async ({ client }) => {
  const one = await client();
  for (const byte of ID) {
    one.send([byte]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await one.receive(12), ID_ANSWER);
  one.send(ID, ID, ID);
  assert.equal(await one.receive(36), ID_ANSWER.repeat(3));
});

test('requests of no words are passed over, whatever they are', async ({ client }) => {
  const one = await client();
  for (const command of 'rwcx') one.send(header(command, 0, 0x1234_5677));
  one.send(ID);
  assert.equal(await one.receive(12), ID_ANSWER);
});

test('what ends the board’s server closes the connection, and changes nothing', async ({
  client,
  simulator,
  reasons,
}) => {
  const before = simulator.traffic.wordsWritten;
  const cases: [string, Buffer][] = [
    ['the command to end', header('c', 1, 0x4000_0000)],
    ['an unknown command', header('x', 1, 0x4000_0000)],
    ['no multiple of 4', header('r', 1, 0x4000_0002)],
    ['below the port', header('r', 1, 0x3fff_fffc)],
    ['above the port', header('r', 1, 0x8000_0000)],
    ['over a boundary of 128 KiB', header('r', 2, 0x4011_fffc)],
    ['16385 words of a memory', header('r', 16_385, 0x4011_0000)],
    ['acknowledged by nobody', header('r', 1, 0x403a_0100)],
    ['a write that nobody acknowledges', Buffer.concat([header('w', 1, 0x403a_0100), Buffer.alloc(4)])],
  ];
  for (const [what, bytes] of cases) {
    const one = await client();
    one.send(bytes, ID);
    assert.equal(await one.receive(12), '', what);
  }
  assert.equal(reasons.length, cases.length);
  assert.equal(simulator.traffic.wordsWritten, before);
  const next = await client();
  next.send(ID);
  assert.equal(await next.receive(12), ID_ANSWER, 'the server goes on');
});

test('a whole memory in one request', async ({ client }) => {
  const one = await client();
  const request = header('r', 16_384, 0x4011_0000);
  one.send(request);
  assert.equal(await one.receive(8 + 4 * 16_384), request.toString('hex') + '00'.repeat(4 * 16_384));
});

test('a second client waits for its turn', async ({ client }) => {
  const first = await client();
  first.send(ID);
  assert.equal(await first.receive(12), ID_ANSWER);
  const second = await client();
  second.send(ID);
  const answered = second.receive(12);
  assert.equal(await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 30, 'waits'))]), 'waits');
  first.socket.destroy();
  assert.equal(await answered, ID_ANSWER);
});

test('a client that breaks off in the middle of a write has written nothing', async ({ client, simulator }) => {
  const one = await client();
  one.send(header('w', 2, 0x4000_0030), [1, 0, 0, 0]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  one.socket.destroy();
  const two = await client();
  two.send(ID);
  assert.equal(await two.receive(12), ID_ANSWER);
  assert.equal(simulator.leds, 0);
});

test('a client that does not read what it asked for gets no more until it does', async ({ client }) => {
  const one = await client();
  one.socket.pause();
  const request = header('r', 16_384, 0x4011_0000);
  const requests = 40;
  for (let k = 0; k < requests; k++) one.send(request);
  await new Promise((resolve) => setTimeout(resolve, 50));
  one.socket.resume();
  const bytes = 8 + 4 * 16_384;
  assert.equal((await one.receive(requests * bytes)).length, 2 * requests * bytes);
});

test('our own client of this protocol sees what the simulator itself answers', async ({ server, simulator }) => {
  const bus = await openMonitor({ host: '127.0.0.1', port: server.port });
  await bus.write(0x4000_0030, 0xa5);
  assert.equal(await bus.read(0x4000_0030), 0xa5);
  assert.equal(simulator.leds, 0xa5);
  const table = Uint32Array.from({ length: 16_384 }, (_, k) => k & 0x3fff);
  await bus.writeBlock(0x4021_0000, table);
  assert.equal(simulator.traffic.wordsWritten, 16_385);
  await bus.close();
});

test.run();
