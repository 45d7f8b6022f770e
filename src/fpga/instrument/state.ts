/**
 * The settings of all modules, in a file that survives power cuts. A change is on the disk at once, as long as changes
 * are as rare as people make them; while they go on and on, as in a scan, one in every few seconds is, for the SD card's
 * sake. So much may be lost when the power fails, and nothing when the daemon alone ends, since the registers tell. The
 * copy before the last is kept. A damaged file is set aside, not overwritten.
 */
import { rename } from 'node:fs/promises';
import type { Logger } from 'pino';
import { DamagedFile, NewerFile, readSettings, replaceFile, type SavedModules, settingsText } from './settings-file.ts';

export type { SavedModules } from './settings-file.ts';

/** Time between two savings of changes that go on and on, in ms. */
export const INTERVAL_MS = 5000;

/** Time between two attempts while saving fails, in ms. */
const RETRY_MS = 1000;

/** Savings that may follow each other at once, after as many intervals without any. */
export const BURST = 12;

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
  /** `unsaved`: there are changes that are not yet on the disk. */
  readonly status: { readonly path: string; saves: number; failures: number; unsaved: boolean };
}

export interface StateOptions {
  readonly path: string;
  readonly log: Logger;
  /** Which load of the FPGA this is (see `lastLoad`); undefined: nobody knows. */
  readonly fpgaLoad?: string | undefined;
  /** Time between two savings of changes that go on and on, in ms. 0: each change is saved at once. */
  readonly intervalMs?: number | undefined;
  /** All settings, at the time of saving. */
  collect(): Promise<SavedModules>;
}

export function stateFile({ path, log, fpgaLoad, intervalMs = INTERVAL_MS, collect }: StateOptions): StateFile {
  const previous = `${path}.previous`;
  const status = { path, saves: 0, failures: 0, unsaved: false };
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let saving: Promise<void> = Promise.resolve();
  /** When the savings so far would be over, had each had an interval for itself. */
  let paidUntil = 0;
  let touches = 0;
  let written = '';
  let failing = false;

  async function save(): Promise<void> {
    timer = undefined;
    if (!status.unsaved) return;
    const upTo = touches;
    try {
      const text = settingsText(await collect(), fpgaLoad === undefined ? {} : { fpgaLoad });
      if (text !== written) {
        paidUntil = Math.max(paidUntil, performance.now()) + intervalMs;
        await replaceFile(path, text, previous);
        written = text;
        status.saves++;
        if (failing) log.info({ path }, 'the state is saved again');
        failing = false;
      }
      status.unsaved = touches !== upTo;
    } catch (error) {
      status.failures++;
      // A full card stays full for long: once is enough.
      log[failing ? 'debug' : 'error']({ path, err: error }, 'the state could not be saved; it is tried again');
      failing = true;
      paidUntil = Math.max(paidUntil, performance.now() + RETRY_MS + (BURST - 1) * intervalMs);
    }
    if (status.unsaved) schedule();
  }

  function schedule(): void {
    if (timer || closed) return;
    const due = paidUntil - (BURST - 1) * intervalMs - performance.now();
    timer = setTimeout(() => void inTurn(), Math.max(0, due));
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
      touches++;
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
