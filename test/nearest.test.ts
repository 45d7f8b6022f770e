import assert from 'node:assert';
import { test } from 'uvu';
import { nearest } from '../src/nearest.ts';

test('finds the name that was probably meant', () => {
  const names = ['threshold', 'hysteresis', 'trigger_source', 'input1', 'input2'];
  assert.equal(nearest('thresold', names), 'threshold');
  assert.equal(nearest('Trigger_Source', names), 'trigger_source');
  assert.equal(nearest('trigersource', names), 'trigger_source');
  assert.equal(nearest('input3', names), 'input1');
});

test('says nothing when nothing is near', () => {
  assert.equal(nearest('zzzzzz', ['threshold', 'hysteresis']), undefined);
  assert.equal(nearest('threshold', []), undefined);
  assert.equal(nearest('a'.repeat(100_000), ['a'.repeat(65)]), undefined);
});

test.run();
