/**
 * `pitayad.yaml` on the card's FAT partition: the one file of configuration that can be edited with the card in any PC. Its
 * text is anybody's, so it may set less than root's file, and whatever is wrong with it never keeps the board from serving:
 * then, and when an update of Red Pitaya's own software has removed it, the last good one holds, of which a copy is kept.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseConfig, textOf } from './file.ts';
import { type Given, STATE_FOLDER } from './settings.ts';

/** On a Red Pitaya the FAT partition is mounted there, read-only. */
export const CARD_FILE = '/opt/redpitaya/pitayad.yaml';

export interface CardConfig {
  readonly values: Given;
  /** Sentences for the log. */
  readonly remarks: readonly string[];
}

/** @param copy Where the last good text is kept. */
export function readCardConfig(file = CARD_FILE, copy = join(STATE_FOLDER, 'pitayad.yaml')): CardConfig {
  const remarks: string[] = [];
  const lastGood = attempt(() => textOf(copy), remarks);
  const kept = (): Given => attempt(() => parseConfig(lastGood ?? '', copy, 'card'), remarks) ?? {};
  const instead = lastGood === undefined ? 'none of its settings hold' : `what holds is the last good one, ${copy}`;
  try {
    const text = textOf(file);
    if (text === undefined) {
      if (lastGood !== undefined) remarks.push(`${file} is gone; ${instead}`);
      return { values: kept(), remarks };
    }
    const values = parseConfig(text, file, 'card');
    if (text !== lastGood) attempt(() => keep(copy, text), remarks);
    return { values, remarks };
  } catch (error) {
    remarks.push(`${(error as Error).message}; ${instead}`);
    return { values: kept(), remarks };
  }
}

/** Gives undefined, and leaves a remark, in place of an error. */
function attempt<T>(work: () => T, remarks: string[]): T | undefined {
  try {
    return work();
  } catch (error) {
    remarks.push(`the last good configuration of the card: ${(error as Error).message}`);
    return undefined;
  }
}

/** Whole, or not at all, whenever the power fails. */
function keep(copy: string, text: string): void {
  const fresh = `${copy}.${process.pid}`;
  mkdirSync(dirname(copy), { recursive: true });
  try {
    writeFileSync(fresh, text, { mode: 0o644, flush: true });
    renameSync(fresh, copy);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
