/**
 * Is the FPGA configured, and with the PyRPL design? To be asked before its registers are mapped: an access to an
 * FPGA that is not configured hangs the processor until the watchdog resets the board.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../errors.ts';

/** Kernels from 5.15 on have the FPGA manager, that of OS 1.04 (4.9) has xdevcfg. */
const SIGNS = [
  { file: 'sys/class/fpga_manager/fpga0/state', operating: 'operating' },
  { file: 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done', operating: '1' },
] as const;

/** Written by whatever loads a design: pitayad, PyRPL and the board's own web applications. */
const LOADED = 'tmp/loaded_fpga.inf';

/**
 * @param root Where the file system of the board starts; for tests.
 * @throws ConfigurationError: not configured, no way to tell, or another design than PyRPL's.
 */
export function checkOperating(root: string = '/'): void {
  const state = SIGNS.map(({ file, operating }) => ({ file, operating, found: text(join(root, file)) })).find(
    ({ found }) => found !== undefined,
  );
  if (state === undefined) {
    throw new ConfigurationError(
      'this kernel shows no FPGA (neither fpga_manager nor xdevcfg): devmem works on a Red Pitaya only',
    );
  }
  if (state.found !== state.operating) {
    throw new ConfigurationError(
      `the FPGA is not configured (/${state.file} says ${state.found}): load the PyRPL design before pitayad starts`,
    );
  }
  const design = text(join(root, LOADED));
  if (design === undefined || !/pyrpl|pitayad/i.test(design)) {
    throw new ConfigurationError(
      `the FPGA does not run the PyRPL design (/${LOADED} ${design === undefined ? 'is missing' : `says ${design}`}): ` +
        'load it before pitayad starts',
    );
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
