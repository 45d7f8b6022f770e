/**
 * Connections that are made, killed and made again, a thousand times at each door: nothing stays open, and the memory does
 * not grow. Judges the second half of the rounds, for the first fills caches and pools.
 *
 *     node --import tsx test/soak/reconnect.ts [--tenth]     (about two minutes)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeMessage, encodeLeco, newConversation } from '../../src/server/leco/message.ts';
import { encodeRequest } from '../../src/server/leco/rpc.ts';
import { openZmtp } from '../../src/server/leco/zmtp.ts';
import { encodeMessage } from '../../src/server/leco/zmtp-bytes.ts';
import { encode, encodeV4 } from '../../src/server/wire/encode.ts';
import { type Form, fromPlain, str } from '../../src/server/wire/values.ts';
import { boardEnvironment } from './board-environment.ts';

const tenth = process.argv.includes('--tenth');
const ROUNDS = tenth ? 100 : 1000;
const GROWTH_MB = 2;
/** Servers that the board dials at the same time: each round has a pause of a second in it. */
const SERVERS = 20;

interface Reading {
  /** Handles and timers of Node, by kind. */
  readonly open: Readonly<Record<string, number>>;
  readonly descriptors: number;
  readonly rssMB: number;
}

interface Daemon {
  readonly port: number;
  /** Of the LECO door, if it is open. */
  readonly lecoPort: number;
  readonly process: ChildProcess;
  read(): Promise<Reading>;
  stop(): Promise<number | null>;
}

/** Counted page by page: VmRSS, and what Node tells, is a sum of counters that may be 2 MB behind. */
function residentMB(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Rss: +(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

async function start(more: readonly string[] = []): Promise<Daemon> {
  const daemon = spawn(
    process.execPath,
    [
      ...['--expose-gc', '--require', './test/soak/probe.cjs', 'dist/pitayad.cjs', 'serve', '--bus', 'simulator'],
      ...['--listen', '127.0.0.1:0', '--no-discovery', '--log-format', 'json', ...more],
    ],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe'], env: { ...process.env, ...boardEnvironment() } },
  );
  const log = createInterface({ input: daemon.stdout as Readable });
  const told: Interface = createInterface({ input: daemon.stdio[3] as Readable });
  type Doors = { readonly pymodaq: { readonly port: number }; readonly leco?: { readonly port: number } };
  const doors = await new Promise<Doors>((resolve, reject) => {
    log.on('line', (line) => {
      const event = JSON.parse(line) as { readonly msg?: string } & Doors;
      if (event.msg === 'serving' && event.pymodaq) resolve(event);
    });
    daemon.once('exit', () => reject(new Error('the daemon ended before it served')));
  });
  return {
    port: doors.pymodaq.port,
    lecoPort: doors.leco?.port ?? 0,
    process: daemon,
    async read() {
      const answer = once(told, 'line');
      daemon.kill('SIGUSR2');
      const open = JSON.parse(`${(await answer)[0]}`) as Record<string, number>;
      return { open, descriptors: readdirSync(`/proc/${daemon.pid}/fd`).length, rssMB: residentMB(daemon.pid) };
    },
    async stop() {
      const exit = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      const late = setTimeout(() => daemon.kill('SIGKILL'), 5000);
      const [code] = await exit;
      clearTimeout(late);
      return code;
    },
  };
}

const verdicts = { passed: 0, failed: 0 };
function judge(good: boolean, what: string): void {
  verdicts[good ? 'passed' : 'failed'] += 1;
  console.log(`${good ? 'ok    ' : 'FAILED'} ${what}`);
}

/** What is done in the next turn of the event loop is no handle. */
const openOf = ({ open: { Immediate: _, ...open }, descriptors }: Reading): string =>
  JSON.stringify({ ...open, descriptors });

/** What is open once all connections are gone, and the memory once V8's threads have given back what is free: a moment. */
async function settled(daemon: Daemon, idle: Reading): Promise<Reading> {
  let reading = await daemon.read();
  for (let tries = 0; openOf(reading) !== openOf(idle) && tries < 120; tries++) {
    await sleep(100);
    reading = await daemon.read();
  }
  let { rssMB } = reading;
  for (let more = 0; more < 5; more++) {
    await sleep(200);
    rssMB = Math.min(rssMB, (await daemon.read()).rssMB);
  }
  return { ...reading, rssMB };
}

/** @param rounds plays rounds `from` to `to`, each ended in a way of its own */
async function door(name: string, daemon: Daemon, rounds: (from: number, to: number) => Promise<void>): Promise<void> {
  const started = performance.now();
  // What is made once, at first use, is there before it is counted.
  await rounds(0, ROUNDS / 10);
  await sleep(2000);
  const idle = await daemon.read();
  await rounds(0, ROUNDS / 2);
  const half = await settled(daemon, idle);
  await rounds(ROUNDS / 2, ROUNDS);
  const end = await settled(daemon, idle);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${name}: ${ROUNDS} rounds in ${seconds} s, ${half.rssMB.toFixed(1)} MB in the middle, ${end.rssMB.toFixed(1)} MB at the end`,
  );
  judge(openOf(end) === openOf(idle), `${name}: open before ${openOf(idle)}, after ${openOf(end)}`);
  // So few rounds say nothing of memory: buffers are still growing to their size.
  if (tenth) return;
  const grown = end.rssMB - half.rssMB;
  judge(grown <= GROWTH_MB, `${name}: grown by ${grown.toFixed(1)} MB in the second half, at most ${GROWTH_MB}`);
}

/** How a client of the listening door goes, by round. */
function leaveListening(socket: Socket, round: number, form: Form): void {
  const how = round % 5;
  if (how === 0) socket.end(encode(form, [str('Quit')]));
  else if (how === 1) socket.resetAndDestroy();
  else if (how === 2) socket.destroy();
  else if (how === 3) socket.end(Buffer.from([0, 0, 0]));
  else socket.end();
}

async function listeningRounds(port: number, from: number, to: number): Promise<void> {
  for (let round = from; round < to; round++) {
    const form: Form = round % 2 === 0 ? 'v5' : 'v4';
    const ask = (command: Record<string, unknown>) =>
      encode(form, [form === 'v5' ? fromPlain(command) : str(JSON.stringify(command))]);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(encode(form, [str('GRABBER')]));
    socket.write(ask({ command: 'subscribe' }));
    socket.write(ask({ command: 'attach', module: 'asg1', mode: 'own', owner: 'soak', owner_timeout: 1 }));
    socket.write(ask({ command: 'grab' }));
    // In the middle of whatever it is at.
    if (round % 3 > 0) await once(socket, 'data');
    leaveListening(socket, round, form);
    socket.resume();
    if (!socket.closed) await once(socket, 'close');
  }
}

/** How a director of the LECO door goes, by round. */
function leaveLeco(socket: Socket, say: (receiver: string, method: string) => void, round: number): void {
  const how = round % 5;
  if (how === 0) {
    say('COORDINATOR', 'sign_out');
    socket.end();
  } else if (how === 1) socket.resetAndDestroy();
  else if (how === 2) socket.destroy();
  else if (how === 3) socket.end(Buffer.from([9, 9, 9]));
  else socket.end();
}

async function lecoRounds(port: number, from: number, to: number): Promise<void> {
  for (let round = from; round < to; round++) {
    const name = `soak_${round}_director`;
    const socket = connect(port, '127.0.0.1');
    const zmtp = openZmtp({ socketType: 'DEALER' });
    let sender = name;
    const say = (receiver: string, method: string, params?: Record<string, unknown>): void => {
      const payload = [encodeRequest(1, method, params)];
      const message = { receiver, sender, conversation: newConversation(), messageId: 0, type: 1, payload };
      for (const piece of encodeMessage(encodeLeco(message))) socket.write(piece);
    };
    socket.on('error', () => undefined);
    const over = new Promise((resolve) => socket.once('close', resolve));
    const busy = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.on('data', (chunk: Buffer) => {
        for (const event of zmtp.receive(chunk)) {
          if (event.what === 'send') socket.write(event.bytes);
          else if (event.what === 'ready') say('COORDINATOR', 'sign_in');
          else if (sender === name) {
            sender = `${decodeMessage(event.frames).sender.split('.')[0]}.${name}`;
            for (const actor of ['scope', 'asg0_frequency']) {
              say(actor, 'set_remote_name', { name: sender });
              say(actor, 'get_settings');
            }
            say('asg0_frequency', 'move_abs', { position: 1e6 + 1000 * (round % 100) });
            say('scope', 'send_data_grab');
            if (round % 3 === 0) resolve();
          } else if (event.frames.length > 5) resolve();
        }
      });
    });
    socket.write(zmtp.greeting);
    // In the middle of whatever it is at.
    await busy;
    leaveLeco(socket, say, round);
    socket.resume();
    await over;
  }
}

/** Servers that are dialled; each connection is asked for data and killed in the middle of it. */
class Dialled {
  readonly servers: Server[] = [];
  rounds = 0;
  readonly sockets = new Set<Socket>();
  killing = true;

  async listen(): Promise<number[]> {
    for (let k = 0; k < SERVERS; k++) {
      const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      this.servers.push(server);
    }
    return this.servers.map((server) => (server.address() as AddressInfo).port);
  }

  accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('end', () => socket.end());
    socket.once('data', async () => {
      if (!this.killing) {
        socket.resume();
        return;
      }
      const round = this.rounds++;
      socket.write(encodeV4(str('Send Data 1D')));
      if (round % 2 === 0) await sleep(20);
      socket.resume();
      if (round % 3 === 0) socket.end();
      else if (round % 3 === 1) socket.destroy();
      else socket.resetAndDestroy();
    });
  }

  /** Lets so many more connections be killed. */
  async play(count: number): Promise<void> {
    const until = this.rounds + count;
    this.killing = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
    while (this.rounds < until) await sleep(20);
    this.killing = false;
    // All are connected again, and quiet.
    while (this.sockets.size < SERVERS) await sleep(50);
    await sleep(500);
  }
}

const listening = await start();
try {
  await door('listening', listening, (from, to) => listeningRounds(listening.port, from, to));
} finally {
  judge((await listening.stop()) === 0, 'listening: it ends cleanly');
}

const dialled = new Dialled();
const ports = await dialled.listen();
const dialling = await start(['--dial', ports.map((port) => `scope@127.0.0.1:${port}`).join(',')]);
try {
  await door('dialling out', dialling, (from, to) => dialled.play(to - from));
} finally {
  judge((await dialling.stop()) === 0, 'dialling out: it ends cleanly');
}

const leco = await start(['--leco', '127.0.0.1:0']);
try {
  await door('LECO', leco, (from, to) => lecoRounds(leco.lecoPort, from, to));
} finally {
  judge((await leco.stop()) === 0, 'LECO: it ends cleanly');
}
console.log(`${verdicts.passed} passed, ${verdicts.failed} failed`);
process.exit(verdicts.failed > 0 ? 1 : 0);
