/**
 * The pseudo-random table index of the generators' noise: 14 bits a clock, the same for both generators. The sequence
 * is the linear recurrence of degree 96 that was fitted to what the running design (PyRPL red_pitaya_prng.v) puts out:
 * each word is the exclusive or of the words that came so many clocks before.
 */
const TAPS = [33, 36, 39, 42, 45, 51, 54, 69, 78, 96] as const;
const DEGREE = 96;

/** The indices that the output shows at clocks 0 … 95 after loading. */
const FIRST = [
  6366, 4244, 0, 1, 1, 0, 0, 0, 0, 1, 1, 2120, 6360, 4240, 1184, 1449, 265, 2640, 6736, 4096, 8329, 8578, 267, 7784,
  11722, 13218, 269, 36, 297, 4293, 15157, 11248, 14488, 5593, 11585, 15922, 1372, 15214, 6331, 14705, 8650, 14286,
  6839, 11641, 16238, 7464, 8774, 12263, 8686, 3593, 13647, 6040, 8919, 12773, 2346, 14543, 1679, 8050, 6653, 14125,
  6272, 12205, 11532, 14410, 5446, 6303, 14170, 12229, 14920, 4259, 10987, 14611, 7223, 9508, 12591, 836, 12907, 3675,
  1699, 2296, 15603, 6574, 9565, 12942, 1119, 14033, 15384, 6735, 9815, 151, 6750, 6857, 2779, 5593, 7938, 5043,
] as const;

/** Further than this, in clocks, jumping there is quicker than going. */
const JUMP = 300_000;

/** Words are kept for so many clocks. */
const KEPT = 2 ** 15;
const MASK = KEPT - 1;

export interface RandomIndex {
  /** Fills out[0 … count) with the indices at clocks first, first + stride, … */
  sample(out: Int32Array, first: number, stride: number, count: number): void;
}

/**
 * @param longestWay so many clocks of the sequence are gone through for one call. A call for samples that span more
 *   gets numbers of the sequence from elsewhere, which are as good a noise. Infinity: always the right ones.
 */
export function randomIndex(longestWay: () => number): RandomIndex {
  const ring = new Int32Array(KEPT);
  /** Words of clocks from … to − 1 are in the ring. */
  let from = 0;
  let to = DEGREE;
  for (const [n, word] of FIRST.entries()) ring[n] = word;

  const next = (clock: number): number =>
    (ring[(clock - 33) & MASK] as number) ^
    (ring[(clock - 36) & MASK] as number) ^
    (ring[(clock - 39) & MASK] as number) ^
    (ring[(clock - 42) & MASK] as number) ^
    (ring[(clock - 45) & MASK] as number) ^
    (ring[(clock - 51) & MASK] as number) ^
    (ring[(clock - 54) & MASK] as number) ^
    (ring[(clock - 69) & MASK] as number) ^
    (ring[(clock - 78) & MASK] as number) ^
    (ring[(clock - 96) & MASK] as number);

  const start = (clock: number, words: ArrayLike<number>): void => {
    for (let k = 0; k < DEGREE; k++) ring[(clock + k) & MASK] = words[k] ?? 0;
    from = clock;
    to = clock + DEGREE;
  };

  const go = (clock: number): void => {
    for (; to <= clock; to++) ring[to & MASK] = next(to);
    from = Math.max(from, to - KEPT);
  };

  /** The word at a clock; clocks must not go back further than what is kept, or it takes long. */
  const at = (clock: number): number => {
    if (clock < from || clock > to + JUMP) start(clock, wordsAt(clock));
    go(clock);
    return ring[clock & MASK] as number;
  };

  return {
    sample(out, first, stride, count) {
      const step = (count - 1) * stride > longestWay() ? 1 : stride;
      for (let k = 0; k < count; k++) {
        const clock = first + k * step;
        out[k] = clock < 0 ? 0 : at(clock);
      }
    },
  };
}

/** The 96 words from a clock on: the powers of x, modulo the recurrence's polynomial, say which of the first add up. */
function wordsAt(clock: number): Int32Array {
  const power = powerOfX(clock);
  const words = new Int32Array(DEGREE);
  const sequence: number[] = [...FIRST];
  for (let n = DEGREE; n < 2 * DEGREE; n++)
    sequence.push(TAPS.reduce((word, tap) => word ^ (sequence[n - tap] ?? 0), 0));
  for (let k = 0; k < DEGREE; k++) {
    let word = 0;
    for (let i = 0; i < DEGREE; i++) if ((power >> BigInt(i)) & 1n) word ^= sequence[i + k] ?? 0;
    words[k] = word;
  }
  return words;
}

/** x⁹⁶ + Σ x⁹⁶⁻ᵗᵃᵖ */
const POLYNOMIAL = TAPS.reduce((sum, tap) => sum | (1n << BigInt(DEGREE - tap)), 1n << BigInt(DEGREE));

function powerOfX(exponent: number): bigint {
  let power = 1n;
  for (const bit of exponent.toString(2)) {
    power = product(power, power);
    if (bit === '1') power = reduced(power << 1n);
  }
  return power;
}

/** Polynomials over two elements, a bit a coefficient. */
function product(a: bigint, b: bigint): bigint {
  let sum = 0n;
  for (let rest = b, shifted = a; rest > 0n; rest >>= 1n, shifted <<= 1n) if (rest & 1n) sum ^= shifted;
  return reduced(sum);
}

function reduced(polynomial: bigint): bigint {
  let rest = polynomial;
  for (let degree = rest.toString(2).length - 1; degree >= DEGREE; degree = rest.toString(2).length - 1) {
    rest ^= POLYNOMIAL << BigInt(degree - DEGREE);
  }
  return rest;
}
