/** The clock of scope and trig, which each has at the same offsets. Sources: PyRPL red_pitaya_scope.v, red_pitaya_trigger_block.v. */
import type { block } from '../fields.ts';
import { counter } from '../parameters/numbers.ts';

export function timestamps(at: ReturnType<typeof block>) {
  return {
    current_timestamp: counter(at(0x15c, { access: 'r' }), at(0x160, { access: 'r' }), {
      help: 'Clocks of 8 ns since the FPGA was reset.',
    }),
    trigger_timestamp: counter(at(0x164, { access: 'r' }), at(0x168, { access: 'r' }), {
      help: 'The time stamp of the last trigger.',
    }),
  };
}
