import type { NdArray } from './values.ts';

/** Arrays of at least this many bytes are put into the message at the end; smaller ones are copied at once. */
const SPLICE_BYTES = 512;
/** Items per call of `fill`: 8 kB stay in the first-level cache, from where they are copied to their (unaligned) place. */
const FILL_ITEMS = 1024;
/** Stored arrays of at least this many bytes are not copied again to where they are already. */
const REMEMBERED_BYTES = 16 * 1024;

/** What a message left in its memory. */
interface Placed {
  readonly array: NdArray;
  readonly to: number;
}

/** By memory. The time axis of a trace is that of the trace before, which used the same buffer of a pool. */
const placedIn = new WeakMap<ArrayBufferLike, readonly Placed[]>();

/** What a writer starts with: enough for the words, names and attributes of a trace. */
const FIRST_CAPACITY = 16 * 1024;

interface Splice {
  /** Place in the small parts where the array belongs. */
  readonly at: number;
  readonly array: NdArray;
  readonly nbytes: number;
}

/**
 * Collects a message: its small parts in a buffer of its own that is used again and again, large arrays only by
 * reference. `finish` then allocates the message once, at its exact size, and writes every array straight into it.
 */
export class Writer {
  #small = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  #view = new DataView(this.#small.buffer);
  #used = 0;
  #splices: Splice[] = [];
  #spliced = 0;
  #piece: Float64Array | undefined;
  #pieceBytes: Uint8Array | undefined;

  /** Bytes of the message so far. */
  get length(): number {
    return this.#used + this.#spliced;
  }

  #reserve(count: number): void {
    if (this.#used + count <= this.#small.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#small.length, this.#used + count));
    this.#small.copy(larger, 0, 0, this.#used);
    this.#small = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** Unsigned, big-endian. */
  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#used, value);
    this.#used += 4;
  }

  /** Leaves room for a u32; gives its mark for `setLength`. */
  lengthMark(): { readonly at: number; readonly start: number } {
    this.#reserve(4);
    const at = this.#used;
    this.#used += 4;
    return { at, start: this.length };
  }

  /** Writes at the mark how many bytes have come since. */
  setLength(mark: { readonly at: number; readonly start: number }): void {
    this.#view.setUint32(mark.at, this.length - mark.start);
  }

  /** Length in bytes, then UTF-8 (half a surrogate pair becomes U+FFFD). */
  text(value: string): void {
    this.#reserve(4 + 3 * value.length);
    const start = this.#used + 4;
    const count = this.#shortAscii(value, start) ? value.length : this.#small.write(value, start, 'utf8');
    this.#view.setUint32(this.#used, count);
    this.#used = start + count;
  }

  /** Short ASCII text, nearly all there is, takes less time in a loop than in a call of native code. */
  #shortAscii(value: string, start: number): boolean {
    if (value.length > 40) return false;
    for (let k = 0; k < value.length; k++) {
      const code = value.charCodeAt(k);
      if (code >= 0x80) return false;
      this.#small[start + k] = code;
    }
    return true;
  }

  /** Length, then the bytes. */
  blob(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#small.set(value, this.#used);
    this.#used += value.length;
  }

  /** Room for `count` bytes, which `write` fills. */
  raw(count: number, write: (view: DataView, at: number) => void): void {
    this.#reserve(count);
    write(this.#view, this.#used);
    this.#used += count;
  }

  /** float64, little-endian. */
  f8(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#used, value, true);
    this.#used += 8;
  }

  /** int64, little-endian, of a safe integer. */
  i8(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.#used, value >>> 0, true);
    this.#view.setInt32(this.#used + 4, Math.floor(value / 2 ** 32), true);
    this.#used += 8;
  }

  /** The items of an array, `nbytes` of them. */
  items(array: NdArray, nbytes: number): void {
    if ('bytes' in array && nbytes < SPLICE_BYTES) {
      this.#reserve(nbytes);
      this.#small.set(array.bytes, this.#used);
      this.#used += nbytes;
      return;
    }
    this.#splices.push({ at: this.#used, array, nbytes });
    this.#spliced += nbytes;
  }

  /** The message, in what `allocate` gives; the writer is empty again. */
  finish(allocate: (size: number) => Uint8Array): Uint8Array {
    const message = allocate(this.length);
    const before = placedIn.get(message.buffer) ?? [];
    // From here to the end it has neither what was there nor what will be.
    placedIn.delete(message.buffer);
    const placed: Placed[] = [];
    let from = 0;
    let to = 0;
    for (const { at, array, nbytes } of this.#splices) {
      message.set(this.#small.subarray(from, at), to);
      to += at - from;
      from = at;
      if ('bytes' in array) {
        if (!before.some((one) => one.array === array && one.to === to)) message.set(array.bytes, to);
        if (nbytes >= REMEMBERED_BYTES) placed.push({ array, to });
      } else this.#fill(array.fill, nbytes / 8, message, to);
      to += nbytes;
    }
    if (placed.length > 0) placedIn.set(message.buffer, placed);
    message.set(this.#small.subarray(from, this.#used), to);
    this.clear();
    return message;
  }

  clear(): void {
    this.#used = 0;
    this.#splices = [];
    this.#spliced = 0;
    if (this.#small.length > 16 * FIRST_CAPACITY) {
      this.#small = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
      this.#view = new DataView(this.#small.buffer);
    }
  }

  #fill(fill: (out: Float64Array, start: number) => void, count: number, message: Uint8Array, to: number): void {
    this.#piece ??= new Float64Array(FILL_ITEMS);
    this.#pieceBytes ??= new Uint8Array(this.#piece.buffer);
    const piece = this.#piece;
    const pieceBytes = this.#pieceBytes;
    let start = 0;
    for (; start + FILL_ITEMS <= count; start += FILL_ITEMS) {
      fill(piece, start);
      message.set(pieceBytes, to + 8 * start);
    }
    if (start < count) {
      fill(piece.subarray(0, count - start), start);
      message.set(pieceBytes.subarray(0, 8 * (count - start)), to + 8 * start);
    }
  }
}
