import assert from 'node:assert/strict';
import { test } from 'uvu';
import { createDecoder } from '../../../src/server/wire/decode.ts';
import { encode, encodeV4, encodeV5, UnsendableError } from '../../../src/server/wire/encode.ts';
import {
  axis,
  bytes,
  data,
  dataToExport,
  dict,
  filled,
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

/** A frame whose arrays are written, or the same with arrays that are filled while it is encoded. */
function frame(length: number, fill: boolean): WireValue {
  const value = (k: number) => Math.sin(k) * 1e3 + length;
  const array = fill
    ? filled(length, (out, start) => {
        for (let k = 0; k < out.length; k++) out[k] = value(start + k);
      })
    : floats(Array.from({ length }, (_, k) => value(k)));
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

test('filled arrays are like written ones, whatever their length', () => {
  for (const length of [0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 5000, 16_384]) {
    for (const form of ['v4', 'v5'] as const) {
      const written = encode(form, [str('Done'), frame(length, false)]);
      assert.deepEqual(encode(form, [str('Done'), frame(length, true)]), written, `${form} ${length}`);
      const decoder = createDecoder(form);
      decoder.push(written);
      assert.deepEqual(decoder.next('string'), str('Done'));
      assert.deepEqual(decoder.next('dte'), frame(length, false));
    }
  }
});

test('each item is asked for once, in order', () => {
  let next = 0;
  encodeV4(
    filled(3000, (out, start) => {
      assert.equal(start, next);
      next += out.length;
    }),
  );
  assert.equal(next, 3000);
});

test('an encoder that is used while it encodes, and one that failed, do no harm', () => {
  const inner = encodeV5(frame(100, false));
  const outer = filled(2000, (out, start) => {
    out.fill(start);
    assert.deepEqual(encodeV5(frame(100, false)), inner);
  });
  const expected = Float64Array.from({ length: 2000 }, (_, k) => (k < 1024 ? 0 : 1024));
  assert.deepEqual(encodeV4(outer), encodeV4(floats(expected)));
  assert.throws(() => encodeV4(list([frame(2000, false), none])), UnsendableError);
  assert.throws(() =>
    encodeV4(
      filled(2000, () => {
        throw new Error('broken');
      }),
    ),
  );
  assert.deepEqual(encodeV5(frame(100, false)), inner);
});

test('earlier messages are not touched by later ones', () => {
  const first = encodeV4(str('first'));
  const copy = Uint8Array.from(first);
  encodeV4(str('other'), frame(1000, true));
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
    { type: 'ndarray', dtype: '<f8', shape: [2 ** 31], fill: () => undefined },
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
