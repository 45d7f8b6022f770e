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
import { execFileSync } from 'node:child_process';
import {
  bareServer,
  benchmark,
  compare,
  daemon,
  judge,
  loopDelay,
  median,
  message,
  quick,
  RawClient,
  timesOf,
} from './lib/rig.ts';

/** 16384 samples at 125 MS/s. */
const ACQUISITION_MS = 0.131;

const GRAB = message({ command: 'grab', module: 'scope' });
const LIVE_GRAB = message({ command: 'grab', module: 'scope', fresh: false });

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
  const { theirs } = await compare(
    `grab of 2 x 16382 points, ${length} bytes, against a ready buffer`,
    3,
    () => viewer.ask(GRAB, 2),
    () => bare.ask(GRAB, 1),
  );
  // The acquisition is part of it: what a server that did nothing else would come to.
  const least = (theirs + ACQUISITION_MS) / theirs;
  console.log(
    `     of that, ${ACQUISITION_MS} ms are the acquisition itself: no server could be below ${least.toFixed(2)}`,
  );
  const acquisitions = number(status(port), 'counters', 'acquisitions') - acquisitionsBefore;
  const words = (number(status(port), 'bus', 'wordsRead') - wordsBefore) / acquisitions;
  judge(`bus words a trace of 2 x 16382 points: ${words.toFixed(1)}`, words, 2 * 16382 + 16, 1);

  // In turn, so that what else the machine does comes to both; the median, so that one interruption is not a verdict.
  const delays: { readonly busy: number; readonly idle: number }[] = [];
  for (let round = 0; round < (quick ? 3 : 5); round++) {
    await loopDelay();
    await new Promise((done) => setTimeout(done, quick ? 300 : 2000));
    const idle = await loopDelay();
    await timesOf(quick ? 200 : 2000, () => viewer.ask(GRAB, 2));
    delays.push({ busy: await loopDelay(), idle });
  }
  const above = median(delays.map(({ busy, idle }) => busy - idle));
  const all = delays.map(({ busy, idle }) => `${busy.toFixed(1)}/${idle.toFixed(1)}`).join(', ');
  const text = `event-loop delay, 99.9 %, in ms while grabbing/idle: ${all}; median of the differences ${above.toFixed(1)}`;
  // A time, and no ratio: in a short run beside others it is only told.
  if (quick) console.log(text);
  else judge(text, above, 5);

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

await benchmark(main);
