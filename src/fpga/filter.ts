/**
 * Chains of first-order filters in one register, a byte a stage: bit 7 on, bit 6 high-pass, below the shift s.
 * A stage does y += 2^(s−M) · (x − y) each clock; M is set by the lowest corner that the block was built for.
 * Corners are positive for low-pass, negative for high-pass, 0 for off. The list of what can be had is PyRPL's,
 * with its corrections for the highest corners. Sources: PyRPL red_pitaya_lpf_block.v, hardware_modules/filter.py.
 */
import { CLOCK_HZ } from './bus/bus.ts';
import { type Complex, divide, multiply, ONE } from './complex.ts';
import type { Field } from './fields.ts';
import { acceptReal, type Refuse, show } from './parameters/judging.ts';
import { ofClock } from './parameters/numbers.ts';
import { type Parameter, placed, type Words } from './parameters/parameter.ts';

const ON = 0x80;
const HIGH_PASS = 0x40;
const SHIFT = 0x3f;

/** A filter built with this M oscillates from s = M on; PyRPL offers up to M − 3. */
const SPARE_SHIFTS = 3;

/** PyRPL's measured corrections of the corner, by M − s. */
const CORRECTIONS: Readonly<Record<number, number>> = { 1: 0.7, 2: 1.65, 3: 1.17, 4: 1.08, 5: 1.04, 6: 1.02, 7: 1.01 };

export interface FilterOptions extends Words {
  /** 1 … 4; the bytes of further stages stay 0. */
  readonly stages: number;
  /** M, above. */
  readonly lowest: number;
  /** Width of the shift where the block has fewer bits than M needs. */
  readonly shiftBits?: number;
}

/** Corner in Hz of shift `s`; shifts from M on, which nobody should write, are taken for M − 1. */
function corner(shift: number, lowest: number): number {
  const s = Math.min(shift, lowest - 1);
  const a = 2 ** (s - lowest);
  return (-Math.log(1 - a) / (2 * Math.PI)) * CLOCK_HZ * (CORRECTIONS[lowest - s] ?? 1);
}

/** Every corner that a stage can have, with its byte, from the lowest up. */
export function corners({ lowest, shiftBits = 6 }: Pick<FilterOptions, 'lowest' | 'shiftBits'>): [number, number][] {
  const shifts = Math.min(lowest - SPARE_SHIFTS + 1, 2 ** shiftBits);
  const low = Array.from({ length: shifts }, (_, s): [number, number] => [corner(s, lowest), ON | s]);
  const high = low.map(([hertz, byte]): [number, number] => [-hertz, byte | HIGH_PASS]);
  return [...high.reverse(), [0, 0], ...low];
}

function codec(options: FilterOptions) {
  const known = corners(options);
  const highest = known.at(-1)?.[0] ?? 0;
  return {
    highest,
    /** The byte of the linearly nearest corner. */
    encode: (hertz: number): number =>
      known.reduce((best, one) => (Math.abs(one[0] - hertz) < Math.abs(best[0] - hertz) ? one : best))[1],
    decode: (byte: number): number => {
      if (!(byte & ON)) return 0;
      const hertz = corner(byte & SHIFT, options.lowest);
      return byte & HIGH_PASS ? -hertz : hertz;
    },
    // Its limits depend on the clock: see ofClock.
    accept: (value: unknown, refuse: Refuse): number => acceptReal(value, {}, refuse),
  };
}

/** Several stages: a list of corners; missing ones are off, a single number sets the first stage alone. */
export function filter(field: Field, options: FilterOptions): Parameter<readonly number[]> {
  const { stages, lowest, shiftBits, ...words } = options;
  const { highest, encode, decode, accept } = codec(options);
  const padded = (list: readonly number[]): number[] => Array.from({ length: stages }, (_, k) => list[k] ?? 0);
  return ofClock({
    kind: 'numbers',
    unit: 'Hz',
    min: -highest,
    max: highest,
    default: padded([]),
    ...words,
    ...placed([field]),
    accept: (value, refuse) => {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (list.length > stages) return refuse(`takes at most ${stages} corners, not ${show(value)}`);
      return padded(list.map((one) => accept(one, refuse)));
    },
    encode: (list) => [padded(list).reduce((word, hertz, k) => word + encode(hertz) * 256 ** k, 0)],
    decode: ([word = 0]) => padded([]).map((_, k) => decode((word >>> (8 * k)) & 0xff)),
  });
}

/** A single stage: one corner. */
export function filterStage(field: Field, options: Omit<FilterOptions, 'stages'>): Parameter<number> {
  const { lowest, shiftBits, ...words } = options;
  const { highest, encode, decode, accept } = codec({ ...options, stages: 1 });
  return ofClock({
    kind: 'number',
    unit: 'Hz',
    min: -highest,
    max: highest,
    default: 0,
    ...words,
    ...placed([field]),
    accept,
    encode: (hertz) => [encode(hertz)],
    decode: ([word = 0]) => decode(word & 0xff),
  });
}

/** The corner that a stage takes for a wanted one: the linearly nearest there is. */
export function nearestCorner(hertz: number, options: Pick<FilterOptions, 'lowest' | 'shiftBits'>): number {
  const distance = ([corner]: readonly [number, number]) => Math.abs(corner - hertz);
  return corners(options).reduce((best, one) => (distance(one) < distance(best) ? one : best))[0];
}

/** Clocks by which filters delay a signal beside what their corner does: 2 a low-pass, 1 a high-pass. */
export function filterDelay(list: readonly number[]): number {
  return list.reduce((clocks, corner) => clocks + (corner > 0 ? 2 : corner < 0 ? 1 : 0), 0);
}

/** Response of first-order filters with these corners at a frequency, both in Hz, without their delay. */
export function filterResponse(list: readonly number[], frequency: number): Complex {
  return multiply(
    ...list.map((corner) => {
      if (corner === 0) return ONE;
      const im = corner > 0 ? frequency / corner : corner / frequency;
      return divide(ONE, { re: 1, im });
    }),
  );
}
