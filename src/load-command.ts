/**
 * `pitayad load-fpga`: configures the FPGA with PyRPL's design, once after each boot; root's, before the daemon. Where
 * it runs already nothing is touched.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { BITSTREAM_SHA256 } from './board.ts';
import { loadFpga } from './fpga/bitstream/load.ts';
import { openDevmem } from './fpga/bus/devmem.ts';
import { wrongConstants } from './fpga/identity.ts';
import { openLog } from './log.ts';

const FOLDER = '/usr/lib/pitayad/fpga';

interface LoadChoice {
  readonly bitstream: string;
  readonly overlay?: string;
  readonly sha256: string;
  readonly force?: boolean;
}

export function loadCommand(program: Command): void {
  program
    .command('load-fpga')
    .description('configure the FPGA with PyRPL’s design, unless it runs already (as root; not yet run on hardware)')
    .option('--bitstream <FILE>', 'the design', `${FOLDER}/red_pitaya.bin`)
    .option('--sha256 <HEX>', 'what its SHA-256 must be', BITSTREAM_SHA256)
    .option('--overlay <FILE>', 'device-tree overlay that sets the clocks', `${FOLDER}/red_pitaya.dtbo`)
    .option('--force', 'load it even if it runs: outputs and locks are lost')
    .action(async (choice: LoadChoice) => {
      const log = openLog({ level: 'info', format: undefined });
      const outcome = await loadFpga({ ...choice, root: '/', log, identified, unitState });
      log.info({ bitstream: choice.bitstream }, outcome === 'loaded' ? 'the FPGA is loaded' : 'the FPGA was running');
    });
}

async function identified(): Promise<boolean> {
  const bus = openDevmem();
  try {
    return (await wrongConstants(bus)) === 0;
  } finally {
    await bus.close();
  }
}

/** As systemd has it; undefined where there is no such unit, or no systemd. */
async function unitState(unit: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('systemctl', ['show', '-p', 'LoadState,SubState', '--', unit]);
    const value = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1];
    return value('LoadState') === 'loaded' ? value('SubState') : undefined;
  } catch {
    return undefined;
  }
}
