import assert from 'node:assert/strict';
import { test } from 'uvu';
import { parseAddress } from '../src/address.ts';

test('addresses', () => {
  assert.deepEqual(parseAddress('rp-f0a1b2.local:6341'), { host: 'rp-f0a1b2.local', port: 6341 });
  assert.deepEqual(parseAddress('[fe80::1%eth0]:1'), { host: 'fe80::1%eth0', port: 1 });
  for (const text of [
    '',
    ':1',
    'a',
    'a:',
    'a:b',
    'a:-1',
    'a:65536',
    '[]:1',
    '[1.2.3.4]:1',
    'a b:1',
    'a:1 ',
    '[::1:1',
    '::1:1',
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test.run();
