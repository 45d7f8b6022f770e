import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { boardService, numbered } from '../../src/discovery/discovery.ts';

const test = suite('what is announced');

const identity = {
  model: 'STEMlab 125-14',
  serial: '0123456789abcdef',
  hostname: 'rp-f0a1b2',
  version: '1.2.3',
  bitstream: '4894f44b',
};
const place = { address: '0.0.0.0', port: 6341 };

test('name, port and facts of the board', () => {
  assert.deepEqual(boardService(identity, ['scope', 'asg0', 'asg1'], place), {
    name: 'pitayad on rp-f0a1b2',
    host: 'rp-f0a1b2',
    port: 6341,
    listensOn: '0.0.0.0',
    txt: {
      txtvers: '1',
      model: 'STEMlab 125-14',
      serial: '0123456789abcdef',
      version: '1.2.3',
      forms: 'v4,v5',
      modules: 'scope,asg0,asg1',
      bitstream: '4894f44b',
    },
  });
});

test('of a name with a domain, the first label counts', () => {
  assert.equal(boardService({ ...identity, hostname: 'rp.lab.example' }, [], place).host, 'rp');
  assert.equal(boardService({ ...identity, hostname: '' }, [], place).host, 'pitayad');
});

test('names fit into a label, texts into a record, whatever comes', () => {
  const service = boardService({ ...identity, hostname: 'ü'.repeat(60) }, Array(60).fill('module'), place);
  assert.equal(service.host, 'ü'.repeat(31));
  assert.ok(Buffer.byteLength(service.name) <= 63, service.name);
  assert.match(service.txt.modules ?? '', /^(module,)*module$/);
  assert.ok(`modules=${service.txt.modules}`.length <= 255);
});

test('numbers tell names apart', () => {
  assert.equal(numbered('pitayad on rp', 1, [' (', ')']), 'pitayad on rp');
  assert.equal(numbered('pitayad on rp', 2, [' (', ')']), 'pitayad on rp (2)');
  assert.equal(numbered('rp', 3, ['-', '']), 'rp-3');
  assert.equal(numbered('x'.repeat(63), 12, ['-', '']), `${'x'.repeat(60)}-12`);
});

test.run();
