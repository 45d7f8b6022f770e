/** A browser and boards on a network of the test's own, and what they tell. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Computer, isRunning, type Lan, lanIsMissing } from './lan.ts';

const python = process.env.PITAYAD_PYTHON ?? 'python3';
/** What this machine lacks for these tests; undefined: nothing. */
export const missing =
  lanIsMissing() ??
  (spawnSync(python, ['-c', 'import zeroconf']).status === 0 ? undefined : `the package zeroconf of ${python} (pip)`);

export interface Event {
  readonly event: 'browsing' | 'added' | 'updated' | 'removed';
  readonly name?: string;
  readonly server?: string;
  readonly port?: number;
  readonly addresses?: readonly string[];
  readonly txt?: Readonly<Record<string, string>>;
}

export interface Browser {
  readonly events: Event[];
  /** The next event for which `wanted` holds, or one that has come already. Fails after `seconds`. */
  until(wanted: (event: Event) => boolean, seconds?: number): Promise<Event>;
}

export interface Board {
  readonly process: ChildProcess;
  /** Lines of its log. */
  readonly log: Readonly<Record<string, unknown>>[];
  logged(message: string, seconds?: number): Promise<Readonly<Record<string, unknown>>>;
}

export function path(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** What a program tells in JSON, line by line, and a way to wait for one of the lines. */
export function lines<T>(
  program: ChildProcess,
  what: string,
): { list: T[]; until: (wanted: (line: T) => boolean, seconds?: number) => Promise<T> } {
  const list: T[] = [];
  let heard = (): void => undefined;
  let errors = '';
  assert.ok(program.stdout && program.stderr);
  createInterface(program.stdout).on('line', (line) => {
    list.push(JSON.parse(line) as T);
    heard();
  });
  program.stderr.on('data', (data) => {
    errors += data;
  });
  return {
    list,
    until: (wanted, seconds = 15) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = list.find(wanted);
          if (found === undefined) return;
          clearTimeout(timer);
          resolve(found);
        };
        const timer = setTimeout(
          () => reject(new Error(`${what} did not tell it within ${seconds} s: ${JSON.stringify(list)} ${errors}`)),
          seconds * 1000,
        );
        heard = look;
        look();
      }),
  };
}

export async function browse(lan: Lan, on: Computer = 'pc'): Promise<Browser> {
  const { list, until } = lines<Event>(lan.start(on, python, path('browse.py')), 'the browser');
  await until(({ event }) => event === 'browsing');
  return { events: list, until };
}

export function announce(lan: Lan, on: Computer, ...args: string[]): Board {
  const process = lan.start(on, 'node', '--import', 'tsx', path('announce.ts'), ...args);
  const { list, until } = lines<Record<string, unknown>>(process, 'the board');
  return { process, log: list, logged: (message, seconds) => until(({ msg }) => msg === message, seconds) };
}

export async function ended(program: ChildProcess): Promise<number | null> {
  if (isRunning(program)) await once(program, 'exit');
  return program.exitCode;
}
