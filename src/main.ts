/**
 * The command `pitayad`. Exit status: 0, done; 1, it could not be done; 2, an option or the configuration is wrong, and
 * nothing was started.
 */
import { CommanderError } from 'commander';
import { commands } from './commands.ts';
import { ConfigurationError, PitayadError } from './errors.ts';

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
