import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { toFloats } from '../../../src/server/wire/dtype.ts';
import { encode } from '../../../src/server/wire/encode.ts';
import { evenlySpaced, scaled } from '../../../src/server/wire/trace-arrays.ts';
import { str, type WireValue } from '../../../src/server/wire/values.ts';

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

test('any number of counts, from anywhere on', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -8192, max: 8191 }), { minLength: 1, maxLength: 70 }),
      fc.nat(69),
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.double({ min: -1, max: 1, noNaN: true }),
      (values, from, gain, offset) => {
        const start = from % values.length;
        const out = new Float64Array(values.length - start);
        scaled(Int16Array.from(values), gain, offset).fill(out, start);
        assert.deepEqual(
          out,
          Float64Array.from(values.slice(start), (count) => count * gain + offset),
        );
      },
    ),
  );
});

test('a message in memory that is used again is the message in fresh memory, whatever was there', () => {
  const long = 3000;
  const axes = [evenlySpaced(0, 1e-6, long), evenlySpaced(0, 1e-6, long), evenlySpaced(5, 2e-6, long)];
  const memory = Buffer.alloc(200_000).buffer;
  const part = fc.oneof(
    fc.record({ axis: fc.nat(2) }),
    fc.record({ counts: fc.nat(1000), length: fc.constantFrom(1, 7, long) }),
    fc.record({ text: fc.string({ maxLength: 20 }) }),
  );
  const wire = (one: { axis: number } | { counts: number; length: number } | { text: string }): WireValue => {
    if ('axis' in one) return axes[one.axis] ?? str('');
    if ('text' in one) return str(one.text);
    return scaled(new Int16Array(one.length).fill(one.counts), 0.5, 1);
  };
  fc.assert(
    fc.property(
      fc.array(fc.array(part, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 6 }),
      (messages) => {
        for (const message of messages) {
          const objects = message.map(wire);
          const reused = encode('v5', objects, (size) => Buffer.from(memory, 0, size));
          assert.ok(Buffer.from(encode('v5', objects)).equals(reused));
        }
      },
    ),
  );
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
