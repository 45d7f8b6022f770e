/** Loops in WebAssembly against their definition, and against the same in JavaScript. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { cutInto, goRound, PIECE, pieceOfSamples } from '../../../../src/fpga/bus/simulator/loops.ts';

const POINTS = 16384;
const FULL_TURN = 2 ** 30;
const tables = [3, 5, 7, 11, 13].map((factor) =>
  Int32Array.from({ length: POINTS }, (_, k) => ((k * factor) % POINTS) - 8192),
);

test('a pointer goes round the table, whichever table was the last, and wherever its values go', () => {
  const pointer = fc.nat(FULL_TURN - 1);
  fc.assert(
    fc.property(
      fc.nat(tables.length - 1),
      pointer,
      pointer,
      fc.integer({ min: 1, max: 300 }),
      (which, at, step, count) => {
        const table = tables[which] as Int32Array;
        const expected = Array.from(
          { length: count },
          (_, k) => table[Number((BigInt(at) + BigInt(step) * BigInt(k)) % BigInt(FULL_TURN)) >> 16],
        );
        for (const out of [pieceOfSamples(), new Int32Array(count + 1), pieceOfSamples().subarray(7)]) {
          out[count] = 77;
          goRound(table, out, at, step, count);
          assert.deepEqual([...out.subarray(0, count)], expected);
          assert.equal(out[count], 77);
        }
      },
    ),
  );
});

test('samples get into a ring with the bits that it has, and no others do', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 40 }), fc.nat(20), (samples, index) => {
      const ring = new Uint32Array(64).fill(77);
      pieceOfSamples().fill(1).set(samples);
      cutInto(ring, index, samples.length);
      const inside = samples.map((sample) => sample & 0x3fff);
      const after = new Array(64 - index - samples.length).fill(77);
      assert.deepEqual([...ring], [...new Array(index).fill(77), ...inside, ...after]);
    }),
  );
  const ring = new Uint32Array(PIECE);
  pieceOfSamples().fill(-1);
  cutInto(ring, 0, PIECE);
  assert.ok(ring.every((word) => word === 0x3fff));
});

test.run();
