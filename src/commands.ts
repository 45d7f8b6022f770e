/** All that the command `pitayad` understands. */
import { Command } from 'commander';
import { VERSION } from './board.ts';
import { readCardConfig } from './config/card.ts';
import { addOptions, readConfig } from './config/command-line.ts';
import { doctorCommand } from './doctor-command.ts';
import { importCommand } from './import-command.ts';
import { loadCommand } from './load-command.ts';
import { releaseCommands } from './release-commands.ts';
import { selftestCommand } from './selftest-command.ts';
import { serve } from './serve.ts';
import { shellCommands } from './shell.ts';
import { simulateCommand } from './simulate.ts';
import { wireCommand } from './wire-command.ts';

/** Ready to parse a command line. Its help is what the man page is made from. */
export function commands(): Command {
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
  releaseCommands(program);
  shellCommands(program);
  selftestCommand(program);
  simulateCommand(program);
  wireCommand(program);
  return program;
}
