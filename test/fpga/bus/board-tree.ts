/**
 * A board's file system for whole programs (`--root`): /dev/mem is a plain file with the registers in it, and a kernel acts
 * on what is written.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bitstream, IDCODES, IDENTITY, sha256 } from '../bitstream/fake-board.ts';

const STATE = 'sys/class/fpga_manager/fpga0/state';
const LOADED = 'tmp/loaded_fpga.inf';
const OVERLAY = 'configfs/device-tree/overlays/pitayad';
const WINDOW = { base: 0x4000_0000, bytes: 0x80_0000 } as const;

export interface BoardTree {
  readonly root: string;
  /** What the kernel says of the FPGA. */
  state(says: string): void;
  /** What the last loader says. */
  loaded(design: string): void;
  /** Makes /dev/mem anew, with these words in it. */
  registers(words: readonly (readonly [address: number, value: number])[]): void;
  /** Of all registers. */
  hash(): string;
  readonly image: Buffer;
  /** Options of `load-fpga`, for an image that the kernel here takes. */
  readonly design: readonly string[];
  /** How often the kernel has loaded it. */
  loads(): number;
  end(): void;
}

/** A board whose FPGA runs PyRPL's design, without /dev/mem. */
export function boardTree(): BoardTree {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-root-'));
  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const device = join(root, 'dev/mem');
  const image = bitstream(IDCODES.z7010);
  let loads = 0;

  const eeprom = Buffer.alloc(8192, 0xff);
  eeprom.write('\0\0\0\0hw_rev=STEM_125-14_v1.1\0\0', 0x1800, 'latin1');
  write('sys/bus/i2c/devices/0-0050/eeprom', eeprom);
  write('proc/device-tree/compatible', 'xlnx,zynq-7000\0');
  write('image.bin', image);
  write('image.dtbo', 'firmware-name\0fpga.bit.bin\0');
  mkdirSync(join(root, dirname(OVERLAY)), { recursive: true });
  write(STATE, 'operating\n');
  write(LOADED, 'pyrpl\n');

  function registers(words: readonly (readonly [address: number, value: number])[]): void {
    write('dev/mem', '');
    // With holes: it has no more than these words.
    truncateSync(device, WINDOW.base + WINDOW.bytes);
    const fd = openSync(device, 'r+');
    for (const [address, value] of words) writeSync(fd, Uint8Array.of(value, 0, 0, 0), 0, 4, address);
    closeSync(fd);
  }

  /** As the FPGA manager of OS 2.x: it loads the image that the overlay names, and the registers are PyRPL's then. */
  function act(): void {
    const [path, status] = ['path', 'status'].map((name) => join(root, OVERLAY, name)) as [string, string];
    if (!existsSync(path) || existsSync(status)) return;
    const name = readFileSync(path, 'utf8');
    // It may be in the course of being written.
    if (!name.endsWith('.dtbo')) return;
    const firmware = /firmware-name\0([\w.]+)\0/.exec(readFileSync(join(root, 'lib/firmware', name), 'latin1'))?.[1];
    if (firmware === undefined || !readFileSync(join(root, 'lib/firmware', firmware)).equals(image)) return;
    loads++;
    registers(IDENTITY);
    write(STATE, 'operating\n');
    writeFileSync(status, 'applied\n');
  }
  const timer = setInterval(act, 5);

  return {
    root,
    image,
    state: (says) => write(STATE, `${says}\n`),
    loaded: (design) => write(LOADED, `${design}\n`),
    registers,
    hash() {
      const fd = openSync(device, 'r');
      const bytes = Buffer.alloc(WINDOW.bytes);
      readSync(fd, bytes, 0, bytes.length, WINDOW.base);
      closeSync(fd);
      return createHash('sha256').update(bytes).digest('hex');
    },
    design: [
      ...['--root', root, '--bitstream', join(root, 'image.bin'), '--bitstream-sha256', sha256(image)],
      ...['--overlay', join(root, 'image.dtbo'), '--config', '/dev/null', '--log-format', 'json'],
    ],
    loads: () => loads,
    end() {
      clearInterval(timer);
      rmSync(root, { recursive: true });
    },
  };
}
