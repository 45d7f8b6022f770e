/** Which accesses the FPGA's AXI bridge answers: what every bus asks before it moves a word. */
import { BusError } from '../../errors.ts';
import { FPGA_WINDOW } from './bus.ts';

/** A range of physical addresses. */
export interface Window {
  /** First byte; a multiple of 4. */
  readonly base: number;
  readonly bytes: number;
}

/**
 * The module slots of the DSP region, each 64 KiB. Slots 8 … 15 (generators, inputs, outputs, second quadrature, off)
 * have the five registers of the routing and acknowledge nothing else (red_pitaya_dsp.v).
 */
const DSP = { base: 0x4030_0000, slotBytes: 0x1_0000, firstRoutingOnly: 8, slots: 16, routingBytes: 0x14 } as const;

/**
 * Checks an access of `words` words from `address` on.
 * @throws BusError: no multiple of 4, outside the window, or not acknowledged by any block of the FPGA (which would
 *   be a bus error that ends the process).
 */
export function checkAccess(address: number, words: number, window: Window = FPGA_WINDOW): void {
  if (!Number.isInteger(address) || address % 4 !== 0) {
    throw new BusError(`address ${hex(address)} is no multiple of 4; nothing was accessed`);
  }
  if (!Number.isInteger(words) || words < 0) throw new BusError(`${words} is no number of words; nothing was accessed`);
  const end = address + 4 * words;
  if (address < window.base || end > window.base + window.bytes) {
    const last = hex(window.base + window.bytes - 4);
    throw new BusError(`${range(address, words)} is outside ${hex(window.base)} … ${last}; nothing was accessed`);
  }
  const hole = firstUnacknowledged(address, end);
  if (hole !== undefined) {
    throw new BusError(`no block of the FPGA acknowledges address ${hex(hole)}; nothing was accessed`);
  }
}

function firstUnacknowledged(address: number, end: number): number | undefined {
  for (let slot = DSP.firstRoutingOnly; slot < DSP.slots; slot++) {
    const base = DSP.base + slot * DSP.slotBytes;
    const first = Math.max(address, base + DSP.routingBytes);
    if (first < Math.min(end, base + DSP.slotBytes)) return first;
  }
  return undefined;
}

function range(address: number, words: number): string {
  return words === 1 ? `address ${hex(address)}` : `${words} words from address ${hex(address)}`;
}

function hex(address: number): string {
  return Number.isInteger(address) && address >= 0 ? `0x${address.toString(16).padStart(8, '0')}` : String(address);
}
