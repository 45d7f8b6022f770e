/** Boards that are well, of each generation of the OS, and their faults. Files as those systems have them. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { NetworkInterfaceInfo } from 'node:os';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../../src/config/settings.ts';
import type { Patient, Room } from '../../src/doctor/patient.ts';
import { announceLoad, rememberLoad } from '../../src/fpga/bitstream/loaded.ts';
import type { Os } from '../fpga/bitstream/fake-board.ts';

/** A patient whose parts can be changed. */
export interface Tree {
  readonly root: string;
  write(path: string, content: string | Buffer): void;
  remove(path: string): void;
  /** Of systemd, by unit. */
  readonly units: Record<string, string>;
  addresses: string[];
  readonly rooms: Record<string, Room>;
  clock: Date;
  config: Partial<Config>;
  patient(): Patient;
  end(): void;
}

const UBUNTU: Readonly<Record<Os, readonly [version: string, kernel: string]>> = {
  '1.04': ['16.04', '4.9.0-xilinx'],
  '2.x': ['22.04', '5.15.0-xilinx'],
  '3.x': ['24.04', '6.12.0-xilinx'],
};

const DAEMON = 640;
/** State LISTEN on port 6341 (18C5), LECO's 12300 (300C), and an SSH server. */
const SOCKETS = [
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
  '   0: 00000000:18C5 00000000:0000 0A 00000000:00000000 00:00000000 00000000   995        0 20713 1 0 100 0 0 10 0',
  '   2: 00000000000000000000000000000000:300C 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   995        0 20714 1',
  '   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15220 1 0 100 0 0 10 0',
  '',
].join('\n');

export async function goodBoard(os: Os, design = 'the design'): Promise<Tree> {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-doctor-'));
  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const [version, kernel] = UBUNTU[os];
  write('etc/os-release', `NAME="Ubuntu"\nVERSION_ID="${version}"\n`);
  write('proc/sys/kernel/osrelease', `${kernel}\n`);
  write('proc/sys/kernel/random/boot_id', 'c0ffee\n');
  write('proc/device-tree/compatible', 'xlnx,zynq-7000\0');
  write('proc/meminfo', 'MemTotal:         502132 kB\nMemAvailable:     401000 kB\n');
  write('proc/net/tcp', SOCKETS);
  write('proc/locks', '');
  write(`proc/${DAEMON}/cmdline`, '/usr/lib/pitayad/bin/node\0/usr/lib/pitayad/pitayad.cjs\0serve\0--bus\0devmem\0');
  write(`proc/${DAEMON}/comm`, 'node\n');
  write(`proc/${DAEMON}/status`, 'Name:\tnode\nCapEff:\t0000000000020000\n');
  const eeprom = Buffer.alloc(8192, 0xff);
  eeprom.write('\0\0\0\0hw_rev=STEM_125-14_v1.1\0ethaddr=00:26:32:f0:00:01\0\0', 0x1800, 'latin1');
  write('sys/bus/i2c/devices/0-0050/eeprom', eeprom);
  write('sys/devices/soc0/soc_id', '0x2\n');
  if (os === '1.04') write('sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done', '1\n');
  else write('sys/class/fpga_manager/fpga0/state', 'operating\n');
  write('dev/mem', '');
  chmodSync(join(root, 'dev/mem'), 0o660);
  write('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\npitayad:x:995:995::/var/lib/pitayad:/usr/sbin/nologin\n');
  write('etc/group', `daemon:x:1:\nkmem:x:${statSync(join(root, 'dev/mem')).gid}:scpi,pitayad\n`);
  write('run/avahi-daemon/pid', '300\n');
  write('run/systemd/timesync/synchronized', '');
  write('etc/avahi/services/pitayad.service', '<service-group><name>pitayad on rp-f00001</name></service-group>');
  write('usr/lib/pitayad/fpga/red_pitaya.bin', design);
  write('usr/lib/pitayad/native/linux-arm-115/addons.cjs', '');
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const sha256 = createHash('sha256').update(design).digest('hex');
  await announceLoad(root);
  await rememberLoad(root, sha256);

  const tree: Tree = {
    root,
    write,
    remove: (path) => rmSync(join(root, path), { recursive: true, force: true }),
    units: {
      'redpitaya_startup.service': 'dead',
      'redpitaya_nginx.service': 'dead',
      'redpitaya_scpi.service': 'dead',
      'pitayad-fpga.service': 'exited',
      'pitayad.service': 'running',
    },
    addresses: ['192.0.2.7', 'fe80::7'],
    rooms: { '/': { free: 2e9, total: 7e9 }, '/var/log': { free: 4e6, total: 5e6 } },
    clock: new Date('2026-03-01T10:00:00Z'),
    // The file of this test is none of PyRPL's.
    config: { bitstream: '/usr/lib/pitayad/fpga/red_pitaya.bin', bitstream_sha256: sha256 },
    patient: () => ({
      root,
      arch: 'arm',
      config: tree.config,
      unitStates: async (units) => units.map((unit) => tree.units[unit]),
      interfaces: () => ({ lo: [info('127.0.0.1', true)], eth0: tree.addresses.map((address) => info(address)) }),
      room: (folder) => tree.rooms[folder],
      now: () => tree.clock,
    }),
    end: () => rmSync(root, { recursive: true }),
  };
  return tree;
}

function info(address: string, internal = false): NetworkInterfaceInfo {
  const rest = { address, netmask: '', cidr: null, mac: '02:00:00:00:00:01', internal };
  return address.includes(':') ? { ...rest, family: 'IPv6', scopeid: 2 } : { ...rest, family: 'IPv4' };
}
