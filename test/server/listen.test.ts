/** The listening door: who gets in, who is dropped, and that others do not notice. */
import assert from 'node:assert';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'uvu';
import { PitayadError } from '../../src/errors.ts';
import { listen } from '../../src/server/listen.ts';
import { encodeV5 } from '../../src/server/wire/encode.ts';
import { fromPlain, str } from '../../src/server/wire/values.ts';
import { eventually, keptLog, pause } from '../fpga/instrument/fixture.ts';
import { type Connected, connected, type Served, served } from './door.ts';
import { sentence } from './peer.ts';

/** A test with a door of its own. */
function atDoor(
  what: string,
  options: Parameters<typeof served>[0],
  run: (served: Served & { lines: Record<string, unknown>[] }) => Promise<void>,
): void {
  test(what, async () => {
    const { log, lines } = keptLog();
    const all = await served(options, log);
    try {
      await run({ ...all, lines });
    } finally {
      await all.close();
    }
  });
}

const alive = async (peer: Connected): Promise<void> => {
  assert.equal((await peer.ask({ command: 'ping' })).word, 'pong');
};

const numberOf = async (peer: Connected): Promise<unknown> => {
  const { word, payload } = await peer.told();
  assert.equal(word, 'Done', sentence(payload));
  const [dte] = payload;
  assert.ok(dte?.type === 'DataToExport');
  const number = new Map(dte.data[0]?.extra).get('number');
  assert.ok(number?.type === 'int');
  return number.value;
};

atDoor('as many clients as allowed, and room again when one has left', { maxClients: 2 }, async ({ dial, lines }) => {
  const [one, two] = [await dial('v5', 'GRABBER'), await dial('v4', 'ACTUATOR')];
  await alive(one);
  await alive(two);
  const third = await dial('v5', 'GRABBER');
  assert.equal(await third.over(), 'reset');
  assert.equal(third.received.length, 0);
  await alive(one);
  await alive(two);
  assert.ok(lines.some(({ msg, max_clients }) => /too many clients/.test(`${msg}`) && max_clients === 2));
  two.socket.destroy();
  await eventually(() => lines.some(({ msg }) => msg === 'disconnected'), 'the second is gone');
  await alive(await dial('v5', 'ACTUATOR'));
});

atDoor(
  'one host cannot keep the others out; who knocks again and again fills no log',
  { maxClients: 4, maxClientsPerHost: 2 },
  async ({ dial, door, lines }) => {
    const [one, two] = [await dial('v5', 'GRABBER'), await dial('v5', 'GRABBER')];
    await alive(one);
    await alive(two);
    for (let k = 0; k < 20; k++) assert.equal(await (await dial('v5', 'GRABBER')).over(), 'reset');
    const refusals = lines.filter(({ msg }) => /too many clients of one host/.test(`${msg}`));
    assert.equal(refusals.length, 1);
    assert.deepEqual([refusals[0]?.host, refusals[0]?.max_clients_per_host], ['127.0.0.1', 2]);
    const socket = connect({ host: '127.0.0.1', port: door.port, localAddress: '127.0.0.9' });
    const other = connected('v4', socket);
    other.say('ACTUATOR');
    await alive(other);
    await alive(one);
    two.socket.destroy();
    await eventually(() => lines.some(({ msg }) => msg === 'disconnected'), 'the second is gone');
    await alive(await dial('v5', 'ACTUATOR'));
    socket.destroy();
  },
);

atDoor(
  'who never reads is dropped, not buffered for ever; others go on',
  { maxQueuedBytes: 2 ** 20 },
  async ({ bus, dial, lines }) => {
    const [deaf, other] = [await dial('v5', 'GRABBER'), await dial('v5', 'GRABBER')];
    await alive(deaf);
    deaf.socket.pause();
    // Each answer has 390 kB; the system's own buffers take some of them.
    for (let k = 0; k < 60; k++) deaf.say('Send Data 1D');
    const dropped = () => lines.some(({ msg }) => /does not read what it is sent; dropped/.test(`${msg}`));
    let grabs = 0;
    for (; !dropped() && grabs < 200; grabs++) {
      other.say('Send Data 1D');
      await numberOf(other);
    }
    assert.ok(dropped(), 'it was dropped');
    await eventually(() => lines.some(({ msg }) => msg === 'disconnected'), 'and is gone');
    const { armings } = bus;
    await alive(other);
    await pause(20);
    assert.equal(bus.armings, armings, 'nothing more is acquired for it');
  },
);

atDoor('a slow reader within the limit gets everything', {}, async ({ dial }) => {
  const slow = await dial('v4', 'GRABBER');
  slow.socket.pause();
  for (let k = 0; k < 10; k++) slow.say('Send Data 1D');
  await pause(50);
  slow.socket.resume();
  for (let k = 0; k < 10; k++) await numberOf(slow);
  assert.equal(slow.unread, 0);
});

atDoor(
  'many requests at once, faster than they can be answered, all get their answer',
  { maxMessageBytes: 65_536 },
  async ({ bus, dial }) => {
    bus.lasts = undefined;
    const peer = await dial('v5', 'GRABBER');
    peer.say('Send Data 1D');
    await eventually(() => bus.armings > 0, 'armed');
    // More than the board would hold: it must leave them in the network until their turn comes.
    const count = 3000;
    const filler = 'x'.repeat(1000);
    for (let k = 0; k < count; k++) peer.command({ command: 'get', parameters: ['decimation', filler], id: k });
    await pause(100);
    assert.equal(peer.unread, 0);
    bus.finish();
    await numberOf(peer);
    for (let k = 0; k < count; k++) {
      const { word } = await peer.told();
      assert.equal(word, 'Error');
      const id = await peer.object('string');
      assert.ok(id.type === 'int' && id.value === k);
    }
  },
);

atDoor('who does not close when the board does is cut off', {}, async ({ dial, door, lines }) => {
  const socket = connect({ host: '127.0.0.1', port: door.port, allowHalfOpen: true });
  const peer = connected('v5', socket);
  peer.say('GRABBER', 'Quit');
  await eventually(() => peer.ended === 'end', 'the board has closed');
  const began = performance.now();
  await eventually(() => lines.some(({ msg }) => msg === 'disconnected'), 'it is cut off', 4000);
  assert.ok(performance.now() - began > 500, 'not before it could read what was sent');
  await alive(await dial('v5', 'GRABBER'));
  socket.destroy();
});

atDoor('several viewers share one acquisition and its bytes', {}, async ({ bus, dial }) => {
  const viewers = await Promise.all((['v5', 'v5', 'v4', 'v5'] as const).map((form) => dial(form, 'GRABBER')));
  for (const viewer of viewers) await alive(viewer);
  bus.lasts = undefined;
  const [first, ...later] = viewers;
  assert.ok(first);
  first.say('Send Data 1D');
  await eventually(() => bus.armings === 1, 'armed');
  for (const viewer of later) viewer.say('Send Data 1D');
  for (const viewer of later) await alive(viewer);
  bus.finish();
  assert.equal(await numberOf(first), 1);
  await eventually(() => bus.armings === 2, 'armed for all others');
  bus.finish();
  for (const viewer of later) assert.equal(await numberOf(viewer), 2);
  assert.equal(bus.armings, 2);
  const tails = [later[0], later[2]].map((viewer) => viewer?.received.subarray(-100_000));
  assert.ok(tails[0] && tails[1] && tails[0].equals(tails[1]));
});

atDoor('a connection in which nothing is said is closed', { messageMs: 100 }, async ({ dial }) => {
  const silent = await dial('v5');
  const half = await dial('v5');
  half.raw(encodeV5(str('GRABBER')).subarray(0, 5));
  const began = performance.now();
  assert.equal(await silent.over(), 'end');
  assert.equal(await half.over(), 'end');
  assert.ok(performance.now() - began < 2000);
  assert.match(silent.received.toString(), /did not come whole within 0\.1 s/);
});

atDoor('one who has said his word may be silent as long as he likes', { messageMs: 50 }, async ({ dial }) => {
  const peer = await dial('v4', 'GRABBER');
  await pause(200);
  await alive(peer);
});

atDoor('who streams requests without a pause is not late', { messageMs: 100 }, async ({ dial }) => {
  const peer = await dial('v5', 'ACTUATOR');
  const request = encodeV5(fromPlain({ command: 'ping' }));
  const end = performance.now() + 400;
  let asked = 0;
  // Always one and a half: part of a message is due at all times.
  peer.raw(request.subarray(0, 7));
  while (performance.now() < end) {
    peer.raw(Buffer.concat([request.subarray(7), request.subarray(0, 7)]));
    asked++;
    await pause(5);
    assert.equal(peer.ended, undefined);
  }
  for (let k = 0; k < asked; k++) assert.equal((await peer.told()).word, 'pong');
});

atDoor('who stops within a message after a rush is late', { messageMs: 100 }, async ({ bus, dial }) => {
  bus.lasts = undefined;
  const peer = await dial('v5', 'GRABBER');
  peer.say('Send Data 1D');
  await eventually(() => bus.armings > 0, 'armed');
  const get = encodeV5(fromPlain({ command: 'get', parameters: ['decimation'] }));
  peer.raw(Buffer.concat([...Array.from({ length: 100 }, () => get), get.subarray(0, 10)]));
  await pause(200);
  assert.equal(peer.ended, undefined, 'it waits for the board, not the board for it');
  bus.finish();
  await numberOf(peer);
  for (let k = 0; k < 100; k++) assert.equal((await peer.told()).word, 'Reply');
  const { payload } = await peer.told();
  assert.match(sentence(payload), /did not come whole/);
  assert.equal(await peer.over(), 'end');
});

atDoor('what a peer owned is free when it is gone, however it went', {}, async ({ dial, lines }) => {
  const bob = await dial('v5', 'ACTUATOR');
  await bob.reply({ command: 'attach', mode: 'share', owner: 'bob' });
  for (const go of [
    (peer: Connected) => peer.socket.destroy(),
    (peer: Connected) => peer.socket.resetAndDestroy(),
    (peer: Connected) => peer.socket.end(),
    (peer: Connected) => peer.say('Quit'),
  ]) {
    const alice = await dial('v5', 'ACTUATOR');
    await alice.reply({ command: 'attach', mode: 'own', owner: 'alice' });
    assert.match(await bob.refused({ command: 'move_abs', value: 0.5 }), /held by alice/);
    lines.length = 0;
    go(alice);
    await eventually(() => lines.some(({ msg }) => msg === 'disconnected'), 'she is gone');
    assert.equal((await bob.ask({ command: 'move_abs', value: 0.5 })).word, 'move_done');
  }
});

atDoor('the end of the door is the end of its connections', {}, async ({ dial, door }) => {
  const peers = [await dial('v5', 'GRABBER'), await dial('v4', 'ACTUATOR'), await dial('v5')];
  const gone = Promise.all(peers.map((peer) => peer.over()));
  await door.close();
  assert.deepEqual(await gone, ['reset', 'reset', 'reset']);
  const late = connect({ host: '127.0.0.1', port: door.port });
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

atDoor(
  'IPv4 through a socket of IPv6 is IPv4',
  { listen: { host: '::ffff:127.0.0.1', port: 0 } },
  async ({ dial, lines }) => {
    await alive(await dial('v5', 'GRABBER'));
    assert.ok(lines.some(({ client }) => /^127\.0\.0\.1:\d+$/.test(`${client}`)));
  },
);

test('a port in use, or an address of another machine, is told in a sentence', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const address = holder.address();
  assert.ok(typeof address === 'object' && address !== null);
  const all = await served();
  const { log } = keptLog();
  const open = (host: string, port: number) =>
    listen(all.instrument, log, {
      listen: { host, port },
      maxClients: 1,
      maxMessageBytes: 1000,
      maxQueuedBytes: 1000,
      allowedNetworks: [],
    });
  const sentenceFor = (reason: RegExp) => (error: unknown) => {
    assert.ok(error instanceof PitayadError);
    assert.match(error.message, reason);
    return true;
  };
  try {
    await assert.rejects(
      open('127.0.0.1', address.port),
      sentenceFor(new RegExp(`^Port ${address.port} is in use.*--listen HOST:PORT`)),
    );
    await assert.rejects(
      open('192.0.2.1', 0),
      sentenceFor(/^192\.0\.2\.1 is no address of this machine; --listen 0\.0\.0\.0/),
    );
  } finally {
    holder.close();
    await all.close();
  }
});

test.run();
