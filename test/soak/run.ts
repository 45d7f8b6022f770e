/**
 * Clients that behave, and clients that do not, on one daemon for a long time: who asks properly is always answered,
 * memory and descriptors do not grow, and the daemon still ends cleanly. Judges by counts, never by speed.
 *
 *     node --import tsx test/soak/run.ts [--tenth | --seconds N]          (npm run soak: 10 minutes)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createDecoder } from '../../src/server/wire/decode.ts';
import { encode } from '../../src/server/wire/encode.ts';
import { type Form, fromPlain, type Kind, str, type WireValue } from '../../src/server/wire/values.ts';

const { values: options } = parseArgs({ options: { tenth: { type: 'boolean' }, seconds: { type: 'string' } } });
const seconds = Number(options.seconds ?? (options.tenth ? 60 : 600));

/** An answer that takes longer than this, in s, is an answer that never comes. */
const ANSWER_WITHIN = 30;
/** What the daemon may have more at the end than after a quarter of the time, in MB: V8 collects when it likes. */
const GROWTH_MB = 40;

const started = performance.now();
const running = () => performance.now() - started < seconds * 1000;

/** Seeded, so that a failure can be had again (mulberry32). */
let state = 20_240_229;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const counts = { grabs: 0, moves: 0, reconnects: 0, killed: 0 };
const faults: string[] = [];

/** A client that follows the protocol, in either form. */
class Client {
  readonly #decoder;
  #wake: () => void = () => undefined;
  #closed = false;

  private constructor(
    readonly socket: Socket,
    readonly form: Form,
  ) {
    this.#decoder = createDecoder(form, { waitingBytes: 1 << 24 });
    socket.on('data', (piece) => {
      this.#decoder.push(piece);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async open(port: number, form: Form, typeWord: string): Promise<Client> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new Client(socket, form);
    client.send(str(typeWord));
    return client;
  }

  send(...objects: WireValue[]): void {
    this.socket.write(encode(this.form, objects));
  }

  /** A command: a dict in v5, its JSON text in v4. */
  command(command: Record<string, unknown>): void {
    this.send(this.form === 'v5' ? fromPlain(command) : str(JSON.stringify(command)));
  }

  async next(kind: Kind): Promise<WireValue> {
    const end = performance.now() + ANSWER_WITHIN * 1000;
    for (;;) {
      const value = this.#decoder.next(kind);
      if (value !== undefined) return value;
      if (this.#closed) throw new Error('the daemon closed the connection');
      if (performance.now() > end) throw new Error(`no answer within ${ANSWER_WITHIN} s`);
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        sleep(1000, undefined, { ref: false }),
      ]);
    }
  }

  /** The word that begins an answer; an `Error` is thrown with its sentence. */
  async word(): Promise<string> {
    const word = await this.next('string');
    if (word.type !== 'str') throw new Error(`a word was due, ${word.type} came`);
    if (word.value !== 'Error') return word.value;
    const sentence = await this.next('string');
    throw new Error(`Error: ${sentence.type === 'str' ? sentence.value : sentence.type}`);
  }
}

/** Grabs and checks what comes; leaves in different ways, and comes back. */
async function viewer(port: number, form: Form): Promise<void> {
  while (running()) {
    const client = await Client.open(port, form, 'GRABBER');
    counts.reconnects += 1;
    for (let left = 1 + Math.floor(40 * random()); left > 0 && running(); left--) {
      client.command({ command: 'grab', module: 'scope', fresh: random() < 0.5 });
      const word = await client.word();
      const data = await client.next('dte');
      if (word !== 'Done' || data.type !== 'DataToExport' || data.data.length !== 1) throw new Error(`${word} came`);
      counts.grabs += 1;
    }
    if (random() < 0.5) client.command({ command: 'grab', module: 'scope' });
    if (random() < 0.5) client.socket.destroy();
    else client.socket.end(encode(form, [str('Quit')]));
  }
}

/** Moves a generator's frequency and asks where it is. */
async function mover(port: number, form: Form, module: string): Promise<void> {
  const client = await Client.open(port, form, 'ACTUATOR');
  client.command({ command: 'attach', module, mode: 'own', owner: `soak ${module}`, parameter: 'frequency' });
  if ((await client.word()) !== 'Reply') throw new Error('attach was not answered by Reply');
  await client.next('string');
  while (running()) {
    client.command({ command: 'configure', module, config: { frequency: 1000 + Math.floor(1e6 * random()) } });
    await client.word();
    await client.next('string');
    client.command({ command: 'check_position' });
    if ((await client.word()) !== 'position_is') throw new Error('check_position was not answered by position_is');
    await client.next('dwa');
    counts.moves += 1;
    await sleep(20 * random());
  }
  client.socket.destroy();
}

/** Breaks off in the middle of a message, sends garbage, or asks and never reads. */
async function vandal(port: number): Promise<void> {
  while (running()) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect').catch(() => undefined);
    const hello = encode('v5', [str('GRABBER')]);
    const grab = encode('v5', [fromPlain({ command: 'grab', module: 'scope', fresh: false })]);
    const kind = random();
    if (kind < 0.3) {
      socket.write(hello.subarray(0, 1 + Math.floor(random() * hello.length)));
    } else if (kind < 0.6) {
      socket.write(hello);
      socket.write(grab.subarray(0, 1 + Math.floor(random() * (grab.length - 1))));
    } else if (kind < 0.8) {
      socket.write(Uint8Array.from({ length: 200 }, () => Math.floor(256 * random())));
    } else {
      socket.pause();
      socket.write(hello);
      for (let i = 0; i < 200 && !socket.destroyed; i++) socket.write(grab);
      await sleep(1000);
    }
    await sleep(50 + 200 * random());
    socket.destroy();
    counts.killed += 1;
  }
}

function residentMB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const daemon = spawn(
  process.execPath,
  [
    ...['dist/pitayad.cjs', 'serve', '--bus', 'simulator', '--listen', '127.0.0.1:0'],
    ...['--no-discovery', '--log-format', 'json'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);

async function servedPort(): Promise<number> {
  for await (const line of createInterface({ input: daemon.stdout })) {
    const event = JSON.parse(line) as { msg?: string; pymodaq?: { port: number } };
    if (event.msg === 'serving' && event.pymodaq) return event.pymodaq.port;
  }
  throw new Error('the daemon ended before it served');
}

/** Keeps a client going until its time is over; what it throws is a fault of the daemon. */
async function steadily(name: string, client: () => Promise<void>): Promise<void> {
  try {
    await client();
  } catch (error) {
    faults.push(`${name}, after ${((performance.now() - started) / 1000).toFixed(0)} s: ${(error as Error).message}`);
  }
}

const verdicts = { passed: 0, failed: 0 };
function judge(good: boolean, what: string): void {
  verdicts[good ? 'passed' : 'failed'] += 1;
  console.log(`${good ? 'ok    ' : 'FAILED'} ${what}`);
}

let ended: number | null = null;
daemon.on('exit', (code) => {
  ended = code ?? -1;
});
try {
  const port = await servedPort();
  daemon.stdout.resume();
  const pid = daemon.pid ?? 0;
  const idle = descriptors(pid);
  const clients = [
    steadily('viewer 1, v5', () => viewer(port, 'v5')),
    steadily('viewer 2, v5', () => viewer(port, 'v5')),
    steadily('viewer 3, v4', () => viewer(port, 'v4')),
    steadily('mover of asg0, v5', () => mover(port, 'v5', 'asg0')),
    steadily('mover of asg1, v4', () => mover(port, 'v4', 'asg1')),
    steadily('vandal', () => vandal(port)),
  ];
  await sleep((seconds * 1000) / 4);
  const early = residentMB(pid);
  await Promise.all(clients);
  const late = residentMB(pid);
  console.log(
    `in ${seconds} s: ${Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ')}`,
  );

  judge(faults.length === 0, `who asks properly is answered${faults.map((fault) => `\n         ${fault}`).join('')}`);
  judge(counts.grabs > 0 && counts.moves > 0 && counts.killed > 0, 'every kind of client came through');
  judge(late - early <= GROWTH_MB, `resident memory: ${early.toFixed(0)} MB early, ${late.toFixed(0)} MB late`);
  for (let tries = 0; tries < 50 && descriptors(pid) > idle; tries++) await sleep(100);
  judge(descriptors(pid) <= idle, `descriptors: ${idle} before, ${descriptors(pid)} after`);
  judge(ended === null, 'the daemon is still there');
  daemon.kill('SIGTERM');
  for (let tries = 0; tries < 50 && ended === null; tries++) await sleep(100);
  judge(ended === 0, `it ends cleanly when it is told to: status ${ended}`);
} finally {
  daemon.kill('SIGKILL');
}
console.log(`${verdicts.passed} passed, ${verdicts.failed} failed`);
process.exit(verdicts.failed > 0 ? 1 : 0);
