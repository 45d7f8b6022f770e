/**
 * The unit in which a position is announced. A LECODirector of PyMoDAQ 5 has an epsilon of 1, hidden and not to be
 * changed from here: a move by no more than 1 of the announced unit is not sent, and PyMoDAQ shows it as done. So the
 * unit is smaller than the parameter's smallest step, and no move that would change anything is lost.
 */
import type { ParameterDescription } from '../../fpga/description.ts';
import { factorOf } from '../units.ts';

/** The largest first. */
const PREFIXES = ['', 'm', 'u', 'n'] as const;

/** No finer than this of a unit: whoever turns a phase by less than a millionth of a degree means nothing by it. */
const FINEST: Readonly<Record<string, string>> = { s: 'n' };
const FINEST_OF_OTHERS = 'u';

/** Of what has no unit. */
const FRACTIONS = ['percent', 'ppm'] as const;

/** Of a parameter without even steps: this of its largest value. */
const USEFUL = 1e-6;

export interface FineUnit {
  /** As PyMoDAQ's unit library spells it. */
  readonly unit: string;
  /** What it is in the parameter's unit. */
  readonly factor: number;
}

export function fineUnit(parameter: ParameterDescription): FineUnit {
  const { unit, step = USEFUL * largest(parameter) } = parameter;
  const candidates = unit === '' ? FRACTIONS : unitsOf(unit);
  const all = candidates.map((one) => ({ unit: one, factor: factorOf(one, unit) }));
  const fit = all.find(({ factor }) => factor < step) ?? all.at(-1);
  return fit ?? { unit, factor: 1 };
}

function largest({ min, max }: ParameterDescription): number {
  return Math.max(Math.abs(min ?? 0), Math.abs(max ?? 0)) || 1;
}

/** Of `us`, which has a prefix: what is smaller than it. */
function unitsOf(own: string): string[] {
  const [, prefix = '', base = own] = /^([mun])(s|V|Hz)$/.exec(own) ?? [];
  const finest = FINEST[base] ?? FINEST_OF_OTHERS;
  const from = PREFIXES.indexOf(prefix as (typeof PREFIXES)[number]);
  const to = PREFIXES.indexOf(finest as (typeof PREFIXES)[number]);
  return PREFIXES.slice(from, to + 1).map((each) => `${each}${base}`);
}
