/**
 * Whether a long acquisition of the scope delays anybody else: eight viewers, each with a module of its own, send
 * commands while an acquisition of 8.6 s (decimation 65536) runs, and while none does; in turn, in one run.
 *
 *     node --import tsx bench/concurrency.ts [--quick]
 */
import { benchmark, daemon, judge, median, message, quick, RawClient } from './lib/rig.ts';

const VIEWERS = [
  ['asg0', { offset: 0.1 }],
  ['asg1', { amplitude: 0.5 }],
  ['pid0', { setpoint: 0.1 }],
  ['pid1', { p: 2 }],
  ['iq0', { phase: 30 }],
  ['iq1', { gain: 0.5 }],
  ['trig', { threshold: 0.2 }],
  ['hk', { led: 5 }],
] as const satisfies readonly (readonly [string, Record<string, number>])[];

const ROUNDS = quick ? 3 : 8;
const COMMANDS = quick ? 100 : 300;

async function main(): Promise<void> {
  const port = await daemon();
  const clients = await Promise.all(
    VIEWERS.map(async ([module, config]) => {
      const client = await RawClient.open(port, 'GRABBER');
      const zeros = Object.fromEntries(Object.keys(config).map((name) => [name, 0]));
      // One that writes, one that writes back, one that reads.
      const commands = [
        message({ command: 'configure', module, config }),
        message({ command: 'configure', module, config: zeros }),
        message({ command: 'get', module, parameters: Object.keys(config) }),
      ];
      return { client, commands };
    }),
  );
  const times: Record<'idle' | 'busy', number[]> = { idle: [], busy: [] };
  const round = async (into: number[]): Promise<void> => {
    await Promise.all(
      clients.map(async ({ client, commands }) => {
        for (let k = 0; k < COMMANDS; k++) {
          const command = commands[k % commands.length];
          if (!command) continue;
          const start = performance.now();
          await client.ask(command, 2);
          into.push(performance.now() - start);
        }
      }),
    );
  };

  const viewer = await RawClient.open(port, 'GRABBER');
  await viewer.ask(
    message({ command: 'configure', module: 'scope', config: { decimation: 65536, trigger_source: 'immediately' } }),
    2,
  );
  await round([]);
  for (let k = 0; k < ROUNDS; k++) {
    await round(times.idle);
    const grabber = await RawClient.open(port, 'GRABBER');
    let over = false;
    const grab = grabber.ask(message({ command: 'grab', module: 'scope' }), 2).then(() => {
      over = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await round(times.busy);
    if (over) throw new Error('the acquisition was over before the commands were');
    await viewer.ask(message({ command: 'stop', module: 'scope', all: true }), 2);
    await grab;
    grabber.socket.destroy();
  }
  const [busy, idle] = [median(times.busy), median(times.idle)];
  judge(
    `a command of each of 8 viewers while an acquisition of 8.6 s runs: ${busy.toFixed(3)} ms, ${idle.toFixed(3)} ms ` +
      `without, ratio ${(busy / idle).toFixed(2)}`,
    busy / idle,
    1.5,
  );
  for (const { client } of [...clients, { client: viewer }]) client.socket.destroy();
}

await benchmark(main);
