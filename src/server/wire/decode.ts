/**
 * Bytes to objects, in whatever pieces they come. Knows no socket. What a peer can make it hold is bounded (limits.ts);
 * what it gives shares no memory with the bytes that were put in.
 */
import { ProtocolError } from '../../errors.ts';
import { defaultLimits, type WireLimits } from './limits.ts';
import { parseV4 } from './parse-v4.ts';
import { parseV5 } from './parse-v5.ts';
import { Reader } from './reader.ts';
import { ScanV4 } from './scan-v4.ts';
import type { Form, Kind, WireValue } from './values.ts';

export interface Decoder {
  readonly form: Form;
  /** Bytes that wait: of whole messages, and of one that has only begun. Pause the peer while this is large. */
  readonly waiting: number;
  /**
   * Takes a piece of the stream (copied: the piece may be used again).
   * @throws ProtocolError, not in step, if more than `limits.waitingBytes` would wait.
   */
  push(piece: Uint8Array): void;
  /**
   * The next complete object, not to be changed (it may be the one before); undefined while there is none. In v4 nothing on the wire tells of which kind it is: the
   * caller has to know. In v5 `kind` is not looked at.
   * @throws ProtocolError. In step: the message was skipped, call again for the next one. Not in step: the stream
   *   cannot be understood any more; every further call throws the same.
   */
  next(kind: Kind): WireValue | undefined;
}

/** Of the buffer in which pieces are put together; it grows as bytes really come, and is given back when all is read. */
const FIRST_CAPACITY = 4096;
/** An idle connection keeps at most this much. */
const KEPT_CAPACITY = 64 * 1024;
/** The bytes that tell a v5 message's length. */
const HEADER = 4;
/** Messages up to this length are compared with the one before: who polls sends the same bytes over and over. */
const REPEATED = 256;

/** A decoder of one direction of one connection. `limits` replaces single limits. */
export function createDecoder(form: Form, limits: Partial<WireLimits> = {}): Decoder {
  return new StreamDecoder(form, { ...defaultLimits, ...limits });
}

class StreamDecoder implements Decoder {
  #store = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  #start = 0;
  #end = 0;
  /** Of the v4 message at `#start`, if its end has been looked for. */
  #scan: ScanV4 | undefined;
  #broken: ProtocolError | undefined;
  /** The last short v5 message. */
  #last: { readonly bytes: Buffer; readonly value: WireValue } | undefined;

  constructor(
    readonly form: Form,
    readonly limits: WireLimits,
  ) {}

  get waiting(): number {
    return this.#end - this.#start;
  }

  push(piece: Uint8Array): void {
    if (this.#broken) return;
    if (this.waiting + piece.length > this.limits.waitingBytes) {
      throw this.#break(new ProtocolError(`more than ${this.limits.waitingBytes} bytes were sent ahead`, false));
    }
    if (this.#end + piece.length > this.#store.length) this.#makeRoom(piece.length);
    this.#store.set(piece, this.#end);
    this.#end += piece.length;
  }

  next(kind: Kind): WireValue | undefined {
    if (this.#broken) throw this.#broken;
    try {
      return this.form === 'v5' ? this.#nextV5() : this.#nextV4(kind);
    } catch (error) {
      if (error instanceof ProtocolError && !error.inStep) this.#break(error);
      throw error;
    }
  }

  #nextV5(): WireValue | undefined {
    if (this.waiting < HEADER) return undefined;
    const length = this.#store.readUInt32BE(this.#start);
    if (length > this.limits.messageBytes) {
      throw new ProtocolError(`a message of ${length} bytes; at most ${this.limits.messageBytes} are allowed`, false);
    }
    if (this.waiting < HEADER + length) return undefined;
    if (length > REPEATED) return parseV5(this.#take(HEADER, length));
    const begin = this.#start + HEADER;
    if (this.#last && this.#store.compare(this.#last.bytes, 0, undefined, begin, begin + length) === 0) {
      this.#skip(HEADER + length);
      return this.#last.value;
    }
    const bytes = Buffer.from(this.#store.subarray(begin, begin + length));
    this.#last = undefined;
    const value = parseV5(this.#take(HEADER, length));
    this.#last = { bytes, value };
    return value;
  }

  #nextV4(kind: Kind): WireValue | undefined {
    if (this.#scan?.kind !== kind) this.#scan = new ScanV4(kind, this.limits);
    if (!this.#scan.advance(this.#store.subarray(this.#start, this.#end))) return undefined;
    const length = this.#scan.at;
    this.#scan = undefined;
    return parseV4(this.#take(0, length), kind);
  }

  /** A reader of the message of `length` bytes after `header` others; they count as read, whatever it finds. */
  #take(header: number, length: number): Reader {
    const from = this.#start + header;
    const store = this.#store;
    this.#skip(header + length);
    return new Reader(store.subarray(from, from + length), this.limits);
  }

  /** So many bytes count as read. */
  #skip(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    if (this.#store.length > KEPT_CAPACITY) this.#store = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  }

  /**
   * Room for `count` more bytes: by moving what waits to the front if that leaves half of the buffer free, else in one
   * twice as large as needed. Either way as many bytes can come before the next move as this one moves.
   */
  #makeRoom(count: number): void {
    const needed = this.waiting + count;
    let target = this.#store;
    if (needed > target.length / 2) target = Buffer.allocUnsafeSlow(2 * needed);
    this.#store.copy(target, 0, this.#start, this.#end);
    this.#end = this.waiting;
    this.#start = 0;
    this.#store = target;
  }

  #break(error: ProtocolError): ProtocolError {
    this.#broken = error;
    this.#store = Buffer.alloc(0);
    this.#start = 0;
    this.#end = 0;
    this.#scan = undefined;
    return error;
  }
}
