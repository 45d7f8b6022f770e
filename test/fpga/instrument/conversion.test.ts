/** Both ways of making samples of words, against their definition. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { plainMemory, sampleMemory } from '../../../src/fpga/instrument/conversion.ts';
import { signedCounts } from '../../../src/fpga/volts.ts';

const SIZE = 16384;
const PIECE = 80;
const ways = { 'with vectors, where there are any': sampleMemory, plain: plainMemory };

for (const [name, memoryOf] of Object.entries(ways)) {
  test(`${name}: every word there is, whatever its upper bits`, () => {
    const { words, counts, volts, convert } = memoryOf(SIZE, SIZE);
    for (const [gain, offset] of [
      [1 / 8192, 0],
      [-1.2345e-4, 0.0123],
      [20 / 8192, -1e-3],
    ] as const) {
      for (let k = 0; k < SIZE; k++) words[k] = (k | (k << 14)) >>> 0;
      assert.equal(convert(0, SIZE, { gain, offset }), true);
      for (let k = 0; k < SIZE; k++) {
        const count = signedCounts(k);
        assert.equal(counts[k], count);
        assert.ok(Object.is(volts[k], count * gain + offset), `${k}: ${volts[k]}`);
      }
    }
  });

  test(`${name}: any number of them, anywhere, and nothing before; clipped is what is at an end of the range`, () => {
    const { words, counts, volts, convert } = memoryOf(PIECE, PIECE);
    const word = fc.oneof(fc.nat(0x3fff), fc.constantFrom(0x1ffe, 0x2001, 0));
    const end = fc.option(fc.constantFrom(0x1fff, 0x2000), { nil: undefined });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 70 }), end, fc.nat(69), fc.nat(10), (list, clip, place, from) => {
        const values = list.map((one) => (one === 0x1fff || one === 0x2000 ? 0 : one));
        if (clip !== undefined && values.length > 0) values[place % values.length] = clip;
        // What was there before is at an end of the range.
        words.fill(0x1fff);
        words.set(values);
        counts.fill(77);
        volts.fill(77);
        assert.equal(convert(from, values.length, { gain: 0.5, offset: 1 }), clip !== undefined && values.length > 0);
        const expected = values.map(signedCounts);
        assert.deepEqual([...counts.subarray(from, from + values.length)], expected);
        assert.deepEqual(
          [...volts.subarray(from, from + values.length)],
          expected.map((count) => count * 0.5 + 1),
        );
        for (const array of [counts, volts]) {
          for (let k = 0; k < from; k++) assert.equal(array[k], 77);
          for (let k = from + values.length + 7; k < PIECE; k++) assert.equal(array[k], 77);
        }
      }),
    );
  });

  test(`${name}: piece after piece, to the very end`, () => {
    const { words, counts, volts, convert } = memoryOf(50, 20);
    const all = Array.from({ length: 50 }, (_, k) => 1 + 31 * k);
    for (const [from, count] of [
      [0, 20],
      [20, 11],
      [31, 19],
    ] as const) {
      words.set(all.slice(from, from + count));
      assert.equal(convert(from, count, { gain: 2, offset: 0 }), false);
    }
    assert.deepEqual([...counts], all);
    assert.deepEqual(
      [...volts],
      all.map((one) => 2 * one),
    );
  });

  test(`${name}: counts alone`, () => {
    const { words, counts, convert } = memoryOf(3, 3);
    words.set([1, 0x3fff, 0x2001]);
    assert.equal(convert(0, 3), false);
    assert.deepEqual([...counts], [1, -1, -8191]);
  });
}

test.run();
