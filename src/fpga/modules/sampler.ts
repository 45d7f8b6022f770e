/** Present values of all signals, and their statistics over a time. Names are PyRPL's hardware_modules/sampler.py. */

import { fpgaModule, type ValuesOf } from '../module.ts';
import { always, level } from '../parameters/levels.ts';
import { real } from '../parameters/numbers.ts';
import { type Parameter, software } from '../parameters/parameter.ts';
import { dsp, SIGNALS, type Signal } from './dsp.ts';
import { namesIn, someOf } from './some-of.ts';

const isSignal = (name: string): name is Signal => Object.hasOwn(SIGNALS, name);

/** What can be sampled: all signals but the one that is none. */
export const SAMPLED = Object.keys(SIGNALS)
  .filter(isSignal)
  .filter((name) => name !== 'off');

/** Signals of a list as the parameter has it. */
export function signalsOf(text: string): Signal[] {
  return namesIn(text).filter(isSignal);
}

const signals = someOf(SAMPLED, {
  help: `Signals whose statistics are taken, of ${SAMPLED.join(', ')}.`,
  what: 'signal',
  like: 'in1, pid0',
  default: 'in1, in2',
});

const present = (name: Signal): Parameter<number> =>
  // PyRPL takes 8191 counts for 1 V here, and 8192 elsewhere.
  level(dsp(name).now, { help: `Signal ${name} right now.`, label: name, signal: always(name) });

const parameters = {
  signals,
  duration: real(software, {
    help: 'Time over which statistics are taken. Samples are as far apart as the software makes them.',
    unit: 's',
    min: 0,
    max: 3600,
    default: 0.01,
  }),
  ...(Object.fromEntries(SAMPLED.map((name) => [name, present(name)])) as Record<
    Exclude<Signal, 'off'>,
    Parameter<number>
  >),
};

export type SamplerValues = ValuesOf<{ readonly parameters: typeof parameters }>;

export const sampler = fpgaModule(
  {
    name: 'sampler',
    title: 'Sampler',
    help: 'Any signals of the FPGA: their present values, and mean, standard deviation, minimum and maximum over a time. 8192 counts are 1 V, as everywhere (PyRPL takes 8191 here).',
    grabs: true,
  },
  parameters,
);
