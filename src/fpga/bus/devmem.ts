/**
 * The register bus of the board itself: `/dev/mem`, mapped. Single words go through an element of a `Uint32Array`,
 * blocks through a C loop on a pool thread; both are one aligned 32-bit access a word, which is all that the FPGA's
 * bus answers. Nothing else may touch the mapping: buffer reads, DataView and typed-array copies move bytes or more.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { BusError, ConfigurationError } from '../../errors.ts';
import { checkAccess } from './access.ts';
import { type BusTraffic, FPGA_WINDOW, type RegisterBus } from './bus.ts';
import { lockExclusively, unlock } from './lock.ts';
import { loadNative, type Native } from './native.ts';
import { checkOperating } from './operating.ts';

export interface DevmemOptions {
  /** The registers' file alone, for a test: no FPGA is asked whether it operates. Default: `dev/mem` below the root. */
  readonly path?: string;
  /** Where the file system of the board begins; for tests. Default `/`. */
  readonly root?: string;
  /** Where in that file the FPGA's window starts, in bytes: a multiple of the page size. Default: its physical address. */
  readonly offset?: number;
  /** How much of the window is mapped. Default: all of it. */
  readonly bytes?: number;
  /** Where the native add-ons are, if not where build.mjs puts them. */
  readonly nativeFolder?: string;
}

const DEVMEM = 'dev/mem';

/**
 * Up to here a block is copied in place: 512 words take the bus some 80 µs, and handing a block to a thread takes the
 * event loop longer than that (25 µs on a PC, several times as much on the board's processor).
 */
const SHORT_BLOCK_WORDS = 512;

/** mmap-io takes sizes and offsets as 32-bit integers. */
const LAST_OFFSET = 0x7fff_ffff;

/**
 * Opens, locks and maps the registers.
 * @throws ConfigurationError: no add-ons, no such file, no right to it, too short, in use by another process, or
 *   (unless `path` is given) an FPGA that is not configured with the PyRPL design.
 */
export function openDevmem(options: DevmemOptions = {}): RegisterBus {
  const { root = '/', offset = FPGA_WINDOW.base, bytes = FPGA_WINDOW.bytes } = options;
  const path = options.path ?? join(root, DEVMEM);
  checkPlace(offset, bytes);
  const native = loadNative(options.nativeFolder);
  if (options.path === undefined) checkOperating(root);
  const fd = openFile(path);
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.size < offset + bytes) {
      throw new ConfigurationError(`${path} has ${stat.size} bytes; the registers would need ${offset + bytes}`);
    }
    lockExclusively(native, fd, path);
    return devmemBus(native, fd, map(native, fd, path, offset, bytes));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Whether no other process has the registers; nothing is mapped, and the FPGA need not run.
 * @throws ConfigurationError that says who has them
 */
export function checkUnused({ root = '/', nativeFolder }: DevmemOptions = {}): void {
  const path = join(root, DEVMEM);
  const native = loadNative(nativeFolder);
  const fd = openFile(path);
  try {
    lockExclusively(native, fd, path);
    unlock(native, fd);
  } finally {
    closeSync(fd);
  }
}

function checkPlace(offset: number, bytes: number): void {
  if (!Number.isInteger(bytes) || bytes <= 0 || bytes % 4 !== 0 || bytes > FPGA_WINDOW.bytes) {
    throw new ConfigurationError(`cannot map ${bytes} bytes: a multiple of 4 up to ${FPGA_WINDOW.bytes} is allowed`);
  }
  if (!Number.isInteger(offset) || offset < 0 || offset + bytes > LAST_OFFSET) {
    throw new ConfigurationError(`cannot map from offset ${offset}: 0 … ${LAST_OFFSET - bytes} is allowed`);
  }
}

function openFile(path: string): number {
  try {
    // O_SYNC: uncached, each access reaches the bus.
    return openSync(path, constants.O_RDWR | constants.O_SYNC);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const right = code === 'EACCES' || code === 'EPERM';
    const hint = right ? ': it takes write permission on it, and CAP_SYS_RAWIO' : '';
    throw new ConfigurationError(`cannot open ${path} (${code})${hint}`, { cause: error });
  }
}

function map(native: Native, fd: number, path: string, offset: number, bytes: number): Buffer {
  try {
    return native.map(bytes, fd, offset);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError(`cannot map ${bytes} bytes of ${path} from offset ${offset}: ${reason}`);
  }
}

function devmemBus(native: Native, fd: number, mapping: Buffer): RegisterBus {
  const registers = new Uint32Array(mapping.buffer, mapping.byteOffset, mapping.length / 4);
  const window = { base: FPGA_WINDOW.base, bytes: mapping.length };
  const traffic: BusTraffic = { wordsRead: 0, wordsWritten: 0 };
  let open = true;
  /** Ends when all blocks called so far have ended: blocks follow each other, in the order of the calls. */
  let blocks: Promise<unknown> = Promise.resolve();
  let blocksUnderWay = 0;

  /** Index of the register in the mapping. */
  function place(address: number, words: number): number {
    if (!open) throw new BusError('devmem is closed; nothing was accessed');
    checkAccess(address, words, window);
    return (address - window.base) / 4;
  }

  async function block(transfer: () => Promise<void>): Promise<void> {
    blocksUnderWay += 1;
    const run = blocks.then(transfer);
    blocks = run.catch(() => undefined);
    try {
      await run;
    } finally {
      blocksUnderWay -= 1;
    }
  }

  return {
    name: 'devmem',
    traffic,

    async read(address) {
      const index = place(address, 1);
      traffic.wordsRead += 1;
      return registers[index] as number;
    },

    async write(address, value) {
      const index = place(address, 1);
      traffic.wordsWritten += 1;
      registers[index] = value;
    },

    async readBlock(address, words, result = new Uint32Array(words)) {
      const first = place(address, words);
      traffic.wordsRead += words;
      if (words <= SHORT_BLOCK_WORDS && blocksUnderWay === 0) {
        for (let i = 0; i < words; i++) result[i] = registers[first + i] as number;
      } else {
        await block(() => native.readWords(mapping, first, result));
      }
      return result;
    },

    async writeBlock(address, values) {
      const first = place(address, values.length);
      traffic.wordsWritten += values.length;
      if (values.length <= SHORT_BLOCK_WORDS && blocksUnderWay === 0) {
        for (let i = 0; i < values.length; i++) registers[first + i] = values[i] as number;
      } else {
        await block(() => native.writeWords(mapping, first, values));
      }
    },

    async close() {
      if (!open) return;
      open = false;
      await blocks;
      unlock(native, fd);
      closeSync(fd);
    },
  };
}
