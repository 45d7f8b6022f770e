/**
 * A file of settings, by module and parameter. It has the old text or the new one, whenever the power fails. Text:
 * {"format": 1, "modules": {"scope": {"decimation": 8, …}, …}}, with further facts beside the modules.
 */
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

const FORMAT = 1;

/** Larger files are not ours. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Values by module and parameter. From a file: not judged yet. */
export type SavedModules = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface SettingsFile {
  readonly modules: SavedModules;
  /** What stands beside the modules. From a file: not judged. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What is read is no file of settings; the message says why. */
export class DamagedFile extends Error {}

/** The file was written by a version that knows more. */
export class NewerFile extends DamagedFile {}

/**
 * @returns undefined: there is no such file
 * @throws DamagedFile, NewerFile; Error of the file system
 */
export async function readSettings(path: string): Promise<SettingsFile | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) throw new DamagedFile(`it has ${size} bytes, which no settings have`);
    return parse(await readFile(handle, 'utf8'));
  } finally {
    await handle.close();
  }
}

/** The text of a file of settings. */
export function settingsText(modules: SavedModules, facts: Readonly<Record<string, unknown>> = {}): string {
  return `${JSON.stringify({ format: FORMAT, ...facts, modules }, null, 1)}\n`;
}

/** @throws DamagedFile, NewerFile */
function parse(text: string): SettingsFile {
  let saved: unknown;
  try {
    saved = JSON.parse(text);
  } catch (error) {
    throw new DamagedFile(error instanceof Error ? error.message : String(error));
  }
  if (!isRecord(saved)) throw new DamagedFile('it is not a JSON object');
  const { format, modules, ...facts } = saved;
  if (typeof format === 'number' && format > FORMAT) {
    throw new NewerFile(`its format is ${format}, and this version knows ${FORMAT}`);
  }
  if (format !== FORMAT) throw new DamagedFile(`its format is ${String(format)}, not ${FORMAT}`);
  if (!isRecord(modules)) throw new DamagedFile('it has no modules');
  const entries = Object.entries(modules).map(([name, values]) => {
    if (!isRecord(values)) throw new DamagedFile(`the values of ${name} are not an object`);
    return [name, values] as const;
  });
  return { modules: Object.fromEntries(entries), facts };
}

/**
 * Puts a text in the place of a file in one step: written beside it, forced to the disk, renamed.
 * @param previous where the old text is kept, if at all; failing that is no fault
 * @throws Error of the file system; the file is then as it was
 */
export async function replaceFile(path: string, text: string, previous?: string): Promise<void> {
  const temporary = `${path}.tmp`;
  const folder = dirname(path);
  try {
    const handle = await open(temporary, 'w', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (previous !== undefined) await keep(path, previous);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A second name for the file, which outlives its replacement. */
async function keep(path: string, previous: string): Promise<void> {
  try {
    await unlink(previous).catch(() => undefined);
    await link(path, previous);
  } catch {
    // There is no file yet, or the file system (FAT) has no second names.
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it is this error of the file system. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
