/**
 * How the kernel is told to configure the FPGA: by its FPGA manager (OS 2.x and 3.x), with a device-tree overlay that
 * sets the clocks, or by /dev/xdevcfg (OS 1.04). Sources: Red Pitaya's tools/fpgautils and sbin/overlay.sh, PyRPL's
 * redpitaya.py, the drivers zynq-fpga.c and xilinx_devcfg.c. Not yet run on hardware.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigurationError } from '../../errors.ts';
import type { BitstreamImage } from './image.ts';

/** What the kernel offers; `root` is where the file system starts, for tests. */
export interface KernelLoader {
  /** For people. */
  readonly name: string;
  /** Whether a configuration runs. */
  operating(): boolean;
  /** What the kernel says of its state. */
  state(): string;
  /** Gives the kernel the image. That it took it is to be seen from `operating`. @throws ConfigurationError */
  load(image: BitstreamImage, overlay: Buffer | undefined): Promise<void>;
}

const MANAGER = 'sys/class/fpga_manager/fpga0';
const XDEVCFG = 'dev/xdevcfg';
const PROG_DONE = 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done';
/** Where configfs is mounted: by fpgautil, and by systemd. */
const OVERLAYS = ['configfs/device-tree/overlays', 'sys/kernel/config/device-tree/overlays'] as const;

/** Under /lib/firmware; not longer than the name in PyRPL's overlay, which it takes the place of. */
const FIRMWARE = 'pitayad.bin';
const OVERLAY_FIRMWARE = 'fpga.bit.bin';
/** The overlay with the LEDs is the system's own. */
const KEPT_OVERLAY = 'Led';
const OUR_OVERLAY = 'pitayad';

const POLL_MS = 20;

/**
 * @param settleMs how long the kernel may take to show what it did; a load takes some 300 ms
 * @throws ConfigurationError: no Red Pitaya's kernel
 */
export function kernelLoader(root: string, settleMs: number): KernelLoader {
  if (existsSync(join(root, MANAGER))) return byManager(root, settleMs);
  if (existsSync(join(root, XDEVCFG))) return byXdevcfg(root);
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

function byManager(root: string, settleMs: number): KernelLoader {
  const state = (): string => text(join(root, MANAGER, 'state')) ?? 'unknown';
  const operating = (): boolean => state() === 'operating';

  async function removeOverlays(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      if (name === KEPT_OVERLAY) continue;
      await tried(`the overlay ${name} could not be removed`, () => rmdir(join(folder, name)));
    }
  }

  return {
    name: 'FPGA manager',
    state,
    operating,
    async load({ words }, overlay) {
      await tried('the image could not be put where the kernel looks for it', async () => {
        await mkdir(join(root, 'lib/firmware'), { recursive: true });
        await writeFile(join(root, 'lib/firmware', FIRMWARE), words);
      });
      const folder = OVERLAYS.map((path) => join(root, path)).find((path) => existsSync(path));
      if (folder) {
        await removeOverlays(folder);
        if (overlay && (await applied(folder, overlay, () => settled(operating, settleMs)))) return;
      }
      // Without the overlay the clocks stay as the boot loader set them, which the registers are content with.
      await tried('the FPGA manager does not take the image', async () => {
        await writeFile(join(root, MANAGER, 'flags'), '0');
        await writeFile(join(root, MANAGER, 'firmware'), FIRMWARE);
      });
    },
  };
}

/** Whether the overlay brought the FPGA up. */
async function applied(folder: string, overlay: Buffer, operates: () => Promise<boolean>): Promise<boolean> {
  const ours = join(folder, OUR_OVERLAY);
  try {
    await mkdir(ours);
    await writeFile(join(ours, 'dtbo'), namingFirmware(overlay));
  } catch {
    return false;
  }
  return operates();
}

/** The overlay, with our file's name in place of the one that it was compiled with. */
function namingFirmware(overlay: Buffer): Buffer {
  const at = overlay.indexOf(`${OVERLAY_FIRMWARE}\0`);
  if (at < 0) throw new ConfigurationError(`the overlay names no firmware ${OVERLAY_FIRMWARE}`);
  const named = Buffer.from(overlay);
  named.fill(0, at, at + OVERLAY_FIRMWARE.length);
  named.write(FIRMWARE, at, 'latin1');
  return named;
}

function byXdevcfg(root: string): KernelLoader {
  const state = (): string => text(join(root, PROG_DONE)) ?? 'unknown';
  return {
    name: 'xdevcfg',
    state,
    operating: () => state() === '1',
    load: ({ words }) => tried('/dev/xdevcfg does not take the image', () => writeFile(join(root, XDEVCFG), words)),
  };
}

async function tried(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const hint = why === 'EACCES' || why === 'EPERM' ? ': only root may load the FPGA' : '';
    throw new ConfigurationError(`${what} (${why})${hint}`, { cause: error });
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
