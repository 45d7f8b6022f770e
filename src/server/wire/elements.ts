/** What both forms of the protocol write in the same way: numbers and arrays; and what neither can send. */
import { PitayadError } from '../../errors.ts';
import { holds, parseDtype, writeComplex, writeFloat, writeInteger } from './dtype.ts';
import { defaultLimits } from './limits.ts';
import type { Bool, Complex, Float, Int, NdArray } from './values.ts';
import type { Writer } from './writer.ts';

/** An object that the form cannot carry, or that contradicts itself (our own fault, or that of who wrote it). */
export class UnsendableError extends PitayadError {}

/** A length must fit an unsigned 32 bit number. */
export const LENGTH_LIMIT = 2 ** 32 - 1;

export function checkDepth(depth: number): void {
  if (depth > defaultLimits.depth)
    throw new UnsendableError(`more than ${defaultLimits.depth} containers in each other`);
}

/** dtype, size, bytes of a number or truth value. */
export function scalar(writer: Writer, value: Bool | Int | Float | Complex): void {
  if (value.dtype === undefined) {
    if (value.type === 'float') {
      floatScalar(writer, value.value);
      return;
    }
    if (value.type === 'int' && Number.isSafeInteger(value.value)) {
      intScalar(writer, Number(value.value));
      return;
    }
  }
  const name = value.dtype ?? defaultDtype(value);
  const dtype = parseDtype(name);
  const fits =
    value.type === 'int'
      ? dtype !== undefined && holds(dtype, value.value)
      : dtype !== undefined && dtype.kind === value.type;
  if (!dtype || !fits) {
    throw new UnsendableError(`${value.type} ${'value' in value ? value.value : ''} does not fit dtype ${name}`);
  }
  writer.text(name);
  writer.u32(dtype.size);
  writer.raw(dtype.size, (view, at) => {
    if (value.type === 'int') writeInteger(view, at, dtype, value.value);
    else if (value.type === 'float') writeFloat(view, at, dtype, value.value);
    else if (value.type === 'complex') writeComplex(view, at, dtype, value);
    else view.setUint8(at, value.value ? 1 : 0);
  });
}

/** The dtype that numpy gives to Python's own numbers on Linux. */
function defaultDtype(value: Bool | Int | Float | Complex): string {
  if (value.type === 'bool') return '|b1';
  if (value.type === 'float') return '<f8';
  if (value.type === 'complex') return '<c16';
  return value.value >= 2n ** 63n ? '<u8' : '<i8';
}

export function floatScalar(writer: Writer, value: number): void {
  writer.text('<f8');
  writer.u32(8);
  writer.f8(value);
}

export function intScalar(writer: Writer, value: number): void {
  if (!Number.isSafeInteger(value)) throw new UnsendableError(`${value} is no whole number`);
  writer.text('<i8');
  writer.u32(8);
  writer.i8(value);
}

export function ndarray(writer: Writer, array: NdArray): void {
  const dtype = parseDtype(array.dtype);
  if (!dtype) throw new UnsendableError(`dtype ${array.dtype} cannot be sent`);
  if (array.shape.length > defaultLimits.dimensions) {
    throw new UnsendableError(
      `an array of ${array.shape.length} dimensions; at most ${defaultLimits.dimensions} are allowed`,
    );
  }
  let nbytes = dtype.size;
  for (const length of array.shape) {
    if (!Number.isInteger(length) || length < 0)
      throw new UnsendableError(`an array cannot have the shape (${array.shape})`);
    nbytes *= length;
  }
  if (nbytes > LENGTH_LIMIT) throw new UnsendableError(`an array of ${nbytes} bytes has no length field`);
  if (array.bytes.length !== nbytes) {
    throw new UnsendableError(
      `an array of shape (${array.shape}) and dtype ${array.dtype} has ${nbytes} bytes, not ${array.bytes.length}`,
    );
  }
  writer.text(array.dtype);
  writer.u32(nbytes);
  writer.u32(array.shape.length);
  for (const length of array.shape) writer.u32(length);
  writer.items(array);
}
