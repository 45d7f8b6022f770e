/**
 * A board's file system with what the kernel shows of the FPGA, a kernel that acts on what is written there, as far as the
 * sources of the drivers say, and registers that remember who asked them. And bitstreams: only their heads are real.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { KernelFiles } from '../../../src/fpga/bitstream/kernel.ts';
import type { RegisterBus } from '../../../src/fpga/bus/bus.ts';
import { recordingBus } from '../recording-bus.ts';

export type Os = '1.04' | '2.x' | '3.x';

export const IDCODES = { z7010: 0x0372_2093, z7020: 0x0372_7093 } as const;

/** Head of PyRPL's red_pitaya.bin, up to the IDCODE, and as much noise as makes it long enough. */
export function bitstream(idcode: number, { swapped = false, header = '' } = {}): Buffer {
  const words = [
    ...Array<number>(8).fill(0xffff_ffff),
    ...[0x0000_00bb, 0x1122_0044, 0xffff_ffff, 0xffff_ffff, 0xaa99_5566, 0x2000_0000, 0x3002_2001, 0],
    ...[0x3002_0001, 0, 0x3000_8001, 0, 0x2000_0000, 0x3000_8001, 7, 0x2000_0000, 0x2000_0000],
    ...[0x3001_8001, idcode],
  ];
  const body = Buffer.alloc(200_000, 0x5a);
  for (const [k, word] of words.entries()) body.writeUInt32LE(word, 4 * k);
  return Buffer.concat([Buffer.from(header, 'latin1'), swapped ? body.swap32() : body]);
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Constants of PyRPL's design: 24, 32 … (FPGA.md, section 16). */
export const IDENTITY: readonly (readonly [address: number, value: number])[] = [
  [0x4030_020c, 24],
  [0x4030_0204, 32],
  [0x4034_0204, 29],
  [0x4035_0214, 24],
  [0x4035_0208, 32],
];

/** One access to a register, and whether the FPGA ran then: if not, a real board hangs. */
export interface Access {
  readonly write: boolean;
  readonly address: number;
  readonly operating: boolean;
}

export interface FakeBoard {
  readonly root: string;
  readonly files: KernelFiles;
  write(path: string, content: string | Buffer): void;
  read(path: string): string | undefined;
  /** The words that the kernel configured the FPGA with last. */
  configured(): Buffer | undefined;
  /** How often it did. */
  loads(): number;
  /** Overlays that are applied. */
  readonly overlays: ReadonlySet<string>;
  /** Maps the registers of the design that runs; every access is in `accesses`. */
  registers(): RegisterBus;
  readonly accesses: readonly Access[];
  end(): void;
}

export interface FakeOptions {
  readonly os: Os;
  readonly hwRev?: string;
  /** What the processor says that it is; by default what an emulator says, nothing. */
  readonly socId?: string;
  /** A design of another program runs. */
  readonly foreign?: boolean;
  /** The kernel takes the image and says nothing, but the FPGA stays as it is. */
  readonly failsSilently?: boolean;
  /** There is no configfs. */
  readonly withoutOverlays?: boolean;
  /** The kernel takes no overlay of ours. */
  readonly refusesOverlays?: boolean;
}

const MANAGER = 'sys/class/fpga_manager/fpga0';
const PROG_DONE = 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done';
const FOREIGN = Buffer.from('v0.94');

export function fakeBoard(options: FakeOptions): FakeBoard {
  const { os, hwRev = 'STEM_125-14_v1.1', socId = '0x0', foreign, failsSilently, withoutOverlays } = options;
  const root = mkdtempSync(join(tmpdir(), 'pitayad-board-'));
  // By fpgautil, or by systemd.
  const overlayFolder = `${os === '2.x' ? 'configfs' : 'sys/kernel/config'}/device-tree/overlays`;
  const overlays = new Set<string>();
  const accesses: Access[] = [];
  let configured: Buffer | undefined;
  let loads = 0;

  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const read = (path: string): string | undefined =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined;

  const eeprom = Buffer.alloc(8192, 0xff);
  eeprom.write(`\0\0\0\0hw_rev=${hwRev}\0ethaddr=00:26:32:f0:00:01\0\0`, 0x1800, 'latin1');
  write('sys/bus/i2c/devices/0-0050/eeprom', eeprom);
  write('sys/devices/soc0/soc_id', `${socId}\n`);
  write('proc/sys/kernel/random/boot_id', 'c0ffee\n');
  for (const folder of ['lib/firmware', 'run', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
  if (os === '1.04') {
    write('dev/xdevcfg', '');
    write(PROG_DONE, foreign ? '1\n' : '0\n');
  } else {
    write(`${MANAGER}/state`, foreign ? 'operating\n' : 'unknown\n');
    write(`${MANAGER}/flags`, '');
    write(`${MANAGER}/firmware`, '');
    if (foreign) write('tmp/loaded_fpga.inf', 'v0.94\n');
    for (const name of withoutOverlays ? [] : ['Led', ...(foreign ? ['v0.94'] : [])]) {
      overlays.add(name);
      mkdirSync(join(root, overlayFolder, name), { recursive: true });
    }
  }
  if (foreign) configured = FOREIGN;

  const operating = (): boolean =>
    ['operating', '1'].includes((read(`${MANAGER}/state`) ?? read(PROG_DONE) ?? '').trim());

  function configure(words: Buffer): void {
    loads++;
    if (failsSilently) return;
    configured = words;
    if (os === '1.04') write(PROG_DONE, '1\n');
    else write(`${MANAGER}/state`, 'operating\n');
  }

  function loadFirmware(name: string): void {
    configure(readFileSync(join(root, 'lib/firmware', name)));
  }

  /** What the drivers do at once with what is written. */
  const files: KernelFiles = {
    async write(path, content) {
      await writeFile(path, content);
      if (path.endsWith('dev/xdevcfg')) configure(Buffer.from(content));
      if (path.endsWith(`${MANAGER}/firmware`)) loadFirmware(String(content));
      if (path.includes(overlayFolder) && basename(path) === 'path') {
        if (options.refusesOverlays) throw Object.assign(new Error('EINVAL: invalid argument'), { code: 'EINVAL' });
        const overlay = readFileSync(join(root, 'lib/firmware', String(content)), 'latin1');
        loadFirmware(/([\w.]+\.bin)\0/.exec(overlay)?.[1] ?? '');
        overlays.add(basename(dirname(path)));
        writeFileSync(join(dirname(path), 'status'), 'applied\n');
      }
    },
    async makeFolder(path) {
      mkdirSync(path);
      writeFileSync(join(path, 'status'), 'unapplied\n');
    },
    async removeFolder(path) {
      rmSync(path, { recursive: true });
      overlays.delete(basename(path));
    },
  };

  function registers(): RegisterBus {
    const bus = recordingBus();
    if (configured !== FOREIGN) for (const [address, value] of IDENTITY) bus.preset(address, value);
    const noted =
      <A extends unknown[], R>(isWrite: boolean, access: (address: number, ...rest: A) => R) =>
      (address: number, ...rest: A): R => {
        accesses.push({ write: isWrite, address, operating: operating() });
        return access(address, ...rest);
      };
    return {
      ...bus,
      read: noted(false, bus.read),
      readBlock: noted(false, bus.readBlock),
      write: noted(true, bus.write),
      writeBlock: noted(true, bus.writeBlock),
    };
  }

  return {
    root,
    files,
    write,
    read,
    configured: () => configured,
    loads: () => loads,
    overlays,
    registers,
    accesses,
    end: () => rmSync(root, { recursive: true }),
  };
}
