/** Which board this is, and whether it is one. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import type { RegisterBus } from './fpga/bus/bus.ts';
import type { BoardIdentity } from './fpga/instrument/instrument.ts';
import { moduleDriver } from './fpga/module.ts';
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

/**
 * Asks the board on a bus for its number (that of its chip; a simulated board is as unique as its host's name).
 * @throws BusError
 */
export async function identify(bus: RegisterBus): Promise<BoardIdentity> {
  const simulated = bus.name === 'simulator';
  const { dna } = simulated ? { dna: `sim-${hostname()}` } : await moduleDriver(registerFile(bus), hk).get(['dna']);
  return {
    model: simulated ? 'STEMlab 125-14 (simulated)' : 'STEMlab 125-14',
    serial: String(dna),
    hostname: hostname(),
    version: VERSION,
    bitstream: BITSTREAM_SHA256.slice(0, 8),
  };
}
