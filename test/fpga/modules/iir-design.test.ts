/** The design of filters: worked examples, and the response against the zeros and poles that were asked for. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { type Complex, divide, magnitude, multiply, ONE, real, subtract } from '../../../src/fpga/complex.ts';
import { coefficientWords, type Design, design, response } from '../../../src/fpga/modules/iir-design.ts';

const CLOCK = 8e-9;

function fitting(zeros: readonly Complex[], poles: readonly Complex[], gain: number, loops: number): Design {
  const found = design(zeros, poles, gain, loops);
  if ('unfit' in found) throw new Error(found.unfit);
  return found;
}

/** Response of ideal zeros and poles. */
function ideal(zeros: readonly Complex[], poles: readonly Complex[], gain: number, frequency: number): Complex {
  const whole = (roots: readonly Complex[]) =>
    roots.flatMap(({ re, im }) =>
      im === 0
        ? [{ re, im }]
        : [
            { re, im },
            { re, im: -im },
          ],
    );
  const factor = (root: Complex) => subtract(ONE, divide({ re: 0, im: frequency }, root));
  return multiply(real(gain), ...whole(zeros).map(factor), ...whole(poles).map((pole) => divide(ONE, factor(pole))));
}

const size = (made: Design, frequency: number): number => magnitude(response(made, frequency, CLOCK));

test('one pole and one zero: the coefficients that were worked out by hand', () => {
  const made = fitting([real(-1e5)], [real(-1e4)], 1, 10);
  const words = coefficientWords(made.sections);
  assert.deepEqual([...words.subarray(0, 16)], [52480879, 0, 0, 0, 0, 0, 0, 0, 2428701, 0, 0, 0, 534179075, 0, 0, 0]);
  assert.ok(words.subarray(16).every((word) => word === 0));
});

test('a low-pass of one pole', () => {
  const made = fitting([], [real(-1e4)], 1, 10);
  assert.deepEqual([...coefficientWords(made.sections).subarray(0, 8)], [2691837, 0, 0, 0, 534179075, 0, 0, 0]);
  assert.ok(Math.abs(size(made, 1e4) - Math.SQRT1_2) < 1e-4);
});

test('the response is that of the zeros and poles', () => {
  const cases: [Complex[], Complex[], number, number][] = [
    [[real(-1e5)], [real(-1e4)], 1, 10],
    [[{ re: -100, im: 4e4 }], [{ re: -2e4, im: 4e4 }], 1, 20],
    [[{ re: 0, im: 4e4 }], [{ re: -2e4, im: 3e4 }], 0.5, 20],
    // Two poles that coincide.
    [[], [real(-2e4), real(-2e4)], 1, 20],
    [
      [{ re: -300, im: 4e4 }, { re: -1000, im: 2e5 }, real(-5e5)],
      [{ re: -300, im: 5e4 }, { re: -3000, im: 1e5 }, real(-1e6)],
      0.1,
      5,
    ],
  ];
  for (const [zeros, poles, gain, loops] of cases) {
    const made = fitting(zeros, poles, gain, loops);
    for (const frequency of [10, 1e3, 1e4, 3e4]) {
      const wanted = magnitude(ideal(zeros, poles, gain, frequency));
      const found = size(made, frequency);
      // A frequency close to the sample rate is bent, by the square of what they have to do with each other.
      const bent = 3 * (2 * Math.PI * frequency * made.loops * CLOCK) ** 2;
      assert.ok(
        Math.abs(found / wanted - 1) < 2e-3 + bent,
        `${JSON.stringify({ zeros, poles, frequency })}: ${found} is not ${wanted}`,
      );
    }
  }
});

test('more zeros than poles: poles are added, far up', () => {
  const made = fitting([real(-1e5)], [], 0.01, 20);
  for (const frequency of [1e3, 1e4, 2e4]) {
    const wanted = magnitude(ideal([real(-1e5)], [], 0.01, frequency));
    // Sections are computed one after the other from a signal that goes on: those that nearly cancel do so less.
    assert.ok(
      Math.abs(size(made, frequency) / wanted - 1) < 0.03 + 1.5e-6 * frequency,
      `${size(made, frequency)}, not ${wanted}`,
    );
  }
});

test('loops become what the sections need', () => {
  const poles = Array.from({ length: 5 }, (_, k) => ({ re: -1e4 * (k + 1), im: 5e4 * (k + 1) }));
  assert.equal(fitting([], poles, 1, 3).loops, 5);
  assert.equal(fitting(poles, poles.toReversed(), 1, 3).loops, 6);
  assert.equal(fitting([], [], 1, 3).loops, 3);
});

test('what does not fit is refused, with the reason', () => {
  const pairs = (n: number) => Array.from({ length: n }, (_, k) => ({ re: -1e3 * (k + 1), im: 1e4 * (k + 1) }));
  const why = (...args: Parameters<typeof design>) => {
    const found = design(...args);
    return 'unfit' in found ? found.unfit : undefined;
  };
  assert.match(why([], pairs(15), 1, 20) ?? '', /15 sections .* 14/);
  assert.match(why(pairs(14), pairs(14), 1, 20) ?? '', /15 sections/);
  assert.match(why([], [], 5, 3) ?? '', /one of its coefficients is 5/);
  assert.match(why([real(-100)], [real(-1e6)], 1, 3) ?? '', /within ±4/);
  assert.match(why([], [real(-1e5), real(-1e5), real(-1e5)], 1, 20) ?? '', /coincide/);
  assert.match(
    why(
      [],
      [
        { re: -5e4, im: 5e4 },
        { re: -5e4, im: 5e4 },
      ],
      1,
      20,
    ) ?? '',
    /coincide/,
  );
  assert.match(why([], [real(-1e-3)], 1, 3) ?? '', /more of them are needed/);
  assert.equal(why([], pairs(14), 0.001, 20), undefined);
});

test('whatever is asked for either fits with finite, stable sections, or is refused', () => {
  const root = fc.record({
    re: fc.double({ min: -6e7, max: -1e-3, noNaN: true }),
    im: fc.double({ min: 0, max: 6e7, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.array(root, { maxLength: 16 }),
      fc.array(root, { maxLength: 16 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer({ min: 3, max: 1023 }),
      (zeros, poles, gain, loops) => {
        const found = design(zeros, poles, gain, loops);
        if ('unfit' in found) return found.unfit.length > 0;
        assert.ok(found.sections.length <= 14 && found.sections.length <= found.loops);
        for (const { b0, b1, a1, a2 } of found.sections) {
          for (const c of [b0, b1, a1, a2]) assert.ok(c >= -4 && c < 4);
          assert.ok(a2 > -1 && Math.abs(a1) < 1 - a2 + 1e-9);
        }
        return true;
      },
    ),
    { numRuns: 300 },
  );
});

test.run();
