/**
 * `pitayad load-fpga`: configures the FPGA with PyRPL's design, once after each boot; root's, before the daemon. Where
 * it runs already nothing is touched.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { BITSTREAM_SHA256 } from './board.ts';
import { addOptions, readConfig } from './config/command-line.ts';
import type { Config } from './config/settings.ts';
import { ConfigurationError } from './errors.ts';
import { loadFpga } from './fpga/bitstream/load.ts';
import { checkUnused, openDevmem } from './fpga/bus/devmem.ts';
import { openLog } from './log.ts';

const FOLDER = '/usr/lib/pitayad/fpga';

/** What of the configuration concerns the FPGA, and so is an option here. */
const SETTINGS = ['bitstream', 'bitstream_sha256', 'overlay', 'board', 'root', 'log_level', 'log_format'] as const;

/** systemd answers at once, or is in trouble. */
const SYSTEMCTL_MS = 5000;

export function loadCommand(program: Command): void {
  const command = program
    .command('load-fpga')
    .description('configure the FPGA with PyRPL’s design, unless it runs already (as root; not yet run on hardware)')
    .option('--sha256 <HEX>', 'what the SHA-256 of the design that comes with pitayad must be', BITSTREAM_SHA256)
    .option('--force', 'load it even if it runs: outputs and locks are lost');
  addOptions(command, SETTINGS).action(async ({ force, sha256 }: { force?: boolean; sha256: string }) => {
    const config = readConfig(command);
    const log = openLog({ level: config.log_level, format: config.log_format });
    const { root, board } = config;
    const outcome = await loadFpga({
      ...designOf(config, sha256),
      ...{ root, board, log, unitStates },
      force: force === true,
      registers: () => openDevmem({ root }),
      checkUnused: () => checkUnused({ root }),
    });
    log.info(outcome === 'loaded' ? 'the FPGA is loaded' : 'the FPGA was running: nothing was touched');
  });
}

/** @throws ConfigurationError: an image without its checksum, or the other way round */
function designOf(config: Config, shipped: string): { bitstream: string; sha256: string; overlay: string | undefined } {
  const { bitstream, bitstream_sha256: sha256, overlay } = config;
  if ((bitstream === undefined) !== (sha256 === undefined)) {
    throw new ConfigurationError('bitstream and bitstream_sha256 are given together, or neither; nothing was loaded');
  }
  if (bitstream === undefined || sha256 === undefined) {
    const ours = { bitstream: `${FOLDER}/red_pitaya.bin`, sha256: shipped };
    return { ...ours, overlay: overlay ?? `${FOLDER}/red_pitaya.dtbo` };
  }
  // PyRPL's overlay is for PyRPL's image alone.
  return { bitstream, sha256, overlay };
}

/**
 * As systemd has them, in one question; undefined where there is no such unit, or no systemd.
 * @throws ConfigurationError: it does not answer
 */
export async function unitStates(units: readonly string[]): Promise<(string | undefined)[]> {
  try {
    const { stdout } = await promisify(execFile)('systemctl', ['show', '-p', 'LoadState,SubState', '--', ...units], {
      timeout: SYSTEMCTL_MS,
    });
    // A paragraph for each, in their order.
    const paragraphs = stdout.split('\n\n');
    return units.map((_unit, k) => {
      const value = (name: string): string | undefined =>
        new RegExp(`^${name}=(.*)$`, 'm').exec(paragraphs[k] ?? '')?.[1];
      return value('LoadState') === 'loaded' ? value('SubState') : undefined;
    });
  } catch (error) {
    if (error instanceof Error && 'killed' in error && error.killed === true) {
      throw new ConfigurationError(`systemctl does not tell of ${units.join(', ')} within ${SYSTEMCTL_MS / 1e3} s`);
    }
    return units.map(() => undefined);
  }
}
