/**
 * Clients that behave, and clients that do not, on one daemon for a long time: who asks properly is always answered,
 * memory and descriptors do not grow, and the daemon still ends cleanly. Judges by counts, never by speed.
 *
 *     node --import tsx test/soak/run.ts [--tenth | --seconds N] [--bus BUS]     (npm run soak: 10 minutes)
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
import { boardEnvironment } from './board-environment.ts';

const { values: options } = parseArgs({
  options: { tenth: { type: 'boolean' }, seconds: { type: 'string' }, bus: { type: 'string', default: 'simulator' } },
});
const seconds = Number(options.seconds ?? (options.tenth ? 60 : 600));

const RUDE_CLIENTS = 6;
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

  /** Whether a grab brought data. It may have been stopped, by any client; every other `Error` is thrown. */
  async doneOrStopped(): Promise<boolean> {
    try {
      const word = await this.word();
      if (word !== 'Done') throw new Error(`a grab was answered by ${word}`);
      return true;
    } catch (error) {
      if (!/stopped/.test((error as Error).message)) throw error;
      return false;
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
    client.command({
      command: 'configure',
      module: 'scope',
      config: { decimation: 64, trigger_source: 'immediately' },
    });
    await client.word();
    await client.next('string');
    for (let left = 1 + Math.floor(40 * random()); left > 0 && running(); left--) {
      client.command({ command: 'grab', module: 'scope', fresh: random() < 0.5 });
      if (!(await client.doneOrStopped())) continue;
      const data = await client.next('dte');
      if (data.type !== 'DataToExport' || data.data.length !== 1) throw new Error(`${data.type} came`);
      counts.grabs += 1;
    }
    if (random() < 0.5) client.command({ command: 'grab', module: 'scope' });
    if (random() < 0.5) client.socket.destroy();
    else client.socket.end(encode(form, [str('Quit')]));
  }
}

/** Owns a generator, moves its frequency and asks where it is; `owning` is called when it is the owner. */
async function mover(port: number, form: Form, module: string, owning: () => void): Promise<void> {
  const client = await Client.open(port, form, 'ACTUATOR');
  client.command({ command: 'attach', module, mode: 'own', owner: `soak ${module}`, parameter: 'frequency' });
  if ((await client.word()) !== 'Reply') throw new Error('attach was not answered by Reply');
  await client.next('string');
  owning();
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

const RUDE_COMMANDS = [
  { command: 'grab', module: 'scope' },
  { command: 'grab', module: 'scope', fresh: false, points: 100 },
  { command: 'grab', module: 'scope', config: { decimation: 64 } },
  { command: 'configure', module: 'asg0', config: { frequency: 12_345, amplitude: 0.5 } },
  { command: 'configure', module: 'asg1', config: { amplitude: 7 } },
  { command: 'get', module: 'asg0' },
  { command: 'list' },
  { command: 'status' },
  { command: 'subscribe' },
  { command: 'attach', module: 'asg1', mode: 'own', owner: 'rude' },
  { command: 'nonsense' },
  { command: 'stop', module: 'scope' },
];

/** Short and rude lives: messages cut, bent or made up, answers not read, the end in the middle of anything. */
async function rude(port: number): Promise<void> {
  while (running()) {
    const form: Form = random() < 0.5 ? 'v4' : 'v5';
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect').catch(() => undefined);
    if (random() < 0.7) socket.resume();
    socket.write(encode(form, [str(random() < 0.5 ? 'GRABBER' : 'ACTUATOR')]));
    for (let left = Math.floor(30 * random()); left > 0 && !socket.destroyed; left--) {
      const command = RUDE_COMMANDS[Math.floor(RUDE_COMMANDS.length * random())] ?? {};
      const message = encode(form, [form === 'v5' ? fromPlain(command) : str(JSON.stringify(command))]);
      const fate = random();
      if (fate < 0.85) {
        socket.write(message);
      } else if (fate < 0.9) {
        socket.write(message.subarray(0, Math.floor(random() * message.length)));
      } else if (fate < 0.95) {
        socket.write(Uint8Array.from({ length: 1 + Math.floor(2000 * random()) }, () => Math.floor(256 * random())));
      } else {
        const bent = Buffer.from(message);
        bent[Math.floor(random() * bent.length)] = Math.floor(256 * random());
        socket.write(bent);
      }
      if (random() < 0.3) await sleep(20 * random());
    }
    await sleep(random() < 0.05 ? 2000 : 100 * random());
    if (random() < 0.5) socket.destroy();
    else socket.resetAndDestroy();
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
    ...['dist/pitayad.cjs', 'serve', '--bus', options.bus, '--listen', '127.0.0.1:0'],
    ...['--no-discovery', '--log-format', 'json'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...boardEnvironment() } },
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
  // The movers first: a rude client might take their generators.
  const clients: Promise<void>[] = [];
  const mine = (form: Form, module: string) =>
    new Promise<void>((owning) => {
      clients.push(steadily(`the mover of ${module}, ${form}`, () => mover(port, form, module, owning)).then(owning));
    });
  await Promise.all([mine('v5', 'asg0'), mine('v4', 'asg1')]);
  for (const form of ['v5', 'v5', 'v4'] as const) clients.push(steadily(`a viewer, ${form}`, () => viewer(port, form)));
  for (let i = 0; i < RUDE_CLIENTS; i++) clients.push(steadily('a rude client', () => rude(port)));
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
