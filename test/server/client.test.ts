/** The client of the command line: its deadlines, and servers that are no boards. */
import assert from 'node:assert';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { test } from 'uvu';
import type { PitayadError } from '../../src/errors.ts';
import { type BoardClient, BoardError, ConnectionError, connectBoard } from '../../src/server/client.ts';
import { encodeV5 } from '../../src/server/wire/encode.ts';
import { fromPlain, int, str } from '../../src/server/wire/values.ts';
import { eventually, pause } from '../fpga/instrument/fixture.ts';
import { served } from './door.ts';

async function rejected(promise: Promise<unknown>): Promise<PitayadError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof BoardError || error instanceof ConnectionError, String(error));
    return error;
  }
  throw new Error('It was not rejected.');
}

/** A server that is no board, and a client that is connected to it. */
async function stranger(
  act: (socket: Socket) => void,
  answerMs = 100,
): Promise<{ server: Server; board: BoardClient }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    act(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A test that fails must not keep the process.
  server.unref();
  const { port } = server.address() as AddressInfo;
  return { server, board: await connectBoard({ host: '127.0.0.1', port, answerMs }) };
}

test('several commands may be under way; each gets its own answer', async () => {
  const { bus, door, close } = await served();
  const board = await connectBoard({ host: '127.0.0.1', port: door.port });
  bus.lasts = undefined;
  const grab = board.ask('grab', {}, { patient: true });
  const later = board.reply('get', { module: 'asg0', parameters: ['offset'] });
  const wrong = rejected(board.reply('configure', { config: { decimation: 3 } }));
  assert.equal((await board.ask('ping')).word, 'pong');
  assert.equal((await board.reply('status')).clients, 1);
  await eventually(() => bus.armings > 0, 'armed');
  bus.finish();
  assert.equal((await grab).word, 'Done');
  assert.deepEqual(await later, { offset: 0 });
  const error = await wrong;
  assert.ok(error instanceof BoardError);
  assert.match(error.message, /decimation must be one of 1, 2, 4/);
  board.close();
  await close();
});

test('what is told unasked goes to who wants it', async () => {
  const { door, close } = await served();
  const told: string[] = [];
  const board = await connectBoard({
    host: '127.0.0.1',
    port: door.port,
    onUnasked: (word, payload) => void told.push(`${word} ${payload.length}`),
  });
  await board.reply('subscribe');
  await board.reply('configure', { module: 'asg0', config: { offset: 0.5 } });
  await board.ask('ping');
  assert.deepEqual(told, ['Changed 2']);
  board.close();
  await close();
});

test('a board that says nothing is given up, in time', async () => {
  const { server, board } = await stranger(() => undefined);
  const began = performance.now();
  const one = rejected(board.reply('list'));
  const other = rejected(board.ask('grab', {}, { patient: true }));
  assert.match((await one).message, /did not answer list within 0\.1 s/);
  assert.match((await other).message, /did not answer list within 0\.1 s/, 'one connection, one end');
  assert.ok(performance.now() - began < 1000);
  assert.ok((await rejected(board.ask('ping'))) instanceof ConnectionError, 'it stays lost');
  server.close();
});

test('a patient command waits as long as the board shows signs of life, and no longer', async () => {
  const { bus, door, close } = await served();
  bus.lasts = undefined;
  const board = await connectBoard({ host: '127.0.0.1', port: door.port, answerMs: 50 });
  const grab = board.ask('grab', {}, { patient: true });
  await pause(300);
  bus.finish();
  assert.equal((await grab).word, 'Done');
  board.close();
  await close();

  const { server, board: dead } = await stranger(() => undefined, 50);
  const began = performance.now();
  assert.match((await rejected(dead.ask('grab', {}, { patient: true }))).message, /did not answer ping within 0\.05 s/);
  assert.ok(performance.now() - began < 1000);
  server.close();
});

test('the end of the stream is an error, with the reason that came before it', async () => {
  for (const [last, kind, reason] of [
    ['', ConnectionError, /closed the connection/],
    [encodeV5(str('Error'), str('The board is tired.')), BoardError, /^The board is tired\.$/],
    [encodeV5(str('Reply')), ConnectionError, /closed the connection/],
    [encodeV5(str('Reply')).subarray(0, 7), ConnectionError, /closed the connection/],
  ] as const) {
    const { server, board } = await stranger((socket) => {
      socket.once('data', () => socket.end(last));
    }, 2000);
    const error = await rejected(board.reply('status'));
    assert.ok(error instanceof kind, error.message);
    assert.match(error.message, reason);
    server.close();
  }
});

test('what is no answer ends the connection in a sentence', async () => {
  for (const [bytes, reason] of [
    [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /not the protocol of a board/],
    [encodeV5(str('Welcome')), /answers with "Welcome", which is no word of a board/],
    [encodeV5(int(5), str('x'), int(1)), /answers with a int, which is no word/],
    [encodeV5(str('pong'), int(77)), /answers what was not asked/],
    [encodeV5(str('pong'), str('x')), /answers what was not asked/],
    [encodeV5(str('Reply'), str('no dictionary'), int(1)), /answers status with no dictionary/],
    [encodeV5(str('Reply'), fromPlain([1]), int(1)), /answers status with no dictionary|dictionary/],
  ] as const) {
    const { server, board } = await stranger((socket) => {
      socket.once('data', () => socket.write(bytes));
    }, 1000);
    const error = await rejected(board.reply('status'));
    assert.match(error.message, reason, error.message);
    board.close();
    server.close();
  }
});

test('nobody there is a sentence', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const error = await rejected(connectBoard({ host: '127.0.0.1', port }));
  assert.match(error.message, new RegExp(`^Nobody listens at 127\\.0\\.0\\.1:${port}`));
});

test.run();
