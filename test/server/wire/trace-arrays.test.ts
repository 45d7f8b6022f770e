import assert from 'node:assert/strict';
import { test } from 'uvu';
import { toFloats } from '../../../src/server/wire/dtype.ts';
import { evenlySpaced, scaled } from '../../../src/server/wire/trace-arrays.ts';

test('volts are counts times gain plus offset, in whatever pieces', () => {
  const values = [-8192, -1, 0, 1, 8191];
  for (const counts of [Int16Array.from(values), Float64Array.from([...values, 0.25])]) {
    const array = scaled(counts, 1 / 8192, 0.5);
    assert.deepEqual(array.shape, [counts.length]);
    const whole = new Float64Array(counts.length);
    array.fill(whole, 0);
    assert.deepEqual(
      whole,
      Float64Array.from(counts, (count) => count / 8192 + 0.5),
    );
    const end = new Float64Array(2);
    array.fill(end, 3);
    assert.deepEqual(end, whole.slice(3, 5));
  }
});

test('the time axis has the values asked for, remembered or not', () => {
  const expected = Float64Array.from({ length: 100 }, (_, k) => -1e-4 + k * 8e-9);
  const first = evenlySpaced(-1e-4, 8e-9, 100);
  assert.deepEqual(toFloats(first), expected);
  assert.equal(evenlySpaced(-1e-4, 8e-9, 100), first);
  for (let k = 0; k < 10; k++) {
    const other = evenlySpaced(k, 1, 3);
    assert.deepEqual(toFloats(other), Float64Array.of(k, k + 1, k + 2));
    assert.notEqual(evenlySpaced(-1e-4, 16e-9, 100), first);
    assert.equal(evenlySpaced(-1e-4, 8e-9, 99).shape[0], 99);
  }
  assert.deepEqual(toFloats(evenlySpaced(-1e-4, 8e-9, 100)), expected);
});

test.run();
