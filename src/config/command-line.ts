/**
 * The options of a command, and the configuration in force for it. Later ones win: built in < file
 * (`/etc/pitayad/config.yaml` if it is there, or the one that `--config` names) < `pitayad.yaml` on the card (see
 * card.ts) < command line.
 */
import { type Command, Option } from 'commander';
import { fromFile } from './file.ts';
import { judged } from './kinds.ts';
import { CONFIG_FILE, type Config, cardSettings, type Given, type Setting, settings } from './settings.ts';

/** Gives a command options for the settings, all or some, and `--config`. */
export function addOptions(command: Command, keys?: readonly (keyof Config)[]): Command {
  addSettings(command, keys?.map((key) => [key, settings[key]]) ?? Object.entries<Setting<unknown>>(settings));
  return command.option('--config <FILE>', `configuration file (default: ${CONFIG_FILE}, if it is there)`);
}

/** Gives a command the options of those settings that the card may have. */
export function addCardOptions(command: Command): void {
  addSettings(command, cardSettings());
}

function addSettings(command: Command, chosen: readonly [string, Setting<unknown>][]): void {
  for (const [key, { kind, default: fallback, help }] of chosen) {
    const option = optionOf(key);
    if (kind.negatable) command.addOption(new Option(`--no-${option}`, `as --${option} off`));
    command.addOption(new Option(`--${option} <${kind.placeholder}>`, help + inParentheses(fallback)));
  }
}

function inParentheses(fallback: unknown): string {
  return fallback === undefined || Array.isArray(fallback) ? '' : ` (default: ${fallback})`;
}

function optionOf(key: string): string {
  return key.replaceAll('_', '-');
}

/**
 * The configuration in force for a command that has the options of `addOptions` and has parsed its command line.
 * @param card What the card's own file says.
 * @throws ConfigurationError
 */
export function readConfig(command: Command, card: Given = {}): Config {
  const config: Record<string, unknown> = {};
  for (const [key, { default: fallback }] of Object.entries<Setting<unknown>>(settings)) config[key] = fallback;
  const named: unknown = command.getOptionValue('config');
  Object.assign(config, typeof named === 'string' ? fromFile(named) : fromFile(CONFIG_FILE, { mayBeAbsent: true }));
  Object.assign(config, card, fromCommandLine(command));
  // Every key of `settings` was filled above, with what its own kind made.
  return config as Config;
}

function fromCommandLine(command: Command): Given {
  const values: Record<string, unknown> = {};
  for (const { key, kind, raw, word } of givenOptions(command)) {
    values[key] = judged(kind, raw, `--${optionOf(key)}`, word);
  }
  return values;
}

/**
 * What a command line says in options of settings, as a file would have it.
 * @throws ConfigurationError
 */
export function asInFile(command: Command): Given {
  fromCommandLine(command);
  return Object.fromEntries(givenOptions(command).map(({ key, raw }) => [key, raw]));
}

function givenOptions(command: Command) {
  return Object.entries<Setting<unknown>>(settings).flatMap(([key, { kind }]) => {
    const name = new Option(`--${optionOf(key)}`).attributeName();
    if (command.getOptionValueSource(name) !== 'cli') return [];
    const word: unknown = command.getOptionValue(name);
    return [{ key, kind, word, raw: typeof word === 'string' ? (kind.fromWord?.(word) ?? word) : word }];
  });
}
