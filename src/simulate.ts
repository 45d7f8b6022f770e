/**
 * `pitayad simulate`: the simulated FPGA alone, behind PyRPL's `monitor_server` protocol. A PyRPL client, a
 * `pitayad serve --bus monitor:…` or a test connects to it as to a board.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { serveMonitor } from './fpga/bus/monitor-server.ts';
import { parseInputModel } from './fpga/bus/simulator/front-end.ts';
import { sideDoor } from './fpga/bus/simulator/side-door.ts';
import { openSimulator } from './fpga/bus/simulator/simulator.ts';

/** After the command `quit` its answer can still be read. */
const QUIT_DELAY_MS = 100;

interface SimulateOptions {
  readonly port: number;
  readonly bind: string;
  readonly stepped?: true;
  readonly ticksPerRequest?: number;
  readonly realtimeRatio: number;
  readonly busCycles: number;
  readonly loopback?: true;
  readonly loopbackDelay: number;
  readonly loopbackGain: number;
  readonly adc?: string;
  readonly adc1?: string;
  readonly adc2?: string;
  readonly noise?: number;
  readonly seed: number;
  readonly maxClients: number;
  readonly verbose?: true;
}

/** Adds the subcommand. */
export function simulateCommand(program: Command): void {
  program
    .command('simulate')
    .description("serve a simulated FPGA in the protocol of PyRPL's monitor_server")
    .addOption(new Option('--port <N>', 'TCP port; 0: any free one').argParser(integer(0, 65_535)).default(2222))
    .option('--bind <ADDRESS>', 'address to listen on', '127.0.0.1')
    .addOption(new Option('--free-run', 'time follows the wall clock (default)').conflicts('stepped'))
    .option('--stepped', 'time passes in transfers and on command only: repeatable to the clock')
    .addOption(
      new Option('--ticks-per-request <N>', 'stepped, with N more clocks after each request').argParser(
        integer(0, 2 ** 40),
      ),
    )
    .addOption(new Option('--realtime-ratio <R>', 'simulated seconds a second').argParser(number(1e-6, 1)).default(1))
    .addOption(new Option('--bus-cycles <N>', 'clocks that a word takes').argParser(integer(0, 99_999)).default(19))
    .option('--loopback', 'out1 to in1, out2 to in2')
    .addOption(new Option('--loopback-delay <N>', 'clocks on that way').argParser(integer(0, 100_000)).default(8))
    .addOption(new Option('--loopback-gain <G>', 'gain on that way').argParser(number(-1e6, 1e6)).default(1))
    .option(
      '--adc <SPEC>',
      'what both inputs get: const:V, sine:FREQ,AMP,OFFSET,PHASE, square:…, step:…, noise:…, loopback:…, plant:…, A+B',
    )
    .option('--adc1 <SPEC>', 'what in1 gets')
    .option('--adc2 <SPEC>', 'what in2 gets')
    .addOption(new Option('--noise <RMS>', 'volts of noise added to both inputs').argParser(number(0, 10)))
    .addOption(new Option('--seed <N>', 'seed of the noise').argParser(integer(0, 2 ** 40)).default(1))
    .addOption(new Option('--max-clients <N>', 'clients at a time').argParser(integer(1, 1000)).default(1))
    .option('--verbose', 'say on standard error why a connection was closed')
    .action(async (options: SimulateOptions) => {
      process.exit(await simulate(options));
    });
}

/**
 * Serves until SIGTERM, SIGINT or the command `quit`, and gives the exit status.
 * @throws ConfigurationError if an input model is none; PitayadError if the port cannot be had.
 */
async function simulate(options: SimulateOptions): Promise<number> {
  const defaults = { delay: options.loopbackDelay, gain: options.loopbackGain, seed: options.seed };
  const specs = [specOf(options.adc1 ?? options.adc, options), specOf(options.adc2 ?? options.adc, options)] as const;
  const simulator = openSimulator({
    timing: {
      clock: options.stepped || options.ticksPerRequest !== undefined ? 'stepped' : 'wall',
      wordClocks: options.busCycles,
      speed: options.realtimeRatio,
    },
    frontEnd: [parseInputModel(specs[0], 1, defaults), parseInputModel(specs[1], 2, defaults)],
    repeated: true,
  });
  let refused = 0;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const door = sideDoor({
    simulator,
    models: specs,
    defaults,
    requestClocks: options.ticksPerRequest ?? 0,
    refused: () => refused,
    quit: () => setTimeout(end, QUIT_DELAY_MS),
  });
  const server = await serveMonitor(simulator, {
    host: options.bind,
    port: options.port,
    maxClients: options.maxClients,
    side: door,
    request() {
      if (simulator.timing.clock === 'stepped' && door.requestClocks > 0) simulator.advance(door.requestClocks);
    },
    dropped(reason) {
      refused++;
      if (options.verbose) process.stderr.write(`pitayad simulate: ${reason}\n`);
    },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
  process.stdout.write(`pitayad simulate listening on ${options.bind}:${server.port}\n`);
  await ended;
  await server.close();
  return 0;
}

function specOf(given: string | undefined, { loopback, noise }: SimulateOptions): string {
  const spec = given ?? (loopback ? 'loopback' : 'const:0');
  return noise ? `${spec}+noise:${noise}` : spec;
}

function number(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= greatest) return value;
    throw new InvalidArgumentError(`A number from ${least} to ${greatest} is wanted.`);
  };
}

function integer(least: number, greatest: number): (text: string) => number {
  const parse = number(least, greatest);
  return (text) => {
    const value = parse(text);
    if (Number.isInteger(value)) return value;
    throw new InvalidArgumentError(`An integer from ${least} to ${greatest} is wanted.`);
  };
}
