/**
 * The lock-ins as one detector: in-phase and quadrature amplitude of each one's input, from the sums that they make by
 * themselves. Those are what PyRPL's network analyzer reads; the signal of a lock-in has the in-phase part alone.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { fpgaModule, type ValuesOf } from '../module.ts';
import { real } from '../parameters/numbers.ts';
import { software } from '../parameters/parameter.ts';
import { namesIn, someOf } from './some-of.ts';

const LOCK_INS = ['iq0', 'iq1', 'iq2'] as const;
export type LockIn = (typeof LOCK_INS)[number];

/** The register of the number of clocks has 32 bits. */
const LONGEST = 30;

const parameters = {
  modules: someOf(LOCK_INS, {
    help: `Lock-ins that are read, of ${LOCK_INS.join(', ')}.`,
    what: 'lock-in',
    like: 'iq0, iq2',
    default: 'iq0',
  }),
  duration: real(software, {
    help: 'Time over which the demodulated signal is averaged, behind the filters of the lock-in. Best many periods, or twice the frequency is seen as well.',
    unit: 's',
    min: 1 / CLOCK_HZ,
    max: LONGEST,
    default: 1e-3,
  }),
};

/** Lock-ins of a list as the parameter has it. */
export function lockInsOf(text: string): LockIn[] {
  return namesIn(text).filter((name): name is LockIn => LOCK_INS.some((known) => known === name));
}

export type IqsValues = ValuesOf<{ readonly parameters: typeof parameters }>;

export const iqs = fpgaModule(
  {
    name: 'iqs',
    title: 'Lock-ins',
    help: 'What the lock-ins measure: I, Q, amplitude and phase of their inputs at their frequencies, in volts (peak) of the input, whatever quadrature_factor and output_signal are.',
    grabs: true,
  },
  parameters,
);
