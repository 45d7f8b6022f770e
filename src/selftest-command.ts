/**
 * `pitayad selftest`: shows in a minute whether a board does what it should. It asks the running daemon, which owns the
 * hardware; with `--bus` there need not be one. Exit status: 0, all passed; 1, something failed.
 */
import { type Command, Option } from 'commander';
import { identify } from './board.ts';
import { readCardConfig } from './config/card.ts';
import { addOptions, readConfig } from './config/command-line.ts';
import type { Config } from './config/settings.ts';
import { PitayadError } from './errors.ts';
import { openInstrument } from './fpga/instrument/open.ts';
import { LOOPS } from './fpga/instrument/selftest/bench.ts';
import { type Figure, type Finding, type SelftestReport, within } from './fpga/instrument/selftest/figures.ts';
import { openLog } from './log.ts';
import { openRegisters } from './open-bus.ts';
import { doorOptions } from './serve.ts';
import { type BoardClient, connectBoard } from './server/client.ts';
import { listen, PYMODAQ_PORT } from './server/listen.ts';
import { none, toPlain } from './server/wire/values.ts';

/** Traces that are grabbed one after the other to see how fast they come. */
const GRABS = { onBoard: 20, elsewhere: 3 };
/** What a board itself manages at least, in traces a second; over another bus it says nothing of the board. */
const SLOWEST = { min: 5 };

export function selftestCommand(program: Command): void {
  const command = program
    .command('selftest')
    .description('test the board: with cables out1 → in1 and out2 → in2, or without any by --loop digital')
    .addOption(new Option('--loop <LOOP>', 'how the outputs come back to the inputs').choices(LOOPS).default(LOOPS[0]))
    .option('--timeout <SECONDS>', 'longest wait for one trace', Number, 10)
    .option('--port <PORT>', 'where the running daemon listens', Number, PYMODAQ_PORT)
    .option('--host <HOST>', 'where the running daemon is', '127.0.0.1')
    .option('--json', 'JSON, for scripts');
  addOptions(command).action(async (options: SelftestChoice) => {
    const own = options.bus === undefined ? undefined : await ownDaemon(readConfig(command, readCardConfig().values));
    try {
      const report = await run(own ?? options, options);
      process.stdout.write(`${options.json ? JSON.stringify(report) : table(report)}\n`);
      process.exitCode = report.passed ? 0 : 1;
    } finally {
      await own?.end();
    }
  });
}

interface SelftestChoice {
  readonly bus?: string;
  readonly host: string;
  readonly port: number;
  readonly loop: (typeof LOOPS)[number];
  readonly timeout: number;
  readonly json?: boolean;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** The board as the daemon would serve it, for this process alone. */
async function ownDaemon(config: Config): Promise<Place & { end(): Promise<void> }> {
  const log = openLog({ level: 'error', format: config.log_format });
  const { bus, watch } = await openRegisters(config.bus ?? { kind: 'simulator' }, config, log);
  try {
    const instrument = await openInstrument({ bus, identity: await identify(bus), log });
    const door = await listen(instrument, log, { ...doorOptions(config), listen: { host: '127.0.0.1', port: 0 } });
    return {
      host: '127.0.0.1',
      port: door.port,
      async end() {
        await door.close();
        await instrument.close();
        watch?.stop();
        await bus.close();
      },
    };
  } catch (error) {
    watch?.stop();
    await bus.close();
    throw error;
  }
}

async function run(place: Place, { loop, timeout, json }: SelftestChoice): Promise<SelftestReport> {
  const board = await connectBoard({
    host: place.host,
    port: place.port,
    onUnasked: (word, [first]) => {
      const told = first && toPlain(first);
      if (json || word !== 'Progress' || typeof told !== 'object' || told === null || !('text' in told)) return;
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${told.text} …`);
    },
  });
  try {
    await board.reply('subscribe');
    const answer = await board.ask('selftest', { loop, timeout }, { patient: true });
    if (process.stderr.isTTY && !json) process.stderr.write('\r\u001b[K');
    const [dictionary] = answer.payload;
    const report = toPlain(dictionary ?? none) as unknown as SelftestReport;
    const findings = [...report.findings, await throughput(board, timeout)];
    return { passed: findings.every(({ passed }) => passed), findings };
  } finally {
    board.close();
  }
}

/** How fast whole traces come to this client. */
async function throughput(board: BoardClient, timeout: number): Promise<Finding> {
  const check = 'throughput to this client';
  const config = { decimation: 1, trigger_source: 'immediately', ch1_active: true, ch2_active: true };
  const before = await board.reply('get', { module: 'scope', parameters: Object.keys(config) });
  try {
    const { bus } = await board.reply('status');
    const onBoard = typeof bus === 'object' && bus !== null && 'name' in bus && bus.name === 'devmem';
    await board.reply('configure', { module: 'scope', config });
    const grabs = onBoard ? GRABS.onBoard : GRABS.elsewhere;
    const begin = performance.now();
    for (let k = 0; k < grabs; k++) await board.ask('grab', { module: 'scope', timeout }, { patient: true });
    const rate = (grabs * 1e3) / (performance.now() - begin);
    const figure: Figure = { what: 'traces of 2 channels', value: rate, unit: '1/s', ...(onBoard ? SLOWEST : {}) };
    return { check, passed: within(figure), figure };
  } catch (error) {
    if (!(error instanceof PitayadError)) throw error;
    return { check, passed: false, failure: error.message };
  } finally {
    await board.reply('configure', { module: 'scope', config: before });
  }
}

// ---------------------------------------------------------------- text for people

/** A line a figure: check, what, value, limits, verdict; then the verdict of all. */
function table({ passed, findings }: SelftestReport): string {
  const rows = findings.map(({ check, passed: good, figure, failure }) =>
    figure
      ? [
          check,
          figure.what,
          withUnit(figure.value, figure.unit),
          limits(figure),
          good ? 'ok' : `FAILED${figure.hint ? `: ${figure.hint}` : ''}`,
        ]
      : [check, '', '', '', `FAILED: ${failure}`],
  );
  const widths = [0, 1, 2, 3].map((k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, k) => cell.padEnd(widths[k] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const failed = findings.filter((one) => !one.passed).length;
  return [...lines, passed ? 'passed' : `FAILED: ${failed} of ${findings.length}`].join('\n');
}

function limits({ min, max, unit }: Figure): string {
  if (min !== undefined && max !== undefined)
    return min === max ? `= ${withUnit(min, unit)}` : `${withUnit(min, unit)} … ${withUnit(max, unit)}`;
  if (min !== undefined) return `≥ ${withUnit(min, unit)}`;
  return max === undefined ? '' : `≤ ${withUnit(max, unit)}`;
}

function withUnit(value: number, unit: string): string {
  return `${Number(value.toPrecision(5))} ${unit}`.trim();
}
