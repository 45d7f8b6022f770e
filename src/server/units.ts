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

/** Units of what has none. */
const FRACTIONS: Readonly<Record<string, number>> = {
  dimensionless: 1,
  percent: 1e-2,
  '%': 1e-2,
  permille: 1e-3,
  '‰': 1e-3,
  ppm: 1e-6,
};

/**
 * What `units` is in terms of `own`: 1e-3 for `mV` of a parameter in V. The empty unit is the parameter's own.
 * @throws Refusal for any other unit
 */
export function factorOf(units: string, own: string): number {
  if (units === '' || units === own) return 1;
  if (own === '') {
    const fraction = Object.hasOwn(FRACTIONS, units) ? FRACTIONS[units] : undefined;
    if (fraction !== undefined) return fraction;
  } else {
    const base = baseOf(own);
    const prefix = prefixOf(units, base.unit);
    if (prefix !== undefined) return inverse(inverse(prefix) * base.factor);
  }
  const allowed =
    own === ''
      ? 'the parameter has none (percent, permille and ppm are understood)'
      : `allowed are ${own}, ${baseOf(own).unit} with an SI prefix, or no unit`;
  throw new Refusal(`The unit ${JSON.stringify(units.slice(0, 40))} does not fit; ${allowed}; nothing was changed.`);
}

/** Of `us`: s, and what it is in s. */
function baseOf(own: string): { readonly unit: string; readonly factor: number } {
  for (const unit of Object.keys(SPELLINGS)) {
    const prefix = prefixOf(own, unit);
    if (prefix !== undefined) return { unit, factor: prefix };
  }
  return { unit: own, factor: 1 };
}

/** The number that a prefix before `base` stands for; undefined: it is no such unit. */
function prefixOf(units: string, base: string): number | undefined {
  for (const spelling of SPELLINGS[base] ?? [base]) {
    if (!units.endsWith(spelling)) continue;
    const prefix = units.slice(0, units.length - spelling.length);
    const factor = prefix === '' ? 1 : Object.hasOwn(PREFIXES, prefix) ? PREFIXES[prefix] : undefined;
    if (factor !== undefined) return factor;
  }
  return undefined;
}

/** Powers of ten stay exact where their inverses are: 1e-9 / 1e-6 is not quite 0.001, 1 / (1e9 · 1e-6) is. */
function inverse(value: number): number {
  const power = Math.log10(value);
  return Number.isInteger(power) || Math.abs(power - Math.round(power)) < 1e-9
    ? Number(`1e${-Math.round(power)}`)
    : 1 / value;
}
