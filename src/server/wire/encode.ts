/**
 * Objects to bytes, in the two grammars of PyMoDAQ, byte for byte what its own serialisers send. Several objects give
 * one buffer, so that a word and its payload leave in one write.
 *
 * Large arrays are not copied: a message comes in parts, some of which are the arrays' own memory (writer.ts).
 */
import { PitayadError } from '../../errors.ts';
import { holds, parseDtype, writeComplex, writeFloat, writeInteger } from './dtype.ts';
import { defaultLimits } from './limits.ts';
import type {
  Axis,
  Bool,
  Complex,
  Data,
  DataToExport,
  ExtraAttribute,
  Float,
  Form,
  Int,
  NdArray,
  ParameterWithPath,
  WireValue,
} from './values.ts';
import { Writer } from './writer.ts';

/** An object that the form cannot carry, or that contradicts itself (our own fault, or that of who wrote it). */
export class UnsendableError extends PitayadError {}

/** A length must fit an unsigned 32 bit number. */
const LENGTH_LIMIT = 2 ** 32 - 1;

/** One for all: it is empty again before an encode returns. */
const writer = new Writer();

/**
 * `objects` one after the other, in the form of PyMoDAQ 4: no tag and no length at top level.
 * @throws UnsendableError for None, tuples, dicts, numpy bools, and the rest that PyMoDAQ 4 cannot send.
 */
export function encodeV4(...objects: readonly WireValue[]): Uint8Array {
  return encode('v4', objects);
}

/**
 * `objects` one after the other, in the form of PyMoDAQ 5: each with its length, each tagged.
 * @throws UnsendableError for what contradicts itself.
 */
export function encodeV5(...objects: readonly WireValue[]): Uint8Array {
  return encode('v5', objects);
}

/**
 * `objects` one after the other.
 * @throws UnsendableError
 */
export function encode(form: Form, objects: readonly WireValue[]): Uint8Array {
  const parts = encodeParts(form, objects);
  const [only] = parts;
  return only && parts.length === 1 ? only : Buffer.concat(parts);
}

/**
 * As `encode`, in parts to be sent one after the other: large arrays are parts of their own, in the memory in which they
 * are, which must not change until the parts have left.
 * @throws UnsendableError
 */
export function encodeParts(form: Form, objects: readonly WireValue[]): readonly Uint8Array[] {
  try {
    for (const object of objects) {
      if (form === 'v4') bareV4(writer, object, 0);
      else messageV5(writer, object);
    }
    if (writer.length > LENGTH_LIMIT) {
      throw new UnsendableError(`a message of ${writer.length} bytes has no length field`);
    }
    return writer.finish();
  } finally {
    writer.clear();
  }
}

// ---- what both forms share

function checkDepth(depth: number): void {
  if (depth > defaultLimits.depth)
    throw new UnsendableError(`more than ${defaultLimits.depth} containers in each other`);
}

/** dtype, size, bytes of a number or truth value. */
function scalar(writer: Writer, value: Bool | Int | Float | Complex): void {
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

function floatScalar(writer: Writer, value: number): void {
  writer.text('<f8');
  writer.u32(8);
  writer.f8(value);
}

function intScalar(writer: Writer, value: number): void {
  if (!Number.isSafeInteger(value)) throw new UnsendableError(`${value} is no whole number`);
  writer.text('<i8');
  writer.u32(8);
  writer.i8(value);
}

function ndarray(writer: Writer, array: NdArray): void {
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

// ---- PyMoDAQ 4

/** Without a tag: the receiver knows what comes. */
function bareV4(writer: Writer, value: WireValue, depth: number): void {
  switch (value.type) {
    case 'str':
      writer.text(value.value);
      break;
    case 'bytes':
      writer.blob(value.bytes);
      break;
    case 'bool':
      if (value.dtype !== undefined) throw new UnsendableError('PyMoDAQ 4 cannot send a numpy bool');
      scalar(writer, value);
      break;
    case 'int':
    case 'float':
    case 'complex':
      scalar(writer, value);
      break;
    case 'ndarray':
      ndarray(writer, value);
      break;
    case 'list':
      listV4(writer, value.items, depth);
      break;
    case 'Axis':
      axisV4(writer, value);
      break;
    case 'DataWithAxes':
    case 'DataRaw':
    case 'DataActuator':
    case 'DataFromPlugins':
    case 'DataCalculated':
      dataV4(writer, value, depth);
      break;
    case 'DataToExport':
    case 'DataScan':
    case 'DataToActuators':
      exportV4(writer, value, depth);
      break;
    default:
      throw new UnsendableError(
        `PyMoDAQ 4 cannot send a ${value.type}${value.type === 'ParameterWithPath' ? ' except in a list' : ''}`,
      );
  }
}

const tagsV4 = {
  str: 'string',
  bytes: 'bytes',
  bool: 'bool',
  int: 'scalar',
  float: 'scalar',
  complex: 'scalar',
  ndarray: 'array',
  list: 'list',
  Axis: 'axis',
  DataWithAxes: 'dwa',
  DataRaw: 'dwa',
  DataActuator: 'dwa',
  DataFromPlugins: 'dwa',
  DataCalculated: 'dwa',
  DataToExport: 'dte',
  DataScan: 'dte',
  DataToActuators: 'dte',
  ParameterWithPath: 'parameter',
} as const;

function taggedV4(writer: Writer, value: WireValue, depth: number): void {
  if (!(value.type in tagsV4))
    throw new UnsendableError(`PyMoDAQ 4 cannot send a ${value.type}, in a list or otherwise`);
  writer.text(tagsV4[value.type as keyof typeof tagsV4]);
  if (value.type === 'ParameterWithPath') parameterV4(writer, value, depth);
  else bareV4(writer, value, depth);
}

function listV4(writer: Writer, items: readonly WireValue[], depth: number): void {
  checkDepth(depth + 1);
  writer.u32(items.length);
  for (const item of items) taggedV4(writer, item, depth + 1);
}

function textsV4(writer: Writer, texts: readonly string[]): void {
  writer.u32(texts.length);
  for (const text of texts) {
    writer.text('string');
    writer.text(text);
  }
}

function arraysV4(writer: Writer, arrays: readonly NdArray[]): void {
  writer.u32(arrays.length);
  for (const array of arrays) {
    writer.text('array');
    ndarray(writer, array);
  }
}

function parameterV4(writer: Writer, { path, xml }: ParameterWithPath, depth: number): void {
  checkDepth(depth + 1);
  textsV4(writer, path);
  writer.text(xml);
}

function axisV4(writer: Writer, axis: Axis): void {
  writer.text(axis.type);
  writer.text(axis.label);
  writer.text(axis.units);
  ndarray(writer, axis.values);
  intScalar(writer, axis.index);
  intScalar(writer, axis.spreadOrder);
}

function dataV4(writer: Writer, data: Data, depth: number): void {
  writer.text(data.type);
  floatScalar(writer, data.timestamp);
  writer.text(data.name);
  writer.text(data.units);
  writer.text(data.source);
  writer.text(data.dim);
  writer.text(data.distribution);
  arraysV4(writer, data.data);
  textsV4(writer, data.labels);
  writer.text(data.origin);
  writer.u32(data.navIndexes.length);
  for (const index of data.navIndexes) {
    writer.text('scalar');
    intScalar(writer, index);
  }
  listV4(writer, data.axes, depth);
  arraysV4(writer, data.errors);
  textsV4(
    writer,
    data.extra.map(([name]) => name),
  );
  for (const [, value] of data.extra) taggedV4(writer, value, depth + 1);
}

function exportV4(writer: Writer, { type, timestamp, name, data, extra }: DataToExport, depth: number): void {
  if (extra.length > 0)
    throw new UnsendableError(`PyMoDAQ 4 cannot send extra attributes (${extra[0]?.[0]}) of a ${type}`);
  writer.text(type);
  floatScalar(writer, timestamp);
  writer.text(name);
  listV4(writer, data, depth);
}

// ---- PyMoDAQ 5

function messageV5(writer: Writer, value: WireValue): void {
  const mark = writer.lengthMark();
  taggedV5(writer, value, 0);
  writer.setLength(mark);
}

function taggedV5(writer: Writer, value: WireValue, depth: number): void {
  checkDepth(depth);
  writer.text(value.type === 'None' ? 'NoneType' : value.type);
  switch (value.type) {
    case 'None':
      break;
    case 'str':
      writer.text(value.value);
      break;
    case 'bytes':
      writer.blob(value.bytes);
      break;
    case 'bool':
    case 'int':
    case 'float':
    case 'complex':
      scalar(writer, value);
      break;
    case 'ndarray':
      ndarray(writer, value);
      break;
    case 'list':
    case 'tuple':
      writer.u32(value.items.length);
      for (const item of value.items) taggedV5(writer, item, depth + 1);
      break;
    case 'dict':
      listV5(
        writer,
        value.items.map(([key]) => key),
        depth,
      );
      for (const [, item] of value.items) taggedV5(writer, item, depth + 1);
      break;
    case 'Axis':
    case 'NavAxis':
      textV5(writer, value.label);
      textV5(writer, value.units);
      writer.text('ndarray');
      ndarray(writer, value.values);
      intV5(writer, value.index);
      intV5(writer, value.spreadOrder);
      break;
    case 'ParameterWithPath':
      textsV5(writer, value.path);
      writer.text('bytes');
      writer.text(value.xml);
      break;
    case 'ThreadCommand':
      textV5(writer, value.command);
      taggedV5(writer, value.attribute, depth + 1);
      taggedV5(writer, value.args, depth + 1);
      taggedV5(writer, value.kwargs, depth + 1);
      break;
    case 'DataToExport':
    case 'DataScan':
    case 'DataToActuators':
      writer.text('float');
      floatScalar(writer, value.timestamp);
      textV5(writer, value.name);
      listV5(writer, value.data, depth);
      extraV5(writer, value.extra, depth);
      break;
    default:
      dataV5(writer, value, depth);
      break;
  }
}

function textV5(writer: Writer, text: string): void {
  writer.text('str');
  writer.text(text);
}

function intV5(writer: Writer, value: number): void {
  writer.text('int');
  intScalar(writer, value);
}

function listV5(writer: Writer, items: readonly WireValue[], depth: number): void {
  writer.text('list');
  writer.u32(items.length);
  for (const item of items) taggedV5(writer, item, depth + 1);
}

function textsV5(writer: Writer, texts: readonly string[]): void {
  writer.text('list');
  writer.u32(texts.length);
  for (const text of texts) textV5(writer, text);
}

function extraV5(writer: Writer, extra: readonly ExtraAttribute[], depth: number): void {
  textsV5(
    writer,
    extra.map(([name]) => name),
  );
  for (const [, value] of extra) taggedV5(writer, value, depth + 1);
}

/** After the class name. */
function dataV5(writer: Writer, data: Data, depth: number): void {
  writer.text('float');
  floatScalar(writer, data.timestamp);
  textV5(writer, data.name);
  textV5(writer, data.source);
  textV5(writer, data.dim);
  textV5(writer, data.distribution);
  listV5(writer, data.data, depth);
  textV5(writer, data.units);
  textsV5(writer, data.labels);
  textV5(writer, data.origin);
  writer.text('list');
  writer.u32(data.navIndexes.length);
  for (const index of data.navIndexes) intV5(writer, index);
  listV5(writer, data.axes, depth);
  listV5(writer, data.errors, depth);
  extraV5(writer, data.extra, depth);
}
