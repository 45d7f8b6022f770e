/**
 * How the kernel is told to configure the FPGA: by its FPGA manager (OS 2.x and 3.x), with a device-tree overlay that
 * sets the clocks, or by /dev/xdevcfg (OS 1.04). Sources: Red Pitaya's tools/fpgautils and sbin/overlay.sh, PyRPL's
 * redpitaya.py, the drivers zynq-fpga.c, of/configfs.c and xilinx_devcfg.c. Not yet run on hardware.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ConfigurationError } from '../../errors.ts';
import { fpgaState } from '../bus/operating.ts';
import type { BitstreamImage } from './image.ts';

/** What the kernel offers; `root` is where the file system starts, for tests. */
export interface KernelLoader {
  /** For people. */
  readonly name: string;
  /** Whether it does anything with an overlay. */
  readonly takesOverlay: boolean;
  /** Whether a configuration runs. */
  operating(): boolean;
  /** What the kernel says of its state. */
  state(): string;
  /**
   * Gives the kernel the image. That it took it is to be seen from `operating`. Without an overlay, or with one that the
   * kernel does not take, the clocks stay as the boot loader set them, which the registers are content with.
   * @throws ConfigurationError
   */
  load(image: BitstreamImage, overlay: Buffer | undefined): Promise<void>;
}

/** The ways to the kernel, each of which acts before it returns. Default: the file system's own; for tests. */
export interface KernelFiles {
  write(path: string, content: string | Buffer): Promise<void>;
  makeFolder(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
}

export const kernelFiles: KernelFiles = { write: writeFile, makeFolder: (path) => mkdir(path), removeFolder: rmdir };

const MANAGER = 'sys/class/fpga_manager/fpga0';
const XDEVCFG = 'dev/xdevcfg';
/** Where configfs is mounted: by fpgautil, and by systemd. */
const OVERLAYS = ['configfs/device-tree/overlays', 'sys/kernel/config/device-tree/overlays'] as const;

const FIRMWARE_FOLDER = 'lib/firmware';
/** Not longer than the name in PyRPL's overlay, which it takes the place of. */
const FIRMWARE = 'pitayad.bin';
const OVERLAY_FILE = 'pitayad.dtbo';
const FIRMWARE_IN_OVERLAY = 'fpga.bit.bin';
/** The overlay with the LEDs is the system's own. */
const KEPT_OVERLAY = 'Led';
const OUR_OVERLAY = 'pitayad';

const POLL_MS = 20;
/** No step of the kernel's takes a tenth of this. */
const STEP_MS = 10_000;

/**
 * @param settleMs how long the kernel may take to show what it did; a load takes some 300 ms
 * @throws ConfigurationError: no Red Pitaya's kernel
 */
export function kernelLoader(root: string, settleMs: number, log: Logger, files: KernelFiles): KernelLoader {
  const state = (): string => fpgaState(root)?.says ?? 'unknown';
  const operating = (): boolean => fpgaState(root)?.operating ?? false;
  const common = { state, operating };
  if (existsSync(join(root, MANAGER))) {
    return {
      ...common,
      name: 'FPGA manager',
      takesOverlay: true,
      load: byManager(root, settleMs, operating, log, files),
    };
  }
  if (existsSync(join(root, XDEVCFG))) {
    // The driver finds the sync word, and leaves the clocks alone.
    const load: KernelLoader['load'] = ({ words }) =>
      tried('/dev/xdevcfg does not take the image', () => files.write(join(root, XDEVCFG), words));
    return { ...common, name: 'xdevcfg', takesOverlay: false, load };
  }
  throw new ConfigurationError(
    'this kernel shows no FPGA (neither fpga_manager nor xdevcfg): is this a Red Pitaya with its own OS?',
  );
}

/** Waits until it holds, at most so long. */
export async function settled(holds: () => boolean, settleMs: number): Promise<boolean> {
  const end = performance.now() + settleMs;
  while (!holds()) {
    if (performance.now() > end) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function byManager(
  root: string,
  settleMs: number,
  operating: () => boolean,
  log: Logger,
  files: KernelFiles,
): KernelLoader['load'] {
  async function removeOverlays(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      if (name === KEPT_OVERLAY) continue;
      await tried(`the overlay ${name} could not be removed`, () => files.removeFolder(join(folder, name)));
    }
  }

  /** Applies the overlay, which makes the kernel load the image that it names. @throws that it did not */
  async function apply(folder: string, overlay: Buffer): Promise<void> {
    const ours = join(folder, OUR_OVERLAY);
    await firmware(root, OVERLAY_FILE, namingFirmware(overlay));
    await tried('the kernel makes no overlay', () => files.makeFolder(ours));
    try {
      await tried('the kernel does not take the overlay', () => files.write(join(ours, 'path'), OVERLAY_FILE));
      // A load that failed in the course of it leaves the state of the design before.
      const status = (): string => text(join(ours, 'status')) ?? 'unknown';
      if (!(await settled(() => status() === 'applied' && operating(), settleMs))) {
        throw new ConfigurationError(`the overlay is ${status()}`);
      }
    } catch (error) {
      await files.removeFolder(ours).catch(() => undefined);
      throw error;
    }
  }

  return async ({ words }, overlay) => {
    await firmware(root, FIRMWARE, words);
    const folder = OVERLAYS.map((path) => join(root, path)).find((path) => existsSync(path));
    if (folder) await removeOverlays(folder);
    if (folder && overlay) {
      try {
        await apply(folder, overlay);
        return;
      } catch (error) {
        log.warn({ reason: messageOf(error) }, 'without the overlay: the clocks stay as the boot loader set them');
      }
    }
    const manager = join(root, MANAGER);
    if (!existsSync(join(manager, 'firmware'))) {
      throw new ConfigurationError('this kernel’s FPGA manager takes an image with an overlay only, and none came up');
    }
    await tried('the FPGA manager does not take the image', async () => {
      if (existsSync(join(manager, 'flags'))) await files.write(join(manager, 'flags'), '0');
      await files.write(join(manager, 'firmware'), FIRMWARE);
    });
  };
}

/** Puts a file where the kernel looks for it, unless it is there already: the SD card may be read-only. */
async function firmware(root: string, name: string, content: Buffer): Promise<void> {
  const folder = join(root, FIRMWARE_FOLDER);
  const path = join(folder, name);
  try {
    if (readFileSync(path).equals(content)) return;
  } catch {
    // It was never there.
  }
  await tried(`/${FIRMWARE_FOLDER}/${name} cannot be written, where the kernel looks for it`, async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(path, content);
  });
}

/** The overlay, with our file's name in place of the one that it was compiled with. */
function namingFirmware(overlay: Buffer): Buffer {
  const at = overlay.indexOf(`${FIRMWARE_IN_OVERLAY}\0`);
  if (at < 0) throw new ConfigurationError(`the overlay names no firmware ${FIRMWARE_IN_OVERLAY}`);
  const named = Buffer.from(overlay);
  named.fill(0, at, at + FIRMWARE_IN_OVERLAY.length);
  named.write(FIRMWARE, at, 'latin1');
  return named;
}

/** @throws ConfigurationError: it failed, or hangs in the kernel */
async function tried(what: string, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${STEP_MS / 1e3} s`)), STEP_MS);
  });
  try {
    await Promise.race([work(), late]);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
    const hint = why === 'EACCES' || why === 'EPERM' ? ': only root may load the FPGA' : '';
    throw new ConfigurationError(`${what} (${why})${hint}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
