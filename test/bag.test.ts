import assert from 'node:assert';
import { test } from 'uvu';
import { Bag } from '../src/bag.ts';

test('it has what was added and not taken out, once, in that order', () => {
  const things = new Bag(['a', 'b']);
  things.add('c');
  things.add('a');
  assert.deepEqual([...things], ['a', 'b', 'c']);
  assert.equal(things.delete('b'), true);
  assert.equal(things.delete('b'), false);
  assert.deepEqual([...things], ['a', 'c']);
  assert.deepEqual([things.size, things.has('a'), things.has('b')], [2, true, false]);
  assert.deepEqual(things.takeAll(), ['a', 'c']);
  assert.deepEqual([things.size, [...things]], [0, []]);
});

test('whoever goes through it sees what was there at the beginning', () => {
  const things = new Bag([1, 2, 3]);
  const seen: number[] = [];
  for (const thing of things) {
    seen.push(thing);
    things.delete(thing);
    things.add(thing + 10);
  }
  assert.deepEqual(seen, [1, 2, 3]);
  assert.deepEqual([...things], [11, 12, 13]);
});

test.run();
