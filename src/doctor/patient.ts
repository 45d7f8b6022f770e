/** What is examined: a machine, as far as it can be read from its files and asked in passing. Nothing is ever changed. */
import { readdirSync, readFileSync, type Stats, statfsSync, statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/settings.ts';
import type { Interfaces } from '../discovery/links.ts';
import type { UnitStates } from '../fpga/bitstream/rivals.ts';

/** One line of the diagnosis. */
export interface Finding {
  /** What was looked at: `FPGA`, `clock` … */
  readonly subject: string;
  /** `error`: pitayad cannot do its work, or not rightly, until it is mended. `warning`: worth knowing. */
  readonly verdict: 'ok' | 'warning' | 'error';
  /** What was found. */
  readonly says: string;
  /** What to do. Every error has one. */
  readonly remedy?: string;
}

/** Room on a file system, in bytes. */
export interface Room {
  readonly free: number;
  readonly total: number;
}

export interface Patient {
  /** Where its file system begins. */
  readonly root: string;
  /** As `process.arch`. */
  readonly arch: string;
  /** Settings that its files hold, as far as they can be understood. */
  readonly config: Partial<Config>;
  readonly unitStates: UnitStates;
  interfaces(): Interfaces;
  /** undefined: there is no such folder. */
  room(folder: string): Room | undefined;
  now(): Date;
}

export const ok = (subject: string, says: string): Finding => ({ subject, verdict: 'ok', says });
export const warning = (subject: string, says: string, remedy?: string): Finding =>
  remedy === undefined ? { subject, verdict: 'warning', says } : { subject, verdict: 'warning', says, remedy };
export const error = (subject: string, says: string, remedy: string): Finding => ({
  subject,
  verdict: 'error',
  says,
  remedy,
});

/** The text of a file, without blanks around it; undefined: it is not there, or not for us. */
export function textIn({ root }: Patient, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function statIn({ root }: Patient, path: string): Stats | undefined {
  return statSync(join(root, path), { throwIfNoEntry: false });
}

/** A process, by its command line. */
export interface Process {
  readonly pid: number;
  readonly command: string;
}

export function processes(patient: Patient): Process[] {
  return namesIn(patient, 'proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const command = textIn(patient, `proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
      return command ? [{ pid: Number(pid), command }] : [];
    });
}

/** The daemon, where it runs. */
export function daemonOf(patient: Patient): Process | undefined {
  return processes(patient).find(({ command }) => /pitayad(\.cjs)? serve\b/.test(command));
}

export function namesIn({ root }: Patient, folder: string): string[] {
  try {
    return readdirSync(join(root, folder));
  } catch {
    return [];
  }
}

/** This machine's ways; `root` may be another file system's, of which only files are known. */
export function thisMachine(root: string, unitStates: UnitStates, config: Partial<Config>): Patient {
  return {
    root,
    // A tree that was named is a board's.
    arch: root === '/' ? process.arch : 'arm',
    config,
    unitStates: root === '/' ? unitStates : async (units) => units.map(() => undefined),
    interfaces: networkInterfaces,
    room(folder) {
      try {
        const { bavail, blocks, bsize } = statfsSync(join(root, folder));
        return { free: bavail * bsize, total: blocks * bsize };
      } catch {
        return undefined;
      }
    },
    now: () => new Date(),
  };
}
