/** Good boards have no complaint, and each fault is found, alone, with what to do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { examine } from '../../src/doctor/doctor.ts';
import type { Finding } from '../../src/doctor/patient.ts';
import { PROGRAM } from '../command.ts';
import { goodBoard, type Tree } from './trees.ts';

const test = suite<{ tree: Tree }>('doctor');

test.before.each(async (context) => {
  context.tree = await goodBoard('2.x');
});
test.after.each(({ tree }) => tree.end());

for (const os of ['1.04', '2.x', '3.x'] as const) {
  test(`a good board, OS ${os}`, async () => {
    const tree = await goodBoard(os);
    try {
      const findings = await examine(tree.patient());
      const complaints = findings.filter(({ verdict }) => verdict !== 'ok');
      assert.deepEqual(complaints, []);
      const says = (subject: string) => findings.find((one) => one.subject === subject)?.says ?? '';
      assert.match(says('system'), new RegExp(`Red Pitaya OS ${os.replace('.', '\\.')}`));
      assert.equal(says('model'), 'STEM_125-14_v1.1, z7010');
      assert.match(says('FPGA'), /runs the design that pitayad loaded/);
      assert.equal(says('network'), 'eth0 192.0.2.7');
      assert.equal(says('mDNS'), 'announced by avahi as pitayad on rp-f00001');
      assert.match(says('port'), /process 640 listens on 6341/);
    } finally {
      tree.end();
    }
  });
}

const MANAGER = 'sys/class/fpga_manager/fpga0/state';
const EEPROM = 'sys/bus/i2c/devices/0-0050/eeprom';

function withHwRev(tree: Tree, hwRev: string): void {
  const eeprom = Buffer.alloc(8192, 0xff);
  if (hwRev) eeprom.write(`\0\0\0\0hw_rev=${hwRev}\0\0`, 0x1800, 'latin1');
  tree.write(EEPROM, eeprom);
}

/** Who has the lock on /dev/mem, as /proc/locks has it. */
function locked(tree: Tree, pid: number): void {
  const { dev, ino } = statSync(join(tree.root, 'dev/mem'), { bigint: true });
  const [major, minor] = [((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn), (dev & 0xffn) | ((dev >> 12n) & ~0xffn)];
  const file = `${[major, minor].map((n) => n.toString(16).padStart(2, '0')).join(':')}:${ino}`;
  tree.write('proc/locks', `1: FLOCK  ADVISORY  WRITE ${pid} ${file} 0 EOF\n`);
}

type Fault = readonly [
  what: string,
  harm: (tree: Tree) => void,
  finding: Readonly<{ subject: string; verdict: Finding['verdict']; says: RegExp; remedy?: RegExp }>,
];

const FAULTS: readonly Fault[] = [
  [
    'another Linux',
    (tree) => tree.write('etc/os-release', 'ID=debian\nVERSION_ID="12"\n'),
    {
      subject: 'system',
      verdict: 'warning',
      says: /not made for \(VERSION_ID 12, kernel 5\.15/,
      remedy: /1\.04, 2\.x or 3\.x/,
    },
  ],
  [
    'a board that the design does not fit',
    (tree) => withHwRev(tree, 'STEM_122-16SDR_v1.1'),
    { subject: 'model', verdict: 'error', says: /does not run on STEM_122-16SDR_v1\.1: its clock has 122\.88 MHz/ },
  ],
  [
    'a board that nobody knows',
    (tree) => withHwRev(tree, 'TOASTER_v1'),
    { subject: 'model', verdict: 'error', says: /calls itself TOASTER_v1/, remedy: /setting board/ },
  ],
  [
    'an empty EEPROM',
    (tree) => withHwRev(tree, ''),
    { subject: 'model', verdict: 'error', says: /calls itself nothing/, remedy: /setting board/ },
  ],
  [
    'no EEPROM to read',
    (tree) => tree.remove(EEPROM),
    { subject: 'model', verdict: 'warning', says: /EEPROM cannot be read \(ENOENT\)$/, remedy: /sudo pitayad doctor/ },
  ],
  [
    'another chip than the model has',
    (tree) => tree.write('sys/devices/soc0/soc_id', '0x7\n'),
    { subject: 'model', verdict: 'error', says: /has a z7010, but the chip of this board is a z7020/ },
  ],
  [
    'a board of the second generation',
    (tree) => withHwRev(tree, 'STEM_125-14_v2.0'),
    { subject: 'model', verdict: 'warning', says: /outputs reach ±2 V/ },
  ],
  [
    'a kernel without FPGA',
    (tree) => tree.remove('sys/class'),
    { subject: 'FPGA', verdict: 'error', says: /shows no FPGA/, remedy: /Red Pitaya’s own OS/ },
  ],
  [
    'a load that failed',
    (tree) => tree.write(MANAGER, 'write error\n'),
    { subject: 'FPGA', verdict: 'error', says: /not configured: .*says write error/, remedy: /sudo pitayad reload/ },
  ],
  [
    'another design',
    (tree) => tree.write('tmp/loaded_fpga.inf', 'v0.94\n'),
    { subject: 'FPGA', verdict: 'error', says: /another design: v0\.94/, remedy: /sudo pitayad reload/ },
  ],
  [
    'a design that nobody names',
    (tree) => tree.remove('tmp/loaded_fpga.inf'),
    { subject: 'FPGA', verdict: 'error', says: /nobody says with which design/, remedy: /sudo pitayad reload/ },
  ],
  [
    'PyRPL loaded it',
    (tree) => tree.remove('run/pitayad-fpga.json'),
    { subject: 'FPGA', verdict: 'warning', says: /PyRPL’s design, loaded by another program or left by pitayad/ },
  ],
  [
    'the web page is up',
    (tree) => {
      tree.units['redpitaya_nginx.service'] = 'running';
    },
    {
      subject: 'other users',
      verdict: 'error',
      says: /redpitaya_nginx\.service is up/,
      remedy: /sudo systemctl stop redpitaya_nginx/,
    },
  ],
  [
    'PyRPL works from a PC',
    (tree) => tree.write('proc/812/comm', 'monitor_server\n'),
    {
      subject: 'other users',
      verdict: 'error',
      says: /monitor_server \(process 812\) .* PyRPL on a PC/,
      remedy: /sudo kill 812/,
    },
  ],
  [
    'another process has the registers',
    (tree) => {
      locked(tree, 77);
      tree.write('proc/77/cmdline', 'python3\0lab.py\0');
    },
    {
      subject: 'other users',
      verdict: 'error',
      says: /process 77 \(python3 lab\.py\) has the registers/,
      remedy: /kill 77/,
    },
  ],
  [
    'no udev rule',
    (tree) => chmodSync(join(tree.root, 'dev/mem'), 0o640),
    {
      subject: 'rights',
      verdict: 'error',
      says: /mode 640, group kmem.* not the user pitayad’s/,
      remedy: /udevadm trigger/,
    },
  ],
  [
    'the user is not in the group',
    (tree) => tree.write('etc/group', `kmem:x:${statSync(join(tree.root, 'dev/mem')).gid}:scpi\n`),
    { subject: 'rights', verdict: 'error', says: /not the user pitayad’s/, remedy: /install pitayad again/ },
  ],
  ['no /dev/mem', (tree) => tree.remove('dev/mem'), { subject: 'rights', verdict: 'error', says: /no \/dev\/mem/ }],
  [
    'not installed as a service',
    (tree) => tree.write('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n'),
    { subject: 'rights', verdict: 'warning', says: /no user pitayad/, remedy: /install/ },
  ],
  [
    'a daemon without its capability',
    (tree) => tree.write('proc/640/status', 'CapEff:\t0000000000000000\n'),
    { subject: 'rights', verdict: 'error', says: /without CAP_SYS_RAWIO/, remedy: /systemctl start pitayad/ },
  ],
  [
    'a mistake in the configuration',
    (tree) => tree.write('etc/pitayad/config.yaml', 'in1: HV\nlissen: 0.0.0.0:1\n'),
    {
      subject: 'configuration',
      verdict: 'error',
      says: /line 2: lissen is not a setting; did you mean listen/,
      remedy: /mend/,
    },
  ],
  [
    'a mistake on the card',
    (tree) => tree.write('opt/redpitaya/pitayad.yaml', 'state: /etc/shadow\n'),
    { subject: 'configuration', verdict: 'warning', says: /state cannot be set on the card/ },
  ],
  [
    'the loader’s unit failed',
    (tree) => {
      tree.units['pitayad-fpga.service'] = 'failed';
    },
    {
      subject: 'service',
      verdict: 'error',
      says: /pitayad-fpga\.service: failed/,
      remedy: /journalctl -u pitayad-fpga\.service/,
    },
  ],
  [
    'the daemon’s unit was stopped',
    (tree) => {
      tree.units['pitayad.service'] = 'dead';
    },
    {
      subject: 'service',
      verdict: 'error',
      says: /pitayad\.service: dead/,
      remedy: /systemctl start pitayad\.service/,
    },
  ],
  [
    'a damaged state',
    (tree) => tree.write('var/lib/pitayad/state.json.damaged', '{'),
    { subject: 'state', verdict: 'warning', says: /state\.json\.damaged was set aside/ },
  ],
  [
    'nobody listens',
    (tree) => {
      tree.write('proc/net/tcp', '');
      tree.config = { ...tree.config, leco: 'off' };
    },
    { subject: 'port', verdict: 'warning', says: /nobody listens on port 6341/ },
  ],
  [
    'no door for LECO',
    (tree) => tree.write('proc/net/tcp', '   0: 00000000:18C5 00000000:0000 0A 00000000:00000000 \n'),
    { subject: 'port', verdict: 'warning', says: /nobody listens on port 12300 \(LECO\)/, remedy: /leco: off/ },
  ],
  [
    'add-ons are missing',
    (tree) => tree.remove('usr/lib/pitayad/native'),
    { subject: 'versions', verdict: 'error', says: /add-ons are missing/, remedy: /install pitayad again/ },
  ],
  [
    'the port is another program’s',
    (tree) => tree.remove('proc/640'),
    { subject: 'port', verdict: 'error', says: /port 6341 is taken by another program/, remedy: /set listen/ },
  ],
  [
    'no network',
    (tree) => {
      tree.addresses = [];
    },
    { subject: 'network', verdict: 'error', says: /no interface has an address/, remedy: /cable/ },
  ],
  [
    'link-local only',
    (tree) => {
      tree.addresses = ['169.254.8.1', 'fe80::7'];
    },
    { subject: 'network', verdict: 'warning', says: /only link-local addresses \(eth0 169\.254\.8\.1/, remedy: /DHCP/ },
  ],
  [
    'discovery is off',
    (tree) => {
      tree.config = { ...tree.config, discovery: 'off' };
    },
    { subject: 'mDNS', verdict: 'warning', says: /switched off/, remedy: /type the board’s address/ },
  ],
  [
    'avahi was chosen, and does not run',
    (tree) => {
      tree.config = { ...tree.config, discovery: 'avahi' };
      tree.remove('run/avahi-daemon');
    },
    { subject: 'mDNS', verdict: 'error', says: /avahi does not run/, remedy: /systemctl start avahi-daemon/ },
  ],
  [
    'avahi was chosen, and tells nothing',
    (tree) => {
      tree.config = { ...tree.config, discovery: 'avahi' };
      tree.write('etc/avahi/services/pitayad.service', '');
    },
    { subject: 'mDNS', verdict: 'error', says: /pitayad\.service says nothing/, remedy: /systemd-tmpfiles --create/ },
  ],
  [
    'no time server',
    (tree) => tree.remove('run/systemd/timesync/synchronized'),
    { subject: 'clock', verdict: 'warning', says: /not set by the network \(2026-03-01 10:00 UTC\)/, remedy: /NTP/ },
  ],
  [
    'a clock that was never set',
    (tree) => {
      tree.remove('run/systemd/timesync/synchronized');
      tree.clock = new Date('1970-01-01T00:01:00Z');
    },
    { subject: 'clock', verdict: 'error', says: /never set: 1970/, remedy: /NTP/ },
  ],
  [
    'a full card',
    (tree) => {
      tree.rooms['/'] = { free: 5e6, total: 7e9 };
    },
    { subject: 'space', verdict: 'error', says: /^\/: 5\.0 MB free of 7000$/, remedy: /apt-get clean/ },
  ],
  [
    'full logs',
    (tree) => {
      tree.rooms['/var/log'] = { free: 0, total: 5e6 };
    },
    { subject: 'space', verdict: 'error', says: /\/var\/log: 0\.0 MB free of 5/, remedy: /delete/ },
  ],
  [
    'little memory',
    (tree) => tree.write('proc/meminfo', 'MemAvailable:     20000 kB\n'),
    { subject: 'memory', verdict: 'error', says: /20 MB/, remedy: /Jupyter/ },
  ],
  [
    'a package of another version',
    (tree) =>
      tree.write(
        'var/lib/dpkg/status',
        'Package: bash\nVersion: 5\n\nPackage: pitayad\nStatus: install ok installed\nVersion: 99.1\n\n',
      ),
    { subject: 'versions', verdict: 'warning', says: /installed is 99\.1/ },
  ],
  [
    'a damaged design',
    (tree) => tree.write('usr/lib/pitayad/fpga/red_pitaya.bin', 'cut'),
    {
      subject: 'versions',
      verdict: 'error',
      says: /red_pitaya\.bin is not the design that is expected/,
      remedy: /install pitayad again/,
    },
  ],
];

for (const [what, harm, wanted] of FAULTS) {
  test(what, async ({ tree }) => {
    harm(tree);
    const complaints = (await examine(tree.patient())).filter(({ verdict }) => verdict !== 'ok');
    assert.equal(complaints.length, 1, JSON.stringify(complaints));
    const [found] = complaints;
    assert.equal(found?.subject, wanted.subject);
    assert.equal(found?.verdict, wanted.verdict);
    assert.match(found?.says ?? '', wanted.says);
    assert.match(found?.remedy ?? '', wanted.remedy ?? /./);
  });
}

test('the daemon’s own lock is no complaint', async ({ tree }) => {
  locked(tree, 640);
  assert.ok((await examine(tree.patient())).every(({ verdict }) => verdict === 'ok'));
});

test('an empty file system is told of, line by line', async ({ tree }) => {
  for (const name of readdirSync(tree.root)) tree.remove(name);
  tree.write('proc/device-tree/compatible', 'xlnx,zynq-7000\0');
  const findings = await examine(tree.patient());
  assert.ok(findings.filter(({ verdict }) => verdict === 'error').every(({ remedy }) => remedy));
  assert.ok(findings.some(({ subject, verdict }) => subject === 'FPGA' && verdict === 'error'));
});

test('a PC hears nothing of a board', async ({ tree }) => {
  const findings = await examine({ ...tree.patient(), arch: 'x64' });
  assert.match(findings[0]?.says ?? '', /no Red Pitaya: here pitayad serves a simulated board/);
  assert.ok(!findings.some(({ subject }) => ['model', 'FPGA', 'rights', 'service', 'clock'].includes(subject)));
});

const doctor = (...args: string[]) =>
  spawnSync(process.execPath, [...PROGRAM, 'doctor', ...args], { encoding: 'utf8' });

/** Every file of a tree, with its content and time. */
function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${statSync(path).mtimeMs} ${readFileSync(path, 'hex')}`)
    .sort();
}

test('the command: a line each, what to do, a status; and it changes nothing', ({ tree }) => {
  tree.write('tmp/loaded_fpga.inf', 'v0.94\n');
  const before = snapshot(tree.root);
  const { status, stdout, stderr } = doctor('--root', tree.root);
  assert.equal(stderr, '');
  assert.equal(status, 1);
  assert.match(stdout, /^error {4}FPGA +runs another design: v0\.94\n +→ sudo pitayad reload/m);
  assert.match(stdout, /^ok {7}model +STEM_125-14_v1\.1, z7010$/m);
  assert.match(stdout, /\d to be mended, \d worth knowing/);
  const findings = JSON.parse(doctor('--root', tree.root, '--json').stdout) as Finding[];
  assert.ok(findings.some(({ subject, verdict }) => subject === 'FPGA' && verdict === 'error'));
  assert.deepEqual(snapshot(tree.root), before);
});

test('any user may ask, and hears the same', async ({ tree }) => {
  chmodSync(tree.root, 0o755);
  const own = await examine(tree.patient());
  const root = process.getuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    assert.deepEqual(await examine(tree.patient()), own);
  } finally {
    if (root) process.seteuid?.(0);
  }
});

test('the command on this machine, whatever it is', () => {
  const { status, stdout, stderr } = doctor();
  assert.equal(stderr, '');
  assert.ok(status === 0 || status === 1);
  assert.match(stdout, /versions +pitayad \d/);
});

test.run();
