import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import {
  complex,
  data,
  dataActuator,
  float,
  floats,
  fromPlain,
  int,
  list,
  none,
  str,
  toPlain,
} from '../../../src/server/wire/values.ts';

test('what JSON knows goes to objects of the wire and back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(toPlain(fromPlain(value)), value);
    }),
  );
});

test('whole numbers are ints, others floats', () => {
  assert.deepEqual(
    fromPlain([1, 1.5, -0, 2 ** 60, Number.NaN, null]),
    list([int(1), float(1.5), float(-0), float(2 ** 60), float(Number.NaN), none]),
  );
  assert.deepEqual(fromPlain({ a: 1, b: undefined }), { type: 'dict', items: [[str('a'), int(1)]] });
  assert.throws(() => fromPlain(() => 1), TypeError);
});

test('what is not plain has no plain value', () => {
  assert.equal(toPlain(complex(1, 2)), undefined);
  assert.equal(toPlain(list([floats([1])])), undefined);
  assert.equal(toPlain({ type: 'dict', items: [[int(1), str('x')]] }), undefined);
});

test('data has the dim of its shape and the labels of PyMoDAQ', () => {
  const dims = [[[1]], [[5]], [[2, 3]], [[2, 2, 2]]].map(
    ([shape = []]) =>
      data('DataRaw', {
        timestamp: 0,
        name: '',
        data: [{ type: 'ndarray', dtype: '|u1', shape, bytes: new Uint8Array(8) }],
      }).dim,
  );
  assert.deepEqual(dims, ['Data0D', 'Data1D', 'Data2D', 'DataND']);
  const actuator = dataActuator('frequency', 1e6, 'Hz', 12.5);
  assert.deepEqual(actuator.labels, ['CH00']);
  assert.equal(actuator.dim, 'Data0D');
  assert.equal(data('DataCalculated', { timestamp: 0, name: '', data: [] }).source, 'calculated');
});

test.run();
