#!/usr/bin/env node
/**
 * Makes an SD image that looks to pitayad like one of Red Pitaya's own OS 2.x: MBR, FAT with an "ecosystem", ext4 root with
 * systemd, the stock units' names, types and order (stubs behind them), the stock host name, groups and mounts, and a
 * dpkg that works. Nothing foreign is run: packages are unpacked, not configured. Needs no root, loop device or mount.
 *
 *     fakeroot -- node test/board/base-image.mjs OUT.img
 *
 * Sources: RedPitaya/ubuntu (debian/image.sh, overlay/), RedPitaya/RedPitaya (sbin/, patches/startup).
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const PACKAGES = [
  [
    'base-files',
    'base-passwd',
    'bash',
    'dash',
    'coreutils',
    'util-linux',
    'mount',
    'login',
    'passwd',
    'sed',
    'grep',
    'mawk',
  ],
  ['tar', 'gzip', 'xz-utils', 'findutils', 'hostname', 'debianutils', 'init-system-helpers', 'libc-bin', 'diffutils'],
  [
    'systemd-sysv',
    'systemd',
    'udev',
    'dbus',
    'systemd-resolved',
    'systemd-timesyncd',
    'kmod',
    'procps',
    'iproute2',
    'netbase',
  ],
  ['avahi-daemon', 'libnss-mdns', 'libstdc++6', 'libatomic1', 'dpkg', 'adduser', 'perl-base'],
].flat();

/** In MiB; the whole a power of two, which QEMU's SD card wants. */
const SIZE = 1024;
const FAT = { start: 4, size: 256 };
const EXT4 = { start: FAT.start + FAT.size, size: SIZE - FAT.start - FAT.size };

const FILES = {
  '/etc/fstab': `/dev/mmcblk0p2  /               ext4    errors=remount-ro      0       1
/dev/mmcblk0p1  /boot           vfat    defaults,ro            0       0
/dev/mmcblk0p1  /opt/redpitaya  vfat    defaults,ro            0       2
none            /var/run        tmpfs   size=2M,noatime        0       0
none            /var/log        tmpfs   size=5M,noatime        0       0
proc            /proc           proc    defaults               0       0
`,
  '/etc/hostname': 'redpitaya\n',
  '/root/.version': '2.07\n',
  '/etc/systemd/network/wired.network': `[Match]
Name=eth0
[Network]
LinkLocalAddressing=ipv4
DHCP=ipv4
`,
  // The stock one tells hostnamed of it, for which an emulator needs seconds.
  '/etc/systemd/system/hostname-mac.service': unit('Set hostname from the MAC address', {
    Unit: 'Before=systemd-networkd.service avahi-daemon.service',
    Service: `Type=oneshot
ExecStart=/bin/sh -c "echo rp-\`sed 's/://g' /sys/class/net/eth0/address | tail -c 7\` >/etc/hostname; hostname -F /etc/hostname"`,
  }),
  // Simple, as the stock one: it counts as started before it has loaded anything.
  '/etc/systemd/system/redpitaya_startup.service': unit('Service for startup script Red Pitaya', {
    Unit: 'After=network.target\nBefore=redpitaya_nginx.service',
    Service: "Type=simple\nExecStart=/bin/sh -c '/opt/redpitaya/sbin/startup.sh'",
  }),
  '/etc/systemd/system/redpitaya_nginx.service': unit('Stub of the customized nginx', {
    Unit: 'After=network.target',
    Service: 'ExecStart=/bin/sleep infinity',
  }),
  // The console's shell, as root and without a question, as the stock image has it; but for a program to talk to.
  '/etc/systemd/system/board-console.service': unit('Shell on the console', {
    Unit: 'After=systemd-remount-fs.service systemd-tmpfiles-setup.service',
    Service: `ExecStart=/bin/sh -c 'stty raw -echo; echo console ready; cat | /bin/bash'
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyPS0
Environment=HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
WorkingDirectory=/root`,
  }),
  // The emulator has no I2C bus: a file stands where the kernel shows a board's EEPROM.
  '/etc/systemd/system/board-eeprom.service': unit('The EEPROM that the emulated board lacks', {
    Unit: 'DefaultDependencies=no\nAfter=local-fs.target\nBefore=basic.target',
    Service: `Type=oneshot
ExecStart=/bin/mount -t tmpfs -o mode=755,size=64k tmpfs /sys/bus/i2c/devices
ExecStart=/bin/mkdir /sys/bus/i2c/devices/0-0050
ExecStart=/bin/cp /usr/local/share/eeprom /sys/bus/i2c/devices/0-0050/eeprom
ExecStart=/bin/chgrp eeprom /sys/bus/i2c/devices/0-0050/eeprom
ExecStart=/bin/chmod 640 /sys/bus/i2c/devices/0-0050/eeprom`,
  }),
  // Tens of times slower than a board, on a machine that is busy with other tests too.
  '/etc/systemd/system/pitayad.service.d/emulator.conf':
    '[Service]\nTimeoutStartSec=600\nTimeoutStopSec=60\nWatchdogSec=600\n',
  '/etc/systemd/system/pitayad-fpga.service.d/emulator.conf': '[Service]\nTimeoutStartSec=600\n',
  // Of the devices, those that a test needs.
  '/etc/systemd/system/systemd-udev-trigger.service.d/emulator.conf':
    '[Service]\nExecStart=\nExecStart=udevadm trigger --action=add --subsystem-match=block --subsystem-match=net --subsystem-match=mem --subsystem-match=uio\n',
  // The card is a file that is forgotten.
  '/etc/dpkg/dpkg.cfg.d/emulator': 'force-unsafe-io\n',
  '/etc/udev/rules.d/10-redpitaya.rules': 'SUBSYSTEM=="uio", SYMLINK+="uio/%s{name}", GROUP="uio"\n',
  '/usr/lib/sysusers.d/zz-board.conf': `u messagebus - "D-Bus"
u avahi - "Avahi"
g netdev - -
${['xdevcfg', 'uio', 'led', 'gpio', 'spi', 'i2c', 'eeprom', 'xadc', 'dma'].map((name) => `g ${name} - -`).join('\n')}
`,
};

const WANTED = ['hostname-mac', 'redpitaya_startup', 'redpitaya_nginx', 'board-console', 'board-eeprom'];
const STOCK_WANTED = ['avahi-daemon', 'systemd-networkd'];

/** What takes an emulator's time, and is of no use to a test. */
const LEFT_OUT = [
  ...[
    'serial-getty@ttyPS0',
    'getty@tty1',
    'systemd-logind',
    'systemd-user-sessions',
    'systemd-update-utmp',
    'modprobe@fuse',
  ],
  ...[
    'modprobe@drm',
    'modprobe@loop',
    'modprobe@dm_mod',
    'modprobe@efi_pstore',
    'systemd-random-seed',
    'systemd-timesyncd',
  ],
  ...['systemd-update-utmp-runlevel', 'e2scrub_reap', 'systemd-machine-id-commit', 'systemd-fsck-root'],
  ...['systemd-resolved', 'systemd-sysctl', 'systemd-modules-load', 'systemd-sysusers', 'systemd-journal-flush'],
].map((name) => `${name}.service`);
/** Run at boot and at each reload: all of systemd's but the one that reads fstab. */
const GENERATORS = [
  ...['cryptsetup', 'debug', 'getty', 'gpt-auto', 'hibernate-resume', 'integritysetup', 'rc-local'],
  ...['run', 'system-update', 'sysv', 'veritysetup'],
].map((name) => `systemd-${name}-generator`);
const LEFT_OUT_TOO = ['sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'dev-mqueue.mount', 'getty.target'];

/** The ecosystem on the FAT, as far as something here needs it. */
const ECOSYSTEM = {
  // The real one loads v0.94 and asks its registers for the board's name here.
  'sbin/startup.sh': '#!/bin/bash\nsleep 4\nprintf v0.94 >/tmp/loaded_fpga.inf\n',
  'version.txt': 'look-alike 2.07\n',
  'fpga/z10_125/v0.94/README': 'the stock design would be here\n',
};

const out = process.argv[2];
const work = mkdtempSync(`${out}.`);
try {
  const root = join(work, 'root');
  unpack(root);
  complete(root);
  image(root, out);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function unit(description, sections) {
  const parts = Object.entries({ ...sections, Install: 'WantedBy=multi-user.target' });
  return [
    `[Unit]\nDescription=${description}`,
    ...parts.map(([name, text]) => (name === 'Unit' ? text : `[${name}]\n${text}`)),
  ]
    .join('\n')
    .concat('\n');
}

function run(program, ...args) {
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  return execFileSync(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH },
    maxBuffer: 1 << 26,
  });
}

/** Packages of the Debian that this machine takes its own from, and a dpkg database that has them as installed. */
function unpack(root) {
  const lines = `${run('apt-get', 'indextargets', '--format', '$(SITE) $(CODENAME) $(COMPONENT) $(ORIGIN)', 'Created-By: Packages')}`;
  const [site, codename] = (lines.split('\n').find((line) => / [a-z]+ main Debian$/.test(line)) ?? '').split(' ');
  if (!codename) throw new Error('this machine takes no packages from Debian, of which the board’s are made');
  const merged = 'for d in bin sbin lib; do mkdir -p "$1/usr/$d"; ln -s usr/$d "$1/$d"; done';
  const status =
    'for d in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -f "$d" | sed "1a Status: install ok installed"; echo; done >"$1/var/lib/dpkg/status"';
  // dpkg warns of each package that has no list of its files.
  const lists =
    'for d in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -f "$d" Package Architecture Multi-Arch | { name=; arch=; while read -r key value; do case $key in Package:) name=$value;; Architecture:) arch=$value;; Multi-Arch:) [ "$value" != same ] || name=$name:$arch;; esac; done; : >"$1/var/lib/dpkg/info/$name.list"; }; done';
  const hooks = [`--setup-hook=${merged}`, `--extract-hook=${status}`, `--extract-hook=${lists}`];
  const options = ['--quiet', '--mode=chrootless', '--architectures=armhf', '--variant=extract', '--format=directory'];
  run('mmdebstrap', ...options, `--include=${PACKAGES}`, ...hooks, codename, root, `deb ${site} ${codename} main`);
  rmSync(join(root, 'dev'), { recursive: true, force: true });
}

/** What the packages' own scripts would have made, and what makes a Red Pitaya of it. */
function complete(root) {
  const put = (path, content, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
  };
  const read = (path) => readFileSync(join(root, path), 'utf8');
  put('/etc/passwd', read('/usr/share/base-passwd/passwd.master').replace('root:*:', 'root:x:'));
  put('/etc/group', read('/usr/share/base-passwd/group.master'));
  put('/etc/shadow', read('/etc/passwd').replace(/^([^:]*):.*$/gm, '$1:*:19000:0:99999:7:::'), 0o640);
  for (const [path, content] of Object.entries(FILES)) put(path, content);
  run('systemd-sysusers', `--root=${root}`);
  const nsswitch = '/usr/share/libc-bin/nsswitch.conf';
  if (existsSync(join(root, nsswitch))) put('/etc/nsswitch.conf', read(nsswitch));
  put('/etc/machine-id', '');
  put('/etc/adduser.conf', '');
  appendFileSync(join(root, 'etc/systemd/resolved.conf'), 'MulticastDNS=yes\n');
  const eeprom = Buffer.alloc(8192, 0xff);
  eeprom.write('\0\0\0\0hw_rev=STEM_125-14_v1.1\0ethaddr=00:26:32:f0:a1:b2\0serial=1\0\0', 0x1800, 'latin1');
  put('/usr/local/share/eeprom', eeprom);

  const link = (target, path) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (lstatSync(join(root, path), { throwIfNoEntry: false })) rmSync(join(root, path));
    symlinkSync(target, join(root, path));
  };
  link('dash', '/usr/bin/sh');
  link('mawk', '/usr/bin/awk');
  link('../run/systemd/resolve/stub-resolv.conf', '/etc/resolv.conf');
  link('/lib/systemd/system/multi-user.target', '/etc/systemd/system/default.target');
  for (const name of [...LEFT_OUT, ...LEFT_OUT_TOO]) link('/dev/null', `/etc/systemd/system/${name}`);
  for (const name of GENERATORS) link('/dev/null', `/etc/systemd/system-generators/${name}`);
  const wants = '/etc/systemd/system/multi-user.target.wants';
  for (const name of WANTED) link(`../${name}.service`, `${wants}/${name}.service`);
  for (const name of STOCK_WANTED) link(`/lib/systemd/system/${name}.service`, `${wants}/${name}.service`);
  const folders = ['proc', 'sys', 'dev', 'run', 'tmp', 'root', 'mnt', 'boot', 'opt/redpitaya', 'var/lib/dbus'];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  chmodSync(join(root, 'root'), 0o700);
}

function image(root, path) {
  rmSync(path, { force: true });
  closeSync(openSync(path, 'w'));
  truncateSync(path, SIZE << 20);
  const table = `label: dos\nstart=${FAT.start}MiB, size=${FAT.size}MiB, type=e\nstart=${EXT4.start}MiB, type=83\n`;
  execFileSync('/sbin/sfdisk', ['-q', path], { input: table, stdio: ['pipe', 'ignore', 'inherit'] });
  const fat = join(work, 'fat');
  for (const [name, content] of Object.entries(ECOSYSTEM)) {
    mkdirSync(dirname(join(fat, name)), { recursive: true });
    writeFileSync(join(fat, name), content);
  }
  const partition = join(work, 'fat.img');
  closeSync(openSync(partition, 'w'));
  truncateSync(partition, FAT.size << 20);
  // FAT32 whatever the type byte says, as on the stock image.
  run('mkfs.vfat', '-F', '32', '-n', 'BOOT', partition);
  run('mcopy', '-s', '-i', partition, ...['sbin', 'fpga', 'version.txt'].map((name) => join(fat, name)), '::/');
  run('dd', `if=${partition}`, `of=${path}`, 'bs=1M', `seek=${FAT.start}`, 'conv=notrunc,sparse', 'status=none');
  const features = 'lazy_itable_init=0,lazy_journal_init=0';
  run(
    'mke2fs',
    '-q',
    '-t',
    'ext4',
    '-L',
    'root',
    '-E',
    `offset=${EXT4.start << 20},${features}`,
    '-d',
    root,
    path,
    `${EXT4.size << 10}k`,
  );
}
