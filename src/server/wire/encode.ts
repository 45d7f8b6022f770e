/**
 * Objects to bytes, in the two grammars of PyMoDAQ, byte for byte what its own serialisers send. Several objects give
 * one buffer, so that a word and its payload leave in one write.
 *
 * Large arrays are not copied: a message comes in parts, some of which are the arrays' own memory (writer.ts).
 */

import { LENGTH_LIMIT, UnsendableError } from './elements.ts';
import { bareV4 } from './encode-v4.ts';
import { messageV5 } from './encode-v5.ts';
import type { Form, WireValue } from './values.ts';
import { Writer } from './writer.ts';

/** One for all: it is empty again before an encode returns. */
const writer = new Writer();

/**
 * `objects` one after the other, in the form of PyMoDAQ 4: no tag and no length at top level.
 * @throws UnsendableError for None, tuples, dicts, numpy bools, and the rest that PyMoDAQ 4 cannot send.
 */
export function encodeV4(...objects: readonly WireValue[]): Uint8Array {
  return encode('v4', objects);
}

/**
 * `objects` one after the other, in the form of PyMoDAQ 5: each with its length, each tagged.
 * @throws UnsendableError for what contradicts itself.
 */
export function encodeV5(...objects: readonly WireValue[]): Uint8Array {
  return encode('v5', objects);
}

/**
 * `objects` one after the other.
 * @throws UnsendableError
 */
export function encode(form: Form, objects: readonly WireValue[]): Uint8Array {
  const parts = encodeParts(form, objects);
  const [only] = parts;
  return only && parts.length === 1 ? only : Buffer.concat(parts);
}

/**
 * As `encode`, in parts to be sent one after the other: large arrays are parts of their own, in the memory in which they
 * are, which must not change until the parts have left.
 * @throws UnsendableError
 */
export function encodeParts(form: Form, objects: readonly WireValue[]): readonly Uint8Array[] {
  try {
    for (const object of objects) {
      if (form === 'v4') bareV4(writer, object, 0);
      else messageV5(writer, object);
    }
    if (writer.length > LENGTH_LIMIT) {
      throw new UnsendableError(`a message of ${writer.length} bytes has no length field`);
    }
    return writer.finish();
  } finally {
    writer.clear();
  }
}
