import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { suite } from 'uvu';
import { linksOf, ownAddresses } from '../../src/discovery/links.ts';

const test = suite('links');

function info(address: string, internal = false): NetworkInterfaceInfo {
  const rest = { address, netmask: '', cidr: null, mac: '02:00:00:00:00:01', internal };
  return address.includes(':') ? { ...rest, family: 'IPv6', scopeid: 2 } : { ...rest, family: 'IPv4' };
}

const interfaces = {
  lo: [info('127.0.0.1', true), info('::1', true)],
  eth0: [info('192.0.2.7'), info('198.51.100.7'), info('2001:db8::7'), info('fe80::7')],
  wlan0: [info('203.0.113.9')],
  v6only: [info('2001:db8:1::7')],
};

test('a port of every interface is announced on each, with the addresses of each', () => {
  assert.deepEqual(linksOf('0.0.0.0', interfaces), [
    { name: 'eth0', sender: '192.0.2.7', addresses: ['192.0.2.7', '198.51.100.7'] },
    { name: 'wlan0', sender: '203.0.113.9', addresses: ['203.0.113.9'] },
  ]);
});

test('of IPv6 only what is of use without a zone, and only where IPv6 is listened on', () => {
  assert.deepEqual(linksOf('::', interfaces), [
    { name: 'eth0', sender: '192.0.2.7', addresses: ['192.0.2.7', '198.51.100.7', '2001:db8::7'] },
    { name: 'wlan0', sender: '203.0.113.9', addresses: ['203.0.113.9'] },
  ]);
});

test('a port of one address is announced on its link alone, with it alone', () => {
  const eth0 = { name: 'eth0', sender: '192.0.2.7' };
  assert.deepEqual(linksOf('198.51.100.7', interfaces), [{ ...eth0, addresses: ['198.51.100.7'] }]);
  assert.deepEqual(linksOf('::ffff:198.51.100.7', interfaces), [{ ...eth0, addresses: ['198.51.100.7'] }]);
  assert.deepEqual(linksOf('2001:db8::7', interfaces), [{ ...eth0, addresses: ['2001:db8::7'] }]);
  assert.deepEqual(linksOf('192.0.2.99', interfaces), []);
});

test('a port of loopback is not announced', () => {
  assert.deepEqual(linksOf('127.0.0.1', interfaces), []);
  assert.deepEqual(linksOf('::1', interfaces), []);
});

test('a computer without network can find itself', () => {
  const { lo } = interfaces;
  assert.deepEqual(linksOf('0.0.0.0', { lo }), [{ name: 'lo', sender: '127.0.0.1', addresses: ['127.0.0.1'] }]);
  assert.deepEqual(linksOf('::', { lo }), [{ name: 'lo', sender: '127.0.0.1', addresses: ['127.0.0.1', '::1'] }]);
  assert.deepEqual(linksOf('127.0.0.1', { lo }), []);
  assert.deepEqual(linksOf('0.0.0.0', {}), []);
});

test('all addresses are our own, link-local ones and loopback too', () => {
  assert.deepEqual(
    [...ownAddresses(interfaces)],
    ['127.0.0.1', '::1', '192.0.2.7', '198.51.100.7', '2001:db8::7', 'fe80::7', '203.0.113.9', '2001:db8:1::7'],
  );
});

test.run();
