/**
 * `pitayad import-pyrpl`: takes over what a configuration file of PyRPL says. By itself it only tells what it would
 * take; `--apply` sets it on a running board, `--save` keeps it as setups beside a daemon's state.
 */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { ConfigurationError, PitayadError } from './errors.ts';
import { setupPath, setupsFolder, writeSetup } from './fpga/instrument/setups.ts';
import { type Imported, importPyrpl, type Remark } from './import-pyrpl.ts';
import { BoardError, connectBoard } from './server/client.ts';
import { PYMODAQ_PORT } from './server/listen.ts';

interface ImportChoice {
  readonly apply?: boolean;
  readonly save?: string;
  readonly state: string;
  readonly host: string;
  readonly port: number;
  readonly json?: boolean;
}

export function importCommand(program: Command): void {
  program
    .command('import-pyrpl <FILE>')
    .description('take over the modules and states of a PyRPL configuration; without --apply or --save: show them')
    .option('--apply', 'set the modules on the running board')
    .option('--save <NAME>', 'keep the modules as the setup NAME, and each state as a setup MODULE-STATE')
    .option('--state <FILE>', 'the daemon’s file of settings, beside which setups are', '/var/lib/pitayad/state.json')
    .option('--host <HOST>', 'where the board is', '127.0.0.1')
    .option('--port <PORT>', 'where it listens', Number, PYMODAQ_PORT)
    .option('--json', 'JSON, for scripts')
    .action(async (file: string, choice: ImportChoice) => {
      const imported = importPyrpl(await textOf(file));
      // The name is judged before anything is done.
      if (choice.save !== undefined) setupPath(setupsFolder(choice.state), choice.save);
      const saved = choice.save === undefined ? [] : await save(imported, choice.save, choice.state);
      const applied = choice.apply ? await apply(imported, choice) : undefined;
      const report = { ...imported, ...(saved.length > 0 ? { saved } : {}), ...(applied ? { applied } : {}) };
      process.stdout.write(`${choice.json ? JSON.stringify(report) : text(report)}\n`);
      if (applied?.refused.length) process.exitCode = 1;
    });
}

/** @throws ConfigurationError */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** @returns the names of the setups @throws PitayadError */
async function save({ modules, setups }: Imported, name: string, state: string): Promise<readonly string[]> {
  const all = { ...setups, [name]: modules };
  const folder = setupsFolder(state);
  try {
    for (const [each, settings] of Object.entries(all)) await writeSetup(folder, each, settings);
  } catch (error) {
    if (error instanceof PitayadError) throw error;
    throw new PitayadError(`The setups cannot be kept in ${folder}: ${(error as Error).message}`, { cause: error });
  }
  return Object.keys(all).sort();
}

interface Applied {
  readonly modules: readonly string[];
  /** Modules of which the board took nothing, and why. */
  readonly refused: readonly Remark[];
}

/** @throws ConnectionError */
async function apply({ modules }: Imported, where: ImportChoice): Promise<Applied> {
  const board = await connectBoard(where);
  const done: string[] = [];
  const refused: Remark[] = [];
  try {
    for (const [module, config] of Object.entries(modules)) {
      try {
        await board.reply('configure', { module, config });
        done.push(module);
      } catch (error) {
        if (!(error instanceof BoardError)) throw error;
        refused.push({ entry: module, reason: error.message });
      }
    }
  } finally {
    board.close();
  }
  return { modules: done, refused };
}

function text(report: Imported & { readonly saved?: readonly string[]; readonly applied?: Applied }): string {
  const { modules, setups, remarks, saved, applied } = report;
  const settings = Object.entries(modules).map(
    ([module, values]) =>
      `  ${module}: ${Object.entries(values)
        .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
        .join(', ')}`,
  );
  const changed = remarks.filter(({ taken }) => taken !== undefined);
  const left = new Map<string, string[]>();
  for (const { entry, reason, taken } of remarks) {
    if (taken === undefined) left.set(reason, [...(left.get(reason) ?? []), entry]);
  }
  const part = (title: string, lines: readonly string[]): string[] => (lines.length > 0 ? [title, ...lines] : []);
  return [
    ...part('modules:', settings),
    ...part(
      'states, as setups:',
      [`  ${Object.keys(setups).join(', ')}`].filter((line) => line.trim() !== ''),
    ),
    ...part(
      'taken otherwise than it stands there:',
      changed.map(({ entry, reason, taken }) => `  ${entry} = ${JSON.stringify(taken)}: ${reason}`),
    ),
    ...part(
      'left out:',
      [...left].map(([reason, entries]) => `  ${reason}: ${entries.join(', ')}`),
    ),
    ...part('saved as setups:', saved ? [`  ${saved.join(', ')}`] : []),
    ...part('set on the board:', applied ? [`  ${applied.modules.join(', ') || 'nothing'}`] : []),
    ...part('refused by the board:', applied?.refused.map(({ entry, reason }) => `  ${entry}: ${reason}`) ?? []),
  ].join('\n');
}
