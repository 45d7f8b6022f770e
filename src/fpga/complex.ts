/** Complex numbers, and how a list of them is written: `-300+40000j, -50000`, as Python prints them. */

export interface Complex {
  readonly re: number;
  readonly im: number;
}

export const ZERO: Complex = { re: 0, im: 0 };
export const ONE: Complex = { re: 1, im: 0 };

export const real = (re: number): Complex => ({ re, im: 0 });
export const conjugate = ({ re, im }: Complex): Complex => ({ re, im: -im });
export const add = (a: Complex, b: Complex): Complex => ({ re: a.re + b.re, im: a.im + b.im });
export const subtract = (a: Complex, b: Complex): Complex => ({ re: a.re - b.re, im: a.im - b.im });
export const magnitude = ({ re, im }: Complex): number => Math.hypot(re, im);

export function multiply(...factors: readonly Complex[]): Complex {
  let [re, im] = [1, 0];
  for (const one of factors) [re, im] = [re * one.re - im * one.im, re * one.im + im * one.re];
  return { re, im };
}

export function divide(a: Complex, b: Complex): Complex {
  const size = b.re * b.re + b.im * b.im;
  return { re: (a.re * b.re + a.im * b.im) / size, im: (a.im * b.re - a.re * b.im) / size };
}

/** e^z */
export function exponential({ re, im }: Complex): Complex {
  const size = Math.exp(re);
  return { re: size * Math.cos(im), im: size * Math.sin(im) };
}

/** 1 − e^z, exact for small z. */
export function oneMinusExponential({ re, im }: Complex): Complex {
  return { re: -Math.expm1(re) * Math.cos(im) + 2 * Math.sin(im / 2) ** 2, im: -Math.exp(re) * Math.sin(im) };
}

/** e^(iφ), φ in rad. */
export const turn = (angle: number): Complex => ({ re: Math.cos(angle), im: Math.sin(angle) });

const NUMBER = String.raw`(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const COMPLEX = new RegExp(`^(?:([+-]?${NUMBER})(?![\\d.eE]*[ij]))?(?:([+-]?(?:${NUMBER})?)[ij])?$`);

/** `-300+40000j`, `(2-1j)`, `5`, `-3j`; undefined: that is no complex number. */
export function parseComplex(text: string): Complex | undefined {
  const bare = text.replaceAll(/\s/g, '').replace(/^\((.*)\)$/, '$1');
  const found = COMPLEX.exec(bare);
  const [, re, im] = found ?? [];
  if (!found || (re === undefined && im === undefined)) return undefined;
  if (re !== undefined && im !== undefined && !/^[+-]/.test(im)) return undefined;
  const imaginary = im === undefined ? 0 : /\d/.test(im) ? Number(im) : im === '-' ? -1 : 1;
  const value = { re: re === undefined ? 0 : Number(re), im: imaginary };
  return Number.isFinite(value.re) && Number.isFinite(value.im) ? value : undefined;
}

/** `-300+40000j`; `-300` where there is no imaginary part. */
export function printComplex({ re, im }: Complex): string {
  if (im === 0) return String(re);
  return `${re === 0 ? '' : re}${im > 0 && re !== 0 ? '+' : ''}${im}j`;
}
