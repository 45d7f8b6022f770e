/**
 * What root does with an installed release: `pitayad reload` loads the FPGA anew, `pitayad rollback` brings back the
 * release before the last upgrade. The daemon itself may do neither.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { ConfigurationError, PitayadError } from './errors.ts';

/** Loads when it starts; the daemon leans on it, and is started anew with it. */
const FPGA_UNIT = 'pitayad-fpga.service';
const DAEMON_UNIT = 'pitayad.service';

/** Put there by the package. `pitayad` on the board goes there straight, so that it works where this does not. */
const ROLLBACK = '/usr/lib/pitayad/rollback';

export function releaseCommands(program: Command): void {
  program
    .command('reload')
    .description('load the FPGA anew and start the daemon (as root, on the board): outputs and locks are lost')
    .action(async () => {
      const systemd = '/run/systemd/system';
      if (!existsSync(systemd)) throw new ConfigurationError('there is no systemd here: this is for a board');
      if (process.getuid?.() !== 0) {
        throw new ConfigurationError('only root may load the FPGA anew (sudo pitayad reload); nothing was changed');
      }
      await run('systemctl', ['restart', FPGA_UNIT], `the FPGA was not loaded: systemctl status ${FPGA_UNIT} says why`);
      // It may have given up before.
      await run(
        'systemctl',
        ['start', DAEMON_UNIT],
        `pitayad does not start: systemctl status ${DAEMON_UNIT} says why`,
      );
      process.stdout.write('the FPGA is loaded anew, and pitayad serves it\n');
    });

  program
    .command('rollback')
    .description('install the release before the last upgrade (as root, on the board): the FPGA and its outputs go on')
    .action(async () => {
      if (!existsSync(ROLLBACK)) {
        throw new ConfigurationError('pitayad was not installed here as a package: there is no release to go back to');
      }
      await run(ROLLBACK, [], 'the former release was not installed');
    });
}

/** Runs a program before the user's eyes. @throws PitayadError with the sentence, when it fails */
async function run(program: string, args: readonly string[], sentence: string): Promise<void> {
  const status = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (status !== 0) throw new PitayadError(sentence);
}
