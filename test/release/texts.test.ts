/** What the SD-card builder writes into files of the system and onto the card: texts in, texts out. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { withSystemUser } from '../../build/release/sdcard/accounts.ts';
import { installed, listOf, withPackage } from '../../build/release/sdcard/dpkg.ts';
import { cardConfig, networkFile, publicKey, withKey } from '../../build/release/sdcard/wishes.ts';
import { parseConfig } from '../../src/config/file.ts';
import { ConfigurationError } from '../../src/errors.ts';

const test = suite('texts of the SD-card builder');

const USER = { name: 'pitayad', home: '/var/lib/pitayad', groups: ['kmem', 'uio'] };

function refused(run: () => unknown, pattern: RegExp): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

test('a system account has a free number, its groups, and no password; a second time nothing changes', () => {
  const system = {
    passwd: 'root:x:0:0:root:/root:/bin/bash\nscpi:x:999:998::/:/bin/false\n',
    group: 'root:x:0:\nkmem:x:15:scpi\nuio:x:997:\n',
    shadow: 'root:$6$x:19000:0:99999:7:::\n',
  };
  const made = withSystemUser(system, USER);
  assert.equal(made.passwd, `${system.passwd}pitayad:x:996:996::/var/lib/pitayad:/usr/sbin/nologin\n`);
  assert.equal(made.group, 'root:x:0:\nkmem:x:15:scpi,pitayad\nuio:x:997:pitayad\npitayad:x:996:\n');
  assert.equal(made.shadow, `${system.shadow}pitayad:!:19000::::::\n`);
  assert.equal(made.gshadow, undefined);
  assert.deepEqual(withSystemUser(made, USER), made);
});

test('without accounts, or without a free number, it says so', () => {
  refused(() => withSystemUser({ group: '' }, USER), /no \/etc\/passwd/);
  const all = Array.from({ length: 1000 }, (_, id) => `u${id}:x:${id}:${id}::/:/bin/false`).join('\n');
  refused(() => withSystemUser({ passwd: all, group: '' }, USER), /no number left/);
});

test('dpkg’s status has the package once, in the place of its former version', () => {
  const control = 'Package: pitayad\nVersion: 1\nDescription: short\n long\n';
  const paragraph = installed(control, new Map([['/etc/a', 'f00']]));
  assert.equal(
    paragraph,
    'Package: pitayad\nStatus: install ok installed\nConffiles:\n /etc/a f00\nVersion: 1\nDescription: short\n long',
  );
  const others = 'Package: a\nVersion: 1\n\nPackage: pitayad-x\nVersion: 1\n';
  const once = withPackage(others, 'pitayad', paragraph);
  assert.equal(once, `${others}\n${paragraph}\n`);
  assert.equal(withPackage(once, 'pitayad', paragraph), once);
  assert.equal(
    withPackage(once.replace('Version: 1\nDescription', 'Version: 0\nDescription'), 'pitayad', paragraph),
    once,
  );
});

test('dpkg’s list has folders before what is in them', () => {
  assert.equal(listOf(['usr/bin/x', 'etc/y']), '/.\n/etc\n/etc/y\n/usr\n/usr/bin\n/usr/bin/x\n');
});

test('a public key is one line, of a type that it has inside', () => {
  const data = Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.alloc(36, 7)]).toString(
    'base64',
  );
  const key = `ssh-ed25519 ${data} someone@there`;
  assert.equal(publicKey(`${key}\r\n`, 'k.pub'), key);
  assert.equal(publicKey(`ssh-ed25519 ${data}\n`, 'k.pub'), `ssh-ed25519 ${data}`);
  refused(() => publicKey('-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n', 'k'), /is a private key.*k\.pub/);
  for (const wrong of [
    '',
    'hello',
    `ssh-rsa ${data} a`,
    `ssh-ed25519 ${data.slice(0, 10)}! a`,
    `${key}\n${key}`,
    `command="rm" ${key}`,
    `ssh-ed25519 ${data} a\x07b`,
    'ssh-ed25519 AAAA',
  ]) {
    refused(() => publicKey(wrong, 'k.pub'), /k\.pub is no public SSH key/);
  }
  assert.equal(withKey('', key), `${key}\n`);
  assert.equal(withKey('# mine\nssh-rsa AAAA me', key), `# mine\nssh-rsa AAAA me\n${key}\n`);
  assert.equal(withKey(`${key} other comment\n`, key), `${key} other comment\n`);
});

test('a fixed address, with what belongs to it', () => {
  assert.equal(networkFile({ address: 'dhcp' }), undefined);
  const file = networkFile({ address: '192.168.1.20/24', gateway: '192.168.1.1', dns: '192.168.1.1,9.9.9.9' });
  assert.equal(
    file,
    '# Written by the SD-card builder of pitayad.\n[Match]\nName=eth0\n\n[Network]\nAddress=192.168.1.20/24\nLinkLocalAddressing=ipv4\nGateway=192.168.1.1\nDNS=192.168.1.1\nDNS=9.9.9.9\n',
  );
  assert.match(networkFile({ address: '2001:db8::20/64', gateway: 'fe80::1' }) ?? '', /Address=2001:db8::20\/64/);
  for (const address of [
    ...['', '192.168.1.20', '192.168.1.20/33', '192.168.1.20/0', '192.168.1.0/24', '192.168.1.255/24', '127.0.0.1/8'],
    ...['224.0.0.1/8', '192.168.1.20/24\nDHCP=yes', '::1/64', 'ff02::1/64', 'fe80::1%eth0/64', 'board.local/24'],
  ]) {
    refused(() => networkFile({ address }), /--address must be/);
  }
  for (const gateway of ['10.0.0.1', '192.168.1.20', 'router', 'fe80::1']) {
    refused(() => networkFile({ address: '192.168.1.20/24', gateway }), /--gateway must be/);
  }
  refused(() => networkFile({ address: '192.168.1.20/24', dns: '9.9.9.9 1.1.1.1' }), /--dns must be/);
  refused(() => networkFile({ address: 'dhcp', dns: '9.9.9.9' }), /by DHCP too/);
});

test('the card’s configuration: a page of what there is, with the settings behind it or in their places', () => {
  const page = cardConfig(undefined, 'x', {});
  assert.deepEqual(parseConfig(page, 'x', 'card'), {});
  assert.match(page, /^# in1: LV$/m);
  assert.ok(!/^# (bus|state|listen):/m.test(page));
  // Every line that shows a setting would be taken, were it not behind a #.
  for (const [, line = ''] of page.matchAll(/^# (\w+: ?\S.*)$/gm)) {
    if (/^\w+: \S/.test(line) && !line.includes(' (')) parseConfig(line, line, 'card');
  }
  const set = cardConfig(undefined, 'x', { in1: 'HV', allowed_networks: ['192.0.2.0/24'] });
  assert.ok(set.startsWith(page));
  assert.deepEqual(parseConfig(set, 'x', 'card'), { in1: 'HV', allowed_networks: ['192.0.2.0/24'] });
  const changed = cardConfig('# mine\nin1: LV # left\nin2: HV\n', 'x', { in1: 'HV' });
  assert.equal(changed, '# mine\nin1: HV # left\nin2: HV\n');
  refused(() => cardConfig('in1: 5\n', 'mine.yaml', {}), /mine\.yaml, line 1: in1 must be/);
  refused(() => cardConfig('state: /etc/passwd\n', 'mine.yaml', {}), /state cannot be set on the card/);
});

test.run();
