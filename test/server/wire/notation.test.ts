import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { UnsendableError } from '../../../src/server/wire/elements.ts';
import { encode } from '../../../src/server/wire/encode.ts';
import { fromNotation } from '../../../src/server/wire/notation/from-notation.ts';
import { NotationError, toLine } from '../../../src/server/wire/notation/notation.ts';
import { toNotation } from '../../../src/server/wire/notation/to-notation.ts';
import { floats, type WireValue } from '../../../src/server/wire/values.ts';
import { wireValue } from './arbitrary.ts';
import { vectors } from './vectors.ts';

function line(value: WireValue, form: 'v4' | 'v5'): string {
  return toLine(toNotation(value, form));
}

test('the notation of any object is that of the object made from it', () => {
  for (const form of ['v4', 'v5'] as const) {
    fc.assert(
      fc.property(wireValue(form), ({ value }) => {
        const text = line(value, form);
        assert.ok(!text.includes('\n'));
        assert.equal(line(fromNotation(JSON.parse(text), form), form), text);
      }),
      { numRuns: 300 },
    );
  }
});

test('numbers that JSON lacks', () => {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324];
  assert.match(line(floats(special), 'v5'), /"data": \["NaN", "Infinity", "-Infinity", -0\.0, 5e-324\]/);
  assert.deepEqual(fromNotation(JSON.parse(line(floats(special), 'v5')), 'v5'), floats(special));
  const big: WireValue = { type: 'int', value: 2n ** 63n };
  assert.equal(line(big, 'v4'), '{"type": "int", "value": "9223372036854775808"}');
  assert.deepEqual(fromNotation(JSON.parse(line(big, 'v4')), 'v4'), big);
});

test('an empty array with many rows is not unrolled', () => {
  const array: WireValue = { type: 'ndarray', dtype: '<f8', shape: [2 ** 31, 0], bytes: new Uint8Array() };
  assert.throws(() => line(array, 'v4'), NotationError);
});

test('an axis without values, with one, and of text', () => {
  const axis = (values: WireValue & { type: 'ndarray' }): string =>
    line({ type: 'Axis', label: 't', units: 's', values, index: 0, spreadOrder: 0 }, 'v5');
  assert.match(axis(floats([])), /"held_as": "array"/);
  assert.match(axis(floats([3])), /"held_as": "linear", "scaling": 1, "offset": 3, "size": 1/);
  assert.match(axis(floats([1, Number.NaN, 3])), /"held_as": "array"/);
  assert.match(
    axis({ type: 'ndarray', dtype: '<U1', shape: [1], bytes: Uint8Array.of(97, 0, 0, 0) }),
    /"array".*\["a"\]/,
  );
});

test('JSON that is not the notation is refused with a sentence', () => {
  for (const [json, sentence] of [
    [null, /an object is written as/],
    [[], /an object is written as/],
    [{ type: 'str' }, /a str lacks "value"/],
    [{ type: 'str', value: 1 }, /"value" of a str must be a string/],
    [{ type: 'no such' }, /no type "no such"/],
    [{ type: 'constructor' }, /no type "constructor"/],
    [{ type: 'int', value: 1.5 }, /whole number/],
    [{ type: 'int', value: 1e17 }, /decimal string/],
    [{ type: 'float', value: 'x' }, /NaN, Infinity/],
    [{ type: 'bytes', hex: 'abc' }, /hexadecimal/],
    [{ type: 'numpy.float64', value: 1 }, /PyMoDAQ 5 cannot send a numpy.float64/],
    [{ type: 'ndarray', dtype: '|O', shape: [1], data: [1] }, /dtype "\|O" cannot be sent/],
    [{ type: 'ndarray', dtype: '<f8', shape: [2], data: [1] }, /nested as its shape \(2\) says/],
    [{ type: 'ndarray', dtype: '<i2', shape: [1], data: [40000] }, /40000 does not fit dtype <i2/],
    [{ type: 'ndarray', dtype: '<U1', shape: [1], data: ['ab'] }, /"ab" does not fit/],
    [{ type: 'ndarray', dtype: '<f8', shape: Array(100).fill(1), data: [] }, /at most 16 dimensions/],
    [{ type: 'dict', items: [[1]] }, /\[key, value\] pairs/],
    [{ type: 'list', items: { 0: 1 } }, /must be a list/],
  ] as const) {
    assert.throws(
      () => fromNotation(json, 'v5'),
      (error) => error instanceof NotationError && sentence.test(error.message),
      JSON.stringify(json),
    );
  }
  let deep: unknown = { type: 'list', items: [] };
  for (let k = 0; k < 100_000; k++) deep = { type: 'list', items: [deep] };
  assert.throws(() => fromNotation(deep, 'v5'), NotationError);
});

test('mutated notation: an object or a NotationError', () => {
  const described = [...vectors('v4'), ...vectors('v5')].flatMap(({ form, sent }) =>
    sent.map((json) => ({ form, json })),
  );
  fc.assert(
    fc.property(fc.constantFrom(...described), fc.nat(), fc.jsonValue(), ({ form, json }, place, instead) => {
      // One of the values within, in the order in which they are met, is replaced.
      let total = 0;
      JSON.parse(JSON.stringify(json), (_, each) => {
        total++;
        return each;
      });
      let count = 0;
      const mutated = JSON.parse(JSON.stringify(json), (_, each) => (count++ === place % total ? instead : each));
      try {
        encode(form, [fromNotation(mutated, form)]);
      } catch (error) {
        if (!(error instanceof NotationError || error instanceof UnsendableError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test.run();
