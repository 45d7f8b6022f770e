/**
 * Is the FPGA configured, and with the PyRPL design? To be asked before its registers are mapped: an access to an
 * FPGA that is not configured hangs the processor until the watchdog resets the board. All of it is read from files;
 * no register is touched.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../errors.ts';

/** Kernels from 5.15 on have the FPGA manager, that of OS 1.04 (4.9) has xdevcfg. */
const SIGNS = [
  { file: 'sys/class/fpga_manager/fpga0/state', operating: 'operating' },
  { file: 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done', operating: '1' },
] as const;

/** Written by whatever loads a design: pitayad, PyRPL and the board's own web applications. (OS 1.04 has only ours.) */
export const LOADED = 'tmp/loaded_fpga.inf';

/** How often the kernel has switched the clock of the register bus on; 0: it stands. Root alone can read it. */
const CLOCK_USERS = 'sys/kernel/debug/clk/fclk0/clk_enable_count';

export interface FpgaState {
  /** Of the kernel's sign, as an absolute path. */
  readonly file: string;
  /** What it says. */
  readonly says: string;
  readonly operating: boolean;
}

/**
 * What the kernel says of the FPGA; undefined: this kernel shows none.
 * @param root Where the file system of the board starts; for tests.
 */
export function fpgaState(root: string = '/'): FpgaState | undefined {
  for (const { file, operating } of SIGNS) {
    const says = text(join(root, file));
    if (says !== undefined) return { file: `/${file}`, says, operating: says === operating };
  }
  return undefined;
}

/** The name of the design that runs, as its loader wrote it down; undefined: nobody did. */
export function loadedDesign(root: string = '/'): string | undefined {
  return text(join(root, LOADED));
}

/**
 * Different after every load of a design by anybody who says so, even of the same design. undefined: nobody said so.
 * (Reading the file keeps it from being swept out of /tmp as unused.)
 */
export function loadedAt(root: string = '/'): string | undefined {
  try {
    const { ino, mtimeNs } = statSync(join(root, LOADED), { bigint: true });
    return `${ino}-${mtimeNs}`;
  } catch {
    return undefined;
  }
}

/**
 * That the clock of the register bus stands, as after the removal of a design's overlay it may; undefined: it runs, or
 * nobody can tell.
 */
export function whyNoClock(root: string = '/'): string | undefined {
  const file = join(root, CLOCK_USERS);
  // The daemon may not even look into its folder: to be told so by an error would cost many times as much.
  if (!existsSync(file) || text(file) !== '0') return undefined;
  return `the clock of the FPGA stands (/${CLOCK_USERS} says 0): its registers, which would hang the processor, were not touched`;
}

/**
 * Why registers must not be touched, as far as files tell: not configured, no way to tell, or another design than
 * PyRPL's. undefined: they may.
 */
export function whyNotOperating(root: string = '/'): string | undefined {
  const state = fpgaState(root);
  if (state === undefined) {
    return 'this kernel shows no FPGA (neither fpga_manager nor xdevcfg): devmem works on a Red Pitaya only';
  }
  if (!state.operating) {
    return `the FPGA is not configured (${state.file} says ${state.says}): load the PyRPL design before pitayad starts`;
  }
  const noClock = whyNoClock(root);
  if (noClock !== undefined) return noClock;
  const design = loadedDesign(root);
  if (design === undefined || !/pyrpl|pitayad/i.test(design)) {
    return (
      `the FPGA does not run the PyRPL design (/${LOADED} ${design === undefined ? 'is missing' : `says ${design}`}): ` +
      'load it before pitayad starts'
    );
  }
  return undefined;
}

/**
 * @param root Where the file system of the board starts; for tests.
 * @throws ConfigurationError with `whyNotOperating`
 */
export function checkOperating(root: string = '/'): void {
  const reason = whyNotOperating(root);
  if (reason !== undefined) throw new ConfigurationError(reason);
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
