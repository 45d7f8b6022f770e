import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { ProtocolError } from '../../../src/errors.ts';
import { createDecoder, type Decoder } from '../../../src/server/wire/decode.ts';
import { encode, encodeV4, encodeV5 } from '../../../src/server/wire/encode.ts';
import { defaultLimits } from '../../../src/server/wire/limits.ts';
import { type Form, type Kind, kinds, list, str, toPlain, type WireValue } from '../../../src/server/wire/values.ts';
import { wireValue } from './arbitrary.ts';
import { kindOf, vectors } from './vectors.ts';

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string | Buffer): Buffer {
  return Buffer.concat([u32(value.length), Buffer.from(value)]);
}

/** A v5 message of these parts, with its length. */
function message(...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(body.length), body]);
}

function refused(decoder: Decoder, kind: Kind, sentence: RegExp, inStep: boolean): void {
  assert.throws(
    () => decoder.next(kind),
    (error) => {
      assert.ok(error instanceof ProtocolError, String(error));
      assert.match(error.message, sentence);
      assert.equal(error.inStep, inStep, error.message);
      return true;
    },
  );
}

/** After an error in step the next message is read as if nothing had been. */
function goesOn(decoder: Decoder): void {
  decoder.push(encode(decoder.form, [str('ping')]));
  assert.deepEqual(decoder.next('string'), str('ping'));
  assert.equal(decoder.waiting, 0);
}

function brokenForGood(decoder: Decoder): void {
  decoder.push(encode(decoder.form, [str('ping')]));
  assert.equal(decoder.waiting, 0);
  assert.throws(() => decoder.next('string'), ProtocolError);
}

test('v5: a length of 4 GB is refused at once, from its four bytes', () => {
  const decoder = createDecoder('v5');
  decoder.push(u32(0xffff_ffff));
  refused(decoder, 'string', /4294967295 bytes; at most 8388608/, false);
  brokenForGood(decoder);
});

test('v4: a length of 4 GB is refused at once, of every kind of object', () => {
  const lengths: Record<Kind, Buffer> = {
    string: u32(0xffff_ffff),
    bytes: u32(0xffff_ffff),
    scalar: Buffer.concat([text('<f8'), u32(0xffff_ffff)]),
    array: Buffer.concat([text('<f8'), u32(0xffff_ffff)]),
    list: u32(0xffff_ffff),
    axis: Buffer.concat([text('Axis'), u32(0xffff_ffff)]),
    dwa: u32(0xffff_ffff),
    dte: Buffer.concat([text('DataToExport'), text('<f8'), u32(0xffff_ffff)]),
    parameter: u32(0xffff_ffff),
  };
  for (const kind of kinds) {
    const decoder = createDecoder('v4');
    decoder.push(lengths[kind]);
    refused(decoder, kind, /4294967295 (bytes|items); at most/, false);
    brokenForGood(decoder);
  }
});

test('v5: a string longer than allowed is skipped', () => {
  const decoder = createDecoder('v5', { textBytes: 100 });
  decoder.push(encodeV5(str('x'.repeat(100)), str('x'.repeat(101))));
  assert.deepEqual(decoder.next('string'), str('x'.repeat(100)));
  refused(decoder, 'string', /a string of 101 bytes; at most 100/, true);
  goesOn(decoder);
});

test('v4: the whole message is bounded, not only its parts', () => {
  const decoder = createDecoder('v4', { messageBytes: 1000 });
  decoder.push(encodeV4(list([str('x'.repeat(600)), str('x'.repeat(600))])));
  refused(decoder, 'list', /more than 1000 bytes/, false);
});

test('10,000 nested lists are refused', () => {
  let v4: Buffer = u32(0);
  let v5: Buffer = Buffer.concat([text('list'), u32(0)]);
  for (let k = 0; k < 10_000; k++) {
    v4 = Buffer.concat([u32(1), text('list'), v4]);
    v5 = Buffer.concat([text('list'), u32(1), v5]);
  }
  const four = createDecoder('v4');
  four.push(v4);
  refused(four, 'list', /more than 32 containers in each other/, false);
  const five = createDecoder('v5');
  five.push(message(v5));
  refused(five, 'list', /more than 32 containers in each other/, true);
  goesOn(five);
});

test('lists may be 32 deep, and what is encoded can be decoded', () => {
  for (const form of ['v4', 'v5'] as const) {
    let nested: WireValue = list([]);
    for (let k = 0; k < 31; k++) nested = list([nested]);
    const decoder = createDecoder(form);
    decoder.push(encode(form, [nested]));
    assert.deepEqual(decoder.next('list'), nested);
  }
});

test('too many items, and too many objects, are refused', () => {
  for (const form of ['v4', 'v5'] as const) {
    const many = createDecoder(form, { items: 9 });
    many.push(encode(form, [list(Array.from({ length: 10 }, () => str('')))]));
    refused(many, 'list', /a list of 10 items; at most 9/, form === 'v5');
    const spread = createDecoder(form, { objects: 20 });
    const five = list(Array.from({ length: 5 }, () => str('')));
    spread.push(encode(form, [list([five, five, five, five])]));
    refused(spread, 'list', /more than 20 objects in one message/, form === 'v5');
  }
});

test('v5: a count that cannot fit is refused before anything is made of it', () => {
  const decoder = createDecoder('v5');
  decoder.push(message(text('list'), u32(16_000)));
  refused(decoder, 'list', /16000 items does not fit into the message/, true);
  goesOn(decoder);
});

test('invalid UTF-8 is refused, and skipped', () => {
  for (const bad of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    const four = createDecoder('v4');
    four.push(text(Buffer.from(bad)));
    refused(four, 'string', /not valid UTF-8/, true);
    goesOn(four);
    const five = createDecoder('v5');
    five.push(message(text('str'), text(Buffer.from(bad))));
    refused(five, 'string', /not valid UTF-8/, true);
    goesOn(five);
  }
});

test('a byte order mark is text like any other', () => {
  for (const form of ['v4', 'v5'] as const) {
    const decoder = createDecoder(form);
    decoder.push(encode(form, [str('\ufeffa')]));
    assert.deepEqual(decoder.next('string'), str('\ufeffa'));
  }
});

test('dtypes that are not numbers or text are refused', () => {
  for (const dtype of [
    '|O',
    '|O8',
    '<M8[ns]',
    '|V8',
    '<f2',
    '<f16',
    '|f8',
    '=f8',
    'f8',
    '<i3',
    '<U0',
    '<U1025',
    '|S4',
    '',
  ]) {
    const five = createDecoder('v5');
    five.push(message(text('ndarray'), text(dtype), u32(8), u32(1), u32(1), Buffer.alloc(8)));
    refused(five, 'array', /dtype .* is not accepted/, true);
    five.push(message(text('int'), text(dtype), u32(8), Buffer.alloc(8)));
    refused(five, 'scalar', /dtype .* is not accepted/, true);
    goesOn(five);
    const four = createDecoder('v4');
    four.push(Buffer.concat([text(dtype), u32(8), u32(1), u32(1), Buffer.alloc(8)]));
    refused(four, 'array', /dtype .* is not accepted/, true);
    four.push(Buffer.concat([text(dtype), u32(8), Buffer.alloc(8)]));
    refused(four, 'scalar', /dtype .* is not accepted/, true);
    goesOn(four);
  }
});

test('big-endian numbers and arrays are what they say', () => {
  const eight = Buffer.alloc(8);
  eight.writeDoubleBE(-1.5);
  const decoder = createDecoder('v5');
  decoder.push(message(text('float'), text('>f8'), u32(8), eight));
  assert.equal(toPlain(decoder.next('scalar') ?? str('nothing')), -1.5);
  const four = createDecoder('v4');
  four.push(Buffer.concat([text('>i2'), u32(2), Buffer.from([0xff, 0xfe])]));
  assert.equal(toPlain(four.next('scalar') ?? str('nothing')), -2);
});

test('shape, dtype and length of an array must agree', () => {
  const cases: [string, number, number[]][] = [
    ['<f8', 16, [3]],
    ['<f8', 16, [2, 2]],
    ['<f8', 8, [0]],
    ['<f8', 0, []],
    ['<i2', 3, [1]],
    ['<f8', 8, [0x8000_0000, 0x8000_0000, 0x8000_0000]],
  ];
  for (const [dtype, nbytes, shape] of cases) {
    const parts = [text(dtype), u32(nbytes), u32(shape.length), ...shape.map(u32), Buffer.alloc(nbytes)];
    const five = createDecoder('v5');
    five.push(message(text('ndarray'), ...parts));
    refused(five, 'array', /an array of shape .* has \S+ bytes, not/, true);
    goesOn(five);
    const four = createDecoder('v4');
    four.push(Buffer.concat(parts));
    refused(four, 'array', /an array of shape .* has \S+ bytes, not/, true);
    goesOn(four);
  }
});

test('too many dimensions are refused', () => {
  const head = [text('<f8'), u32(8), u32(1_000_000)];
  const five = createDecoder('v5');
  five.push(message(text('ndarray'), ...head));
  refused(five, 'array', /1000000 dimensions; at most 16/, true);
  const four = createDecoder('v4');
  four.push(Buffer.concat(head));
  refused(four, 'array', /1000000 dimensions; at most 16/, false);
});

test('v5: only exact class names', () => {
  for (const name of [
    'tr',
    'nt',
    'Raw',
    'Data',
    'Str',
    'DataFromRoi',
    'object',
    '',
    'x'.repeat(33),
    '__proto__',
    'constructor',
  ]) {
    const decoder = createDecoder('v5');
    decoder.push(message(text(name), text('abc')));
    refused(decoder, 'string', /class/, true);
    goesOn(decoder);
  }
});

test('v4: only exact tags and class names', () => {
  const tag = createDecoder('v4');
  tag.push(Buffer.concat([u32(1), text('str'), text('a')]));
  refused(tag, 'list', /no tag "str"/, false);
  const [vector] = vectors('v4').filter((each) => each.name === 'raw-0d');
  const bytes = Buffer.from(String(vector?.hex), 'hex');
  bytes.write('Q', 4);
  const decoder = createDecoder('v4');
  decoder.push(bytes);
  refused(decoder, 'dwa', /the class of data is one of .*, not "QataRaw"/, true);
  goesOn(decoder);
});

test('words outside the table of values are refused', () => {
  for (const form of ['v4', 'v5'] as const) {
    const [vector] = vectors(form).filter((each) => each.name === 'raw-0d');
    for (const [from, to] of [
      ['Data0D', 'Data7D'],
      ['uniform', 'unusual'],
      ['raw', 'ram'],
    ] as const) {
      const hex = String(vector?.hex).replace(Buffer.from(from).toString('hex'), Buffer.from(to).toString('hex'));
      const decoder = createDecoder(form);
      decoder.push(Buffer.from(hex, 'hex'));
      refused(decoder, 'dwa', new RegExp(`one of .*, not "${to}"`), true);
      goesOn(decoder);
    }
  }
});

test('an index of an axis must be a whole number from 0 on', () => {
  const head = [text('Axis'), text('t'), text('s'), text('<f8'), u32(0), u32(1), u32(0)];
  const zero = Buffer.concat([text('<i8'), u32(8), Buffer.alloc(8)]);
  for (const index of [
    Buffer.concat([text('<f8'), u32(8), Buffer.alloc(8)]),
    Buffer.concat([text('<i8'), u32(8), Buffer.alloc(8, 0xff)]),
  ]) {
    const decoder = createDecoder('v4');
    decoder.push(Buffer.concat([...head, index, zero]));
    refused(decoder, 'axis', /the index of an axis (must be an integer|cannot be -1)/, true);
    goesOn(decoder);
  }
});

test('v5: a dict with one key twice, and with a key that Python cannot have, is refused', () => {
  const one = Buffer.concat([text('str'), text('a')]);
  const twice = createDecoder('v5');
  twice.push(message(text('dict'), text('list'), u32(2), one, one, one, one));
  refused(twice, 'string', /two keys "a"/, true);
  twice.push(message(text('dict'), text('list'), u32(1), text('list'), u32(0), one));
  refused(twice, 'string', /the key of a dict cannot be a list/, true);
  goesOn(twice);
});

test('v5: a key "__proto__" is a key', () => {
  const decoder = createDecoder('v5');
  const dict: WireValue = {
    type: 'dict',
    items: [[str('__proto__'), { type: 'dict', items: [[str('x'), str('y')]] }]],
  };
  decoder.push(encodeV5(dict));
  const plain = toPlain(decoder.next('string') ?? str('nothing'));
  assert.deepEqual(Object.keys(plain as object), ['__proto__']);
  assert.equal((plain as { x?: unknown }).x, undefined);
});

test('v5: bytes too many or too few within a message are refused, and skipped', () => {
  const decoder = createDecoder('v5');
  decoder.push(message(text('str'), text('a'), Buffer.of(0)));
  refused(decoder, 'string', /1 bytes more than the object has/, true);
  decoder.push(message(text('str'), u32(2), Buffer.of(0)));
  refused(decoder, 'string', /does not fit into the message/, true);
  decoder.push(message());
  refused(decoder, 'string', /the message ends within a length/, true);
  goesOn(decoder);
});

test('a truncated message is waited for, and holds no more than its bytes', () => {
  const decoder = createDecoder('v5');
  decoder.push(u32(8_000_000));
  decoder.push(Buffer.alloc(10));
  assert.equal(decoder.next('string'), undefined);
  assert.equal(decoder.waiting, 14);
});

test('bytes sent ahead are bounded', () => {
  const decoder = createDecoder('v4', { waitingBytes: 10_000 });
  decoder.push(Buffer.alloc(10_000));
  assert.throws(() => decoder.push(Buffer.alloc(1)), /more than 10000 bytes were sent ahead/);
  assert.equal(decoder.waiting, 0);
  assert.throws(() => decoder.next('string'), ProtocolError);
});

test('pushed bytes may be changed afterwards', () => {
  for (const form of ['v4', 'v5'] as const) {
    const piece = Buffer.from(encode(form, [{ type: 'bytes', bytes: Buffer.from('abc') }]));
    const decoder = createDecoder(form);
    decoder.push(piece);
    piece.fill(0);
    const value = decoder.next('bytes');
    decoder.push(Buffer.alloc(100, 1));
    assert.deepEqual(value, { type: 'bytes', bytes: new Uint8Array(Buffer.from('abc')) });
  }
});

test('time is linear in the number of bytes, one at a time', () => {
  // A list of 16,000 strings, some 400 kB, byte by byte: looking at the whole again for each would be 10^11 steps.
  for (const form of ['v4', 'v5'] as const) {
    const value = list(Array.from({ length: 16_000 }, (_, k) => str(String(k).padStart(10))));
    const decoder = createDecoder(form);
    const piece = new Uint8Array(1);
    let found: WireValue | undefined;
    const begun = performance.now();
    for (const byte of encode(form, [value])) {
      piece[0] = byte;
      decoder.push(piece);
      found = decoder.next('list');
    }
    assert.equal(found?.type === 'list' && found.items.length, 16_000);
    assert.ok(performance.now() - begun < 5000);
  }
});

/** The largest `waiting` that was seen, after feeding everything and reading as far as it goes. */
function feed(form: Form, pieces: readonly Uint8Array[], wanted: readonly Kind[]): void {
  const decoder = createDecoder(form, { messageBytes: 4096, waitingBytes: 8192, textBytes: 2048 });
  let count = 0;
  for (const piece of pieces) {
    decoder.push(piece);
    for (;;) {
      try {
        if (!decoder.next(wanted[count % wanted.length] ?? 'string')) break;
        count++;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (!error.inStep) return;
        count++;
      }
    }
    // What cannot be read yet is the beginning of one message.
    assert.ok(decoder.waiting <= 4096 + 4 + 8 * 16);
  }
}

const good = [...vectors('v4'), ...vectors('v5')].filter((each) => each.hex !== null && each.hex.length < 4000);

test('mutated vectors, cut anywhere: objects, silence, or a ProtocolError', () => {
  const mutation = fc.record({
    at: fc.nat(),
    how: fc.constantFrom('set', 'insert', 'remove', 'u32'),
    value: fc.oneof(fc.constantFrom(0, 1, 2, 4, 0x7f, 0x80, 0xff), fc.nat(255)),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...good),
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 4 }),
      (vector, mutations, cuts) => {
        const bytes = [...Buffer.from(String(vector.hex), 'hex')];
        for (const { at, how, value } of mutations) {
          const place = at % (bytes.length + 1);
          if (how === 'set') bytes.splice(place, 1, value);
          else if (how === 'insert') bytes.splice(place, 0, value);
          else if (how === 'remove') bytes.splice(place, 1 + (value % 8));
          else bytes.splice(place, 4, value, value, value, value);
        }
        const all = Uint8Array.from(bytes);
        const ends = [0, ...cuts.map((cut) => cut % (all.length + 1)), all.length].sort((a, b) => a - b);
        feed(
          vector.form,
          ends.slice(1).map((end, k) => all.subarray(ends[k], end)),
          vector.sent.map(kindOf),
        );
      },
    ),
    { numRuns: 4000 },
  );
});

test('random bytes: objects, silence, or a ProtocolError', () => {
  const word = fc.oneof(
    fc.nat(40).map(u32),
    fc.constantFrom('list', 'dict', 'str', 'dwa', '<f8', 'ndarray', 'DataRaw').map(text),
  );
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(word, { maxLength: 40 }).map((parts) => new Uint8Array(Buffer.concat(parts))),
  );
  fc.assert(
    fc.property(fc.constantFrom<Form[]>('v4', 'v5'), fc.constantFrom(...kinds), noise, (form, kind, bytes) => {
      feed(form, [bytes], [kind]);
      if (form === 'v5') feed(form, [u32(bytes.length), bytes], [kind]);
    }),
    { numRuns: 3000 },
  );
});

test('any object comes back as it was, and so do its bytes', () => {
  for (const form of ['v4', 'v5'] as const) {
    fc.assert(
      fc.property(wireValue(form), ({ kind, value }) => {
        const bytes = encode(form, [value, str('end')]);
        const decoder = createDecoder(form);
        decoder.push(bytes);
        const back = decoder.next(kind);
        assert.deepEqual(back, value);
        assert.deepEqual(decoder.next('string'), str('end'));
        assert.deepEqual(encode(form, [back ?? str('nothing'), str('end')]), bytes);
      }),
      { numRuns: 500 },
    );
  }
});

test('messages that repeat each other, or nearly, are each what they say', () => {
  const short = wireValue('v5').map(({ value }) => encodeV5(value));
  fc.assert(
    fc.property(
      fc.array(
        short.filter((bytes) => bytes.length < 200),
        { minLength: 1, maxLength: 3 },
      ),
      fc.array(fc.nat(), { maxLength: 12 }),
      (messages, order) => {
        const decoder = createDecoder('v5');
        for (const k of order) {
          const bytes = messages[k % messages.length] as Uint8Array;
          decoder.push(bytes);
          assert.deepEqual(encodeV5(decoder.next('string') as WireValue), bytes);
          assert.equal(decoder.waiting, 0);
        }
      },
    ),
  );
  const decoder = createDecoder('v5');
  const wrong = message(text('dict'), u32(7));
  for (let k = 0; k < 3; k++) {
    decoder.push(Buffer.concat([encodeV5(str('status')), wrong, encodeV5(str('statut'))]));
    assert.deepEqual(decoder.next('string'), str('status'));
    refused(decoder, 'string', /./, true);
    assert.deepEqual(decoder.next('string'), str('statut'));
  }
});

test('limits have the values that the documentation promises', () => {
  assert.equal(defaultLimits.messageBytes, 8 * 1024 * 1024);
  assert.ok(defaultLimits.waitingBytes > defaultLimits.messageBytes);
});

test.run();
