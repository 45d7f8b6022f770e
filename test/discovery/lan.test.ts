/**
 * The board's announcements, seen by python-zeroconf (which PyMoDAQ's plug-ins use) from another computer of a network
 * of the test's own. PITAYAD_PYTHON names a Python that has zeroconf; default: python3.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import { PROGRAM } from '../command.ts';
import { isRunning, type Lan, linkLocal, openLan } from './lan.ts';
import { announce, browse, ended, lines, missing, path } from './programs.ts';

const test = suite<{ lan: Lan }>('mDNS on a network');

test.before.each(async (context) => {
  context.lan = await openLan();
});

test.after.each(({ lan }) => lan.close());

test('a browser sees the board with all it says, and that it leaves', async ({ lan }) => {
  const browser = await browse(lan);
  const board = announce(lan, 'board', 'rp', '6341');
  assert.deepEqual(await browser.until(({ event }) => event === 'added'), {
    event: 'added',
    name: 'pitayad on rp',
    server: 'rp.local.',
    port: 6341,
    addresses: ['10.77.0.2'],
    txt: {
      txtvers: '1',
      model: 'STEMlab 125-14',
      serial: '0123',
      version: '1.2.3',
      forms: 'v4,v5',
      modules: 'scope,asg0,asg1',
      bitstream: '4894f44b',
    },
  });
  const told = performance.now();
  board.process.kill('SIGTERM');
  await browser.until(({ event }) => event === 'removed', 5);
  assert.equal(await ended(board.process), 0);
  assert.ok(performance.now() - told < 5000);
});

test('a browser that comes later sees it at once', async ({ lan }) => {
  const board = announce(lan, 'board', 'rp', '6341');
  await board.logged('announced');
  const browser = await browse(lan);
  const { addresses } = await browser.until(({ event }) => event === 'added');
  assert.deepEqual(addresses, ['10.77.0.2']);
});

test('another address is announced in place of the old one, without a goodbye', async ({ lan }) => {
  const browser = await browse(lan);
  announce(lan, 'board', 'rp', '6341');
  await browser.until(({ event }) => event === 'added');
  lan.run('board', 'ip', 'address', 'del', '10.77.0.2/24', 'dev', 'board');
  lan.run('board', 'ip', 'address', 'add', '10.77.0.9/24', 'dev', 'board');
  const { addresses, port } = await browser.until(
    ({ event, addresses = [] }) => event === 'updated' && addresses.includes('10.77.0.9'),
    10,
  );
  assert.equal(port, 6341);
  // What was known of the old address is dropped a second after the new one came.
  if (addresses?.length !== 1) {
    const later = await browse(lan);
    assert.deepEqual((await later.until(({ event }) => event === 'added')).addresses, ['10.77.0.9']);
  }
  assert.equal(browser.events.filter(({ event }) => event === 'removed').length, 0);
});

test('a cable straight to the PC, with link-local addresses alone; then an address by DHCP', async ({ lan }) => {
  linkLocal(lan);
  const browser = await browse(lan);
  const board = announce(lan, 'board', 'rp', '6341');
  const { addresses, server } = await browser.until(({ event }) => event === 'added');
  assert.deepEqual([server, addresses], ['rp.local.', ['169.254.10.2']]);
  // A Red Pitaya keeps the one that it gave itself.
  lan.run('board', 'ip', 'address', 'add', '10.77.0.2/24', 'dev', 'board');
  const both = await browser.until(({ addresses: now = [] }) => now.includes('10.77.0.2'), 12);
  assert.deepEqual(both.addresses, ['10.77.0.2', '169.254.10.2']);
  assert.deepEqual([...new Set(browser.events.flatMap(({ name = [] }) => name))], ['pitayad on rp']);
  assert.ok(isRunning(board.process));
});

test('IPv4 and global IPv6, where both are listened on; of one address, that alone', async ({ lan }) => {
  lan.run('board', 'ip', 'address', 'add', '2001:db8::2/64', 'dev', 'board', 'nodad');
  lan.run('board', 'ip', 'address', 'add', '10.88.0.2/24', 'dev', 'board');
  const browser = await browse(lan);
  announce(lan, 'board', 'both', '6341', '::');
  const both = await browser.until(({ name, event }) => event === 'added' && name === 'pitayad on both');
  assert.deepEqual(both.addresses, ['10.77.0.2', '10.88.0.2', '2001:db8::2']);
  announce(lan, 'board', 'one', '6342', '10.88.0.2');
  const one = await browser.until(({ name, event }) => event === 'added' && name === 'pitayad on one');
  assert.deepEqual(one.addresses, ['10.88.0.2']);
});

test('what listens on loopback is not announced', async ({ lan }) => {
  const [near, far] = await Promise.all([browse(lan, 'board'), browse(lan, 'pc')]);
  const board = announce(lan, 'board', 'rp', '6341', '127.0.0.1');
  await board.logged('not announced');
  await sleep(3000);
  assert.deepEqual(
    [...near.events, ...far.events].filter(({ event }) => event !== 'browsing'),
    [],
  );
});

test('two boards of one name: the second takes another, for its host too', async ({ lan }) => {
  const browser = await browse(lan);
  const first = announce(lan, 'board', 'rp', '6341');
  await first.logged('announced');
  announce(lan, 'pc', 'rp', '6341');
  const second = await browser.until(({ event, name }) => event === 'added' && name === 'pitayad on rp (2)', 15);
  assert.deepEqual([second.server, second.addresses], ['rp-2.local.', ['10.77.0.1']]);
  const [{ server, addresses } = {}] = browser.events.filter(({ name }) => name === 'pitayad on rp');
  assert.deepEqual([server, addresses], ['rp.local.', ['10.77.0.2']]);
  assert.equal(first.log.filter(({ msg }) => msg === 'another board has this name on the network').length, 0);
});

test('two daemons on one machine have one host name and two names', async ({ lan }) => {
  const browser = await browse(lan);
  const first = announce(lan, 'board', 'rp', '6341');
  await first.logged('announced');
  announce(lan, 'board', 'rp', '6342');
  const second = await browser.until(({ event, name }) => event === 'added' && name === 'pitayad on rp (2)');
  assert.deepEqual([second.server, second.port, second.addresses], ['rp.local.', 6342, ['10.77.0.2']]);
});

test('killed without a word and back on another port: known by its new place', async ({ lan }) => {
  const browser = await browse(lan);
  const first = announce(lan, 'board', 'rp', '6341');
  await browser.until(({ event }) => event === 'added');
  first.process.kill('SIGKILL');
  await ended(first.process);
  announce(lan, 'board', 'rp', '7000');
  await browser.until(({ event, port }) => event === 'updated' && port === 7000);
});

test('the network goes and comes: announced again', async ({ lan }) => {
  const browser = await browse(lan);
  const board = announce(lan, 'board', 'rp', '6341');
  await browser.until(({ event }) => event === 'added');
  lan.run('board', 'ip', 'link', 'set', 'board', 'down');
  lan.run('board', 'ip', 'address', 'flush', 'dev', 'board');
  await sleep(3000);
  lan.run('board', 'ip', 'address', 'add', '10.77.0.3/24', 'dev', 'board');
  lan.run('board', 'ip', 'link', 'set', 'board', 'up');
  const { addresses = [] } = await browser.until(
    ({ event, addresses = [] }) => event === 'updated' && addresses.includes('10.77.0.3'),
    12,
  );
  assert.ok(addresses.includes('10.77.0.3'));
  assert.ok(isRunning(board.process));
});

test('started before there is any network: announced when it comes', async ({ lan }) => {
  lan.run('board', 'ip', 'address', 'del', '10.77.0.2/24', 'dev', 'board');
  lan.run('board', 'ip', 'link', 'set', 'lo', 'down');
  const browser = await browse(lan);
  const board = announce(lan, 'board', 'rp', '6341');
  await board.logged('not announced');
  lan.run('board', 'ip', 'address', 'add', '10.77.0.2/24', 'dev', 'board');
  const { addresses } = await browser.until(({ event }) => event === 'added');
  assert.deepEqual(addresses, ['10.77.0.2']);
});

test('the daemon announces the port that it got, and can be reached there', async ({ lan }) => {
  const browser = await browse(lan);
  const options = ['--bus', 'simulator', '--listen', '0.0.0.0:0', '--log-format', 'json', '--config', '/dev/null'];
  const daemon = lan.start('board', 'node', ...PROGRAM, 'serve', ...options);
  const { until } = lines<Record<string, unknown>>(daemon, 'the daemon');
  const serving = await until(({ msg }) => msg === 'serving');
  const { port = 0, addresses, txt } = await browser.until(({ event }) => event === 'added');
  assert.deepEqual([{ host: '0.0.0.0', port }, ['10.77.0.2']], [serving.pymodaq, addresses]);
  assert.equal(txt?.modules?.split(',').slice(0, 3).join(), 'scope,asg0,asg1');
  const ping = lan.start('pc', 'node', ...PROGRAM, 'status', '--host', '10.77.0.2', '--port', `${port}`);
  assert.equal(await ended(ping), 0);
  daemon.kill('SIGTERM');
  await browser.until(({ event }) => event === 'removed', 5);
  assert.equal(await ended(daemon), 0);
});

test('noise on the port of mDNS disturbs nobody', async ({ lan }) => {
  const board = announce(lan, 'board', 'rp', '6341');
  await board.logged('announced');
  const noise = lan.start('pc', 'node', '--import', 'tsx', path('noise.ts'), '10.77.0.1');
  assert.equal(await ended(noise), 0);
  const browser = await browse(lan);
  await browser.until(({ event }) => event === 'added');
  assert.ok(isRunning(board.process));
  board.process.kill('SIGTERM');
  assert.equal(await ended(board.process), 0);
});

if (missing === undefined) test.run();
else {
  const skipped = suite('mDNS on a network');
  skipped.skip('needs a network of its own', () => undefined);
  skipped.run();
  process.stdout.write(`skipped: mDNS on a network: ${missing}\n`);
}
