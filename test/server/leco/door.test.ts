/** The LECO door over TCP: who may connect, how much may be sent and queued, and the board in another Coordinator. */
import assert from 'node:assert';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'uvu';
import { PitayadError } from '../../../src/errors.ts';
import { type LecoDoorOptions, namespaceOf, openLecoDoor } from '../../../src/server/leco/door.ts';
import { joinCoordinator } from '../../../src/server/leco/joining.ts';
import { decodeMessage, encodeLeco, type LecoMessage, newConversation } from '../../../src/server/leco/message.ts';
import { decodeRpc, encodeRequest } from '../../../src/server/leco/rpc.ts';
import { openZmtp } from '../../../src/server/leco/zmtp.ts';
import { encodeMessage } from '../../../src/server/leco/zmtp-bytes.ts';
import { sharedTraces } from '../../../src/server/listen.ts';
import { eventually, keptLog, pause, silent, timed } from '../../fpga/instrument/fixture.ts';

const MiB = 2 ** 20;

async function opened(options: Partial<LecoDoorOptions> = {}) {
  const { log, lines } = keptLog();
  const { instrument } = await timed();
  const door = await openLecoDoor(instrument, log, {
    listen: { host: '127.0.0.1', port: 0 },
    maxClients: 8,
    maxMessageBytes: MiB,
    maxQueuedBytes: MiB,
    allowedNetworks: [],
    traces: sharedTraces(),
    ...options,
  });
  return {
    instrument,
    door,
    lines,
    said: (message: string) => lines.filter(({ msg }) => msg === message),
    async close() {
      await door.close();
      await instrument.close();
    },
  };
}

/** A director at the end of a real connection. */
async function dealer(port: number, name = 'dir') {
  const socket: Socket = connect(port, '127.0.0.1');
  const zmtp = openZmtp({ socketType: 'DEALER' });
  const heard: LecoMessage[] = [];
  let over = false;
  socket.on('error', () => undefined);
  socket.once('close', () => {
    over = true;
  });
  socket.on('data', (chunk: Buffer) => {
    for (const event of zmtp.receive(chunk)) {
      if (event.what === 'send') socket.write(event.bytes);
      else if (event.what === 'message') heard.push(decodeMessage(event.frames));
    }
  });
  socket.write(zmtp.greeting);
  const self = {
    socket,
    heard,
    get over() {
      return over;
    },
    say(receiver: string, method: string, params?: Record<string, unknown>) {
      const payload = [encodeRequest(1, method, params)];
      const message = { receiver, sender: name, conversation: newConversation(), messageId: 0, type: 1, payload };
      for (const piece of encodeMessage(encodeLeco(message))) socket.write(piece);
    },
    async ready() {
      await eventually(() => zmtp.ready || over, 'the handshake');
      return self;
    },
    async signedIn() {
      await self.ready();
      self.say('COORDINATOR', 'sign_in');
      await eventually(() => heard.length > 0, 'signed in');
      return self;
    },
  };
  return self;
}

test('a director signs in by TCP and moves an actor; it goes, and its name with it', async () => {
  const all = await opened();
  const director = await (await dealer(all.door.port)).signedIn();
  assert.equal(director.heard[0]?.sender, 'rp-test.COORDINATOR');
  director.say('asg0', 'move_abs', { position: 250_000 });
  await eventually(
    () => director.heard.some(({ payload }) => /set_move_done/.test(Buffer.from(payload[0] as Uint8Array).toString())),
    'the move ends',
  );
  assert.ok(Math.abs(Number((await all.instrument.get('asg0', ['offset'])).offset) - 0.25) < 1e-4);
  director.socket.destroy();
  await eventually(() => all.said('disconnected').length > 0, 'it is noticed');
  const again = await (await dealer(all.door.port)).signedIn();
  assert.deepEqual(decodeRpc(again.heard[0]?.payload[0] as Uint8Array).items, [
    { what: 'answer', id: 1, result: null },
  ]);
  await all.close();
});

test('its name is the host’s up to the first dot', () => {
  assert.equal(namespaceOf('rp-f0abcd.local'), 'rp-f0abcd');
  assert.equal(namespaceOf('rp-f0abcd'), 'rp-f0abcd');
  assert.equal(namespaceOf(''), 'board');
});

test('strangers are refused as at the other doors, and no more connect than may', async () => {
  const all = await opened({ maxClients: 3, maxClientsPerHost: 2 });
  const first = await (await dealer(all.door.port)).signedIn();
  await (await dealer(all.door.port, 'second')).signedIn();
  const third = await (await dealer(all.door.port, 'third')).ready();
  await eventually(() => third.over, 'the third is reset');
  assert.equal(all.lines.filter(({ max_clients_per_host }) => max_clients_per_host === 2).length, 1);
  first.socket.destroy();
  await eventually(() => all.said('disconnected').length > 0, 'one goes');
  await (await dealer(all.door.port, 'fourth')).signedIn();
  await all.close();
});

test('what is begun and not ended, too long or never read is dropped with a reason; the others go on', async () => {
  const all = await opened({ messageMs: 100, maxMessageBytes: 65_536 });
  const good = await (await dealer(all.door.port)).signedIn();
  const reasons = () => all.said('dropped').map(({ reason }) => String(reason));
  connect(all.door.port, '127.0.0.1').on('error', () => undefined);
  await eventually(() => reasons().some((one) => /nothing whole came within 0.1 s/.test(one)), 'no greeting');
  const slow = await (await dealer(all.door.port, 'slow')).ready();
  slow.socket.write(Buffer.from('0102', 'hex'));
  await eventually(() => slow.over, 'an unfinished message');
  const large = await (await dealer(all.door.port, 'large')).ready();
  large.socket.write(Buffer.from('020000000001000000', 'hex'));
  await eventually(() => reasons().some((one) => /at most 65536 are allowed/.test(one)), 'too long');
  const odd = await (await dealer(all.door.port, 'odd')).ready();
  for (let k = 0; k < 5; k++) odd.socket.write(Buffer.concat(encodeMessage([Buffer.from('x')])));
  await eventually(() => all.said('not a message of LECO; dropped').length === 5, 'messages that are none');
  assert.ok(!odd.over);
  const before = good.heard.length;
  good.say('scope', 'pong');
  await eventually(() => good.heard.length > before, 'the first is answered');
  await all.close();
});

test('who does not read what it is sent is dropped', async () => {
  const all = await opened({ maxQueuedBytes: 65_536 });
  const director = await (await dealer(all.door.port)).signedIn();
  director.socket.pause();
  for (let k = 0; k < 5000 && !director.over; k++) {
    director.say('networkanalyzer', 'rpc.discover');
    director.say('asg0', 'get_settings');
    if (k % 50 === 0) await pause(1);
    if (all.said('dropped').length > 0) break;
  }
  await eventually(
    () => all.said('dropped').some(({ reason }) => reason === 'does not read what it is sent'),
    'it is dropped',
    5000,
  );
  await all.close();
});

test('a port that is in use is told in a sentence', async () => {
  const all = await opened();
  await assert.rejects(opened({ listen: { host: '127.0.0.1', port: all.door.port } }), (error) => {
    assert.ok(error instanceof PitayadError);
    assert.match(error.message, new RegExp(`^Port ${all.door.port} is in use.*--leco HOST:PORT`));
    return true;
  });
  await all.close();
});

test('the board joins another Coordinator, under names with its host’s, and comes back by itself', async () => {
  const there = await opened();
  const { log, lines } = keptLog();
  const { instrument } = await timed();
  const joined = joinCoordinator(instrument, log, {
    coordinator: { host: '127.0.0.1', port: there.door.port },
    allowed: () => true,
    maxMessageBytes: MiB,
    maxQueuedBytes: MiB,
    traces: sharedTraces(),
    identity: Buffer.from('board'),
    pauses: { first: 20, last: 40 },
  });
  const signedIn = () => lines.filter(({ msg }) => msg === 'signed in').length;
  await eventually(() => signedIn() === 1, 'signed in');
  const director = await (await dealer(there.door.port)).signedIn();
  director.say('rp-test_asg0', 'move_abs', { position: 125_000 });
  for (let k = 0; k < 200; k++) {
    if (Math.abs(Number((await instrument.get('asg0', ['offset'])).offset) - 0.125) < 1e-4) break;
    await pause(10);
  }
  assert.ok(Math.abs(Number((await instrument.get('asg0', ['offset'])).offset) - 0.125) < 1e-4);
  // The Coordinator goes, and another one comes at its place.
  const { port } = there.door;
  await there.close();
  await eventually(() => /next try/.test(joined.state), 'it tries again');
  const next = await opened({ listen: { host: '127.0.0.1', port } });
  await eventually(() => signedIn() === 2, 'signed in again');
  assert.match(joined.state, /^connected, (\d+) of \1 actors signed in$/);
  await joined.close();
  await eventually(() => next.said('disconnected').length > 0, 'it has left');
  assert.equal(lines.filter(({ msg }) => msg === 'not connected').length >= 1, true);
  await next.close();
  await instrument.close();
});

test('no Coordinator there, or one that may not be spoken to: told once, and tried again', async () => {
  const { instrument } = await timed();
  const { log, lines } = keptLog();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  server.close();
  const options = {
    maxMessageBytes: MiB,
    maxQueuedBytes: MiB,
    traces: sharedTraces(),
    identity: Buffer.from('board'),
    pauses: { first: 5, last: 10 },
  };
  const coordinator = { host: '127.0.0.1', port };
  const joined = joinCoordinator(instrument, log, { ...options, coordinator, allowed: () => true });
  const stranger = joinCoordinator(instrument, silent, { ...options, coordinator, allowed: () => false });
  await eventually(() => /nobody listens there/.test(joined.state), 'nobody listens');
  await eventually(() => /allowed_networks: \['127\.0\.0\.1'\]/.test(stranger.state), 'it is not allowed');
  await pause(100);
  assert.equal(lines.filter(({ msg, level }) => msg === 'not connected' && level === 40).length, 1);
  assert.ok(lines.filter(({ msg }) => msg === 'not connected').length > 2);
  await joined.close();
  await stranger.close();
  await instrument.close();
});

test.run();
