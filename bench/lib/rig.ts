/** What the benchmarks of the running daemon share: the daemon, a client that costs nothing, comparisons and verdicts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { encodeV5 } from '../../src/server/wire/encode.ts';
import { fromPlain, str } from '../../src/server/wire/values.ts';

export const quick = process.argv.includes('--quick');
/** A short run, maybe beside other programs, is noisy: its verdicts leave this much room, and only a collapse fails. */
const ROOM = quick ? 4 : 1;
const verdicts = { passed: 0, failed: 0 };

/** Prints a result and whether it reached its goal; only ratios and counts are judged. */
export function judge(text: string, value: number, limit: number, room = ROOM): void {
  const good = value <= limit * room;
  verdicts[good ? 'passed' : 'failed']++;
  console.log(`${good ? 'ok  ' : 'MISS'} ${text} (goal ≤ ${limit})`);
}
const ROUNDS = quick ? 10 : 20;
const BATCH = quick ? 20 : 50;
/** Calls before the first that counts: a daemon runs for weeks, and both sides are to be compiled by then. */
const WARM_UP = quick ? 200 : 2000;

/** A client of the v5 form that only counts bytes: it must not be the slow side. */
export class RawClient {
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
        if (this.header.length === 0 && chunk.length - at >= 4) {
          this.remaining = chunk.readUInt32BE(at);
          at += 4;
        } else {
          const need = 4 - this.header.length;
          this.header = Buffer.concat([this.header, chunk.subarray(at, at + need)]);
          at += need;
          if (this.header.length < 4) return;
          this.remaining = this.header.readUInt32BE(0);
          this.header = Buffer.alloc(0);
        }
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

export const daemon = (): Promise<number> =>
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
export const bareServer = (bytes: number): Promise<number> =>
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Milliseconds of each of `count` calls. */
export async function timesOf(count: number, call: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let k = 0; k < count; k++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return times;
}

/**
 * Both sides in turn, round by round; prints the medians, which it gives in ms, and their ratio. In a short run, maybe
 * beside other programs, it is the medians of each side's best round, in which others interrupted least.
 */
export async function compare(
  what: string,
  limit: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown>,
): Promise<{ readonly ours: number; readonly theirs: number }> {
  const rounds: { readonly ours: number[]; readonly theirs: number[] }[] = [];
  await timesOf(WARM_UP, ours);
  await timesOf(WARM_UP, theirs);
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ ours: await timesOf(BATCH, ours), theirs: await timesOf(BATCH, theirs) });
  }
  const typical = (side: 'ours' | 'theirs'): number =>
    quick ? Math.min(...rounds.map((round) => median(round[side]))) : median(rounds.flatMap((round) => round[side]));
  const [a, b] = [typical('ours'), typical('theirs')];
  judge(`${what}: ${a.toFixed(3)} ms against ${b.toFixed(3)} ms, ratio ${(a / b).toFixed(2)}`, a / b, limit);
  return { ours: a, theirs: b };
}

export const message = (command: Record<string, unknown>): Uint8Array => encodeV5(fromPlain(command));

/** Event-loop delay of the daemon since the last call, 99.9th percentile in ms; the sampling period of 1 ms is in it. */
export async function loopDelay(): Promise<number> {
  const [[child, lines] = []] = errors;
  if (!child || !lines) throw new Error('there is no daemon');
  const told = once(lines, 'line');
  child.kill('SIGUSR2');
  const [text] = (await told) as [string];
  return Number(text.replace('delay ', ''));
}

/** Runs it, ends what was started, and tells the verdicts. */
export async function benchmark(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } finally {
    for (const child of children) child.kill();
  }
  console.log(`${verdicts.passed} passed, ${verdicts.failed} failed`);
}
