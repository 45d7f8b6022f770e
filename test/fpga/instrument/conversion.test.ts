/** Both ways of making samples of words, against their definition. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { converter, plainConverter } from '../../../src/fpga/instrument/conversion.ts';
import { signedCounts } from '../../../src/fpga/volts.ts';

const SIZE = 16384;
const ways = { converter: converter(SIZE), plain: plainConverter(SIZE) };

for (const [name, { words, convert }] of Object.entries(ways)) {
  test(`${name}: every word there is, whatever its upper bits`, () => {
    const counts = new Int16Array(SIZE);
    const volts = new Float64Array(SIZE);
    for (const [gain, offset] of [
      [1 / 8192, 0],
      [-1.2345e-4, 0.0123],
      [20 / 8192, -1e-3],
    ] as const) {
      for (let k = 0; k < SIZE; k++) words[k] = (k | (k << 14)) >>> 0;
      assert.equal(convert(counts, { gain, offset }, volts), true);
      for (let k = 0; k < SIZE; k++) {
        const count = signedCounts(k);
        assert.equal(counts[k], count);
        assert.ok(Object.is(volts[k], count * gain + offset), `${k}: ${volts[k]}`);
      }
    }
  });

  test(`${name}: any number of them, and nothing beyond; clipped is what is at an end of the range`, () => {
    const word = fc.oneof(fc.nat(0x3fff), fc.constantFrom(0x1ffe, 0x2001, 0));
    const end = fc.option(fc.constantFrom(0x1fff, 0x2000), { nil: undefined });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 70 }), end, fc.nat(69), fc.nat(3), (list, clip, place, from) => {
        const values = list.map((one) => (one === 0x1fff || one === 0x2000 ? 0 : one));
        if (clip !== undefined && values.length > 0) values[place % values.length] = clip;
        // What was there before is at an end of the range.
        words.fill(0x1fff, 0, 80);
        words.set(values);
        const counts = new Int16Array(80).fill(77);
        const volts = new Float64Array(80).fill(77);
        const piece = counts.subarray(from, from + values.length);
        const clipped = convert(piece, { gain: 0.5, offset: 1 }, volts.subarray(from, from + values.length));
        assert.equal(clipped, clip !== undefined && values.length > 0);
        const expected = values.map(signedCounts);
        assert.deepEqual([...piece], expected);
        assert.deepEqual(
          [...volts.subarray(from, from + values.length)],
          expected.map((count) => count * 0.5 + 1),
        );
        for (const array of [counts, volts]) {
          for (let k = 0; k < 80; k++) if (k < from || k >= from + values.length) assert.equal(array[k], 77);
        }
      }),
    );
  });

  test(`${name}: counts alone`, () => {
    words.set([1, 0x3fff, 0x2001]);
    const counts = new Int16Array(3);
    assert.equal(convert(counts), false);
    assert.deepEqual([...counts], [1, -1, -8191]);
  });
}

test.run();
