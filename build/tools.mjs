/** What every command of build.mjs needs: running programs, the cache folder, and saying which tool is missing. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
export const dist = join(root, 'dist');

/** A program or package of the system that a command cannot do without; `message` says how to get it. */
export class Missing extends Error {}

export function say(line) {
  process.stdout.write(`${line}\n`);
}

export function has(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Throws Missing with one command that installs all that is missing. `tools`: program → Debian package. */
export function need(tools) {
  const missing = Object.entries(tools).filter(([program]) => !has(program));
  if (missing.length === 0) return;
  const programs = missing.map(([program]) => program).join(', ');
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new Missing(`${programs} ${missing.length > 1 ? 'are' : 'is'} missing; to install: ${installer()} ${packages}`);
}

function installer() {
  return process.getuid?.() === 0 ? 'apt-get install' : 'sudo apt-get install';
}

/** Hash of texts and file contents, short enough for a folder name. */
export function hashOf(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

/**
 * Runs a program to its end and gives what it printed (both streams, in order). It runs in a process group of its
 * own, ended as a whole when `timeout` (seconds) is over or when this process is told to stop.
 * @throws Error with the end of the output, when the exit status is not 0 (`allowFailure`: never).
 */
export function run(program, args, { cwd = root, env = {}, timeout = 1500, allowFailure = false, show = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
      detached: !show,
    });
    let output = '';
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    groups.add(child);
    const timer = setTimeout(() => {
      output += `\nended after ${timeout} s without a result\n`;
      endGroup(child, 'SIGKILL');
    }, timeout * 1000);
    child.on('error', (error) => {
      clearTimeout(timer);
      groups.delete(child);
      reject(error.code === 'ENOENT' ? new Missing(`${program} is missing`) : error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      groups.delete(child);
      if (code === 0 || allowFailure) resolve({ output, code: code ?? 1 });
      else
        reject(new Error(`${[program, ...args].join(' ')} ended with ${signal ?? `status ${code}`}\n${tail(output)}`));
    });
  });
}

const groups = new Set();

function endGroup(child, signal) {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

/** From here on, SIGINT and SIGTERM end what was started before they end this process. */
export function endChildrenOnSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      for (const child of groups) endGroup(child, 'SIGKILL');
      process.exit(130);
    });
  }
}

export function tail(text, lines = 60) {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

/** Where downloads and built pieces are kept between runs, for all clones of a user. */
export function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME;
  return join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'pitayad');
}

/**
 * The folder `NAME-HASH` in the cache, filled by `make(folder)` the first time. Two processes that want it at once
 * wait for each other; a folder that was left half done is made anew.
 */
export async function cached(name, hash, make) {
  const folder = join(cacheFolder(), `${name}-${hash}`);
  const complete = join(folder, '.complete');
  if (existsSync(complete)) return folder;
  mkdirSync(cacheFolder(), { recursive: true });
  const release = await lock(`${folder}.lock`);
  try {
    if (!existsSync(complete)) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      await make(folder);
      writeFileSync(complete, '');
    }
  } finally {
    release();
  }
  return folder;
}

async function lock(file) {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!holderLives(file)) rmSync(file, { force: true });
      else await sleep(250);
    }
  }
}

function holderLives(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid > 0) process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
