import assert from 'node:assert/strict';
import { test } from 'uvu';
import { createDecoder } from '../../../src/server/wire/decode.ts';
import { UnsendableError } from '../../../src/server/wire/elements.ts';
import { encode, encodeParts, encodeV4, encodeV5 } from '../../../src/server/wire/encode.ts';
import {
  axis,
  bytes,
  type DataToExport,
  data,
  dataToExport,
  dict,
  float,
  floats,
  int,
  list,
  none,
  str,
  tuple,
  type WireValue,
} from '../../../src/server/wire/values.ts';

test('several objects give one buffer: the bytes of each, one after the other', () => {
  const objects = [str('Done'), dataToExport('grab', [], 1), bytes('<a/>')];
  for (const form of ['v4', 'v5'] as const) {
    const parts = objects.map((object) => encode(form, [object]));
    assert.deepEqual(encode(form, objects), Buffer.concat(parts));
  }
  assert.deepEqual(encodeV4(...objects), encode('v4', objects));
  assert.deepEqual(encodeV5(...objects), encode('v5', objects));
  assert.equal(encodeV5().length, 0);
});

function frame(length: number): DataToExport {
  const array = floats(Array.from({ length }, (_, k) => Math.sin(k) * 1e3 + length));
  const raw = data('DataRaw', {
    timestamp: 1.5,
    name: 'Scope',
    data: [array, array],
    dim: 'Data1D',
    axes: [axis('Time', 's', floats(Array.from({ length }, (_, k) => k / 7)))],
    extra: [['number', int(3)]],
  });
  return dataToExport('pitayad', [raw], 1.5);
}

test('in parts it is the same message, and what is large in it is its own memory', () => {
  for (const length of [0, 1, 63, 64, 65, 1024, 16_384]) {
    for (const form of ['v4', 'v5'] as const) {
      const objects = [str('Done'), frame(length), str('end')];
      const whole = encode(form, objects);
      const parts = encodeParts(form, objects);
      assert.ok(Buffer.concat(parts).equals(whole), `${form} ${length}`);
      const own = parts.filter((part) => part.buffer === arrayOf(objects[1]));
      assert.equal(own.length, length < 64 ? 0 : 2, 'twice the same array');
      const decoder = createDecoder(form);
      decoder.push(whole);
      assert.deepEqual(decoder.next('string'), str('Done'));
      assert.deepEqual(decoder.next('dte'), frame(length));
      assert.deepEqual(decoder.next('string'), str('end'));
    }
  }
});

function arrayOf(value: WireValue | undefined): ArrayBufferLike | undefined {
  return value && 'data' in value && value.data[0] && 'data' in value.data[0]
    ? value.data[0].data[0]?.bytes.buffer
    : undefined;
}

test('an encoder that failed does no harm', () => {
  const expected = encodeV5(frame(100));
  assert.throws(() => encodeV4(list([frame(2000), none])), UnsendableError);
  assert.deepEqual(encodeV5(frame(100)), expected);
});

test('earlier messages are not touched by later ones', () => {
  const first = encodeV4(str('first'));
  const copy = Uint8Array.from(first);
  encodeV4(str('other'), frame(1000));
  assert.deepEqual(Uint8Array.from(first), copy);
});

test('long, short, ASCII and other text', () => {
  for (const text of ['', 'a', 'é', 'x'.repeat(40), 'x'.repeat(41), `${'x'.repeat(39)}é`, '電圧😀'.repeat(5000)]) {
    const length = Buffer.byteLength(text);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    assert.deepEqual(Buffer.from(encodeV4(str(text))), Buffer.concat([head, Buffer.from(text)]));
  }
});

test('half a surrogate pair, which has no UTF-8, becomes the replacement character', () => {
  assert.deepEqual(encodeV4(str('a\ud800')), encodeV4(str('a\ufffd')));
});

test('what no form, or what v4, cannot carry is refused', () => {
  const everywhere: WireValue[] = [
    int(1.5),
    int(Number.NaN),
    int(2n ** 64n),
    int(-(2n ** 63n) - 1n),
    { type: 'int', value: 300, dtype: '|u1' },
    { type: 'float', value: 1, dtype: '<i8' },
    { type: 'bool', value: true, dtype: '<f8' },
    { type: 'ndarray', dtype: '|O', shape: [1], bytes: new Uint8Array(8) },
    { type: 'ndarray', dtype: '<f8', shape: [2], bytes: new Uint8Array(8) },
    { type: 'ndarray', dtype: '<f8', shape: [-1], bytes: new Uint8Array(8) },
    { type: 'ndarray', dtype: '<f8', shape: [0.5], bytes: new Uint8Array(4) },
    { type: 'ndarray', dtype: '<f8', shape: [2 ** 31], bytes: new Uint8Array(8) },
    axis('a', '', floats([1]), 0.5),
  ];
  for (const value of everywhere) {
    for (const form of ['v4', 'v5'] as const) {
      assert.throws(
        () => encode(form, [value]),
        UnsendableError,
        JSON.stringify(value, (_, each) => String(each)),
      );
    }
  }
  let deep: WireValue = list([]);
  for (let k = 0; k < 10_000; k++) deep = list([deep]);
  const withExtra = { ...dataToExport('x', [], 0), extra: [['a', str('b')]] as const };
  const thread = { type: 'ThreadCommand', command: 'x', attribute: none, args: tuple([]), kwargs: dict({}) } as const;
  const onlyV5 = [
    none,
    tuple([]),
    dict({}),
    withExtra,
    thread,
    { ...axis('a', '', floats([1])), type: 'NavAxis' } as const,
  ];
  assert.throws(() => encodeV4(deep), UnsendableError);
  assert.throws(() => encodeV5(deep), UnsendableError);
  for (const value of onlyV5) {
    assert.throws(() => encodeV4(value), UnsendableError);
    assert.throws(() => encodeV4(list([value])), UnsendableError);
    assert.ok(encodeV5(value).length > 4);
  }
});

test('whole numbers over the whole range', () => {
  for (const value of [0, -1, 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    const bytes8 = Buffer.alloc(8);
    bytes8.writeBigInt64LE(BigInt(value));
    assert.deepEqual(Buffer.from(encodeV4(int(value))).subarray(-8), bytes8);
  }
  assert.deepEqual(encodeV4(int(5n)), encodeV4(int(5)));
  assert.deepEqual(encodeV4(float(-0)).subarray(-1), Buffer.of(0x80));
});

test.run();
