/**
 * The settings of all modules, in a file that survives power cuts: it is written beside the old one, forced to the
 * disk and put in its place in one step, and not more often than every few seconds, for the SD card's sake. A damaged
 * file is set aside, not overwritten. Text: {"format": 1, "modules": {"scope": {"decimation": 8, …}, …}}.
 */
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Value } from '../description.ts';

const FORMAT = 1;

/** Shortest time between two writings, in ms. */
const INTERVAL_MS = 5000;

/** Larger files are not ours. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Values by module and parameter. From a file: not judged yet. */
export type SavedModules = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface StateFile {
  /** What was saved; undefined if there is no file or it is damaged (then it was set aside and reported). */
  load(): Promise<SavedModules | undefined>;
  /** Something changed: it will be saved soon. Never throws; failures are logged and counted. */
  touch(): void;
  /** Saves what is not saved yet, and ends. */
  close(): Promise<void>;
  readonly status: { readonly path: string; saves: number; failures: number; unsaved: boolean };
}

/** @param collect gives all settings, at the time of saving. */
export function stateFile(
  path: string,
  collect: () => Promise<Record<string, Record<string, Value>>>,
  log: Logger,
  intervalMs: number = INTERVAL_MS,
): StateFile {
  const status = { path, saves: 0, failures: 0, unsaved: false };
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<void> = Promise.resolve();
  let savedAt = Number.NEGATIVE_INFINITY;
  let written = '';

  async function save(): Promise<void> {
    timer = undefined;
    if (!status.unsaved) return;
    status.unsaved = false;
    savedAt = performance.now();
    try {
      const text = `${JSON.stringify({ format: FORMAT, modules: await collect() }, null, 1)}\n`;
      if (text === written) return;
      await replaceFile(path, text);
      written = text;
      status.saves++;
    } catch (error) {
      status.failures++;
      status.unsaved = true;
      log.error({ path, err: error }, 'the state could not be saved; it is tried again at the next change');
    }
  }

  const inTurn = (): Promise<void> => {
    saving = saving.then(save);
    return saving;
  };

  return {
    status,

    async load() {
      let text: string;
      try {
        text = await readText(path);
      } catch (error) {
        if (isMissing(error)) return undefined;
        log.error({ path, err: error }, 'the saved state could not be read; defaults are used');
        return undefined;
      }
      try {
        return parse(text);
      } catch (error) {
        const aside = `${path}.damaged`;
        const reason = error instanceof Error ? error.message : String(error);
        await rename(path, aside).catch((err) => log.error({ path, err }, 'the damaged state could not be set aside'));
        log.error({ path, aside, reason }, 'the saved state is damaged; it was set aside, and defaults are used');
        return undefined;
      }
    },

    touch() {
      status.unsaved = true;
      if (timer) return;
      timer = setTimeout(() => void inTurn(), Math.max(0, savedAt + intervalMs - performance.now()));
      timer.unref();
    },

    async close() {
      clearTimeout(timer);
      await inTurn();
    },
  };
}

async function readText(path: string): Promise<string> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, which no state has`);
    return await readFile(handle, 'utf8');
  } finally {
    await handle.close();
  }
}

/** @throws Error that says what is wrong */
function parse(text: string): SavedModules {
  const saved: unknown = JSON.parse(text);
  if (!isRecord(saved)) throw new Error('it is not a JSON object');
  if (saved.format !== FORMAT) throw new Error(`its format is ${String(saved.format)}, not ${FORMAT}`);
  const modules = saved.modules;
  if (!isRecord(modules)) throw new Error('it has no modules');
  const entries = Object.entries(modules).map(([name, values]) => {
    if (!isRecord(values)) throw new Error(`the values of ${name} are not an object`);
    return [name, values] as const;
  });
  return Object.fromEntries(entries);
}

/** The file has the old text or the new one, whenever the power fails. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  const folder = await open(dirname(path));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
