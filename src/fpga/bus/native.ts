/**
 * The native code, loaded when it is first asked for: mmap-io, ffi-napi and the C library of native/, as build.mjs
 * puts them into dist/native/PLATFORM-ARCH-ABI/. Nothing but devmem, the systemd watchdog and dialling needs it.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from '../../errors.ts';

/** What native code does for us; every argument is checked by the caller. */
export interface Native {
  /** Maps `bytes` of an open file, shared, for reading and writing, until the buffer is collected. */
  map(bytes: number, fd: number, offset: number): Buffer;
  /** Copies words out of a mapping on a pool thread, one aligned 32-bit load a word. */
  readWords(mapping: Buffer, first: number, to: Uint32Array): Promise<void>;
  /** Copies words into a mapping on a pool thread, one aligned 32-bit store a word. */
  writeWords(mapping: Buffer, first: number, from: Uint32Array): Promise<void>;
  /** flock(2). `true` when it succeeded. */
  flock(fd: number, operation: number): boolean;
  /** setsockopt(2): closing this socket, or the end of the process, resets its connection. `true` when it succeeded. */
  resetOnClose(fd: number): boolean;
  /** One datagram to systemd's socket (a path, or `@name`). 0, or a negative errno. */
  sdNotify(socketName: string, message: string): number;
}

type Callback = (error: Error | null) => void;

/** A C function by ffi-napi: called at once, or on a thread of the pool. */
interface Foreign<Arguments extends readonly unknown[], Result> {
  (...values: Arguments): Result;
  async(...values: [...Arguments, Callback]): void;
}

type BlockCopy = Foreign<[Buffer], void>;

/** `struct pitayad_block` of native/pitayad.c, by offsets in bytes. */
const BLOCK = { mapping: 0, memory: 8, words: 16, bytes: 24 } as const;

/** Of Linux, on all that Node runs on but MIPS and SPARC: SOL_SOCKET and SO_LINGER. */
const SOCKET = { level: 1, linger: 13 } as const;

/** `struct linger`: on, for 0 s. */
const LINGER_ZERO = Buffer.from(Int32Array.of(1, 0).buffer);

interface Addons {
  readonly mmap: {
    readonly PROT_READ: number;
    readonly PROT_WRITE: number;
    readonly MAP_SHARED: number;
    map(bytes: number, protection: number, flags: number, fd: number, offset: number): Buffer;
  };
  readonly ffi: { Library(path: string | null, functions: Record<string, [string, string[]]>): unknown };
  readonly ref: { address(buffer: Buffer): number };
}

/** Where build.mjs puts the add-ons for the Node that runs this, seen from the bundle or from the sources. */
function nativeFolder(): string {
  const { platform, arch } = process;
  const dist = import.meta.url.endsWith('.cjs') ? './' : '../../../dist/';
  return fileURLToPath(new URL(`${dist}native/${platform}-${arch}-${process.versions.modules}/`, import.meta.url));
}

/** @throws ConfigurationError when the add-ons are not there, or do not load. */
export function loadNative(folder: string = nativeFolder()): Native {
  if (!existsSync(`${folder}/addons.cjs`)) {
    throw new ConfigurationError(
      `the native add-ons for ${process.platform} ${process.arch}, Node ${process.version}, are not built: ` +
        'they need Node 20 or 22 and a C++ compiler (node build.mjs native), or choose another bus',
    );
  }
  try {
    return wrap(createRequire(`${folder}/`)('./addons.cjs') as Addons, folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError(`the native add-ons in ${folder} do not load: ${reason}`, { cause: error });
  }
}

function wrap({ mmap, ffi, ref }: Addons, folder: string): Native {
  const own = ffi.Library(`${folder}/libpitayad.so`, {
    pitayad_read_block: ['void', ['pointer']],
    pitayad_write_block: ['void', ['pointer']],
    pitayad_sd_notify: ['int', ['string', 'string']],
  }) as {
    readonly pitayad_read_block: BlockCopy;
    readonly pitayad_write_block: BlockCopy;
    readonly pitayad_sd_notify: Foreign<[string, string], number>;
  };
  const libc = ffi.Library(null, {
    flock: ['int', ['int', 'int']],
    setsockopt: ['int', ['int', 'int', 'int', 'pointer', 'uint']],
  }) as {
    readonly flock: Foreign<[number, number], number>;
    readonly setsockopt: Foreign<[number, number, number, Buffer, number], number>;
  };
  const inPool = (copy: BlockCopy, mapping: Buffer, first: number, memory: Uint32Array) =>
    new Promise<void>((resolve, reject) => {
      const block = Buffer.alloc(BLOCK.bytes);
      const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
      block.writeBigUInt64LE(BigInt(ref.address(mapping) + 4 * first), BLOCK.mapping);
      block.writeBigUInt64LE(BigInt(ref.address(bytes)), BLOCK.memory);
      block.writeUInt32LE(memory.length, BLOCK.words);
      // The copy knows addresses only: until it is over, nobody may collect what is there.
      const kept = [block, mapping, bytes];
      copy.async(block, (error) => {
        kept.length = 0;
        if (error) reject(error);
        else resolve();
      });
    });
  return {
    map: (bytes, fd, offset) => mmap.map(bytes, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, offset),
    readWords: (mapping, first, to) => inPool(own.pitayad_read_block, mapping, first, to),
    writeWords: (mapping, first, from) => inPool(own.pitayad_write_block, mapping, first, from),
    flock: (fd, operation) => libc.flock(fd, operation) === 0,
    resetOnClose: (fd) => libc.setsockopt(fd, SOCKET.level, SOCKET.linger, LINGER_ZERO, LINGER_ZERO.length) === 0,
    sdNotify: (socketName, message) => own.pitayad_sd_notify(socketName, message),
  };
}
