/**
 * Loads the FPGA once, and leaves it alone when it runs already: the order of the steps is what keeps the board alive,
 * since an access to registers that are not there hangs it. Runs as root, before the daemon. Not yet run on hardware.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { ConfigurationError } from '../../errors.ts';
import type { RegisterBus } from '../bus/bus.ts';
import { whyNoClock } from '../bus/operating.ts';
import { wrongConstants } from '../identity.ts';
import { checkBoard } from './board.ts';
import { readImage } from './image.ts';
import { type KernelFiles, kernelFiles, kernelLoader, settled } from './kernel.ts';
import { announceLoad, forgetLoad, loadedImage, rememberLoad } from './loaded.ts';
import { OVER, rivalProcesses, rivalUnits, STARTUP, type UnitStates } from './rivals.ts';

export interface LoadOptions {
  /** Where the board's file system starts; for tests. */
  readonly root: string;
  /** The bitstream's file, and what SHA-256 it must have. */
  readonly bitstream: string;
  readonly sha256: string;
  /** The device-tree overlay that sets the clocks; absent: as the boot loader set them. */
  readonly overlay?: string | undefined;
  /** `hw_rev` of the board, for one whose EEPROM does not tell. */
  readonly board?: string | undefined;
  /** Loads even what runs already. */
  readonly force?: boolean;
  readonly log: Logger;
  /** Maps the registers. Asked only while the kernel says that the FPGA operates; closed again. */
  registers(): RegisterBus;
  /** @throws ConfigurationError: another process has them mapped */
  checkUnused(): void;
  readonly unitStates: UnitStates;
  /** For tests. */
  readonly files?: KernelFiles;
  /** Time that the system's own start may take, in ms. */
  readonly startupMs?: number;
  /** Time that the kernel may take to show what it did, in ms. */
  readonly settleMs?: number;
}

export type LoadOutcome = 'was running' | 'loaded';

const STARTUP_MS = 60_000;
const SETTLE_MS = 5000;

/**
 * @throws ConfigurationError, with nothing loaded: wrong file, wrong chip, unknown board, a rival that runs; or the
 * load failed
 */
export async function loadFpga(options: LoadOptions): Promise<LoadOutcome> {
  const { root, log, bitstream, sha256, settleMs = SETTLE_MS } = options;
  const image = readImage(fileOf(bitstream), bitstream);
  if (image.sha256 !== sha256) {
    throw new ConfigurationError(
      `${bitstream} is not the bitstream that was configured: its SHA-256 is ${image.sha256}; nothing was loaded`,
    );
  }
  const model = checkBoard(root, image, bitstream, options.board);
  if (model.remark !== undefined) log.warn(`${model.hwRev}: ${model.remark}`);
  await startupOver(options);

  const kernel = kernelLoader(root, settleMs, log, options.files ?? kernelFiles);
  if (!options.force && kernel.operating() && loadedImage(root) === sha256) {
    if (await identified(options)) {
      // What runs is left alone; that somebody else may end it is said.
      await checkRivals(options).catch((error: Error) => log.warn(error.message));
      return 'was running';
    }
    log.warn('the FPGA does not answer as the image that was loaded; it is loaded anew');
  }
  await checkRivals(options);
  options.checkUnused();

  log.info({ by: kernel.name, board: model.hwRev, bitstream, sha256: sha256.slice(0, 8) }, 'loading the FPGA');
  const overlay = kernel.takesOverlay ? overlayOf(options) : undefined;
  await forgetLoad(root);
  await kernel.load(image, overlay);
  if (!(await settled(kernel.operating, settleMs))) {
    throw new ConfigurationError(`the FPGA was not configured: the kernel says ${kernel.state()} (see dmesg)`);
  }
  await announceLoad(root);
  let answers = false;
  try {
    answers = await identified(options);
  } finally {
    if (!answers) await forgetLoad(root);
  }
  if (!answers) throw new ConfigurationError('the FPGA is configured, but does not answer as PyRPL’s design does');
  await rememberLoad(root, sha256);
  return 'loaded';
}

/** Whether the registers answer as PyRPL's design does. */
async function identified({ root, registers }: LoadOptions): Promise<boolean> {
  const noClock = whyNoClock(root);
  if (noClock !== undefined) throw new ConfigurationError(noClock);
  const bus = registers();
  try {
    return (await wrongConstants(bus)) === 0;
  } finally {
    await bus.close();
  }
}

async function startupOver({ unitStates, startupMs = STARTUP_MS }: LoadOptions): Promise<void> {
  const end = performance.now() + startupMs;
  for (;;) {
    const [state] = await unitStates([STARTUP]);
    if (state === undefined || OVER.includes(state)) return;
    if (performance.now() > end)
      throw new ConfigurationError(`${STARTUP} is still ${state} after ${startupMs / 1e3} s; nothing was loaded`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(500, startupMs / 10)));
  }
}

/** @throws ConfigurationError that names who would load another design, or access registers while ours is loaded */
async function checkRivals({ root, unitStates }: LoadOptions): Promise<void> {
  const units = await rivalUnits(unitStates);
  if (units.length > 0) {
    const names = units.join(' ');
    throw new ConfigurationError(`${names} would load another design: stop it first (sudo systemctl stop ${names})`);
  }
  const [process] = rivalProcesses(root);
  if (process) {
    const { pid, name, whose } = process;
    throw new ConfigurationError(
      `${name} (process ${pid}) uses the FPGA for ${whose}: end that first (sudo kill ${pid}); nothing was loaded`,
    );
  }
}

/** An overlay that is missing is worth a warning: the image runs without. */
function overlayOf({ overlay, log }: LoadOptions): Buffer | undefined {
  if (overlay === undefined) return undefined;
  try {
    return fileOf(overlay);
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'without the overlay: the clocks stay as the boot loader set them');
    return undefined;
  }
}

function fileOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ConfigurationError(`${path} cannot be read (${why})`, { cause: error });
  }
}
