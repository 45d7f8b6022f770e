/**
 * Named setups: settings of all modules, or of some, kept in a file each, to be loaded again at any time. Loading is
 * refused as a whole, with every reason, when something of it is not allowed.
 */
import { chown, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PitayadError, Refusal } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import type { Value } from '../description.ts';
import type { Checked, Taken } from '../driver.ts';
import { show } from '../parameters/judging.ts';
import type { Client } from './instrument.ts';
import type { Module } from './open.ts';
import { serial } from './serial.ts';
import { DamagedFile, hasCode, readSettings, replaceFile, type SavedModules, settingsText } from './settings-file.ts';
import { inSteps, STEPS } from './steps.ts';

const SUFFIX = '.json';

/** What a name may be: it is a file's name too, on any file system. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const NAME_SENTENCE = 'a name has 1 to 64 letters (a to z), digits, _, - and ., and begins with none of - and .';

/** A full SD card stops more than pitayad. */
const MAX_SETUPS = 1000;

export interface SetupEntry {
  readonly name: string;
  /** Seconds since 1970. */
  readonly saved: number;
}

export interface Setups {
  /**
   * Keeps the present settings of all modules, in place of an older setup of that name; or `modules`, if given, which
   * are checked as if they were to be set (whoever owns what).
   * @returns the names of the modules in it
   * @throws Refusal
   */
  save(name: string, modules?: SavedModules): Promise<readonly string[]>;
  /**
   * Sets what the setup says; modules and parameters that it does not name stay as they are.
   * @returns what the hardware took, by module
   * @throws Refusal, with nothing written; PitayadError: registers failed, and what was set is not known
   */
  load(client: Client, name: string): Promise<Record<string, Record<string, Value>>>;
  /** In alphabetical order. */
  list(): Promise<readonly SetupEntry[]>;
  /** @throws Refusal: there is none */
  remove(name: string): Promise<void>;
}

export interface SetupsOptions {
  /** How often all outputs were switched off. */
  offs(): number;
  /** One file a setup; it is made when it is needed. undefined: setups are refused. */
  readonly folder: string | undefined;
  /** All settings. */
  collect(): Promise<Record<string, Record<string, Value>>>;
  /** @throws Refusal */
  moduleOf(name: string): Module;
  /** @throws Refusal */
  checkOwner(client: Client, module: string): void;
  /** Tells what changed. */
  announce(module: string, taken: readonly Taken[], by: string): void;
}

/** Where the setups are kept, beside the file of the state. */
export function setupsFolder(statePath: string): string {
  return join(dirname(statePath), 'setups');
}

/** @throws Refusal: a name that no setup can have */
export function setupPath(folder: string, name: string): string {
  if (typeof name === 'string' && NAME.test(name)) return join(folder, name + SUFFIX);
  throw new Refusal(`A setup cannot be called ${show(name)}: ${NAME_SENTENCE}; nothing was changed.`);
}

/** Writes a setup whose settings were checked. @throws Error of the file system */
export async function writeSetup(folder: string, name: string, settings: SavedModules): Promise<void> {
  const path = setupPath(folder, name);
  try {
    // Not the folders above: a path that is not there is a mistake.
    await mkdir(folder);
    if (process.getuid?.() === 0) {
      // Root imports what the daemon, a user of its own, replaces one day.
      const { uid, gid } = await stat(dirname(folder));
      await chown(folder, uid, gid);
    }
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  await replaceFile(path, settingsText(settings));
}

export function setups({ folder, collect, moduleOf, checkOwner, announce, offs }: SetupsOptions): Setups {
  function place(): string {
    if (folder !== undefined) return folder;
    throw new Refusal('This daemon keeps no files (it has no option state), so that there are no setups.');
  }

  const pathOf = (name: string): string => setupPath(place(), name);
  const inTurn = serial();

  /** Gives a fault of the file system its sentence. */
  async function onFile<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof PitayadError) throw error;
      throw new PitayadError(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }

  async function names(): Promise<string[]> {
    const files = await readdir(place()).catch((error) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    });
    return files
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .filter((name) => NAME.test(name))
      .sort();
  }

  async function missing(name: string): Promise<Refusal> {
    const known = await names();
    const near = nearest(name, known);
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    return new Refusal(`There is no setup ${show(name)}${hint}; nothing was changed.`);
  }

  async function read(name: string): Promise<SavedModules> {
    const path = pathOf(name);
    const saved = await onFile(`The setup ${name} cannot be read`, () => readSettings(path)).catch((error) => {
      if (!(error.cause instanceof DamagedFile)) throw error;
      throw new Refusal(`The setup ${name} cannot be used: ${error.cause.message}; nothing was changed.`);
    });
    if (saved) return saved.modules;
    throw await missing(name);
  }

  /** All modules, judged. @param client whose rights are asked for; undefined: nobody's @throws Refusal with every reason */
  function judge(name: string, modules: SavedModules, client?: Client): { module: Module; checked: Checked }[] {
    const reasons: string[] = [];
    const good = Object.entries(modules).flatMap(([key, values]) => {
      try {
        const module = moduleOf(key);
        if (client) checkOwner(client, module.name);
        return [{ module, checked: module.driver.check(values) }];
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        reasons.push(error.message.replace(/(; nothing was changed)?\.$/, ''));
        return [];
      }
    });
    if (reasons.length === 0) return good;
    const what = client ? 'loaded' : 'saved';
    throw new Refusal(`The setup ${name} cannot be ${what}: ${reasons.join('; ')}; nothing was changed.`);
  }

  return {
    save(name, modules) {
      const work = async (): Promise<string[]> => {
        pathOf(name);
        if (modules !== undefined) judge(name, modules);
        const known = await names();
        if (!known.includes(name) && known.length >= MAX_SETUPS) {
          throw new Refusal(`There are ${known.length} setups already, which is the most; nothing was changed.`);
        }
        const settings = modules ?? (await collect());
        await writeSetup(place(), name, settings);
        return Object.keys(settings);
      };
      return inTurn(() => onFile(`The setup ${name} cannot be saved`, work));
    },

    async load(client, name) {
      const before = offs();
      const modules = await read(name);
      const taken = new Map<Module, Taken[]>();
      const values: Record<string, Record<string, Value>> = {};
      const set = async (): Promise<void> => {
        if (offs() !== before) {
          throw new Refusal(
            `The setup ${name} was not loaded: all outputs were switched off meanwhile; nothing was changed.`,
          );
        }
        const goings = [];
        for (const { module, checked } of judge(name, modules, client)) {
          const names = Object.keys(checked.values);
          const go = inSteps(module.driver, await module.driver.get(names), checked.values);
          goings.push({ module, names, go });
        }
        for (const step of STEPS) {
          for (const { module, go } of goings) {
            const changes = await go(step);
            taken.set(module, [...(taken.get(module) ?? []), ...changes]);
          }
        }
        for (const { module, names } of goings) values[module.name] = await module.driver.get(names);
      };
      try {
        await inTurnOfAll(judge(name, modules, client), set, taken);
      } catch (error) {
        if (error instanceof Refusal && taken.size === 0) throw error;
        const why = error instanceof Error ? error.message : String(error);
        throw new PitayadError(`The setup ${name} was loaded in part: ${why}`, { cause: error });
      } finally {
        for (const [module, changes] of taken) announce(module.name, changes, client.owner);
      }
      return values;
    },

    list() {
      const work = async (): Promise<SetupEntry[]> => {
        const entries: SetupEntry[] = [];
        for (const name of await names()) {
          const { mtimeMs } = await stat(pathOf(name));
          entries.push({ name, saved: mtimeMs / 1e3 });
        }
        return entries;
      };
      return inTurn(() => onFile('The setups cannot be listed', work));
    },

    remove(name) {
      const work = async (): Promise<void> => {
        try {
          await unlink(pathOf(name));
        } catch (error) {
          throw hasCode(error, 'ENOENT') ? await missing(name) : error;
        }
      };
      return inTurn(() => onFile(`The setup ${show(name)} cannot be removed`, work));
    },
  };
}

/** Waits until nobody writes any of the modules, and keeps it so while `work` notes in `taken` what it changed. */
function inTurnOfAll(
  granted: readonly { readonly module: Module }[],
  work: () => Promise<void>,
  taken: ReadonlyMap<Module, Taken[]>,
): Promise<void> {
  // In one order, so that two of them never wait for each other.
  const order = granted.map(({ module }) => module).sort((a, b) => (a.name < b.name ? 1 : -1));
  const nested = order.reduce(
    (inner, module) => async () => {
      await module.write(async () => {
        await inner();
        return taken.get(module) ?? [];
      });
    },
    work,
  );
  return nested();
}
