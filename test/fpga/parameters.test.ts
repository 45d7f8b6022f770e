import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { block, range } from '../../src/fpga/fields.ts';
import { filter } from '../../src/fpga/filter.ts';
import { bool, choice, oneOf, powersOfTwo } from '../../src/fpga/parameters/choices.ts';
import { volts } from '../../src/fpga/parameters/levels.ts';
import {
  counter,
  derived,
  fixed,
  frequency,
  gain,
  integer,
  longInteger,
  phase,
} from '../../src/fpga/parameters/numbers.ts';
import { NOMINAL_BOARD, type Parameter } from '../../src/fpga/parameters/parameter.ts';

const at = block(0x4030_0000);
const board = NOMINAL_BOARD;
const help = 'For the test.';

const refuse = (why: string): never => {
  throw new Error(why);
};

const roundTrip = (parameter: Parameter<number>, value: number): number => {
  const raw = parameter.encode(value, board).map((one) => one ?? 0);
  for (const [k, field] of parameter.fields.entries()) {
    const { min, max } = range(field);
    const one = raw[k] ?? 0;
    assert.ok(Number.isInteger(one) && one >= min && one <= max, `${one} does not fit the field`);
  }
  return parameter.decode(raw, board);
};

/** Parameters with the largest distance between neighbouring values, and what they must hold ends at. */
const LINEAR: readonly (readonly [name: string, parameter: Parameter<number>, step: number])[] = [
  ['volts', volts(at(4, { bits: 14, signed: true }), { help }), 1 / 8192],
  ['fixed unsigned', fixed(at(8, { bits: 20 }), { help, scale: 8e-9 }), 8e-9],
  ['gain', gain(at(12, { bits: 24, signed: true }), { help, scale: 1 / 4096 }), 1 / 4096],
  ['frequency of 30 bits', frequency(at(16, { bits: 30 }), { help }), 125e6 / 2 ** 30],
  ['frequency of 32 bits', frequency(at(16), { help }), 125e6 / 2 ** 32],
  ['integer', integer(at(20, { bits: 16 }), { help }), 1],
];

for (const [name, parameter, step] of LINEAR) {
  const { min = 0, max = 0 } = parameter;
  test(`${name}: a value within limits comes back within half a step (a whole one at the upper end)`, () => {
    fc.assert(
      fc.property(fc.double({ min, max, noNaN: true }), (value) => {
        const back = roundTrip(parameter, value);
        const slack = parameter.kind === 'number' && name === 'gain' ? 1 : 0.5;
        const atTheEnd = value > max - step;
        const allowed = (atTheEnd ? 1 : slack) * step * (1 + 1e-6) + Math.abs(value) * 1e-12;
        assert.ok(Math.abs(back - value) <= allowed, `${value} became ${back}`);
        const again = roundTrip(parameter, back);
        assert.ok(Math.abs(again - back) <= 1e-12 * Math.abs(back), `${back} became ${again}`);
      }),
    );
  });

  test(`${name}: the encoder holds whatever is beyond at the ends`, () => {
    const [lowest, highest] = [roundTrip(parameter, min), roundTrip(parameter, max)];
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const back = roundTrip(parameter, value);
        if (value <= min) assert.equal(back, lowest);
        if (value >= max) assert.equal(back, highest);
      }),
    );
  });
}

test('a gain that is not 0 never becomes 0', () => {
  const parameter = gain(at(12, { bits: 24, signed: true }), { help, scale: 1 / 4096 });
  assert.deepEqual(parameter.encode(1e-9, board), [1]);
  assert.deepEqual(parameter.encode(-1e-9, board), [-1]);
  assert.deepEqual(parameter.encode(0, board), [0]);
});

test('phase: any angle becomes one turn, inverted or not', () => {
  for (const inverted of [false, true]) {
    const parameter = phase(at(16, { bits: 30 }), { help, inverted });
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (degrees) => {
        const back = roundTrip(parameter, degrees);
        assert.ok(back >= 0 && back < 360);
        const difference = (((back - degrees) % 360) + 540) % 360;
        assert.ok(Math.abs(difference - 180) <= 0.5 * (360 / 2 ** 30) + 1e-9, `${degrees} became ${back}`);
      }),
    );
  }
});

test('frequency: the correction of the clock is undone when reading', () => {
  const parameter = frequency(at(16, { bits: 30 }), { help });
  const corrected = { ...NOMINAL_BOARD, frequencyCorrection: 1.0001 };
  const raw = parameter.encode(1e6, corrected).map((one) => one ?? 0);
  assert.notDeepEqual(raw, parameter.encode(1e6, board));
  assert.ok(Math.abs(parameter.decode(raw, corrected) - 1e6) < 0.06);
});

test('numbers: out of limits, not finite and not a number are refused with what is allowed', () => {
  const parameter = volts(at(4, { bits: 14, signed: true }), { help });
  assert.equal(parameter.accept(0.5, refuse), 0.5);
  assert.ok(Object.is(parameter.accept(-0, refuse), 0));
  assert.throws(() => parameter.accept(1.001, refuse), /must be from -1 to 1 V, not 1.001/);
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '0.5', null, undefined, [0.5], {}, true, 1n]) {
    assert.throws(() => parameter.accept(wrong, refuse), /must be a (finite )?number, not /);
  }
  assert.throws(() => integer(at(20, { bits: 16 }), { help }).accept(1.5, refuse), /must be a whole number, not 1.5/);
});

test('bool takes true, false, 0 and 1', () => {
  const parameter = bool(at(24, { bits: 1 }), { help, inverted: true });
  assert.equal(parameter.accept(1, refuse), true);
  assert.equal(parameter.accept(false, refuse), false);
  assert.deepEqual(parameter.encode(true, board), [0]);
  assert.equal(parameter.decode([0], board), true);
  for (const wrong of [2, 'true', null, []]) assert.throws(() => parameter.accept(wrong, refuse), /true or false/);
});

test('choices are refused with all that could be chosen, and the nearest', () => {
  const parameter = choice(at(28, { bits: 2 }), { off: 0, out1: 1, out2: 2, both: 3 }, { help });
  assert.equal(parameter.accept('both', refuse), 'both');
  assert.throws(
    () => parameter.accept('otu1', refuse),
    /one of off, out1, out2, both, not "otu1" \(did you mean out1\?\)/,
  );
  for (const wrong of [1, null, ['off'], '__proto__', 'constructor']) {
    assert.throws(() => parameter.accept(wrong, refuse), /must be one of/);
  }
  const factor = oneOf(at(32, { bits: 17 }), powersOfTwo(0, 16), { help });
  assert.deepEqual(factor.choices?.length, 17);
  assert.equal(factor.accept(64, refuse), 64);
  assert.throws(() => factor.accept(3, refuse), /must be one of 1, 2, 4/);
  assert.equal(factor.decode([0], board), 1, '0 acts as 1');
});

test('long numbers use both words', () => {
  const parameter = longInteger(at(36), at(40), { help });
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      assert.equal(roundTrip(parameter, value), value);
    }),
  );
});

test('a counter read across an overflow of its low word is right', () => {
  const parameter = counter(at(36, { access: 'r' }), at(40, { access: 'r' }), { help });
  assert.equal(parameter.decode([7, 0xffff_ffff, 7], board), 7 * 2 ** 32 + 0xffff_ffff);
  assert.equal(parameter.decode([7, 0xffff_fff0, 8], board), 7 * 2 ** 32 + 0xffff_fff0);
  assert.equal(parameter.decode([7, 0x10, 8], board), 8 * 2 ** 32 + 0x10);
  assert.ok(parameter.readonly && parameter.volatile);
});

test('a derived value sets its origin’s register', () => {
  const origin = oneOf(at(32, { bits: 17 }), powersOfTwo(0, 16), { help });
  const twice = derived(origin, {
    help,
    unit: 's',
    min: 2,
    max: 131072,
    toOrigin: (s) => s / 2,
    fromOrigin: (n) => 2 * n,
  });
  assert.deepEqual(twice.encode(128, board), [64]);
  assert.equal(twice.decode([64], board), 128);
  assert.equal(twice.fields[0], origin.fields[0]);
});

test('filters: every list becomes the nearest corners, stage by stage, and stays there', () => {
  const parameter = filter(at(0x120), { help, stages: 4, lowest: 24 });
  const limit = parameter.max ?? 0;
  fc.assert(
    fc.property(fc.array(fc.double({ min: -limit, max: limit, noNaN: true }), { maxLength: 4 }), (list) => {
      const accepted = parameter.accept(list, refuse);
      const raw = parameter.encode(accepted, board).map((one) => one ?? 0);
      const back = parameter.decode(raw, board);
      assert.equal(back.length, 4);
      assert.deepEqual(parameter.encode(back, board), raw);
    }),
  );
  assert.deepEqual(parameter.accept(1000, refuse), [1000, 0, 0, 0]);
  assert.throws(() => parameter.accept([1, 2, 3, 4, 5], refuse), /at most 4/);
  assert.throws(() => parameter.accept([1, Number.NaN], refuse), /finite/);
  assert.deepEqual(parameter.limits?.(board, {}), { min: -limit, max: limit }, 'which the driver checks');
  assert.ok(Number.isFinite(parameter.decode([0xbfbf_bfbf], board)[0]), 'bytes that nobody should write are readable');
});

test.run();
