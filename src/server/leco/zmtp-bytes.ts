/**
 * The bytes of ZMTP 3.1 with the NULL mechanism: greeting, frames, commands, properties. Pure functions, and the buffer in
 * which what comes is put together; zmtp.ts says in which order they may come.
 */
import { ProtocolError } from '../../errors.ts';

/** Of the greeting. */
export const GREETING_BYTES = 64;

/** Where the greeting has what. */
const at = { signatureEnd: 9, major: 10, minor: 11, mechanism: 12, asServer: 32 } as const;

/** Bits of a frame's first byte. */
export const flag = { more: 1, long: 2, command: 4 } as const;

/** A frame of fewer bytes has its length in one byte. */
const LONG_FROM = 256;

/** Kept of a buffer that has become free. */
const KEPT_BYTES = 64 * 1024;

export type SocketType = 'DEALER' | 'ROUTER';

/** Bytes of a whole message, in pieces that are to be written one after the other: large frames are not copied. */
export function encodeMessage(frames: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) pieces.push(Buffer.concat(small));
    small = [];
  };
  for (const [k, body] of frames.entries()) {
    small.push(frameHead(body.length, k + 1 < frames.length ? flag.more : 0));
    if (body.length < 4096) {
      small.push(body);
    } else {
      flush();
      pieces.push(body);
    }
  }
  flush();
  return pieces;
}

function frameHead(length: number, flags: number): Uint8Array {
  if (length < LONG_FROM) return Uint8Array.of(flags, length);
  const head = Buffer.alloc(9);
  head[0] = flags | flag.long;
  head.writeBigUInt64BE(BigInt(length), 1);
  return head;
}

export function longLength(head: Uint8Array): number {
  return Number(Buffer.from(head.buffer, head.byteOffset, 9).readBigUInt64BE(1));
}

export function encodeGreeting(): Uint8Array {
  const bytes = Buffer.alloc(GREETING_BYTES);
  // The signature as libzmq has it; what is between its first and last byte is looked at by nobody.
  bytes[0] = 0xff;
  bytes[8] = 1;
  bytes[at.signatureEnd] = 0x7f;
  bytes[at.major] = 3;
  bytes[at.minor] = 1;
  bytes.write('NULL', at.mechanism, 'ascii');
  return bytes;
}

/** Judges what has come of a greeting, so that another protocol is told at its first bytes. */
export function checkGreeting(bytes: Uint8Array): void {
  const [first] = bytes;
  const last = bytes[at.signatureEnd];
  if ((first !== undefined && first !== 0xff) || (last !== undefined && last !== 0x7f)) {
    throw new ProtocolError('these are not the first bytes of ZeroMQ');
  }
  const major = bytes[at.major];
  if (major !== undefined && major < 3) throw new ProtocolError(`ZMTP ${major}; 3.0 or later is needed`);
  if (bytes.length < GREETING_BYTES) return;
  const mechanism = latin1(bytes.subarray(at.mechanism, at.asServer)).replace(/\0+$/, '');
  if (mechanism !== 'NULL') {
    throw new ProtocolError(`the mechanism ${JSON.stringify(mechanism)}; NULL is the only one here`);
  }
}

export function encodeReady(socketType: SocketType, identity: Uint8Array): Uint8Array {
  return encodeCommand(
    'READY',
    Buffer.concat([property('Socket-Type', Buffer.from(socketType, 'latin1')), property('Identity', identity)]),
  );
}

function property(name: string, value: Uint8Array): Uint8Array {
  const head = Buffer.alloc(1 + name.length + 4);
  head[0] = name.length;
  head.write(name, 1, 'latin1');
  head.writeUInt32BE(value.length, 1 + name.length);
  return Buffer.concat([head, value]);
}

export function encodeCommand(name: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Uint8Array.of(name.length), Buffer.from(name, 'latin1'), data]);
  return Buffer.concat([frameHead(body.length, flag.command), body]);
}

export function decodeCommand(body: Uint8Array): { readonly name: string; readonly data: Uint8Array } {
  const [length = 0] = body;
  if (length === 0 || body.length < 1 + length) throw new ProtocolError('a command without a name');
  return { name: latin1(body.subarray(1, 1 + length)), data: body.subarray(1 + length) };
}

/** Names are told apart whatever their case. */
export function decodeProperties(data: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const properties = new Map<string, Uint8Array>();
  for (let k = 0; k < data.length; ) {
    const nameEnd = k + 1 + (data[k] ?? 0);
    if (nameEnd + 4 > data.length) throw new ProtocolError('READY with a property that is cut off');
    const name = latin1(data.subarray(k + 1, nameEnd)).toLowerCase();
    const end = nameEnd + 4 + view.getUint32(nameEnd);
    if (end > data.length) throw new ProtocolError('READY with a property that is cut off');
    properties.set(name, data.slice(nameEnd + 4, end));
    k = end;
  }
  return properties;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** Bytes that have come and were not read yet. */
export interface Input {
  readonly length: number;
  push(chunk: Uint8Array): void;
  /** The first bytes, at most so many; to be looked at before the next call. */
  peek(most: number): Uint8Array;
  skip(count: number): void;
  /** A copy of the first bytes, which count as read. */
  take(count: number): Uint8Array;
}

export function openInput(): Input {
  let store = Buffer.alloc(0);
  let start = 0;
  let end = 0;
  return {
    get length() {
      return end - start;
    },
    push(chunk) {
      const waiting = end - start;
      if (end + chunk.length > store.length) {
        // Twice what is needed: as many bytes can come before the next move as this one moves.
        const room = waiting + chunk.length > store.length / 2 ? 2 * (waiting + chunk.length) : store.length;
        const target = room === store.length ? store : Buffer.allocUnsafeSlow(room);
        store.copy(target, 0, start, end);
        store = target;
        start = 0;
        end = waiting;
      }
      store.set(chunk, end);
      end += chunk.length;
    },
    peek: (most) => store.subarray(start, Math.min(end, start + most)),
    skip(count) {
      start += count;
      if (start < end) return;
      start = 0;
      end = 0;
      if (store.length > KEPT_BYTES) store = Buffer.alloc(0);
    },
    take(count) {
      const copy = Uint8Array.prototype.slice.call(store, start, start + count);
      this.skip(count);
      return copy;
    },
  };
}
