/**
 * The native code, loaded when it is first asked for: mmap-io, ffi-napi and the C library of native/, as build.mjs
 * puts them into dist/native/PLATFORM-ARCH-ABI/. Nothing but devmem and the systemd watchdog needs it.
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
  /** One datagram to systemd's socket (a path, or `@name`). 0, or a negative errno. */
  sdNotify(socketName: string, message: string): number;
}

type Callback = (error: Error | null) => void;

/** A C function by ffi-napi: called at once, or on a thread of the pool. */
interface Foreign<Arguments extends readonly unknown[], Result> {
  (...values: Arguments): Result;
  async(...values: [...Arguments, Callback]): void;
}

type WordCopy = Foreign<[Buffer, number, number, Buffer], void>;

interface Addons {
  readonly mmap: {
    readonly PROT_READ: number;
    readonly PROT_WRITE: number;
    readonly MAP_SHARED: number;
    map(bytes: number, protection: number, flags: number, fd: number, offset: number): Buffer;
  };
  readonly ffi: { Library(path: string | null, functions: Record<string, [string, string[]]>): unknown };
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

function wrap({ mmap, ffi }: Addons, folder: string): Native {
  const copy: [string, string[]] = ['void', ['pointer', 'uint32', 'uint32', 'pointer']];
  const own = ffi.Library(`${folder}/libpitayad.so`, {
    pitayad_read_words: copy,
    pitayad_write_words: copy,
    pitayad_sd_notify: ['int', ['string', 'string']],
  }) as {
    readonly pitayad_read_words: WordCopy;
    readonly pitayad_write_words: WordCopy;
    readonly pitayad_sd_notify: Foreign<[string, string], number>;
  };
  const libc = ffi.Library(null, { flock: ['int', ['int', 'int']] }) as {
    readonly flock: Foreign<[number, number], number>;
  };
  // ffi-napi keeps the buffers that it was given until it calls back.
  const inPool = (copyWords: WordCopy, mapping: Buffer, first: number, memory: Uint32Array) =>
    new Promise<void>((resolve, reject) => {
      const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
      copyWords.async(mapping, first, memory.length, bytes, (error) => (error ? reject(error) : resolve()));
    });
  return {
    map: (bytes, fd, offset) => mmap.map(bytes, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, offset),
    readWords: (mapping, first, to) => inPool(own.pitayad_read_words, mapping, first, to),
    writeWords: (mapping, first, from) => inPool(own.pitayad_write_words, mapping, first, from),
    flock: (fd, operation) => libc.flock(fd, operation) === 0,
    sdNotify: (socketName, message) => own.pitayad_sd_notify(socketName, message),
  };
}
