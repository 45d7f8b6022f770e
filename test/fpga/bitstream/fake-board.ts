/**
 * A board's file system with what the kernel shows of the FPGA, and a kernel that acts on what is written there, as far
 * as the sources of the drivers say. And bitstreams: only their heads are real.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

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

export interface FakeBoard {
  readonly root: string;
  write(path: string, content: string | Buffer): void;
  read(path: string): string | undefined;
  /** The words that the kernel configured the FPGA with last. */
  configured(): Buffer | undefined;
  /** How often it did. */
  loads(): number;
  end(): void;
}

export interface FakeOptions {
  readonly os: Os;
  readonly hwRev?: string;
  /** The kernel takes the image and says nothing, but the FPGA does not run. */
  readonly failsSilently?: boolean;
  /** There is no configfs. */
  readonly withoutOverlays?: boolean;
}

const MANAGER = 'sys/class/fpga_manager/fpga0';
const PROG_DONE = 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done';
const OVERLAYS = 'configfs/device-tree/overlays';

export function fakeBoard({ os, hwRev = 'STEM_125-14_v1.1', failsSilently, withoutOverlays }: FakeOptions): FakeBoard {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-board-'));
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
  write('proc/sys/kernel/random/boot_id', 'c0ffee\n');
  if (os === '1.04') {
    write('dev/xdevcfg', '');
    write(PROG_DONE, '0\n');
  } else {
    write(`${MANAGER}/state`, 'unknown\n');
    write(`${MANAGER}/flags`, '');
    write(`${MANAGER}/firmware`, '');
    if (!withoutOverlays) mkdirSync(join(root, OVERLAYS, 'Led'), { recursive: true });
  }

  function configure(words: Buffer): void {
    configured = words;
    loads++;
    if (failsSilently) return;
    if (os === '1.04') write(PROG_DONE, '1\n');
    else write(`${MANAGER}/state`, 'operating\n');
  }

  /** What the drivers do with what was written since. */
  function act(): void {
    if (os === '1.04') {
      const words = readFileSync(join(root, 'dev/xdevcfg'));
      if (words.length === 0) return;
      write('dev/xdevcfg', '');
      configure(words);
      return;
    }
    const overlay = join(root, OVERLAYS, 'pitayad/dtbo');
    const named = existsSync(overlay) ? /([\w.]+\.bin)\0/.exec(readFileSync(overlay, 'latin1'))?.[1] : undefined;
    const firmware = named ?? read(`${MANAGER}/firmware`);
    if (!firmware) return;
    rmSync(overlay, { force: true });
    write(`${MANAGER}/firmware`, '');
    configure(readFileSync(join(root, 'lib/firmware', firmware)));
  }

  const timer = setInterval(act, 2);
  return {
    root,
    write,
    read,
    configured: () => configured,
    loads: () => loads,
    end() {
      clearInterval(timer);
      rmSync(root, { recursive: true });
    },
  };
}
