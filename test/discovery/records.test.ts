import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { conflictIn, type DnsRecord, trimmed } from '../../src/discovery/records.ts';

const test = suite('mDNS records');

const claim = { instance: 'pitayad on rp._pymodaq._tcp.local', target: 'rp.local', port: 6341 };
const own = new Set(['192.0.2.7', 'fe80::7', '127.0.0.1']);

function srv(target: string, port: number, ttl = 120): DnsRecord {
  return { name: claim.instance, type: 'SRV', ttl, data: { target, port } };
}

function a(data: string, ttl = 120): DnsRecord {
  return { name: 'rp.local', type: data.includes(':') ? 'AAAA' : 'A', ttl, data };
}

test('another place by our name is a conflict; our own words are none', () => {
  const of = (...answers: DnsRecord[]) => conflictIn({ answers }, claim, own);
  assert.equal(of(srv('rp.local', 6341)), undefined);
  assert.equal(of(srv('RP.local', 6341)), undefined);
  assert.equal(of(srv('rp.local', 6342)), 'instance');
  assert.equal(of(srv('other.local', 6341)), 'instance');
  assert.equal(of({ ...srv('other.local', 6341), name: claim.instance.toUpperCase() }), 'instance');
  assert.equal(of({ ...srv('other.local', 6341), name: 'pitayad on x._pymodaq._tcp.local' }), undefined);
  assert.equal(of({ ...srv('', 0), data: undefined }), 'instance');
  assert.equal(conflictIn({ answers: [], additionals: [srv('other.local', 1)] }, claim, own), 'instance');
});

test('another address by our name is a conflict; those of this machine are none, whoever tells them', () => {
  const of = (...answers: DnsRecord[]) => conflictIn({ answers }, claim, own);
  assert.equal(of(a('192.0.2.7'), a('fe80::7'), a('127.0.0.1')), undefined);
  assert.equal(of(a('192.0.2.8')), 'host');
  assert.equal(of({ ...a('192.0.2.8'), name: 'rp2.local' }), undefined);
});

test('who says goodbye has no claim any more', () => {
  assert.equal(conflictIn({ answers: [srv('other.local', 1, 0), a('192.0.2.8', 0)] }, claim, own), undefined);
});

const ptr: DnsRecord = { name: '_pymodaq._tcp.local', type: 'PTR', ttl: 28_800, data: claim.instance };
const types: DnsRecord = { name: '_services._dns-sd._udp.local', type: 'PTR', ttl: 120, data: '_pymodaq._tcp.local' };
const txt: DnsRecord = { name: claim.instance, type: 'TXT', ttl: 4500, data: [] };

test('an announcement tells the addresses of its link, all of them, and no others', () => {
  const packet = { answers: [ptr, srv('rp.local', 6341), txt, types, a('192.0.2.7'), a('198.51.100.7'), a('fe80::7')] };
  const { answers = [], additionals = [] } = trimmed(packet, claim, ['192.0.2.7', '192.0.2.8', '2001:db8::7']) ?? {};
  const addresses = [...answers, ...additionals].filter(({ type }) => type === 'A' || type === 'AAAA');
  assert.deepEqual(
    addresses.map(({ name, type, data, flush }) => [name, type, data, flush]),
    [
      ['rp.local', 'A', '192.0.2.7', true],
      ['rp.local', 'A', '192.0.2.8', true],
      ['rp.local', 'AAAA', '2001:db8::7', true],
    ],
  );
  assert.deepEqual(
    answers.filter(({ flush }) => !flush).map(({ type }) => type),
    ['PTR', 'PTR'],
  );
});

test('an answer about the host alone stays one', () => {
  const packet = { answers: [a('192.0.2.7'), a('198.51.100.7')] };
  assert.deepEqual(trimmed(packet, claim, ['192.0.2.7']), {
    answers: [{ ...a('192.0.2.7'), flush: true }],
    additionals: [],
  });
  assert.equal(trimmed({ answers: [a('198.51.100.7')] }, claim, ['192.0.2.7']), undefined);
});

test('a goodbye takes back the service, not the host nor the type', () => {
  const all = [ptr, srv('rp.local', 6341), txt, types, a('192.0.2.7')].map((record) => ({ ...record, ttl: 0 }));
  const { answers = [], additionals = [] } = trimmed({ answers: all }, claim, ['192.0.2.7']) ?? {};
  assert.deepEqual(
    answers.map(({ type, ttl, data }) => [type, ttl, data]),
    [
      ['PTR', 0, claim.instance],
      ['SRV', 0, { target: 'rp.local', port: 6341 }],
      ['TXT', 0, []],
    ],
  );
  assert.deepEqual(additionals, []);
});

test.run();
