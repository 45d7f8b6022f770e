/** Lists of zeros or poles as parameters: texts, since no settings tree knows complex numbers. */
import { type Complex, parseComplex, printComplex } from '../complex.ts';
import { show } from '../parameters/judging.ts';
import type { Parameter, Words } from '../parameters/parameter.ts';

/** More than 14 sections can ever use. */
const MOST = 28;

/** Frequencies in Hz of a text in the canonical form. */
export function rootsOf(text: string): readonly Complex[] {
  return text === '' ? [] : text.split(',').flatMap((one) => parseComplex(one) ?? []);
}

/**
 * Zeros or poles in Hz, kept by the driver as `-300+40000j, -50000`: real parts of decaying ones are negative, and a
 * complex one stands for its conjugate too. Python's lists of numbers are understood as well.
 * @param judge why a frequency is not allowed; undefined: it is
 */
export function roots(judge: (root: Complex) => string | undefined, words: Words): Parameter<string> {
  return {
    kind: 'text',
    unit: 'Hz',
    default: '',
    readonly: false,
    volatile: false,
    ...words,
    fields: [],
    accept(value, refuse) {
      const items: readonly unknown[] = Array.isArray(value)
        ? value
        : typeof value === 'string'
          ? value
              .trim()
              .replace(/^\[(.*)\]$/s, '$1')
              .split(',')
          : [value];
      const given = items.filter((one) => typeof one !== 'string' || one.trim() !== '');
      if (given.length > MOST) return refuse(`takes at most ${MOST} frequencies, not ${given.length}`);
      const list = given.map((one) => {
        const root = typeof one === 'number' || typeof one === 'string' ? parseComplex(String(one)) : undefined;
        if (!root) return refuse(`takes frequencies like "-300+40000j, -50000", not ${show(one)}`);
        const why = judge(root);
        return why === undefined ? root : refuse(`${why}, not ${printComplex(root)}`);
      });
      const seen = new Set<string>();
      for (const { re, im } of list) {
        if (im === 0) continue;
        const opposite = printComplex({ re, im: -im });
        if (seen.has(opposite)) {
          return refuse(`has ${printComplex({ re, im })} and ${opposite}: each stands for both already`);
        }
        seen.add(printComplex({ re, im }));
      }
      return list.map(({ re, im }) => printComplex({ re, im: Math.abs(im) })).join(', ');
    },
    encode: () => [],
    decode: () => '',
  };
}
