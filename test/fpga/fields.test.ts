import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import {
  block,
  extract,
  type Field,
  insert,
  mask,
  overlap,
  range,
  roundHalfEven,
  saturate,
} from '../../src/fpga/fields.ts';

const at = block(0x4010_0000);

const fields: fc.Arbitrary<Field> = fc
  .tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 1, max: 32 }), fc.boolean())
  .filter(([shift, bits]) => shift + bits <= 32)
  .map(([shift, bits, signed]) => at(0, { shift, bits, signed }));
const words = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test('what is inserted is extracted, and the other bits stay', () => {
  fc.assert(
    fc.property(fields, words, words, (field, word, raw) => {
      const { min, max } = range(field);
      const value = min + (raw % (max - min + 1));
      const after = insert(word, field, value);
      assert.ok(after >= 0 && after < 2 ** 32);
      // 32 bits signed are nowhere in use; unsigned they are their own value.
      if (!(field.signed && field.bits === 32)) assert.equal(extract(after, field), value);
      assert.equal((after & ~mask(field)) >>> 0, (word & ~mask(field)) >>> 0);
    }),
  );
});

test('rounds halves to the even neighbour, as Python does', () => {
  const cases: [number, number][] = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [2.4, 2],
    [-2.6, -3],
  ];
  for (const [value, rounded] of cases) assert.equal(roundHalfEven(value) + 0, rounded);
});

test('holds values at the ends of the field', () => {
  const field = at(8, { bits: 14, signed: true });
  assert.equal(saturate(8192, field), 8191);
  assert.equal(saturate(Number.POSITIVE_INFINITY, field), 8191);
  assert.equal(saturate(-1e9, field), -8192);
  assert.equal(saturate(-5, at(8, { bits: 14 })), 0);
});

test('knows which fields claim the same bits', () => {
  const low = at(4, { bits: 8 });
  assert.ok(overlap(low, at(4, { bits: 2, shift: 7 })));
  assert.ok(!overlap(low, at(4, { bits: 2, shift: 8 })));
  assert.ok(!overlap(low, at(8, { bits: 8 })));
  assert.ok(!overlap(low, low), 'one field may serve several parameters');
  assert.ok(!overlap(at(0, { bits: 1, access: 'command' }), at(0, { bits: 1, access: 'r' })));
  assert.ok(overlap(at(0, { bits: 1, access: 'rw' }), at(0, { bits: 1, access: 'r' })));
});

test('no field is where no register can be', () => {
  assert.throws(() => at(2));
  assert.throws(() => at(0, { bits: 20, shift: 13 }));
  assert.throws(() => at(0, { bits: 0 }));
  assert.throws(() => block(0x4080_0000)(0));
  assert.throws(() => block(0)(0));
});

test.run();
