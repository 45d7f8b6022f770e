/** The image that the user has: as it is, or packed as .zip or .xz, told by its first bytes and not by its name. */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { ConfigurationError } from '../../../src/errors.ts';
import { need, run } from '../../tools.mjs';

export interface Source {
  /** Bytes of the image, unpacked. */
  readonly size: number;
  /** It is the very image. */
  readonly plain?: true;
  /** The image, from its beginning. Once all is read: `over` says whether all of it came. */
  open(): { readonly stream: Readable; readonly over: Promise<void> };
}

const PACKED = [
  { name: 'zip', magic: Buffer.from('PK\x03\x04', 'latin1'), open: openZip },
  { name: 'xz', magic: Buffer.from('\xfd7zXZ\0', 'latin1'), open: openXz },
  { name: 'gzip', magic: Buffer.from([0x1f, 0x8b]), open: refuse },
  { name: '7z', magic: Buffer.from('7z\xbc\xaf', 'latin1'), open: refuse },
] as const;

/** @throws ConfigurationError: no such file, or one that nothing can be had from; Missing: no program to unpack it */
export async function openSource(path: string): Promise<Source> {
  const head = beginning(path);
  const packed = PACKED.find(({ magic }) => head.subarray(0, magic.length).equals(magic));
  if (packed) return packed.open(path);
  const { size } = statSync(path);
  return {
    size,
    plain: true,
    open: () => ({ stream: createReadStream(path, { highWaterMark: 1 << 20 }), over: Promise.resolve() }),
  };
}

function beginning(path: string): Buffer {
  const head = Buffer.alloc(8);
  try {
    if (!statSync(path).isFile()) throw new ConfigurationError(`${path} is no file`);
    const fd = openSync(path, 'r');
    readSync(fd, head, 0, head.length, 0);
    closeSync(fd);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  return head;
}

function refuse(path: string): never {
  throw new ConfigurationError(
    `${path} is packed in a way that is not known here: unpack it first, or take .zip or .xz`,
  );
}

async function openZip(path: string): Promise<Source> {
  need({ unzip: 'unzip' });
  const { output, code } = await run('unzip', ['-Z', '-l', path], { allowFailure: true });
  if (code !== 0) throw new ConfigurationError(`${path} is damaged, or not all of it: unzip finds no contents in it`);
  // Mode, version, system, bytes, kind, packed bytes, method, day, time, name.
  const entries = [...output.matchAll(/^\S{10}(?: +\S+){2} +(\d+)(?: +\S+){5} (.*)$/gm)];
  const images = entries.filter(([, , name = '']) => /\.img$/i.test(name) && !/(^|\/)[._]/.test(name));
  const [image] = images;
  if (images.length !== 1 || !image) {
    throw new ConfigurationError(`${path} has ${images.length || 'no'} files .img in it; it must have one`);
  }
  const [, bytes, name = ''] = image;
  // unzip takes a pattern: what would mean something in one stands for any character.
  const pattern = name.replace(/[[\]*?\\]/g, '?');
  return { size: Number(bytes), open: () => unpacked('unzip', ['-p', path, pattern], path) };
}

async function openXz(path: string): Promise<Source> {
  need({ xz: 'xz-utils' });
  const { output, code } = await run('xz', ['--robot', '--list', path], { allowFailure: true });
  const size = /^totals\t\d+\t\d+\t\d+\t(\d+)/m.exec(output)?.[1];
  if (code !== 0 || size === undefined) throw new ConfigurationError(`${path} is damaged, or not all of it`);
  return { size: Number(size), open: () => unpacked('xz', ['-dc', path], path) };
}

function unpacked(program: string, args: string[], path: string): ReturnType<Source['open']> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-500);
  });
  const over = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new ConfigurationError(`${path} is damaged (${program}: ${said.trim() || `status ${code}`})`));
    });
  });
  // Who stops reading before the end has no use for the rest.
  child.stdout.on('close', () => child.stdout.readableEnded || child.kill());
  over.catch(() => undefined);
  return { stream: child.stdout, over };
}
