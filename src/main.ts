/**
 * The command `pitayad`. Exit status: 0, done; 1, it could not be done; 2, an option or the configuration is wrong, and
 * nothing was started.
 */
import { Command, CommanderError } from 'commander';
import { VERSION } from './board.ts';
import { readCardConfig } from './card-config.ts';
import { addOptions, readConfig } from './config.ts';
import { doctorCommand } from './doctor-command.ts';
import { ConfigurationError, PitayadError } from './errors.ts';
import { importCommand } from './import-command.ts';
import { loadCommand } from './load-command.ts';
import { selftestCommand } from './selftest-command.ts';
import { serve } from './serve.ts';
import { shellCommands } from './shell.ts';
import { simulateCommand } from './simulate.ts';
import { wireCommand } from './wire-command.ts';

function commands(): Command {
  const program = new Command('pitayad')
    .description('Turns a Red Pitaya into a plug-and-play PyMoDAQ instrument.')
    .version(VERSION)
    .exitOverride();
  addOptions(program.command('serve').description('serve the board, or a simulated one, to PyMoDAQ')).action(
    async (_options, command: Command) => {
      // Every line of the log is out; what did not end in time must not keep the process.
      const card = readCardConfig();
      process.exit(await serve(readConfig(command, card.values), card.remarks));
    },
  );
  doctorCommand(program);
  importCommand(program);
  loadCommand(program);
  shellCommands(program);
  selftestCommand(program);
  simulateCommand(program);
  wireCommand(program);
  return program;
}

async function main(): Promise<void> {
  try {
    await commands().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // commander has said it already.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    if (!(error instanceof PitayadError)) throw error;
    process.stderr.write(`pitayad: ${error.message}\n`);
    process.exitCode = error instanceof ConfigurationError ? 2 : 1;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`pitayad: a fault of its own: ${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
});
