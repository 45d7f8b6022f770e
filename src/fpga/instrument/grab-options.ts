/** What may be asked of a grab. Options come from outside: nothing about them is taken for granted. */
import { Refusal } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { SAMPLES } from '../modules/scope.ts';
import { show } from '../parameters/judging.ts';
import type { GrabOptions } from './instrument.ts';
import { tracePoints } from './trace.ts';

/** Longest time-out, in s: what a timer takes. */
export const LONGEST_TIMEOUT = 2_000_000;

/** The shortest trace is that of decimation 1: the last start that all traces have is allowed. */
const LAST_START = tracePoints(1) - 1;

type Judge = { readonly holds: (value: unknown) => boolean; readonly allowed: string };

const wholeNumber = (min: number, max: number): Judge => ({
  holds: (value) => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max,
  allowed: `a whole number from ${min} to ${max}`,
});

const JUDGES: Readonly<Record<keyof GrabOptions, Judge>> = {
  config: {
    holds: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    allowed: 'a dictionary of parameters and values',
  },
  fresh: { holds: (value) => typeof value === 'boolean', allowed: 'true or false' },
  timeout: {
    holds: (value) => typeof value === 'number' && value > 0 && value <= LONGEST_TIMEOUT,
    allowed: `more than 0 and at most ${LONGEST_TIMEOUT} s`,
  },
  start: wholeNumber(0, LAST_START),
  points: wholeNumber(1, SAMPLES),
  statistics: {
    holds: isWindow,
    allowed:
      'a dictionary with from and to, times in s on the axis of the trace, from not after to, or without one or both',
  },
};

function isWindow(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { from, to, ...others }: Partial<Record<string, unknown>> = { ...value };
  const isTime = (time: unknown): boolean => time === undefined || (typeof time === 'number' && Number.isFinite(time));
  if (Object.keys(others).length > 0 || !isTime(from) || !isTime(to)) return false;
  return typeof from !== 'number' || typeof to !== 'number' || from <= to;
}

/** @throws Refusal: an option that there is not, or a value that it cannot have. */
export function checkGrabOptions(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    const judge: Judge | undefined = Object.hasOwn(JUDGES, name) ? JUDGES[name as keyof GrabOptions] : undefined;
    if (!judge) {
      const known = Object.keys(JUDGES);
      const near = nearest(name, known);
      const hint = near === undefined ? `; there are ${known.join(', ')}` : ` (did you mean ${near}?)`;
      throw new Refusal(`A grab has no option ${show(name)}${hint}; nothing was changed.`);
    }
    if (value === undefined || judge.holds(value)) continue;
    throw new Refusal(`The ${name} of a grab is ${judge.allowed}, not ${show(value)}; nothing was changed.`);
  }
  if (options.statistics !== undefined && (options.start !== undefined || options.points !== undefined)) {
    throw new Refusal('statistics of a grab have a window of their own, from and to; nothing was changed.');
  }
}
