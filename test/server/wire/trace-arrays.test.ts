import assert from 'node:assert/strict';
import { test } from 'uvu';
import { toFloats } from '../../../src/server/wire/dtype.ts';
import { evenlySpaced } from '../../../src/server/wire/trace-arrays.ts';

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
