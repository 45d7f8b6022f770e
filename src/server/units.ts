/** Units of positions that clients send: SI prefixes of a parameter's unit are converted, nothing else. */
import { Refusal } from '../errors.ts';

const PREFIXES: Readonly<Record<string, number>> = {
  a: 1e-18,
  f: 1e-15,
  p: 1e-12,
  n: 1e-9,
  u: 1e-6,
  µ: 1e-6,
  μ: 1e-6,
  m: 1e-3,
  c: 1e-2,
  d: 1e-1,
  da: 10,
  h: 100,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  atto: 1e-18,
  femto: 1e-15,
  pico: 1e-12,
  nano: 1e-9,
  micro: 1e-6,
  milli: 1e-3,
  centi: 1e-2,
  deci: 1e-1,
  deca: 10,
  hecto: 100,
  kilo: 1e3,
  mega: 1e6,
  giga: 1e9,
  tera: 1e12,
};

/** Other spellings that PyMoDAQ's unit library produces. */
const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  V: ['V', 'volt', 'volts'],
  Hz: ['Hz', 'hertz'],
  s: ['s', 'second', 'seconds'],
  deg: ['deg', '°', 'degree', 'degrees'],
};

/**
 * What `units` is in terms of `own`: 1e-3 for `mV` of a parameter in V. The empty unit is the parameter's own.
 * @throws Refusal for any other unit
 */
export function factorOf(units: string, own: string): number {
  if (units === '' || units === own) return 1;
  for (const spelling of SPELLINGS[own] ?? [own]) {
    if (spelling === '' || !units.endsWith(spelling)) continue;
    const prefix = units.slice(0, units.length - spelling.length);
    const factor = prefix === '' ? 1 : Object.hasOwn(PREFIXES, prefix) ? PREFIXES[prefix] : undefined;
    if (factor !== undefined) return factor;
  }
  const allowed = own === '' ? 'the parameter has none' : `allowed are ${own}, ${own} with an SI prefix, or no unit`;
  throw new Refusal(`The unit ${JSON.stringify(units.slice(0, 40))} does not fit; ${allowed}; nothing was changed.`);
}
