/** The ext4 partition of an image, read and changed by debugfs: without root rights, loop device or mount. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { ConfigurationError } from '../../../src/errors.ts';
import type { Partition } from './card.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Inode extends Owner {
  readonly type: 'regular' | 'directory' | 'symlink' | 'other';
  /** Permission bits, with those for set-user-ID and the like. */
  readonly mode: number;
  readonly size: number;
  /** Where a symbolic link points to. */
  readonly target?: string;
}

/** What is to stand at a path. `from`: a file, relative to the image's folder; `text`: its content; `link`: leads there. */
export type Content = { readonly from: string } | { readonly text: string } | { readonly link: string };

export interface Entry extends Partial<Owner> {
  readonly content: Content;
  /** Default: 0644. */
  readonly mode?: number;
  /** Of the folder that it is in, if that must be made. Default: 0755. */
  readonly folderMode?: number;
}

/** debugfs reads back other contents than it wrote, with it. No stock image has it. */
const UNWRITABLE = 'inline_data';
/** More links than that on the way to a file go round in circles. */
const MAX_LINKS = 20;

/** debugfs takes words in quotes, and has no way to write a quote in one. */
const PATH = /^[\w/.@%+=:, ~-]+$/;

/** The image in its folder: names in it are relative, so that no character of a path on this machine matters. */
export const IMAGE = 'card.img';

/**
 * Gives what the program said on its two outputs, with a NUL between them.
 * @param cwd The folder of the image.
 * @throws Error with what it said, unless it ends with one of the statuses in `fine`
 */
export function runTool(
  cwd: string,
  program: string,
  args: readonly string[],
  fine: readonly number[] = [0],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', DEBUGFS_PAGER: 'cat' },
    });
    let [out, said] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== null && fine.includes(code)) resolve(`${out}\0${said}`);
      else reject(new Error(`${program} ended with status ${code}: ${`${out}${said}`.trim().slice(-600)}`));
    });
  });
}

/**
 * @param scratch The folder of the image, for temporary files too.
 * @throws ConfigurationError: the file system is damaged beyond what its own check repairs
 */
export async function openExt4(scratch: string, partition: Partition) {
  const device = `${IMAGE}?offset=${partition.start}`;
  let batches = 0;

  async function debugfs(commands: readonly string[], write = false): Promise<string> {
    const file = `commands-${batches++}`;
    writeFileSync(join(scratch, file), `${commands.join('\n')}\n`);
    const answer = await runTool(scratch, 'debugfs', [...(write ? ['-w'] : []), '-f', file, device]);
    rmSync(join(scratch, file));
    return answer;
  }

  /** Repairs what a card that was pulled out has left, and replays its journal. */
  async function repair(): Promise<void> {
    try {
      await runTool(scratch, 'e2fsck', ['-f', '-p', device], [0, 1]);
    } catch (error) {
      const [reason] = (error as Error).message.split('\n');
      throw new ConfigurationError(`the ext4 partition of the image is damaged (${reason})`, { cause: error });
    }
  }

  /** Of several paths at once; undefined: nothing is there. Links at the end of a path are not followed. */
  async function stat(paths: readonly string[]): Promise<(Inode | undefined)[]> {
    const answer = (await debugfs(paths.map((path) => `stat ${quoted(path)}`))).split('\0')[0] ?? '';
    return answer
      .split(/^debugfs: stat .*$/m)
      .slice(1)
      .map(inodeOf);
  }

  /** The place that a path really leads to: /lib is a link to usr/lib on some systems. */
  async function real(path: string, links = 0): Promise<string> {
    if (links > MAX_LINKS) throw new ConfigurationError(`too many links on the way to ${path} in the image`);
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    const prefixes = parts.slice(0, -1).map((_part, k) => `/${parts.slice(0, k + 1).join('/')}`);
    const found = prefixes.length > 0 ? await stat(prefixes) : [];
    const at = found.findIndex((inode) => inode?.type === 'symlink');
    const [prefix, target] = [prefixes[at], found[at]?.target];
    if (prefix === undefined || target === undefined) return posix.normalize(`/${parts.join('/')}`);
    const rest = parts.slice(at + 1).join('/');
    return real(posix.join(posix.resolve(posix.dirname(prefix), target), rest), links + 1);
  }

  /** Contents of files; undefined: there is none. */
  async function read(paths: readonly string[]): Promise<(Buffer | undefined)[]> {
    const folder = `read-${batches}`;
    mkdirSync(join(scratch, folder));
    try {
      await debugfs(paths.map((path, k) => `dump ${quoted(path)} ${folder}/${k}`));
      return paths.map((_path, k) => {
        const file = join(scratch, folder, String(k));
        return existsSync(file) ? readFileSync(file) : undefined;
      });
    } finally {
      rmSync(join(scratch, folder), { recursive: true });
    }
  }

  /**
   * Puts entries at their paths, in the place of what is there, with the folders that lead to them, and removes others.
   * @param entries By real path.
   * @throws ConfigurationError: something else than a file is in the way
   */
  async function change(entries: ReadonlyMap<string, Entry>, remove: readonly string[] = []): Promise<void> {
    const paths = [...entries.keys()];
    const folders = [...new Set(paths.flatMap(ancestors))].sort();
    const modes = new Map([...entries].map(([path, { folderMode }]) => [posix.dirname(path), folderMode]));
    const commands: string[] = [];
    for (const [k, inode] of (await stat(folders)).entries()) {
      const folder = folders[k] ?? '';
      if (inode === undefined) {
        const mode = 0o40000 | (modes.get(folder) ?? 0o755);
        commands.push(`mkdir ${quoted(folder)}`, ...owning(folder, mode, { uid: 0, gid: 0 }));
      } else if (inode.type !== 'directory') {
        throw new ConfigurationError(`${folder} in the image is no folder`);
      }
    }
    const present = await stat([...paths, ...remove]);
    for (const [k, path] of [...paths, ...remove].entries()) {
      const there = present[k];
      if (there?.type === 'directory') throw new ConfigurationError(`${path} in the image is a folder`);
      if (there !== undefined) commands.push(`rm ${quoted(path)}`);
      const entry = entries.get(path);
      if (entry === undefined) continue;
      commands.push(...writing(path, entry, k));
    }
    const [, said = ''] = (await debugfs(commands, true)).split('\0');
    const trouble = said.split('\n').filter((line) => line !== '' && !/^debugfs \d|^Allocated inode/.test(line));
    if (trouble.length > 0) throw new Error(`debugfs: ${trouble.slice(0, 3).join('; ')}`);
  }

  function writing(path: string, { content, mode = 0o644, uid = 0, gid = 0 }: Entry, k: number): string[] {
    if ('link' in content) return [`symlink ${quoted(path)} ${quoted(content.link)}`];
    let file = 'from' in content ? content.from : '';
    if ('text' in content) {
      file = `text-${k}`;
      writeFileSync(join(scratch, file), content.text);
    }
    return [`write ${quoted(file)} ${quoted(path)}`, ...owning(path, 0o100000 | mode, { uid, gid })];
  }

  /** Bytes that may still be written, without what is reserved for root. */
  async function freeBytes(): Promise<number> {
    const header = await runTool(scratch, 'dumpe2fs', ['-h', device]);
    const number = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(header)?.[1] ?? 0);
    return (number('Free blocks') - number('Reserved block count')) * number('Block size');
  }

  /** @throws Error: the file system is not consistent */
  async function check(): Promise<void> {
    await runTool(scratch, 'e2fsck', ['-f', '-n', device]);
  }

  await repair();
  const features = /^Filesystem features: +(.*)$/m.exec(await runTool(scratch, 'dumpe2fs', ['-h', device]))?.[1] ?? '';
  if (features.split(' ').includes(UNWRITABLE)) {
    throw new ConfigurationError(
      `the ext4 partition of the image has the feature ${UNWRITABLE}, which is not supported`,
    );
  }
  return { stat, real, read, change, freeBytes, repair, check };
}

export type Ext4 = Awaited<ReturnType<typeof openExt4>>;

function quoted(path: string): string {
  if (!PATH.test(path)) throw new ConfigurationError(`a path with unusual characters cannot be used: ${path}`);
  return `"${path}"`;
}

function owning(path: string, mode: number, { uid, gid }: Owner): string[] {
  const fields = { mode: `0${mode.toString(8)}`, uid, gid };
  return Object.entries(fields).map(([field, value]) => `sif ${quoted(path)} ${field} ${value}`);
}

/** Folders above a path, without the root folder. */
function ancestors(path: string): string[] {
  const above = posix.dirname(path);
  return above === '/' ? [] : [...ancestors(above), above];
}

/** From what debugfs says of it. */
function inodeOf(text: string): Inode | undefined {
  const [, kind = '', mode = ''] = /^Inode: \d+ +Type: (.*?) +Mode: +0?([0-7]+)/m.exec(text) ?? [];
  if (mode === '') return undefined;
  const types = ['regular', 'directory', 'symlink'] as const;
  const number = (name: string): number => Number(new RegExp(`\\b${name}: +(\\d+)`).exec(text)?.[1] ?? 0);
  const target = /^Fast link dest: "(.*)"$/m.exec(text)?.[1];
  return {
    type: types.find((type) => type === kind) ?? 'other',
    mode: Number.parseInt(mode, 8),
    uid: number('User'),
    gid: number('Group'),
    size: number('Size'),
    ...(target === undefined ? {} : { target }),
  };
}
