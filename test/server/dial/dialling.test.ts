/** Dialling over TCP: when it connects, how it leaves, and that it never does what a stock server does not survive. */
import assert from 'node:assert';
import type { Logger } from 'pino';
import { test } from 'uvu';
import type { Instrument } from '../../../src/fpga/instrument/instrument.ts';
import { type Dialling, openDialling } from '../../../src/server/dial/dialling.ts';
import { sharedTraces } from '../../../src/server/listen.ts';
import { encodeV4 } from '../../../src/server/wire/encode.ts';
import { str } from '../../../src/server/wire/values.ts';
import { eventually, keptLog, pause, silent, timed } from '../../fpga/instrument/fixture.ts';
import { type StockServer, stockServer } from './stock-server.ts';

interface Setting {
  readonly instrument: Instrument;
  readonly dialling: Dialling;
}

/** Runs with an instrument that dials as fast as it can, and judges all connections at the end. */
async function dialling(
  run: (setting: Setting) => Promise<readonly StockServer[]>,
  log: Logger = silent,
  allowed: (address: string) => boolean = () => true,
): Promise<void> {
  const { instrument } = await timed();
  const dials = openDialling(instrument, log, {
    traces: sharedTraces(),
    allowed,
    maxQueuedBytes: 2 ** 20,
    pauses: { first: 5, last: 40 },
  });
  const servers = await run({ instrument, dialling: dials });
  await dials.close();
  for (const server of servers) {
    if (!server.hang) await eventually(() => server.connections.every(({ over }) => over), 'all connections end');
    assert.deepEqual(
      server.connections.flatMap(({ harm }) => harm ?? []),
      [],
    );
    await server.close();
  }
  await instrument.close();
}

const at = (port: number): string => `127.0.0.1:${port}`;

test('it greets at once, answers, and takes its leave', () =>
  dialling(async ({ dialling }) => {
    const server = await stockServer();
    server.mute = true;
    const dialled = dialling.dial(at(server.port), 'asg0.frequency');
    assert.deepEqual(dialled, { server: at(server.port), device: 'asg0.frequency', state: 'not tried yet' });
    await eventually(() => server.connections[0]?.words.length === 2, 'greeting');
    assert.deepEqual(server.connections[0]?.words, ['ACTUATOR', 'Infos']);
    assert.equal(dialling.list()[0]?.state, 'connected, without an answer yet');
    server.mute = false;
    server.connections[0]?.socket.write(encodeV4(str('get_actuator_value')));
    await eventually(() => server.connections[0]?.words.length === 3, 'an answer');
    assert.equal(dialling.list()[0]?.state, 'connected');
    const start = performance.now();
    assert.equal((await dialling.hangUp(at(server.port))).state, 'hung up');
    assert.ok(performance.now() - start < 500);
    assert.deepEqual(server.connections[0]?.words, ['ACTUATOR', 'Infos', 'position_is', 'Quit']);
    assert.deepEqual(dialling.list(), []);
    await pause(60);
    assert.equal(server.connections.length, 1);
    return [server];
  }));

test('nobody listens, then somebody, then nobody, then somebody: one line in the log each time', async () => {
  const { log, lines } = keptLog();
  await dialling(async ({ dialling }) => {
    const first = await stockServer();
    const { port } = first;
    await first.close();
    dialling.dial(at(port), 'scope');
    await eventually(() => dialling.list()[0]?.state.startsWith('nobody listens') === true, 'refused');
    await pause(200);
    const second = await stockServer(port);
    await eventually(() => second.connections[0]?.words.length === 2, 'a greeting');
    for (const { socket } of second.connections) socket.resetAndDestroy();
    await second.close();
    await pause(100);
    const third = await stockServer(port);
    await eventually(() => third.connections[0]?.words.length === 2, 'a second greeting');
    return [third];
  }, log);
  const warned = lines.filter(({ level, msg }) => level === 40 && msg === 'not connected').map(({ reason }) => reason);
  const [nobody, reset, ...more] = warned;
  assert.match(`${nobody}`, /nobody listens there: press Init/);
  assert.match(`${reset}`, /reset|ended/);
  assert.ok(more.length <= 1, `${more}`);
  assert.equal(lines.filter(({ msg }) => msg === 'connected').length, 2);
});

test('it is connected when the server has answered, which it is asked to at once', () =>
  dialling(async ({ dialling }) => {
    const server = await stockServer();
    dialling.dial(at(server.port), 'asg0.frequency');
    await eventually(() => dialling.list()[0]?.state === 'connected', 'an answer');
    assert.deepEqual(
      server.connections[0]?.messages.map(({ word }) => word),
      ['ACTUATOR', 'Infos', 'Status'],
    );
    return [server];
  }));

test('one connection a server, by whatever name', () =>
  dialling(async ({ dialling }) => {
    const server = await stockServer();
    dialling.dial(at(server.port), 'scope');
    await eventually(() => server.connections[0]?.words.length === 2, 'greeting');
    assert.throws(() => dialling.dial(at(server.port), 'scope'), /is dialled already, with scope/);
    dialling.dial(`localhost:${server.port}`, 'scope');
    await eventually(() => /dialled already/.test(`${dialling.list()[1]?.state}`), 'seen to be the same');
    await pause(50);
    assert.equal(server.connections.length, 1);
    return [server];
  }));

test('a server that hangs: the daemon still ends in time, and has said goodbye', () =>
  dialling(async ({ dialling }) => {
    const server = await stockServer();
    server.hang = true;
    dialling.dial(at(server.port), 'scope');
    await eventually(() => server.connections.length === 1, 'connected');
    await pause(20);
    const start = performance.now();
    await dialling.close();
    assert.ok(performance.now() - start < 1000);
    // It wakes up, and finds all of it.
    server.connections[0]?.socket.resume();
    await eventually(() => server.connections[0]?.over === true, 'over');
    assert.deepEqual(server.connections[0]?.words, ['GRABBER', 'Infos', 'Quit']);
    return [server];
  }));

test('hung up in the moment in which it connects, it says a word and goodbye', () =>
  dialling(async ({ dialling }) => {
    const server = await stockServer();
    for (let k = 0; k < 20; k++) {
      dialling.dial(at(server.port), 'scope');
      for (let turn = 0; turn < k; turn++) await new Promise((resolve) => setImmediate(resolve));
      await dialling.hangUp(at(server.port));
    }
    for (const { words } of server.connections) {
      assert.equal(words[0], 'GRABBER');
      assert.equal(words.at(-1), 'Quit');
    }
    assert.ok(server.connections.length > 5);
    return [server];
  }));

test('a server that is not the protocol is left, and tried again later', () =>
  dialling(async ({ dialling }) => {
    const server = await stockServer();
    dialling.dial(at(server.port), 'scope');
    await eventually(() => server.connections[0]?.words.length === 2, 'greeting');
    server.connections[0]?.socket.write('220 mail.example ESMTP ready\r\n');
    await eventually(() => server.connections.length === 2, 'another try');
    assert.equal(server.connections[0]?.words.at(-1), 'Quit');
    return [server];
  }));

test('what may not be dialled is not', () =>
  dialling(
    async ({ dialling }) => {
      const server = await stockServer();
      dialling.dial(at(server.port), 'scope');
      await eventually(() => /allowed_networks: \['127/.test(`${dialling.list()[0]?.state}`), 'refused');
      await pause(50);
      assert.equal(server.connections.length, 0);
      return [server];
    },
    silent,
    () => false,
  ));

test('servers and devices that are none are refused', () =>
  dialling(async ({ dialling }) => {
    for (const [server, device, sentence] of [
      ['', 'scope', /HOST or HOST:PORT/],
      ['a b', 'scope', /HOST or HOST:PORT/],
      ['pc:0', 'scope', /HOST or HOST:PORT/],
      ['pc:70000', 'scope', /HOST or HOST:PORT/],
      ['pc@x', 'scope', /HOST or HOST:PORT/],
      ['pc', 'sc ope', /HOST or HOST:PORT/],
      ['pc', 'oscilloscope', /scope/],
    ] as const) {
      assert.throws(() => dialling.dial(server, device), sentence);
    }
    await assert.rejects(dialling.hangUp('pc'), /"pc" is not dialled \(none is\)/);
    assert.deepEqual(dialling.list(), []);
    return [];
  }));

test.run();
