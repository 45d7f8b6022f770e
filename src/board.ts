/** Which board this is, and whether it is one. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import type { RegisterBus } from './fpga/bus/bus.ts';
import { type Jumper, readCalibration, type Wiring } from './fpga/calibration.ts';
import type { BoardIdentity } from './fpga/instrument/instrument.ts';
import { moduleDriver } from './fpga/module-driver.ts';
import { hk } from './fpga/modules/hk.ts';
import { registerFile } from './fpga/registers.ts';

export const VERSION = packageJson.version;

/** SHA-256 of the FPGA's image: red_pitaya.bin of PyRPL 0.9.9.1. The simulator does what that image does. */
export const BITSTREAM_SHA256 = '4894f44b7611f2f0cbc18d339596f28476e452de1bac01a30206864ccd92fffe';

/**
 * Whether this machine has the registers itself: an ARM processor, in a Zynq 7000 as the kernel's device tree says.
 * @param root Where its file system starts; for tests.
 */
export function isRedPitaya(arch: string = process.arch, root: string = '/'): boolean {
  if (arch !== 'arm') return false;
  try {
    const compatible = readFileSync(join(root, 'proc/device-tree/compatible'), 'latin1').split('\0');
    return compatible.some((name) => name.startsWith('xlnx,zynq-7000'));
  } catch {
    return false;
  }
}

/** Bytes of the EEPROM. */
const EEPROM_BYTES = 8192;

/**
 * Jumpers as configured, and the calibration from the board's EEPROM, where there is one and it is wanted; what is wrong
 * with it is logged.
 * @param path of the EEPROM; undefined: this board has none
 */
export function readWiring(
  { in1, in2, calibration }: { readonly in1: Jumper; readonly in2: Jumper; readonly calibration: 'on' | 'off' },
  path: string | undefined,
  log: Logger,
): Wiring {
  if (calibration === 'off' || path === undefined) return { in1, in2 };
  let content: Uint8Array;
  try {
    content = readFileSync(path).subarray(0, EEPROM_BYTES);
  } catch (error) {
    log.warn(`the calibration cannot be read, volts are nominal: ${(error as Error).message}`);
    return { in1, in2 };
  }
  const corrections = readCalibration(content);
  if (!corrections) {
    log.warn({ path }, 'the EEPROM has no calibration of a known layout: volts are nominal');
    return { in1, in2 };
  }
  for (const remark of corrections.remarks) log.warn({ path }, remark);
  log.info({ zone: corrections.zone, in1, in2 }, 'calibration of the board');
  return { in1, in2, corrections };
}

/**
 * Asks the board on a bus for its number (that of its chip; a simulated board is as unique as its host's name).
 * @param design SHA-256 of the design in its FPGA; PyRPL's image unless another is known to be there
 * @throws BusError
 */
export async function identify(bus: RegisterBus, design: string = BITSTREAM_SHA256): Promise<BoardIdentity> {
  const simulated = bus.name === 'simulator';
  const { dna } = simulated ? { dna: `sim-${hostname()}` } : await moduleDriver(registerFile(bus), hk).get(['dna']);
  return {
    model: simulated ? 'STEMlab 125-14 (simulated)' : 'STEMlab 125-14',
    serial: String(dna),
    hostname: hostname(),
    version: VERSION,
    bitstream: design.slice(0, 8),
  };
}
