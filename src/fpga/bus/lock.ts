/**
 * One process owns the FPGA: an exclusive `flock` on the very file that is mapped (`/dev/mem`). A process that dies
 * leaves nothing behind.
 */
import { type BigIntStats, fstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../errors.ts';
import type { Native } from './native.ts';

/** LOCK_EX | LOCK_NB of <sys/file.h>: alone, and without waiting. */
const EXCLUSIVE_AT_ONCE = 2 | 4;
/** LOCK_UN */
const UNLOCK = 8;

/**
 * Takes the lock on an open file for this process.
 * @throws ConfigurationError that says who has it.
 */
export function lockExclusively(native: Native, fd: number, path: string): void {
  if (native.flock(fd, EXCLUSIVE_AT_ONCE)) return;
  throw new ConfigurationError(
    `${path} is in use by ${holder(fstatSync(fd, { bigint: true }))?.name ?? 'another process'}; only one process may own the FPGA: stop that one first`,
  );
}

/** Gives the lock up. Closing the file would not do: its mapping, which only the garbage collector ends, keeps it. */
export function unlock(native: Native, fd: number): void {
  native.flock(fd, UNLOCK);
}

export interface Holder {
  readonly pid: number;
  /** `process PID (command line)` */
  readonly name: string;
}

/** Who has the lock on a file; undefined: nobody, or nobody knows. @param root where the file system begins; for tests */
export function lockHolder(root: string, path: string): Holder | undefined {
  try {
    return holder(statSync(join(root, path), { bigint: true }), root);
  } catch {
    return undefined;
  }
}

/** The process that has an flock on the file, as far as /proc tells. */
function holder({ dev, ino }: BigIntStats, root = '/'): Holder | undefined {
  try {
    // gnu_dev_major and gnu_dev_minor of <sys/sysmacros.h>
    const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
    const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
    const file = `${[major, minor].map((n) => n.toString(16).padStart(2, '0')).join(':')}:${ino}`;
    const line = readFileSync(join(root, 'proc/locks'), 'utf8')
      .split('\n')
      .map((text) => text.split(/\s+/))
      .find((words) => words[1] === 'FLOCK' && words[5] === file);
    const pid = Number(line?.[4]);
    return pid > 0 ? { pid, name: describe(pid, root) } : undefined;
  } catch {
    return undefined;
  }
}

function describe(pid: number, root: string): string {
  try {
    const command = readFileSync(join(root, `proc/${pid}/cmdline`), 'utf8')
      .replaceAll('\0', ' ')
      .trim();
    return `process ${pid} (${command})`;
  } catch {
    return `process ${pid}`;
  }
}
