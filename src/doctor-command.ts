/**
 * `pitayad doctor`: says what is wrong, line by line, with what to do. Exit status: 0, nothing is wrong (there may be
 * warnings); 1, something is.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { CARD_FILE } from './config/card.ts';
import { parseConfig, textOf } from './config/file.ts';
import { CONFIG_FILE, type Config } from './config/settings.ts';
import { examine } from './doctor/doctor.ts';
import { type Finding, thisMachine } from './doctor/patient.ts';
import { unitStates } from './load-command.ts';

interface DoctorChoice {
  readonly json?: boolean;
  readonly root: string;
}

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('say what is wrong with this board, or PC, and what to do; changes nothing, touches no register')
    .option('--json', 'JSON, for scripts')
    .option('--root <FOLDER>', 'where the board’s file system begins, such as a card in a reader', '/')
    .action(async ({ json, root }: DoctorChoice) => {
      const patient = thisMachine(root, unitStates, {
        ...settingsIn(root, CONFIG_FILE),
        ...settingsIn(root, CARD_FILE),
      });
      const findings = await examine(patient);
      process.stdout.write(`${json ? JSON.stringify(findings) : report(findings)}\n`);
      process.exitCode = findings.some(({ verdict }) => verdict === 'error') ? 1 : 0;
    });
}

/** What a file sets, if it can be understood; that it cannot is a finding. */
function settingsIn(root: string, file: string): Partial<Config> {
  try {
    // Each value was made by its own kind.
    return parseConfig(textOf(join(root, file)) ?? '', file) as Partial<Config>;
  } catch {
    return {};
  }
}

/** For people: a line a finding, and a second one with what to do. */
function report(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ subject, verdict, says, remedy }) => [
    `${verdict.padEnd(8)} ${subject.padEnd(14)} ${says}`,
    ...(remedy === undefined ? [] : [`${''.padEnd(23)} → ${remedy}`]),
  ]);
  const count = (wanted: Finding['verdict']): number => findings.filter(({ verdict }) => verdict === wanted).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const sum =
    errors + warnings === 0 ? 'Nothing is wrong.' : `${errors} to be mended, ${warnings} worth knowing (→ what to do).`;
  return [...lines, '', sum].join('\n');
}
