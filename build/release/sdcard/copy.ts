/** Copies an image of gigabytes, holes where it has nothing, and tells how far it is. */
import { createHash } from 'node:crypto';
import { createReadStream, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { ConfigurationError } from '../../../src/errors.ts';
import type { Source } from './source.ts';

/** Told about a step of the work: its name, and the share of it that is done, 0 … 1. */
export type Progress = (step: string, share: number) => void;

/** Blocks of nothing but zeros of this length are not written. */
const BLOCK = 1 << 20;
const ZEROS = Buffer.alloc(BLOCK);

/** Bytes that can still be written where a folder is. */
export function freeSpace(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @throws ConfigurationError: the source is damaged, or another length than it says */
export async function copyImage(source: Source, to: string, progress: Progress): Promise<void> {
  const file = await open(to, 'wx');
  try {
    const { stream, over } = source.open();
    let at = 0;
    let chunks: Buffer[] = [];
    let waiting = 0;
    const write = async (): Promise<void> => {
      const bytes = Buffer.concat(chunks);
      for (let k = 0; k < bytes.length; k += BLOCK) {
        const part = bytes.subarray(k, k + BLOCK);
        if (!part.equals(ZEROS.subarray(0, part.length))) await file.write(part, 0, part.length, at + k);
      }
      at += bytes.length;
      [chunks, waiting] = [[], 0];
      progress('copying', Math.min(1, at / source.size));
    };
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      waiting += (chunk as Buffer).length;
      if (at + waiting > source.size) break;
      if (waiting >= BLOCK) await write();
    }
    if (at + waiting > source.size) throw wrongLength(source.size, 'more');
    await write();
    await over;
    if (at < source.size) throw wrongLength(source.size, String(at));
    await file.truncate(at);
    await file.sync();
  } finally {
    await file.close();
  }
}

function wrongLength(wanted: number, came: string): ConfigurationError {
  return new ConfigurationError(`the image was to have ${wanted} bytes, and ${came} came out of it`);
}

/** SHA-256 of a file, as 64 hex digits. */
export async function sha256Of(path: string, size: number, progress: Progress): Promise<string> {
  const hash = createHash('sha256');
  let at = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: BLOCK })) {
    hash.update(chunk as Buffer);
    at += (chunk as Buffer).length;
    progress('reading back', at / size);
  }
  return hash.digest('hex');
}

/** On a terminal one line that changes, else a line now and then. */
export function progressLine(to: NodeJS.WriteStream): Progress {
  let last = '';
  return (step, share) => {
    const percent = Math.floor(share * 100);
    const shown = to.isTTY ? `${step} ${percent} %` : `${step} ${Math.floor(percent / 25) * 25} %`;
    if (shown === last) return;
    const end = percent === 100 || !to.isTTY ? '\n' : '';
    to.write(to.isTTY ? `\r\x1b[K${shown}${end}` : `${shown}${end}`);
    last = shown;
  };
}

/** What `sha256sum -c` takes. */
export function checksumLine(sum: string, path: string): string {
  return `${sum}  ${basename(path)}`;
}
