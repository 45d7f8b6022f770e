/** Present values of all signals, and their statistics over a time. Names are PyRPL's hardware_modules/sampler.py. */

import { nearest } from '../../nearest.ts';
import { fpgaModule, type ValuesOf } from '../module.ts';
import { always, level, type Parameter, real, show, software } from '../parameters.ts';
import { dsp, SIGNALS, type Signal } from './dsp.ts';

const isSignal = (name: string): name is Signal => Object.hasOwn(SIGNALS, name);

/** What can be sampled: all signals but the one that is none. */
export const SAMPLED = Object.keys(SIGNALS)
  .filter(isSignal)
  .filter((name) => name !== 'off');

/** Signals of a list as the parameter has it. */
export function signalsOf(text: string): Signal[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter(isSignal);
}

const signals: Parameter<string> = {
  kind: 'text',
  unit: '',
  default: 'in1, in2',
  help: `Signals whose statistics are taken, of ${SAMPLED.join(', ')}.`,
  readonly: false,
  volatile: false,
  fields: [],
  accept(value, refuse) {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const names = items.flatMap((one) => (typeof one === 'string' ? one.split(',').map((part) => part.trim()) : [one]));
    const known = names.map((one) => {
      if (typeof one === 'string' && isSignal(one) && one !== 'off') return one;
      const near = typeof one === 'string' ? nearest(one, SAMPLED) : undefined;
      return refuse(
        `takes signals like "in1, pid0", not ${show(one)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
      );
    });
    if (known.length === 0) return refuse('needs at least one signal');
    return [...new Set(known)].join(', ');
  },
  encode: () => [],
  decode: () => 'in1, in2',
};

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
    help: 'Any signals of the FPGA: their present values, and mean, standard deviation, minimum and maximum over a time.',
    grabs: true,
  },
  parameters,
);
