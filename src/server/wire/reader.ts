/**
 * The checked door for bytes from outside: reads the parts that both forms share from one complete message. Nothing is
 * taken beyond its end, nothing is allocated before its length was compared with what is there and with the limits, and
 * what comes out can be used without further checks. All errors are ProtocolErrors that are in step: the end of the
 * message is known.
 */
import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../../errors.ts';
import { type Dtype, parseDtype, readComplex, readFloat, readInteger, readText } from './dtype.ts';
import type { WireLimits } from './limits.ts';
import type { Bool, Complex, Data, Float, Int, NdArray } from './values.ts';
import { dataDims, dataDistributions, dataSources } from './values.ts';

/** Texts up to this length, nearly all there are, are looked at byte by byte: calls of native code take longer. */
const SHORT = 40;

export class Reader {
  #bytes: Buffer;
  #view: DataView;
  #at = 0;
  #objects = 0;

  constructor(
    bytes: Uint8Array,
    readonly limits: WireLimits,
  ) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** An error with the place where it was found. */
  error(what: string): ProtocolError {
    return new ProtocolError(`${what} (before byte ${this.#at} of a message of ${this.#bytes.length})`, true);
  }

  u32(): number {
    if (this.left < 4) throw this.error('the message ends within a length');
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  /** A length in bytes, of what is called `what`. */
  #length(limit: number, what: string): number {
    const length = this.u32();
    if (length > limit) throw this.error(`${what} of ${length} bytes; at most ${limit} are allowed`);
    if (length > this.left) throw this.error(`${what} of ${length} bytes does not fit into the message`);
    return length;
  }

  #utf8(limit: number, what: string): string {
    const length = this.#length(limit, what);
    const start = this.#at;
    this.#at += length;
    if (length <= SHORT && this.#isAscii(start, this.#at)) return this.#bytes.toString('latin1', start, this.#at);
    const part = this.#bytes.subarray(start, this.#at);
    if (!isUtf8(part)) throw this.error(`${what} that is not valid UTF-8`);
    return part.toString('utf8');
  }

  #isAscii(start: number, end: number): boolean {
    for (let k = start; k < end; k++) if ((this.#bytes[k] as number) >= 0x80) return false;
    return true;
  }

  text(): string {
    return this.#utf8(this.limits.textBytes, 'a string');
  }

  /** Name of a class, a tag or a dtype. */
  name(what: string): string {
    return this.#utf8(this.limits.nameBytes, what);
  }

  /** A copy of the bytes. */
  blob(): Uint8Array {
    const length = this.#length(this.limits.textBytes, 'a bytes object');
    return this.#copy(length);
  }

  #copy(length: number): Uint8Array {
    const start = this.#at;
    this.#at += length;
    return new Uint8Array(this.#bytes.subarray(start, this.#at));
  }

  /** How many items follow. `smallest`: bytes that one takes at least. */
  count(what: string, smallest: number): number {
    const count = this.u32();
    if (count > this.limits.items)
      throw this.error(`${what} of ${count} items; at most ${this.limits.items} are allowed`);
    if (count * smallest > this.left) throw this.error(`${what} of ${count} items does not fit into the message`);
    return count;
  }

  /** To be called once for each object, `depth` containers deep. */
  enter(depth: number): void {
    if (depth > this.limits.depth) throw this.error(`more than ${this.limits.depth} containers in each other`);
    if (++this.#objects > this.limits.objects)
      throw this.error(`more than ${this.limits.objects} objects in one message`);
  }

  #dtype(): { readonly name: string; readonly dtype: Dtype } {
    const name = this.name('a dtype');
    const dtype = parseDtype(name);
    if (!dtype) {
      throw this.error(`dtype ${shown(name)} is not accepted (only bool, integers, float32/64, complex64/128, text)`);
    }
    return { name, dtype };
  }

  /** A number or truth value of whatever kind its dtype says. */
  scalar(): Bool | Int | Float | Complex {
    const { name, dtype } = this.#dtype();
    const size = this.u32();
    if (dtype.kind === 'text') throw this.error(`a number cannot have dtype ${name}`);
    if (size !== dtype.size) throw this.error(`a number of dtype ${name} has ${dtype.size} bytes, not ${size}`);
    if (size > this.left) throw this.error('the message ends within a number');
    const at = this.#at;
    this.#at += size;
    const view = this.#view;
    switch (dtype.kind) {
      case 'bool': {
        const byte = view.getUint8(at);
        if (byte > 1) throw this.error(`a bool is 0 or 1, not ${byte}`);
        return { type: 'bool', value: byte === 1 };
      }
      case 'int':
        return numbered('int', readInteger(view, at, dtype), name, '<i8');
      case 'uint': {
        const value = readInteger(view, at, dtype);
        // Python's own ints are uint64 from 2**63 on; below that it was a numpy scalar.
        return numbered('int', value, name, value >= 2n ** 63n ? '<u8' : '<i8');
      }
      case 'float':
        return numbered('float', readFloat(view, at, dtype), name, '<f8');
      case 'complex': {
        const value = { type: 'complex', ...readComplex(view, at, dtype) } as const;
        return name === '<c16' ? value : { ...value, dtype: name };
      }
    }
  }

  /** Seconds since 1970. */
  timestamp(): number {
    const value = this.scalar();
    if (value.type !== 'float' && value.type !== 'int') throw this.error(`a timestamp cannot be a ${value.type}`);
    return Number(value.value);
  }

  /** Place of a dimension: a small whole number; PyMoDAQ accepts integer dtypes only. */
  index(what: string): number {
    const value = this.scalar();
    if (value.type !== 'int') throw this.error(`${what} must be an integer, not a ${value.type}`);
    const index = Number(value.value);
    if (index < 0 || index >= this.limits.items) throw this.error(`${what} cannot be ${value.value}`);
    return index;
  }

  ndarray(): NdArray {
    const { name, dtype } = this.#dtype();
    const nbytes = this.u32();
    const dimensions = this.u32();
    if (dimensions > this.limits.dimensions) {
      throw this.error(`an array of ${dimensions} dimensions; at most ${this.limits.dimensions} are allowed`);
    }
    if (4 * dimensions + nbytes > this.left)
      throw this.error(`an array of ${nbytes} bytes does not fit into the message`);
    const shape: number[] = [];
    let expected = dtype.size;
    for (let k = 0; k < dimensions; k++) {
      const length = this.u32();
      shape.push(length);
      expected *= length;
    }
    if (expected !== nbytes) {
      throw this.error(`an array of shape (${shape}) and dtype ${name} has ${expected} bytes, not ${nbytes}`);
    }
    const start = this.#at;
    const bytes = this.#copy(nbytes);
    if (dtype.kind === 'text') {
      for (let at = start; at < this.#at; at += dtype.size) {
        if (readText(this.#view, at, dtype) === undefined) throw this.error('an array of text that is not Unicode');
      }
    }
    return { type: 'ndarray', dtype: name, shape, bytes };
  }

  source(word: string): Data['source'] {
    return this.#oneOf(dataSources, word, 'source');
  }

  dim(word: string): Data['dim'] {
    return this.#oneOf(dataDims, word, 'dim');
  }

  distribution(word: string): Data['distribution'] {
    return this.#oneOf(dataDistributions, word, 'distribution');
  }

  #oneOf<Word extends string>(words: readonly Word[], word: string, what: string): Word {
    const found = words.find((each) => each === word);
    if (found === undefined) throw this.error(`the ${what} of data is one of ${words.join(', ')}, not ${shown(word)}`);
    return found;
  }
}

function numbered<Type extends 'int' | 'float', Value>(type: Type, value: Value, dtype: string, usual: string) {
  return dtype === usual ? { type, value } : { type, value, dtype };
}

/** Foreign text in a message of ours: quoted, bounded, without control characters. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
