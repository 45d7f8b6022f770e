/**
 * From zeros and poles to the coefficients of the filter: a sum of second-order sections. PyRPL expands in 1/(z − p)
 * where the sections are 1/(1 − p/z), which makes its gain wrong and leaves filters with more poles than zeros without
 * the sampling time; here the expansion is the one that the hardware has. Sources: PyRPL hardware_modules/iir/
 * iir_theory.py, red_pitaya_iir_block.v.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import {
  add,
  type Complex,
  conjugate,
  divide,
  exponential,
  magnitude,
  multiply,
  ONE,
  oneMinusExponential,
  real,
  subtract,
  turn,
  ZERO,
} from '../complex.ts';
import { roundHalfEven } from '../fields.ts';

/** Sections that the hardware has. */
export const SECTIONS = 14;
/** Words of the memory of coefficients: eight a section, every second one 0. */
export const COEFFICIENT_WORDS = 8 * SECTIONS;
/** Fewest and most clocks a sample that PyRPL takes. */
export const LOOPS = { min: 3, max: 1023 } as const;

const FRACTION = 2 ** 29;
const LARGEST = 2 ** 31;

/** y[n] = b0·x[n] + b1·x[n−1] + a1·y[n−1] + a2·y[n−2] */
export interface Section {
  readonly b0: number;
  readonly b1: number;
  readonly a1: number;
  readonly a2: number;
}

export interface Design {
  /** Clocks of 8 ns a sample: as asked for, or as many as the sections need. */
  readonly loops: number;
  /** In the order of the hardware: the fastest first. */
  readonly sections: readonly Section[];
}

/** The filter cannot be had: why, as the end of a sentence. */
export interface Unfit {
  readonly unfit: string;
}

/** Two poles that coincide have no residues: they are moved apart by this part of themselves; its square is the error. */
const APART = 1e-4;

/**
 * @param zeros in Hz, with im ≥ 0; each complex one stands for its conjugate too
 * @param poles likewise; real parts below 0
 * @param gain of a constant signal
 * @param loops wanted
 */
export function design(
  zeros: readonly Complex[],
  poles: readonly Complex[],
  gain: number,
  loops: number,
): Design | Unfit {
  const wholeZeros = completed(zeros);
  const missing = wholeZeros.length - completed(poles).length;
  const reals = poles.filter(({ im }) => im === 0).length + Math.max(0, missing);
  const pairs = poles.filter(({ im }) => im !== 0).length;
  const count = Math.ceil(reals / 2) + pairs + (missing >= 0 ? 1 : 0);
  if (count > SECTIONS) return { unfit: `it needs ${count} sections of second order, and there are ${SECTIONS}` };

  if (poles.some((pole) => poles.filter((other) => near(pole, other)).length > (pole.im === 0 ? 2 : 1))) {
    return {
      unfit: 'no sum of sections has three real poles, or two complex pairs, that coincide: move them apart by a tenth',
    };
  }
  const taken = Math.max(loops, count, LOOPS.min);
  const rate = CLOCK_HZ / taken;
  // As many poles as zeros, or the filter would look into the future: half the sample rate, half of that, …
  const added = Array.from({ length: Math.max(0, missing) }, (_, k) => real(-rate / 2 ** (k + 1)));
  const ownPoles = apart([...poles, ...added]);
  // Logarithms of the discrete zeros and poles: differences of numbers close to 1 would lose digits.
  const logarithm = ({ re, im }: Complex): Complex => ({
    re: (2 * Math.PI * re) / rate,
    im: (2 * Math.PI * im) / rate,
  });
  const z = wholeZeros.map(logarithm);
  const p = completed(ownPoles).map(logarithm);

  const scale = multiply(
    real(gain),
    ...p.map(oneMinusExponential),
    ...z.map((zero) => divide(ONE, oneMinusExponential(zero))),
  );
  const residue = (pole: Complex, own: number): Complex =>
    multiply(
      scale,
      ...z.map((zero) => oneMinusExponential(subtract(zero, pole))),
      ...p.flatMap((other, k) => (k === own ? [] : [divide(ONE, oneMinusExponential(subtract(other, pole)))])),
    );
  const terms = p.map((pole, k) => ({ pole: exponential(pole), residue: residue(pole, k) }));
  const realTerms = terms.filter(({ pole }) => pole.im === 0).sort((a, b) => a.pole.re - b.pole.re);
  const sections = [
    ...terms.filter(({ pole }) => pole.im > 0).map(({ pole, residue: r }) => ofPair(pole, r)),
    ...realTerms.flatMap(({ pole, residue: r }, k): Ranked[] => {
      if (k % 2 === 1) return [];
      const next = realTerms[k + 1];
      return [ofReals(pole.re, r.re, next?.pole.re ?? 0, next?.residue.re ?? 0)];
    }),
  ]
    .sort((a, b) => b.rate - a.rate)
    .map(({ section }) => section);
  // With as many zeros as poles something of the signal passes at once.
  const direct = multiply(scale, exponential(subtract(z.reduce(add, ZERO), p.reduce(add, ZERO)))).re;
  const all = missing >= 0 ? [{ b0: direct, b1: 0, a1: 0, a2: 0 }, ...sections] : sections;

  const large = all.flatMap(({ b0, b1, a1, a2 }) => [b0, b1, a1, a2]).find((c) => !fits(c));
  if (large !== undefined) {
    return { unfit: `one of its coefficients is ${Number(large.toPrecision(4))}, and they must stay within ±4` };
  }
  if (!all.every(isStable)) {
    return { unfit: 'its slowest pole cannot be told from a constant with so few loops: more of them are needed' };
  }
  return { loops: taken, sections: all };
}

/** The memory of coefficients. @param sections at most 14, coefficients within ±4 */
export function coefficientWords(sections: readonly Section[]): Uint32Array {
  const words = new Uint32Array(COEFFICIENT_WORDS);
  for (const [k, { b0, b1, a1, a2 }] of sections.entries()) {
    for (const [j, c] of [b0, b1, a1, a2].entries()) words[8 * k + 2 * j] = roundHalfEven(c * FRACTION) >>> 0;
  }
  return words;
}

/**
 * Response at a frequency in Hz, with the coefficients as the registers hold them. Sections are computed one after the
 * other from a signal that goes on meanwhile, so that each has a delay of its own: 6 clocks, half a sample, and one for
 * each section below it in the memory.
 * @param clock length of a clock in s
 */
export function response({ loops, sections }: Design, frequency: number, clock: number): Complex {
  const q = turn(-2 * Math.PI * frequency * loops * clock);
  return sections
    .map(({ b0, b1, a1, a2 }, k) =>
      multiply(
        divide(
          add(real(held(b0)), multiply(real(held(b1)), q)),
          subtract(ONE, add(multiply(real(held(a1)), q), multiply(real(held(a2)), q, q))),
        ),
        turn(-2 * Math.PI * frequency * (6 + loops / 2 + k) * clock),
      ),
    )
    .reduce(add, ZERO);
}

/** The coefficient as its register holds it. */
const held = (c: number): number => roundHalfEven(c * FRACTION) / FRACTION;

/** With the coefficients of the registers, which place slow poles coarsely. */
const isStable = ({ a1, a2 }: Section): boolean => held(a2) > -1 && Math.abs(held(a1)) < 1 - held(a2);

const fits = (c: number): boolean => {
  const raw = roundHalfEven(c * FRACTION);
  return raw >= -LARGEST && raw < LARGEST;
};

/** With the conjugates. */
const completed = (roots: readonly Complex[]): Complex[] =>
  roots.flatMap((root) => (root.im === 0 ? [root] : [root, conjugate(root)]));

const near = (a: Complex, b: Complex): boolean => magnitude(subtract(a, b)) < APART * magnitude(a);

/** Poles that coincide, spread around their place. */
function apart(poles: readonly Complex[]): Complex[] {
  return poles.map((pole, k) => {
    const same = (other: Complex): boolean => near(pole, other);
    const step = poles.slice(0, k).filter(same).length - (poles.filter(same).length - 1) / 2;
    return multiply(pole, real(1 + APART * step));
  });
}

interface Ranked {
  readonly section: Section;
  /** By this the hardware's order goes: how fast the fastest pole is. */
  readonly rate: number;
}

const rateOf = (pole: Complex): number => Math.hypot(Math.log(magnitude(pole)), Math.atan2(pole.im, pole.re));

function ofPair(pole: Complex, residue: Complex): Ranked {
  return {
    section: {
      b0: 2 * residue.re,
      b1: -2 * multiply(residue, conjugate(pole)).re,
      a1: 2 * pole.re,
      a2: -(magnitude(pole) ** 2),
    },
    rate: rateOf(pole),
  };
}

function ofReals(p1: number, r1: number, p2: number, r2: number): Ranked {
  return {
    section: { b0: r1 + r2, b1: -(r1 * p2 + r2 * p1), a1: p1 + p2, a2: -p1 * p2 },
    rate: Math.max(...[p1, p2].filter((p) => p !== 0).map((p) => rateOf(real(p)))),
  };
}
