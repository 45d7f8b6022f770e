/**
 * Hours of a hostile laboratory in minutes: clients of both forms that grab, move and listen, clients that are killed in
 * the middle of everything, clients that send garbage, clients that never read. Meanwhile one steady client must get
 * every answer, and the daemon must not grow.
 *
 *     node --import tsx test/soak/run.ts [--tenth] [--seconds N]      (npm run soak: 10 minutes)
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { encode } from '../../src/server/wire/encode.ts';
import { type Form, fromPlain, str, type WireValue } from '../../src/server/wire/values.ts';

const { values: options } = parseArgs({ options: { tenth: { type: 'boolean' }, seconds: { type: 'string' } } });
const SECONDS = Number(options.seconds ?? (options.tenth ? 60 : 600));
const RUDE_CLIENTS = 6;
/** Growth of the resident memory that is still no leak, in bytes: pools and compiled code settle. */
const ALLOWED_GROWTH = 64 * 2 ** 20;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
const pick = <T>(items: readonly [T, ...T[]]): T => items[Math.floor(Math.random() * items.length)] ?? items[0];

/** A command dictionary as the form sends it: PyMoDAQ 4 has no dict, and sends JSON text. */
function command(form: Form, fields: Record<string, unknown>): WireValue {
  return form === 'v5' ? fromPlain(fields) : str(JSON.stringify(fields));
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const COMMANDS: readonly [Record<string, unknown>, ...Record<string, unknown>[]] = [
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

/** One short and rude life. */
async function rudeClient(port: number): Promise<void> {
  const form = pick<Form>(['v4', 'v5']);
  const socket = await open(port);
  const reads = Math.random() < 0.7;
  if (reads) socket.resume();
  socket.write(encode(form, [str(pick(['GRABBER', 'ACTUATOR']))]));
  for (let k = 0; k < Math.random() * 30; k++) {
    const message = encode(form, [command(form, pick(COMMANDS))]);
    const fate = Math.random();
    if (fate < 0.85) socket.write(message);
    else if (fate < 0.9) socket.write(message.subarray(0, Math.floor(Math.random() * message.length)));
    else if (fate < 0.95) socket.write(randomBytes(1 + Math.floor(Math.random() * 2000)));
    else {
      const bent = Buffer.from(message);
      bent[Math.floor(Math.random() * bent.length)] = Math.floor(Math.random() * 256);
      socket.write(bent);
    }
    if (Math.random() < 0.3) await sleep(Math.random() * 20);
  }
  await sleep(Math.random() * 100);
  if (Math.random() < 0.5) socket.destroy();
  else socket.resetAndDestroy();
}

/** Asks and counts whole answers; must never fail. */
async function steadyClient(port: number, until: number): Promise<{ grabs: number; slowest: number }> {
  const socket = await open(port);
  socket.setNoDelay(true);
  socket.write(encode('v5', [str('GRABBER')]));
  let buffered = Buffer.alloc(0);
  let heard: (() => void) | undefined;
  let ended = false;
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    heard?.();
  });
  socket.on('close', () => {
    ended = true;
    heard?.();
  });
  const message = async (deadline: number): Promise<Buffer> => {
    for (;;) {
      const length = buffered.length >= 4 ? buffered.readUInt32BE(0) + 4 : Number.POSITIVE_INFINITY;
      if (buffered.length >= length) {
        const whole = buffered.subarray(4, length);
        buffered = buffered.subarray(length);
        return whole;
      }
      if (ended) throw new Error('the steady client lost its connection');
      if (performance.now() > deadline) throw new Error('the steady client got no answer within 20 s');
      await Promise.race([new Promise<void>((done) => (heard = done)), sleep(1000)]);
    }
  };
  let grabs = 0;
  let slowest = 0;
  while (Date.now() < until) {
    const start = performance.now();
    socket.write(encode('v5', [fromPlain({ command: 'grab', module: 'scope', points: 1000 })]));
    const word = await message(start + 20_000);
    if (word.includes('Error')) {
      // A rude client stopped the acquisition that was shared: a reason is given, and the next grab works.
      const sentence = (await message(start + 20_000)).toString();
      if (!sentence.includes('stopped')) throw new Error(`the steady client was refused: ${sentence}`);
    } else if (!word.includes('Done') || !(await message(start + 20_000)).includes('DataToExport')) {
      throw new Error(`the steady client got ${word.toString().slice(0, 80)}`);
    }
    grabs++;
    slowest = Math.max(slowest, performance.now() - start);
    await sleep(20);
  }
  socket.destroy();
  return { grabs, slowest };
}

/** Resident memory of a process, in bytes. */
function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

const serve = ['dist/pitayad.cjs', 'serve', '--bus', 'simulator', '--listen', '127.0.0.1:0', '--no-discovery'];
const daemon = spawn(process.execPath, [...serve, '--log-format', 'json'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const failures: string[] = [];
try {
  const pid = daemon.pid;
  if (pid === undefined) throw new Error('the daemon did not start');
  const port = await new Promise<number>((found, lost) => {
    createInterface({ input: daemon.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as { msg?: string; pymodaq?: { port: number } };
      if (event.msg === 'serving' && event.pymodaq) found(event.pymodaq.port);
    });
    daemon.once('exit', () => lost(new Error('the daemon ended before it served')));
  });
  daemon.once('exit', (code, signal) => failures.push(`the daemon ended with ${code ?? signal}`));

  const until = Date.now() + SECONDS * 1e3;
  const settled = Date.now() + SECONDS * 200;
  let lives = 0;
  let before = 0;
  const crowd = Array.from({ length: RUDE_CLIENTS }, async () => {
    while (Date.now() < until && failures.length === 0) {
      await rudeClient(port);
      lives++;
      if (before === 0 && Date.now() > settled) before = resident(pid);
    }
  });
  const steady = steadyClient(port, until).catch((error: Error) => {
    failures.push(error.message);
    return { grabs: 0, slowest: 0 };
  });
  await Promise.all(crowd);
  const { grabs, slowest } = await steady;
  await sleep(500);
  const growth = resident(pid) - before;
  const mb = (value: number) => `${(value / 2 ** 20).toFixed(0)} MB`;
  console.log(
    `${SECONDS} s: ${lives} rude clients, ${grabs} grabs of the steady one (slowest ${slowest.toFixed(0)} ms), ` +
      `memory ${mb(before)} → ${mb(before + growth)}`,
  );
  if (growth > ALLOWED_GROWTH) failures.push(`the daemon grew by ${mb(growth)}`);
  if (lives < SECONDS) failures.push(`only ${lives} rude clients came by`);
} finally {
  daemon.kill();
}
for (const failure of failures) console.log(`✘ ${failure}`);
console.log(`${3 - Math.min(3, failures.length)} passed, ${Math.min(3, failures.length)} failed`);
process.exit(failures.length > 0 ? 1 : 0);
