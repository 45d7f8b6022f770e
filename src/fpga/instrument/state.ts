/**
 * The settings of all modules, in a file that survives power cuts. A change after a quiet time is on the disk at once;
 * of changes that go on, one in every few seconds, for the SD card's sake: so much may be lost when the power fails,
 * and nothing when the daemon alone ends, since the registers tell. The copy before the last is kept. A damaged file is
 * set aside, not overwritten.
 */
import { rename } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Value } from '../description.ts';
import { DamagedFile, NewerFile, readSettings, replaceFile, type SavedModules, settingsText } from './settings-file.ts';

export type { SavedModules } from './settings-file.ts';

/** Shortest time between two writings, in ms. */
const INTERVAL_MS = 5000;

export interface Saved {
  readonly modules: SavedModules;
  /**
   * The FPGA, as it is loaded now, has had these settings before, and its registers tell what became of them. If it
   * cannot be known, true: what runs is left alone.
   */
  readonly inFpga: boolean;
}

export interface StateFile {
  /**
   * What was saved; undefined: never was anything. Damaged files are set aside and reported; then the previous copy is
   * taken, or there are no modules in it. Never throws.
   */
  load(): Promise<Saved | undefined>;
  /** Something changed: it will be saved soon. Never throws; failures are logged and counted, and it is tried again. */
  touch(): void;
  /** Saves what is not saved yet, and ends. */
  close(): Promise<void>;
  readonly status: { readonly path: string; saves: number; failures: number; unsaved: boolean };
}

export interface StateOptions {
  readonly path: string;
  readonly log: Logger;
  /** Which load of the FPGA this is (see `lastLoad`); undefined: nobody knows. */
  readonly fpgaLoad?: string | undefined;
  /** Shortest time between two writings, in ms. */
  readonly intervalMs?: number | undefined;
  /** All settings, at the time of saving. */
  collect(): Promise<Record<string, Record<string, Value>>>;
}

export function stateFile({ path, log, fpgaLoad, intervalMs = INTERVAL_MS, collect }: StateOptions): StateFile {
  const previous = `${path}.previous`;
  const status = { path, saves: 0, failures: 0, unsaved: false };
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let saving: Promise<void> = Promise.resolve();
  let savedAt = Number.NEGATIVE_INFINITY;
  let written = '';

  async function save(): Promise<void> {
    timer = undefined;
    if (!status.unsaved) return;
    status.unsaved = false;
    savedAt = performance.now();
    try {
      const text = settingsText(await collect(), fpgaLoad === undefined ? {} : { fpgaLoad });
      if (text === written) return;
      await replaceFile(path, text, previous);
      written = text;
      status.saves++;
    } catch (error) {
      status.failures++;
      status.unsaved = true;
      log.error({ path, err: error }, 'the state could not be saved; it is tried again');
      schedule();
    }
  }

  function schedule(): void {
    if (timer || closed) return;
    timer = setTimeout(() => void inTurn(), Math.max(0, savedAt + intervalMs - performance.now()));
    timer.unref();
  }

  const inTurn = (): Promise<void> => {
    saving = saving.then(save);
    return saving;
  };

  /** @returns undefined: there is no such file; 'damaged': it was set aside */
  async function read(file: string): Promise<Saved | 'damaged' | undefined> {
    try {
      const saved = await readSettings(file);
      if (saved === undefined) return undefined;
      const { modules, facts } = saved;
      return { modules, inFpga: fpgaLoad === undefined || facts.fpgaLoad === fpgaLoad };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const newer = error instanceof NewerFile;
      const aside = `${file}.${newer ? 'newer' : 'damaged'}`;
      const ours = error instanceof DamagedFile;
      await rename(file, aside).catch((err) => log.error({ path: file, err }, 'the file could not be set aside'));
      log.error(
        { path: file, aside, reason },
        newer
          ? 'the saved state is of a newer pitayad; it was set aside'
          : `the saved state ${ours ? 'is damaged' : 'cannot be read'}; it was set aside`,
      );
      return 'damaged';
    }
  }

  return {
    status,

    async load() {
      const last = await read(path);
      if (last !== 'damaged') return last;
      const before = await read(previous);
      if (before === undefined || before === 'damaged') {
        log.error({ path }, 'no saved state is left; defaults are used for what the registers do not tell');
        return { modules: {}, inFpga: true };
      }
      log.warn({ path: previous }, 'the state before the last is used: the last change is lost');
      return before;
    },

    touch() {
      status.unsaved = true;
      schedule();
    },

    async close() {
      closed = true;
      clearTimeout(timer);
      await inTurn();
    },
  };
}
