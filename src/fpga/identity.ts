/** Is it PyRPL's design that answers? */
import type { RegisterBus } from './bus/bus.ts';

/**
 * Registers that hold what PyRPL's image was built with, and in no other image do: filter stages and widths of pid,
 * iir and iq. Sources: red_pitaya_pid_block.v, red_pitaya_iir_block.v, red_pitaya_iq_block.v.
 */
const CONSTANTS: readonly (readonly [address: number, value: number])[] = [
  [0x4030_020c, 24],
  [0x4030_0204, 32],
  [0x4034_0204, 29],
  [0x4035_0214, 24],
  [0x4035_0208, 32],
];

/**
 * How many of the constants are wrong: 0 for PyRPL's image. Only to be asked of an FPGA that is configured.
 * @throws BusError
 */
export async function wrongConstants(bus: RegisterBus): Promise<number> {
  let wrong = 0;
  for (const [address, value] of CONSTANTS) if ((await bus.read(address)) !== value) wrong++;
  return wrong;
}
