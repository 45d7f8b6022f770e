import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { createDecoder } from '../../../src/server/wire/decode.ts';
import { UnsendableError } from '../../../src/server/wire/elements.ts';
import { encode } from '../../../src/server/wire/encode.ts';
import { fromNotation } from '../../../src/server/wire/notation/from-notation.ts';
import { NotationError, toLine } from '../../../src/server/wire/notation/notation.ts';
import { toNotation } from '../../../src/server/wire/notation/to-notation.ts';
import { kindOf, type Vector, vectors } from './vectors.ts';

const all = [...vectors('v4'), ...vectors('v5')];
const sendable = all.filter((each): each is Vector & { hex: string } => each.hex !== null);

/** Feeds the pieces to a decoder and gives the notation of what comes out, through its text. */
function decodePieces(vector: Vector, pieces: Iterable<Uint8Array>): unknown[] {
  const decoder = createDecoder(vector.form);
  const found: unknown[] = [];
  for (const piece of pieces) {
    decoder.push(piece);
    for (;;) {
      const expected = vector.sent[found.length];
      const value = expected && decoder.next(kindOf(expected));
      if (!value) break;
      found.push(JSON.parse(toLine(toNotation(value, vector.form))));
    }
  }
  assert.equal(decoder.waiting, 0);
  return found;
}

/** Bytes say nothing of a numpy float that is a Python float as well. */
function expected(vector: Vector): readonly unknown[] {
  return vector.name === 'np-float64' ? vector.rebuilt : vector.sent;
}

test('there are all vectors: 125 of each form, and what 5.3.8 sends differently', () => {
  assert.equal(vectors('v4').length, 125);
  assert.equal(vectors('v5').length, 125 + 9);
});

for (const vector of sendable) {
  const bytes = Buffer.from(vector.hex, 'hex');
  test(`${vector.form} ${vector.name}`, () => {
    const objects = vector.sent.map((each) => fromNotation(each, vector.form));
    assert.equal(Buffer.from(encode(vector.form, objects)).toString('hex'), vector.hex);
    assert.deepEqual(decodePieces(vector, [bytes]), expected(vector));
    assert.deepEqual(
      decodePieces(
        vector,
        Array.from(bytes, (byte) => Uint8Array.of(byte)),
      ),
      expected(vector),
    );
  });
}

test('pieces may be cut anywhere', () => {
  fc.assert(
    fc.property(fc.constantFrom(...sendable), fc.array(fc.nat(2000), { maxLength: 12 }), (vector, cuts) => {
      const bytes = Buffer.from(vector.hex, 'hex');
      const ends = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const pieces = ends.slice(1).map((end, k) => bytes.subarray(ends[k], end));
      assert.deepEqual(decodePieces(vector, pieces), expected(vector));
    }),
    { numRuns: 500 },
  );
});

test('what the stock reader makes of the bytes is what we make of them', () => {
  let compared = 0;
  for (const vector of sendable) {
    // A 0-d array comes back with shape (1,); bytes and xml depend on the method that the reader calls; uint64 stays numpy's.
    if (/^(nd-0d|bytes-2|param.*|msg-handshake|msg-info-xml|msg-set-info|int-uint64)/.test(vector.name)) continue;
    if (vector.rebuilt.length === 0) continue;
    const found = decodePieces(vector, [Buffer.from(vector.hex, 'hex')]) as { type: string; value?: unknown }[];
    // Small floats and ints come back as Python's.
    const plain = found.map((each) => ({ ...each, type: each.type.replace(/^numpy\.(float|int)[0-9]+$/, '$1') }));
    assert.deepEqual(plain, vector.rebuilt, vector.name);
    compared++;
  }
  assert.ok(compared > 200);
});

test('what PyMoDAQ cannot send is refused', () => {
  const refused = all.filter((each) => each.hex === null);
  for (const vector of refused) {
    assert.throws(
      () =>
        encode(
          vector.form,
          vector.sent.map((each) => fromNotation(each, vector.form)),
        ),
      (error) => error instanceof UnsendableError || error instanceof NotationError,
      `${vector.form} ${vector.name}`,
    );
  }
  assert.equal(refused.length, 10 + 4);
});

test.run();
