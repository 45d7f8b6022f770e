/**
 * numpy's names for the items of an array, as far as they cross the wire: bool, integers, floats, complex numbers and
 * text of fixed width. Objects (`|O`: raw pointers), records, dates, half and long doubles are not among them.
 */

export interface Dtype {
  readonly kind: 'bool' | 'int' | 'uint' | 'float' | 'complex' | 'text';
  /** Bytes per item. */
  readonly size: number;
  readonly littleEndian: boolean;
}

/** Characters of one item of a text array. */
const TEXT_WIDTH = 1024;

const known = new Map<string, Dtype>();
for (const [letter, kind, sizes] of [
  ['i', 'int', [1, 2, 4, 8]],
  ['u', 'uint', [1, 2, 4, 8]],
  ['f', 'float', [4, 8]],
  ['c', 'complex', [8, 16]],
  ['b', 'bool', [1]],
] as const) {
  for (const size of sizes) {
    // '|' means that byte order does not apply, which is so for single bytes alone; numpy reads '<i1' just as well.
    for (const order of size === 1 ? ['|', '<', '>'] : ['<', '>']) {
      known.set(`${order}${letter}${size}`, { kind, size, littleEndian: order !== '>' });
    }
  }
}

/** Undefined for all that is not in the list above. */
export function parseDtype(name: string): Dtype | undefined {
  const found = known.get(name);
  if (found) return found;
  const [, order, width] = /^([<>])U([1-9][0-9]{0,3})$/.exec(name) ?? [];
  if (order === undefined || Number(width) > TEXT_WIDTH) return undefined;
  return { kind: 'text', size: 4 * Number(width), littleEndian: order === '<' };
}

export interface ComplexNumber {
  readonly re: number;
  readonly im: number;
}

/** A number, or a bigint where a number would not be exact. */
function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The whole number at `at`, of an int or uint dtype. */
export function readInteger(view: DataView, at: number, dtype: Dtype): number | bigint {
  const little = dtype.littleEndian;
  if (dtype.kind === 'int') {
    if (dtype.size === 1) return view.getInt8(at);
    if (dtype.size === 2) return view.getInt16(at, little);
    if (dtype.size === 4) return view.getInt32(at, little);
    return exact(view.getBigInt64(at, little));
  }
  if (dtype.size === 1) return view.getUint8(at);
  if (dtype.size === 2) return view.getUint16(at, little);
  if (dtype.size === 4) return view.getUint32(at, little);
  return exact(view.getBigUint64(at, little));
}

/** The number at `at`, of a float dtype. */
export function readFloat(view: DataView, at: number, dtype: Dtype): number {
  return dtype.size === 4 ? view.getFloat32(at, dtype.littleEndian) : view.getFloat64(at, dtype.littleEndian);
}

export function readComplex(view: DataView, at: number, dtype: Dtype): ComplexNumber {
  const part = { kind: 'float', size: dtype.size / 2, littleEndian: dtype.littleEndian } as const;
  return { re: readFloat(view, at, part), im: readFloat(view, at + part.size, part) };
}

/**
 * The text at `at`, without the zeros that fill it up. Undefined if there is a number in it that is no character
 * (beyond U+10FFFF, or half of a surrogate pair).
 */
export function readText(view: DataView, at: number, dtype: Dtype): string | undefined {
  let text = '';
  let zeros = 0;
  for (let offset = 0; offset < dtype.size; offset += 4) {
    const code = view.getUint32(at + offset, dtype.littleEndian);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    if (code === 0) {
      zeros++;
      continue;
    }
    text += '\0'.repeat(zeros) + String.fromCodePoint(code);
    zeros = 0;
  }
  return text;
}

const INT_RANGE = {
  int: (size: number) => [-(2n ** BigInt(8 * size - 1)), 2n ** BigInt(8 * size - 1) - 1n] as const,
  uint: (size: number) => [0n, 2n ** BigInt(8 * size) - 1n] as const,
};

/** Whether an int or uint dtype holds the whole number `value`. */
export function holds(dtype: Dtype, value: number | bigint): boolean {
  if (dtype.kind !== 'int' && dtype.kind !== 'uint') return false;
  if (typeof value === 'number' && !Number.isInteger(value)) return false;
  const [low, high] = INT_RANGE[dtype.kind](dtype.size);
  return value >= low && value <= high;
}

/** Writes a whole number that the dtype `holds`. */
export function writeInteger(view: DataView, at: number, dtype: Dtype, value: number | bigint): void {
  const little = dtype.littleEndian;
  if (dtype.size === 8) view.setBigInt64(at, BigInt.asIntN(64, BigInt(value)), little);
  else if (dtype.size === 4) view.setInt32(at, Number(value) | 0, little);
  else if (dtype.size === 2) view.setInt16(at, Number(value), little);
  else view.setInt8(at, Number(value));
}

export function writeFloat(view: DataView, at: number, dtype: Dtype, value: number): void {
  if (dtype.size === 4) view.setFloat32(at, value, dtype.littleEndian);
  else view.setFloat64(at, value, dtype.littleEndian);
}

export function writeComplex(view: DataView, at: number, dtype: Dtype, { re, im }: ComplexNumber): void {
  const part = { kind: 'float', size: dtype.size / 2, littleEndian: dtype.littleEndian } as const;
  writeFloat(view, at, part, re);
  writeFloat(view, at + part.size, part, im);
}

/** The real numbers in an array of any numeric dtype but complex, in C order; undefined for complex and text. */
export function toFloats(array: { readonly dtype: string; readonly bytes: Uint8Array }): Float64Array | undefined {
  const dtype = parseDtype(array.dtype);
  if (!dtype || dtype.kind === 'complex' || dtype.kind === 'text') return undefined;
  const view = new DataView(array.bytes.buffer, array.bytes.byteOffset, array.bytes.byteLength);
  const out = new Float64Array(Math.floor(array.bytes.byteLength / dtype.size));
  for (let k = 0; k < out.length; k++) {
    const at = k * dtype.size;
    if (dtype.kind === 'float') out[k] = readFloat(view, at, dtype);
    else if (dtype.kind === 'bool') out[k] = view.getUint8(at) ? 1 : 0;
    else out[k] = Number(readInteger(view, at, dtype));
  }
  return out;
}
