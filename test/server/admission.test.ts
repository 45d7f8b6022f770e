import assert from 'node:assert';
import type { networkInterfaces } from 'node:os';
import { test } from 'uvu';
import { allowedPeers } from '../../src/server/admission.ts';

test('the laboratory may connect, the rest of the world may not unless it is allowed', () => {
  let own: ReturnType<typeof networkInterfaces> = {};
  const usual = allowedPeers([], () => own);
  for (const host of [
    '127.0.0.1',
    '127.8.9.10',
    '10.1.2.3',
    '172.31.255.1',
    '192.168.1.7',
    '169.254.10.20',
    '::1',
    'fe80::1%eth0',
    'fd12:3456::1',
  ]) {
    assert.equal(usual(host), true, host);
  }
  for (const host of ['192.0.2.1', '203.0.113.9', '172.32.0.1', '11.0.0.1', '2001:db8::1', '::2']) {
    assert.equal(usual(host), false, host);
  }
  const wider = allowedPeers(['192.0.2.0/24', '203.0.113.9', '2001:db8::/32'], () => own);
  for (const host of ['192.0.2.77', '203.0.113.9', '2001:db8:1::5', '10.0.0.1']) assert.equal(wider(host), true, host);
  for (const host of ['192.0.3.1', '203.0.113.10', '2001:db9::1']) assert.equal(wider(host), false, host);
  // The networks of the board's own interfaces, as they are at the moment.
  const address = { address: '198.51.100.7', netmask: '255.255.255.0', mac: '02:00:00:00:00:01', internal: false };
  own = { eth0: [{ ...address, family: 'IPv4', cidr: '198.51.100.7/24' }] };
  assert.equal(usual('198.51.100.200'), true);
  assert.equal(usual('198.51.101.200'), false);
  own = {};
  assert.equal(usual('198.51.100.200'), false);
});

test.run();
