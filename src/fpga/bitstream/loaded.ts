/** What is in the FPGA, as its loaders write it down: in files, so that the registers need not be asked. */
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigurationError } from '../../errors.ts';
import { LOADED, loadedAt } from '../bus/operating.ts';

/** Ours: which image was loaded, in which boot, and what the common file was like just after. */
const MARKER = 'run/pitayad-fpga.json';
const BOOT_ID = 'proc/sys/kernel/random/boot_id';

interface Marker {
  readonly sha256: string;
  readonly boot: string;
  readonly loaded: string | undefined;
}

/** Before a load: from here on nobody knows what is in the FPGA. */
export async function forgetLoad(root: string): Promise<void> {
  for (const path of [MARKER, LOADED]) {
    try {
      await rm(join(root, path), { force: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new ConfigurationError(`/${path} cannot be removed (${code}): only root may load the FPGA`, {
        cause: error,
      });
    }
  }
}

/** What PyRPL, the board's web pages and the daemon read: that PyRPL's design is in it. */
export async function announceLoad(root: string): Promise<void> {
  await write(join(root, LOADED), 'pyrpl\n');
}

/** The load was verified. */
export async function rememberLoad(root: string, sha256: string): Promise<void> {
  const marker: Marker = { sha256, boot: bootId(root), loaded: loadedAt(root) };
  await write(join(root, MARKER), `${JSON.stringify(marker)}\n`);
}

/**
 * SHA-256 of the image that pitayad loaded in this boot, if nobody has loaded another since. undefined: nobody knows.
 */
export function loadedImage(root: string = '/'): string | undefined {
  return markerOf(root)?.sha256;
}

/**
 * Which load of the FPGA runs: another text after each. undefined: it was not loaded by pitayad, or not last.
 * @param root Where the file system of the board starts; for tests.
 */
export function lastLoad(root: string = '/'): string | undefined {
  const marker = markerOf(root);
  return marker && JSON.stringify(marker);
}

function markerOf(root: string): Marker | undefined {
  try {
    const marker = JSON.parse(readFileSync(join(root, MARKER), 'utf8')) as Marker;
    const loaded = loadedAt(root);
    return marker.boot === bootId(root) && loaded !== undefined && marker.loaded === loaded ? marker : undefined;
  } catch {
    return undefined;
  }
}

function bootId(root: string): string {
  try {
    return readFileSync(join(root, BOOT_ID), 'utf8').trim();
  } catch {
    return '';
  }
}

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
