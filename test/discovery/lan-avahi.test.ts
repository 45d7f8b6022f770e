/** The board announced by a real avahi-daemon, which has services and address to itself: what a browser sees. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import { avahiTakes, SERVICE_FILE } from '../../src/discovery/avahi.ts';
import { PROGRAM } from '../command.ts';
import { type Lan, linkLocal, openLan } from './lan.ts';
import { announce, browse, ended, lines, missing } from './programs.ts';

const lacking =
  missing ??
  (spawnSync('avahi-daemon', ['--version']).status === 0 ? undefined : 'avahi (apt-get install avahi-daemon)') ??
  (process.getuid?.() === 0 ? undefined : 'root, to give avahi folders of its own');

const CONF = `
[server]
host-name=rp
use-ipv6=no
enable-dbus=no
[publish]
publish-workstation=no
publish-aaaa-on-ipv4=no
`;

const test = suite<{ lan: Lan; root: string }>('mDNS by avahi');

test.before.each(async (context) => {
  context.root = mkdtempSync(join(tmpdir(), 'pitayad-avahi-'));
  for (const folder of ['etc/avahi/services', 'run/avahi-daemon'])
    mkdirSync(join(context.root, folder), { recursive: true });
  writeFileSync(join(context.root, 'avahi.conf'), CONF);
  context.lan = await openLan();
});

test.after.each(async ({ lan, root }) => {
  await lan.close();
  rmSync(root, { recursive: true });
});

/** Starts avahi on the board, with folders of its own in place of those of this machine. */
async function startAvahi(lan: Lan, root: string): Promise<void> {
  const script = `
    mkdir -p /run/avahi-daemon
    mount --bind ${root}/etc/avahi/services /etc/avahi/services
    mount --bind ${root}/run/avahi-daemon /run/avahi-daemon
    exec avahi-daemon -f ${root}/avahi.conf --no-drop-root --no-chroot --no-rlimits`;
  lan.start('board', 'unshare', '-m', 'sh', '-ec', script);
  const end = performance.now() + 5000;
  while (!existsSync(join(root, 'run/avahi-daemon/pid'))) {
    if (performance.now() > end) throw new Error('avahi did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('a browser sees the board once, with avahi’s name and address, also after another address, and that it leaves', async ({
  lan,
  root,
}) => {
  await startAvahi(lan, root);
  assert.equal(avahiTakes(root), true);
  const browser = await browse(lan);
  const board = announce(lan, 'board', 'rp', '6341', '0.0.0.0', root);
  await board.logged('announced');
  const { name, server, port, addresses, txt } = await browser.until(({ event }) => event === 'added');
  assert.deepEqual([name, server, port, addresses], ['pitayad on rp', 'rp.local.', 6341, ['10.77.0.2']]);
  assert.equal(txt?.model, 'STEMlab 125-14');
  assert.equal(txt?.modules, 'scope,asg0,asg1');
  lan.run('board', 'ip', 'address', 'del', '10.77.0.2/24', 'dev', 'board');
  lan.run('board', 'ip', 'address', 'add', '10.77.0.9/24', 'dev', 'board');
  const later = await browse(lan);
  await later.until(({ event, addresses: now = [] }) => event !== 'removed' && now.includes('10.77.0.9'), 20);
  // Avahi repeats its announcement after a second; before, it may owe nobody a goodbye.
  await sleep(2000);
  board.process.kill('SIGTERM');
  await later.until(({ event }) => event === 'removed', 5);
  assert.equal(await ended(board.process), 0);
  const seen = browser.events.filter(({ event }) => event === 'added').map((one) => one.name);
  assert.deepEqual([...new Set(seen)], ['pitayad on rp']);
});

test('on link-local addresses alone', async ({ lan, root }) => {
  linkLocal(lan);
  await startAvahi(lan, root);
  const browser = await browse(lan);
  const board = announce(lan, 'board', 'rp', '6341', '0.0.0.0', root);
  await board.logged('announced');
  const { server, addresses } = await browser.until(({ event }) => event === 'added', 20);
  assert.deepEqual([server, addresses], ['rp.local.', ['169.254.10.2']]);
});

test('the daemon, told nothing, leaves it to avahi: it is seen once; told bonjour, it does it itself', async ({
  lan,
  root,
}) => {
  await startAvahi(lan, root);
  const browser = await browse(lan);
  const file = join(root, SERVICE_FILE);
  const daemon = (...more: string[]) => {
    const options = ['--bus', 'simulator', '--root', root, '--listen', '0.0.0.0:0', '--log-format', 'json', ...more];
    return lan.start('board', 'node', ...PROGRAM, 'serve', ...options, '--config', '/dev/null');
  };
  const first = daemon();
  const { until } = lines<Record<string, unknown>>(first, 'the daemon');
  const serving = await until(({ msg }) => msg === 'serving');
  const { server, port, addresses } = await browser.until(({ event }) => event === 'added', 20);
  assert.deepEqual([server, addresses], ['rp.local.', ['10.77.0.2']]);
  assert.equal(port, (serving.pymodaq as { port: number }).port);
  assert.ok(existsSync(file));
  await sleep(1500);
  assert.equal(browser.events.filter(({ event }) => event === 'added').length, 1);
  first.kill('SIGTERM');
  await browser.until(({ event }) => event === 'removed', 10);
  await ended(first);

  const second = daemon('--discovery', 'bonjour');
  const told = lines<Record<string, unknown>>(second, 'the daemon');
  await told.until(({ msg }) => msg === 'announced');
  assert.ok(!existsSync(file), 'avahi is told nothing');
  const later = await browse(lan);
  const beside = await later.until(({ event }) => event === 'added', 20);
  assert.deepEqual(beside.addresses, ['10.77.0.2']);
  await sleep(1500);
  assert.equal(later.events.filter(({ event }) => event === 'added').length, 1);
  second.kill('SIGTERM');
  await ended(second);
});

test('where avahi does not run, or lets nobody in, it takes nothing', ({ root }) => {
  assert.equal(avahiTakes(root), false);
  assert.equal(avahiTakes(join(root, 'nowhere')), false);
});

if (lacking === undefined) test.run();
else {
  const skipped = suite('mDNS by avahi');
  skipped.skip('needs a network and an avahi of its own', () => undefined);
  skipped.run();
  process.stdout.write(`skipped: mDNS by avahi: ${lacking}\n`);
}
