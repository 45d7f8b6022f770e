/**
 * Loads the FPGA once, and leaves it alone when it runs already: the order of the steps is what keeps the board alive,
 * since an access to registers that are not there hangs it. Runs as root, before the daemon. Not yet run on hardware.
 */
import { readFileSync, statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { ConfigurationError } from '../../errors.ts';
import { boardModel, CHIPS, hwRevOf } from './boards.ts';
import { type BitstreamImage, readImage } from './image.ts';
import { kernelLoader, settled } from './kernel.ts';

export interface LoadOptions {
  /** Where the board's file system starts; for tests. */
  readonly root: string;
  /** The bitstream's file, and what SHA-256 it must have. */
  readonly bitstream: string;
  readonly sha256: string;
  /** The device-tree overlay that sets the clocks; absent: as the boot loader set them. */
  readonly overlay?: string;
  /** Loads even what runs already. */
  readonly force?: boolean;
  readonly log: Logger;
  /** Whether the registers answer as PyRPL's design does. Asked only while the kernel says that the FPGA operates. */
  identified(): Promise<boolean>;
  /** State of a unit as systemd tells it (`dead`, `exited`, `running` …); undefined: there is none. */
  unitState(unit: string): Promise<string | undefined>;
  /** Time that the system's own start may take, in ms. */
  readonly startupMs?: number;
  /** Time that the kernel may take to show what it did, in ms. */
  readonly settleMs?: number;
}

export type LoadOutcome = 'was running' | 'loaded';

const EEPROM = 'sys/bus/i2c/devices/0-0050/eeprom';
const BOOT_ID = 'proc/sys/kernel/random/boot_id';
/** Read by PyRPL and by the board's web pages, and by the daemon before it maps. */
export const LOADED = 'tmp/loaded_fpga.inf';
/** What was loaded, in this boot. */
const MARKER = 'run/pitayad-fpga.json';

/** Loads its own design, and counts as started before it has. */
const STARTUP = 'redpitaya_startup.service';
const STARTUP_MS = 60_000;
const SETTLE_MS = 5000;
/** Load other designs when they start, or at a click. */
const RIVALS = ['redpitaya_nginx.service', 'redpitaya_scpi.service', 'jupyter.service', 'linien-server.service'];
const OVER = ['dead', 'exited', 'failed'];

/**
 * @throws ConfigurationError, with nothing loaded: wrong file, wrong chip, unknown board, a rival that runs; or the
 * load failed
 */
export async function loadFpga(options: LoadOptions): Promise<LoadOutcome> {
  const { root, log, bitstream, sha256, settleMs = SETTLE_MS } = options;
  const image = readImage(fileOf(bitstream), bitstream);
  if (image.sha256 !== sha256) {
    throw new ConfigurationError(
      `${bitstream} is not the bitstream that was configured: its SHA-256 is ${image.sha256}`,
    );
  }
  checkBoard(root, image, bitstream);
  await startupOver(options);
  const rivals = [];
  for (const unit of RIVALS) if ((await options.unitState(unit)) === 'running') rivals.push(unit);
  if (rivals.length > 0) {
    throw new ConfigurationError(`${rivals.join(', ')} would load another design: stop it first (systemctl stop …)`);
  }

  const kernel = kernelLoader(root, settleMs);
  const marker = markerOf(root, image);
  if (!options.force && kernel.operating() && text(join(root, MARKER)) === marker && isOurs(root)) {
    if (await options.identified()) return 'was running';
    log.warn('the FPGA does not answer as the image that was loaded; it is loaded anew');
  }

  log.info({ by: kernel.name, bitstream, sha256: sha256.slice(0, 8) }, 'loading the FPGA');
  await kernel.load(image, options.overlay === undefined ? undefined : fileOf(options.overlay));
  if (!(await settled(kernel.operating, settleMs))) {
    throw new ConfigurationError(`the FPGA was not configured: the kernel says ${kernel.state()} (see dmesg)`);
  }
  await write(join(root, LOADED), 'pyrpl\n');
  if (!(await options.identified())) {
    await rm(join(root, LOADED));
    throw new ConfigurationError('the FPGA is configured, but does not answer as PyRPL’s design does');
  }
  await write(join(root, MARKER), `${marker}\n`);
  return 'loaded';
}

/** @throws ConfigurationError */
function checkBoard(root: string, image: BitstreamImage, name: string): void {
  const eeprom = fileOf(join(root, EEPROM), 'the board’s EEPROM');
  const hwRev = hwRevOf(eeprom);
  const model = hwRev === undefined ? undefined : boardModel(hwRev);
  if (!model) {
    throw new ConfigurationError(
      `the board calls itself ${hwRev ?? 'nothing'}, which is no known Red Pitaya; nothing was loaded`,
    );
  }
  if (model.unsupported !== undefined) {
    throw new ConfigurationError(
      `PyRPL’s design does not run on ${model.hwRev}: ${model.unsupported}; nothing was loaded`,
    );
  }
  if (image.idcode !== CHIPS[model.chip]) {
    const made =
      Object.entries(CHIPS).find(([, idcode]) => idcode === image.idcode)?.[0] ?? `chip 0x${image.idcode.toString(16)}`;
    throw new ConfigurationError(
      `${name} is for a ${made}, and ${model.hwRev} has a ${model.chip}; nothing was loaded`,
    );
  }
}

async function startupOver({ unitState, startupMs = STARTUP_MS }: LoadOptions): Promise<void> {
  const end = performance.now() + startupMs;
  for (;;) {
    const state = await unitState(STARTUP);
    if (state === undefined || OVER.includes(state)) return;
    if (performance.now() > end)
      throw new ConfigurationError(`${STARTUP} is still ${state} after ${startupMs / 1e3} s`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(500, startupMs / 10)));
  }
}

/**
 * Which load of the FPGA runs: another text after each. undefined: it was not loaded by pitayad, or not last.
 * @param root Where the file system of the board starts; for tests.
 */
export function lastLoad(root: string = '/'): string | undefined {
  const marker = text(join(root, MARKER));
  if (marker === undefined || !isOurs(root)) return undefined;
  return `${marker} ${statSync(join(root, MARKER)).mtimeMs}`;
}

/** Another loader says its own name there. */
function isOurs(root: string): boolean {
  try {
    // Whoever loads writes the file: a newer one than our marker is another's load.
    return statSync(join(root, LOADED)).mtimeMs <= statSync(join(root, MARKER)).mtimeMs;
  } catch {
    return false;
  }
}

function markerOf(root: string, { sha256 }: BitstreamImage): string {
  return JSON.stringify({ sha256, boot: text(join(root, BOOT_ID)) ?? '' });
}

function fileOf(path: string, what = path): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ConfigurationError(`${what} cannot be read (${why})`, { cause: error });
  }
}

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
