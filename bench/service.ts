/**
 * What the running daemon costs a client, against the least that any Node server could cost: request to last byte of a
 * trace against a ready buffer of the same length, a position against a bare echo, 32 viewers against one. Every
 * comparison runs both sides in turn in one run, so that a machine whose speed drifts does not tell lies.
 *
 *     node --import tsx bench/service.ts [--quick]
 *
 * With PITAYAD_PYMODAQ_4 set to a Python that has PyMoDAQ 4.4 and our plug-ins, frames a second in a real DAQ_Viewer are
 * compared too: the stock TCPServer plug-in against ours, with the same data.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { encodeV5 } from '../src/server/wire/encode.ts';
import { fromPlain, str } from '../src/server/wire/values.ts';

const quick = process.argv.includes('--quick');
/** A short run, maybe beside other programs, is noisy: its verdicts leave this much room, and only a collapse fails. */
const ROOM = quick ? 4 : 1;
const verdicts = { passed: 0, failed: 0 };

/** Prints a result and whether it reached its goal; only ratios and counts are judged. */
function judge(text: string, value: number, limit: number, room = ROOM): void {
  const good = value <= limit * room;
  verdicts[good ? 'passed' : 'failed']++;
  console.log(`${good ? 'ok  ' : 'MISS'} ${text} (goal ≤ ${limit})`);
}
const ROUNDS = quick ? 5 : 20;
const BATCH = quick ? 20 : 50;

/** A client of the v5 form that only counts bytes: it must not be the slow side. */
class RawClient {
  private pending: { messages: number; done: (bytes: number) => void } | undefined;
  private header = Buffer.alloc(0);
  private remaining = 0;
  private bytes = 0;

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.take(chunk));
  }

  static async open(port: number, typeWord: 'GRABBER' | 'ACTUATOR'): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new RawClient(socket);
    socket.write(encodeV5(str(typeWord)));
    return client;
  }

  /** Sends `request` and waits for `messages` whole messages; gives their bytes. */
  ask(request: Uint8Array, messages: number): Promise<number> {
    return new Promise((done) => {
      this.bytes = 0;
      this.pending = { messages, done };
      this.socket.write(request);
    });
  }

  private take(chunk: Buffer): void {
    let at = 0;
    this.bytes += chunk.length;
    while (at < chunk.length) {
      if (this.remaining === 0) {
        const need = 4 - this.header.length;
        this.header = Buffer.concat([this.header, chunk.subarray(at, at + need)]);
        at += need;
        if (this.header.length < 4) return;
        this.remaining = this.header.readUInt32BE(0);
        this.header = Buffer.alloc(0);
      }
      const part = Math.min(this.remaining, chunk.length - at);
      this.remaining -= part;
      at += part;
      if (this.remaining === 0 && this.pending !== undefined && --this.pending.messages === 0) {
        const { done } = this.pending;
        this.pending = undefined;
        done(this.bytes);
      }
    }
  }
}

const children: ChildProcess[] = [];
const errors = new Map<ChildProcess, Interface>();

/** Starts a process and waits for the line in which it tells its port. */
async function serve(args: readonly string[], port: (line: string) => number | undefined): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  errors.set(child, createInterface({ input: child.stderr }));
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const found = port(line);
    if (found !== undefined) return found;
  }
  throw new Error(`${args.join(' ')} ended without a port`);
}

/** Runs inside the daemon before it starts: on SIGUSR2 tells the event loop's delay since the last time, on stderr. */
const WATCH_LOOP = `data:text/javascript,
  import { monitorEventLoopDelay } from 'node:perf_hooks';
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.on('SIGUSR2', () => { console.error('delay ' + delay.percentile(99.9) / 1e6); delay.reset(); });`;

const daemon = (): Promise<number> =>
  serve(
    [
      '--import',
      WATCH_LOOP.replaceAll('\n', ' '),
      'dist/pitayad.cjs',
      'serve',
      '--bus',
      'simulator',
      '--listen',
      '127.0.0.1:0',
      '--no-discovery',
      '--log-format=json',
    ],
    (line) => {
      const event: unknown = line.startsWith('{') ? JSON.parse(line) : undefined;
      const serving = event as { msg?: string; pymodaq?: { port: number } } | undefined;
      return serving?.msg === 'serving' ? serving.pymodaq?.port : undefined;
    },
  );

/** The least that a server can do: each request is answered with a buffer that was ready. */
const bareServer = (bytes: number): Promise<number> =>
  serve(
    [
      '-e',
      `const ready = Buffer.alloc(${bytes}, 1); ready.writeUInt32BE(${bytes} - 4, 0);
       const server = require('node:net').createServer((socket) => {
         socket.setNoDelay(true);
         socket.once('data', () => socket.on('data', () => socket.write(ready)));
       }).listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));`,
    ],
    (line) => Number(/^port (\d+)$/.exec(line)?.[1]) || undefined,
  );

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Milliseconds of each of `count` calls. */
async function timesOf(count: number, call: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let k = 0; k < count; k++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return times;
}

/** Both sides in turn, round by round; prints the medians and the ratio of medians. */
async function compare(
  what: string,
  limit: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown>,
): Promise<void> {
  const a: number[] = [];
  const b: number[] = [];
  await timesOf(BATCH, ours);
  await timesOf(BATCH, theirs);
  for (let round = 0; round < ROUNDS; round++) {
    a.push(...(await timesOf(BATCH, ours)));
    b.push(...(await timesOf(BATCH, theirs)));
  }
  const ms = (value: number) => `${value.toFixed(3)} ms`;
  const ratio = median(a) / median(b);
  judge(`${what}: ${ms(median(a))} against ${ms(median(b))}, ratio ${ratio.toFixed(2)}`, ratio, limit);
}

const message = (command: Record<string, unknown>): Uint8Array => encodeV5(fromPlain(command));
const GRAB = message({ command: 'grab', module: 'scope' });
const LIVE_GRAB = message({ command: 'grab', module: 'scope', fresh: false });

/** Event-loop delay of the daemon since the last call, 99.9th percentile in ms; the sampling period of 1 ms is in it. */
async function loopDelay(): Promise<number> {
  const [[child, lines] = []] = errors;
  if (!child || !lines) throw new Error('there is no daemon');
  const told = once(lines, 'line');
  child.kill('SIGUSR2');
  const [text] = (await told) as [string];
  return Number(text.replace('delay ', ''));
}

/** `status` as the daemon answers it, through the shell command. */
function status(port: number): Record<string, unknown> {
  const text = execFileSync(process.execPath, [
    'dist/pitayad.cjs',
    'status',
    '--json',
    '--host',
    '127.0.0.1',
    '--port',
    `${port}`,
  ]);
  return JSON.parse(text.toString());
}

function number(tree: unknown, ...path: readonly string[]): number {
  let at = tree;
  for (const name of path) at = (at as Record<string, unknown> | undefined)?.[name];
  if (typeof at !== 'number') throw new Error(`status has no number ${path.join('.')}`);
  return at;
}

/** Acquisitions a second while `viewers` grab as fast as they can; and frames a second that each of them gets. */
async function rate(port: number, viewers: number, seconds: number): Promise<{ acquisitions: number; frames: number }> {
  const clients = await Promise.all(Array.from({ length: viewers }, () => RawClient.open(port, 'GRABBER')));
  await Promise.all(clients.map((client) => client.ask(LIVE_GRAB, 2)));
  const before = number(status(port), 'counters', 'acquisitions');
  const start = performance.now();
  let frames = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() - start < seconds * 1e3) {
        await client.ask(LIVE_GRAB, 2);
        frames++;
      }
    }),
  );
  const took = (performance.now() - start) / 1e3;
  const after = number(status(port), 'counters', 'acquisitions');
  for (const client of clients) client.socket.destroy();
  return { acquisitions: (after - before) / took, frames: frames / took / viewers };
}

async function main(): Promise<void> {
  const port = await daemon();
  const viewer = await RawClient.open(port, 'GRABBER');
  const set = (settings: Record<string, unknown>) =>
    viewer.ask(message({ command: 'configure', module: 'scope', config: settings }), 2);
  await viewer.ask(
    message({
      command: 'configure',
      module: 'asg0',
      config: { waveform: 'sin', frequency: 1e5, amplitude: 0.8, output_direct: 'out1', trigger_source: 'immediately' },
    }),
    2,
  );

  await set({ decimation: 1, trigger_source: 'immediately' });
  const length = await viewer.ask(GRAB, 2);
  const bare = await RawClient.open(await bareServer(length), 'GRABBER');
  const wordsBefore = number(status(port), 'bus', 'wordsRead');
  const acquisitionsBefore = number(status(port), 'counters', 'acquisitions');
  await compare(
    `grab of 2 x 16382 points, ${length} bytes, against a ready buffer`,
    3,
    () => viewer.ask(GRAB, 2),
    () => bare.ask(GRAB, 1),
  );
  const acquisitions = number(status(port), 'counters', 'acquisitions') - acquisitionsBefore;
  const words = (number(status(port), 'bus', 'wordsRead') - wordsBefore) / acquisitions;
  judge(`bus words a trace of 2 x 16382 points: ${words.toFixed(1)}`, words, 2 * 16382 + 16, 1);

  await loopDelay();
  await new Promise((done) => setTimeout(done, quick ? 1000 : 5000));
  const idle = await loopDelay();
  await timesOf(quick ? 200 : 2000, () => viewer.ask(GRAB, 2));
  const busy = await loopDelay();
  const delays = `event-loop delay, 99.9 %: ${busy.toFixed(1)} ms while grabbing, ${idle.toFixed(1)} ms idle`;
  // A time, and no ratio: in a short run beside others it is only told.
  if (quick) console.log(delays);
  else judge(`${delays}; difference in ms`, busy - idle, 5);

  const mover = await RawClient.open(port, 'ACTUATOR');
  const echo = await RawClient.open(await bareServer(200), 'ACTUATOR');
  const CHECK = message({ command: 'check_position' });
  await compare(
    'check_position against a bare echo',
    3,
    () => mover.ask(CHECK, 2),
    () => echo.ask(CHECK, 1),
  );

  await set({ decimation: 512, trigger_source: 'immediately' });
  const seconds = quick ? 2 : 5;
  const one = await rate(port, 1, seconds);
  const many = await rate(port, 32, seconds);
  judge(
    `acquisitions a second with one viewer, ${one.acquisitions.toFixed(1)}, against 32, ${many.acquisitions.toFixed(1)} ` +
      `(each of the 32 gets ${many.frames.toFixed(1)} frames a second): ratio ${(one.acquisitions / many.acquisitions).toFixed(2)}`,
    one.acquisitions / many.acquisitions,
    1 / 0.9,
  );

  const python = process.env.PITAYAD_PYMODAQ_4;
  if (python === undefined) {
    console.log('skipped: real DAQ_Viewer: PITAYAD_PYMODAQ_4 does not name a Python with PyMoDAQ 4.4 and our plug-ins');
  } else {
    await set({ decimation: 1, trigger_source: 'immediately' });
    const frames = (...args: string[]): number => {
      const out = execFileSync(python, ['bench/pymodaq_rate.py', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
      const line = out.toString().trim().split('\n').at(-1) ?? '';
      return (JSON.parse(line) as { frames_per_second: number }).frames_per_second;
    };
    const stock = frames('stock', `${seconds}`);
    const ours = frames('pitayad', `${seconds}`, '127.0.0.1', `${port}`);
    console.log(
      `frames a second in a real DAQ_Viewer 4.4: ${ours.toFixed(1)} with PitayadScope, ${stock.toFixed(1)} with the stock ` +
        `TCPServer and the same data, ratio ${(ours / stock).toFixed(1)}`,
    );
  }
  for (const client of [viewer, bare, mover, echo]) client.socket.destroy();
}

try {
  await main();
} finally {
  for (const child of children) child.kill();
}
console.log(`${verdicts.passed} passed, ${verdicts.failed} failed`);
