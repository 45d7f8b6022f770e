import type { NdArray } from './values.ts';

/** Arrays of at least this many bytes are parts of their own; smaller ones are copied. */
const SPLICE_BYTES = 512;

/** What a writer starts with: enough for the words, names and attributes of a trace. */
const FIRST_CAPACITY = 16 * 1024;

interface Splice {
  /** Place in what is copied where the array belongs. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Collects a message: what is small in a buffer of its own that is used again and again, large arrays only by reference.
 */
export class Writer {
  #small = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  #view = new DataView(this.#small.buffer);
  #used = 0;
  #splices: Splice[] = [];
  #spliced = 0;

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

  /** The items of an array. */
  items({ bytes }: NdArray): void {
    if (bytes.length >= SPLICE_BYTES) {
      this.#splices.push({ at: this.#used, bytes });
      this.#spliced += bytes.length;
      return;
    }
    this.#reserve(bytes.length);
    this.#small.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** The message, in parts of which large arrays are their own memory; the writer is empty again. */
  finish(): Uint8Array[] {
    const small = Buffer.allocUnsafe(this.#used);
    this.#small.copy(small, 0, 0, this.#used);
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const { at, bytes } of this.#splices) {
      if (at > from) parts.push(small.subarray(from, at));
      parts.push(bytes);
      from = at;
    }
    if (from < small.length || parts.length === 0) parts.push(small.subarray(from));
    this.clear();
    return parts;
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
}
