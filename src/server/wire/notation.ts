/**
 * The objects of the wire as JSON for people and scripts, in the notation of the golden vectors: `{"type": …, "value": …}`
 * for plain values, `items` for lists, tuples and dicts, `hex` for bytes, `data` (nested as `shape` says) for arrays.
 * Floats that JSON lacks are the strings NaN, Infinity, -Infinity and -0.0 (within arrays a bare -0.0); whole numbers from
 * 2**53 on are decimal strings; complex numbers are [re, im].
 *
 * What the bytes say and the notation does not: the dtype of an int in v5 (that of Windows is `<i4`), and the byte order
 * of a single big-endian number. All else goes there and back.
 */
import { PitayadError } from '../../errors.ts';
import {
  type Dtype,
  holds,
  parseDtype,
  readComplex,
  readFloat,
  readInteger,
  readText,
  toFloats,
  writeComplex,
  writeFloat,
  writeInteger,
} from './dtype.ts';
import { defaultLimits } from './limits.ts';
import type { Axis, Bool, Complex, Data, Dict, Float, Form, Int, NdArray, StoredArray, WireValue } from './values.ts';
import { dataClasses, dataDims, dataDistributions, dataSources, exportClasses } from './values.ts';

/** JSON that is not the notation of an object (the fault of who wrote it). */
export class NotationError extends PitayadError {}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// ---- objects to notation

export function toNotation(value: WireValue, form: Form): Json {
  switch (value.type) {
    case 'None':
      return { type: 'None', value: null };
    case 'str':
      return { type: 'str', value: value.value };
    case 'bytes':
      return { type: 'bytes', hex: hex(value.bytes) };
    case 'bool':
    case 'int':
    case 'float':
    case 'complex':
      return { type: scalarType(value, form), value: scalarValue(value) };
    case 'ndarray':
      return arrayNotation(value);
    case 'list':
    case 'tuple':
      return { type: value.type, items: value.items.map((item) => toNotation(item, form)) };
    case 'dict':
      return {
        type: 'dict',
        items: value.items.map(([key, item]) => [toNotation(key, form), toNotation(item, form)]),
      };
    case 'Axis':
    case 'NavAxis':
      return axisNotation(value);
    case 'ParameterWithPath':
      return { type: value.type, path: value.path, xml: value.xml };
    case 'ThreadCommand':
      return {
        type: value.type,
        command: value.command,
        attribute: toNotation(value.attribute, form),
        args: toNotation(value.args, form),
        kwargs: toNotation(value.kwargs, form),
      };
    case 'DataToExport':
    case 'DataScan':
    case 'DataToActuators':
      return {
        type: value.type,
        timestamp: special(value.timestamp),
        name: value.name,
        data: value.data.map((each) => dataNotation(each, form)),
        extra_attributes: value.extra.map(([name, each]) => [name, toNotation(each, form)]),
      };
    default:
      return dataNotation(value, form);
  }
}

function dataNotation(data: Data, form: Form): Json {
  return {
    type: data.type,
    timestamp: special(data.timestamp),
    name: data.name,
    units: data.units,
    source: data.source,
    dim: data.dim,
    distribution: data.distribution,
    data: data.data.map(arrayNotation),
    labels: data.labels,
    origin: data.origin,
    nav_indexes: data.navIndexes,
    axes: data.axes.map(axisNotation),
    errors: data.errors.length === 0 ? null : data.errors.map(arrayNotation),
    extra_attributes: data.extra.map(([name, each]) => [name, toNotation(each, form)]),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** A float that JSON lacks, as text. */
function special(value: number): number | string {
  if (Object.is(value, -0)) return '-0.0';
  return Number.isFinite(value) ? value : String(value);
}

function whole(value: number | bigint): number | string {
  return typeof value === 'number' ? value : String(value);
}

/** As PyMoDAQ 4 sends a numpy scalar by its dtype, its type has numpy's name if that is not Python's own. */
function scalarType(value: Bool | Int | Float | Complex, form: Form): string {
  const dtype = value.dtype === undefined || form === 'v5' ? undefined : parseDtype(value.dtype);
  if (!dtype || dtype.kind === 'bool' || `${dtype.kind}${dtype.size}` === usual[value.type]) return value.type;
  return `numpy.${dtype.kind}${8 * dtype.size}`;
}

const usual = { bool: 'bool1', int: 'int8', float: 'float8', complex: 'complex16' } as const;

function scalarValue(value: Bool | Int | Float | Complex): Json {
  if (value.type === 'bool') return value.value;
  if (value.type === 'int') return whole(value.value);
  if (value.type === 'float') return special(value.value);
  return [special(value.re), special(value.im)];
}

function stored(array: NdArray): StoredArray {
  if ('bytes' in array) return array;
  const values = new Float64Array(array.shape.reduce((product, length) => product * length, 1));
  array.fill(values, 0);
  return { type: 'ndarray', dtype: array.dtype, shape: array.shape, bytes: new Uint8Array(values.buffer) };
}

function arrayNotation(array: NdArray): Json {
  const { dtype: name, shape, bytes } = stored(array);
  const dtype = parseDtype(name);
  if (!dtype) throw new NotationError(`dtype ${name} has no notation`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const nest = (dimension: number): Json => {
    const length = shape[dimension];
    if (length === undefined) {
      at += dtype.size;
      return itemNotation(view, at - dtype.size, dtype);
    }
    // Where another dimension is 0 there is nothing to nest, and a large one beside it must not be unrolled.
    if (bytes.length === 0 && length > EMPTY_ROWS)
      throw new NotationError(`an empty array of shape (${shape}) is not written out`);
    return Array.from({ length }, () => nest(dimension + 1));
  };
  return { type: 'ndarray', dtype: name, shape, data: nest(0) };
}

/** Rows of an array without items that are still written out. */
const EMPTY_ROWS = 1000;

function itemNotation(view: DataView, at: number, dtype: Dtype): Json {
  switch (dtype.kind) {
    case 'bool':
      return view.getUint8(at) !== 0;
    case 'int':
    case 'uint':
      return whole(readInteger(view, at, dtype));
    case 'float':
      return inArray(readFloat(view, at, dtype));
    case 'complex': {
      const { re, im } = readComplex(view, at, dtype);
      return [inArray(re), inArray(im)];
    }
    case 'text':
      return readText(view, at, dtype) ?? '';
  }
}

/** The vectors write -0.0 within arrays as a number; see `toLine`. */
function inArray(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function axisNotation(axis: Axis): Json {
  const values = stored(axis.values);
  return {
    type: axis.type,
    label: axis.label,
    units: axis.units,
    ...holding(values),
    index: axis.index,
    spread_order: axis.spreadOrder,
    'get_data()': arrayNotation(values),
  };
}

/**
 * How PyMoDAQ will hold an axis: evenly spaced values (to 1e-5 of the step plus 1e-8) as scaling and offset, others as they
 * are; pymodaq's `Axis.get_scale_offset_from_data`.
 */
function holding(values: StoredArray): { held_as: string; scaling: Json; offset: Json; size: number } {
  const numbers = toFloats(values);
  const size = values.shape.reduce((product, length) => product * length, 1);
  const irregular = { held_as: 'array', scaling: null, offset: null, size };
  const first = numbers?.[0];
  if (!numbers || first === undefined) return irregular;
  const steps = Array.from({ length: numbers.length - 1 }, (_, k) => Number(numbers[k + 1]) - Number(numbers[k]));
  const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
  if (!steps.every((step) => Math.abs(step - mean) <= 1e-8 + 1e-5 * Math.abs(mean))) return irregular;
  return { held_as: 'linear', scaling: special(steps.length === 0 ? 1 : mean), offset: special(first), size };
}

/** One line of JSON. JSON.stringify would write -0.0 as 0. */
export function toLine(json: Json): string {
  if (typeof json === 'number') return Object.is(json, -0) ? '-0.0' : JSON.stringify(json);
  if (json === null || typeof json !== 'object') return JSON.stringify(json);
  if (isList(json)) return `[${json.map(toLine).join(', ')}]`;
  return `{${Object.entries(json)
    .map(([key, value]) => `${JSON.stringify(key)}: ${toLine(value)}`)
    .join(', ')}}`;
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

// ---- notation to objects

/**
 * The object that `json` describes. In v5 there are no numpy scalars: they are refused as PyMoDAQ refuses them.
 * @throws NotationError
 */
export function fromNotation(json: unknown, form: Form, depth = 0): WireValue {
  // One more than can be encoded, so that the encoder has the say.
  if (depth > defaultLimits.depth + 1)
    throw new NotationError(`more than ${defaultLimits.depth} objects in each other`);
  const inner = (each: unknown): WireValue => fromNotation(each, form, depth + 1);
  const fields = record(json);
  const type = text(fields, 'type');
  switch (type) {
    case 'None':
      return { type };
    case 'str':
      return { type, value: text(fields, 'value') };
    case 'bytes':
      return { type, bytes: fromHex(text(fields, 'hex')) };
    case 'bool':
    case 'int':
    case 'float':
    case 'complex':
      return scalar(type, field(fields, 'value'));
    case 'ndarray':
      return array(fields);
    case 'list':
    case 'tuple':
      return { type, items: items(fields, 'items').map(inner) };
    case 'dict':
      return dict(fields, inner);
    case 'Axis':
    case 'NavAxis':
      return axis(fields);
    case 'ParameterWithPath':
      return { type, path: texts(fields, 'path'), xml: text(fields, 'xml') };
    case 'ThreadCommand': {
      const args = inner(field(fields, 'args'));
      const kwargs = inner(field(fields, 'kwargs'));
      if (args.type !== 'tuple' || kwargs.type !== 'dict') {
        throw new NotationError('a ThreadCommand has a tuple as args and a dict as kwargs');
      }
      return {
        type,
        command: text(fields, 'command'),
        attribute: inner(field(fields, 'attribute')),
        args,
        kwargs,
      };
    }
  }
  if (type.startsWith('numpy.')) return numpyScalar(type, field(fields, 'value'), form);
  const dataClass = dataClasses.find((each) => each === type);
  if (dataClass) return data(fields, dataClass, inner);
  const exportClass = exportClasses.find((each) => each === type);
  if (!exportClass) throw new NotationError(`there is no type ${JSON.stringify(type)}`);
  return {
    type: exportClass,
    timestamp: number(field(fields, 'timestamp')),
    name: text(fields, 'name'),
    data: items(fields, 'data').map((each) => dataIn(each, inner)),
    extra: extra(fields, inner),
  };
}

type Fields = Readonly<Record<string, unknown>>;
/** Reads an object within the one at hand. */
type Inner = (json: unknown) => WireValue;

function record(json: unknown): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new NotationError('an object is written as {"type": …}, with its value or parts');
  }
  return Object.fromEntries(Object.entries(json));
}

function field(fields: Fields, key: string): unknown {
  if (!Object.hasOwn(fields, key)) throw new NotationError(`${called(fields)} lacks ${JSON.stringify(key)}`);
  return fields[key];
}

function called(fields: Fields): string {
  return typeof fields.type === 'string' ? `a ${fields.type}` : 'an object';
}

function text(fields: Fields, key: string): string {
  const value = field(fields, key);
  if (typeof value !== 'string')
    throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must be a string`);
  return value;
}

function items(fields: Fields, key: string): readonly unknown[] {
  const value = field(fields, key);
  if (!Array.isArray(value)) throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must be a list`);
  return value;
}

function texts(fields: Fields, key: string): string[] {
  return items(fields, key).map((each) => {
    if (typeof each !== 'string')
      throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must hold strings`);
    return each;
  });
}

function oneOf<Word extends string>(fields: Fields, key: string, words: readonly Word[]): Word {
  const value = text(fields, key);
  const found = words.find((word) => word === value);
  if (!found) throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must be one of ${words.join(', ')}`);
  return found;
}

function fromHex(digits: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new NotationError('"hex" of bytes must be pairs of hexadecimal digits');
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

const specials: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0.0', -0],
]);

function number(json: unknown): number {
  const value = typeof json === 'number' ? json : specials.get(json);
  if (value === undefined) {
    throw new NotationError(
      `a number, or one of ${[...specials.keys()].join(', ')} is needed, not ${JSON.stringify(json)}`,
    );
  }
  return value;
}

function integer(json: unknown): number | bigint {
  if (typeof json === 'number' && Number.isSafeInteger(json)) return json;
  if (typeof json === 'string' && /^-?[0-9]{1,20}$/.test(json)) {
    const value = BigInt(json);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  throw new NotationError(`a whole number is needed (from 2**53 on as a decimal string), not ${JSON.stringify(json)}`);
}

function pair(json: unknown): { re: number; im: number } {
  if (!Array.isArray(json) || json.length !== 2) throw new NotationError('a complex number is written as [re, im]');
  return { re: number(json[0]), im: number(json[1]) };
}

function truth(json: unknown): boolean {
  if (typeof json !== 'boolean') throw new NotationError(`true or false is needed, not ${JSON.stringify(json)}`);
  return json;
}

function scalar(type: 'bool' | 'int' | 'float' | 'complex', value: unknown): Bool | Int | Float | Complex {
  if (type === 'bool') return { type, value: truth(value) };
  if (type === 'int') return { type, value: integer(value) };
  if (type === 'float') return { type, value: number(value) };
  return { type, ...pair(value) };
}

function numpyScalar(type: string, value: unknown, form: Form): WireValue {
  if (form === 'v5') throw new NotationError(`PyMoDAQ 5 cannot send a ${type}`);
  if (/^numpy\.bool_?$/.test(type)) return { type: 'bool', value: truth(value), dtype: '|b1' };
  const [, kind, bits] = /^numpy\.(int|uint|float|complex)([0-9]{1,3})$/.exec(type) ?? [];
  const size = Number(bits) / 8;
  const dtype = `${size === 1 ? '|' : '<'}${kind?.[0]}${size}`;
  if (!parseDtype(dtype)) throw new NotationError(`there is no type ${type}`);
  const python = kind === 'uint' ? 'int' : (kind as 'int' | 'float' | 'complex');
  const plain = scalar(python, value);
  return `${kind}${size}` === usual[python] ? plain : { ...plain, dtype };
}

function array(fields: Fields): StoredArray {
  const name = text(fields, 'dtype');
  const dtype = parseDtype(name);
  if (!dtype) throw new NotationError(`dtype ${JSON.stringify(name)} cannot be sent`);
  if (items(fields, 'shape').length > defaultLimits.dimensions) {
    throw new NotationError(`an ndarray has at most ${defaultLimits.dimensions} dimensions`);
  }
  const shape = items(fields, 'shape').map((length) => {
    const value = integer(length);
    if (typeof value === 'bigint' || value < 0) throw new NotationError('a shape is made of whole numbers from 0 on');
    return value;
  });
  const flat: unknown[] = [];
  const flatten = (part: unknown, dimension: number): void => {
    const length = shape[dimension];
    if (length === undefined) {
      flat.push(part);
      return;
    }
    if (!Array.isArray(part) || part.length !== length) {
      throw new NotationError(`"data" of an ndarray must be nested as its shape (${shape}) says`);
    }
    for (const each of part) flatten(each, dimension + 1);
  };
  flatten(field(fields, 'data'), 0);
  const bytes = new Uint8Array(flat.length * dtype.size);
  const view = new DataView(bytes.buffer);
  flat.forEach((item, k) => {
    writeItem(view, k * dtype.size, name, dtype, item);
  });
  return { type: 'ndarray', dtype: name, shape, bytes };
}

function writeItem(view: DataView, at: number, name: string, dtype: Dtype, item: unknown): void {
  switch (dtype.kind) {
    case 'bool':
      view.setUint8(at, truth(item) ? 1 : 0);
      break;
    case 'int':
    case 'uint': {
      const value = integer(item);
      if (!holds(dtype, value)) throw new NotationError(`${value} does not fit dtype ${name}`);
      writeInteger(view, at, dtype, value);
      break;
    }
    case 'float':
      writeFloat(view, at, dtype, number(item));
      break;
    case 'complex':
      writeComplex(view, at, dtype, pair(item));
      break;
    case 'text': {
      if (typeof item !== 'string') throw new NotationError(`an array of dtype ${name} holds strings`);
      const characters = Array.from(item, (character) => character.codePointAt(0) ?? 0);
      if (4 * characters.length > dtype.size)
        throw new NotationError(`${JSON.stringify(item)} does not fit dtype ${name}`);
      characters.forEach((code, k) => {
        view.setUint32(at + 4 * k, code, dtype.littleEndian);
      });
    }
  }
}

function arrays(fields: Fields, key: string): StoredArray[] {
  return items(fields, key).map((each) => arrayIn(each, key));
}

function arrayIn(json: unknown, key: string): StoredArray {
  const fields = record(json);
  if (fields.type !== 'ndarray') throw new NotationError(`${JSON.stringify(key)} must hold ndarrays`);
  return array(fields);
}

function index(json: unknown): number {
  const value = integer(json);
  if (typeof value === 'bigint' || value < 0) throw new NotationError(`an index cannot be ${JSON.stringify(json)}`);
  return value;
}

function axis(fields: Fields): Axis {
  return {
    type: oneOf(fields, 'type', ['Axis', 'NavAxis']),
    label: text(fields, 'label'),
    units: text(fields, 'units'),
    values: arrayIn(field(fields, 'get_data()'), 'get_data()'),
    index: index(field(fields, 'index')),
    spreadOrder: index(field(fields, 'spread_order')),
  };
}

function dict(fields: Fields, inner: Inner): Dict {
  return {
    type: 'dict',
    items: items(fields, 'items').map((entry) => {
      if (!Array.isArray(entry) || entry.length !== 2)
        throw new NotationError('"items" of a dict are [key, value] pairs');
      return [inner(entry[0]), inner(entry[1])] as const;
    }),
  };
}

function extra(fields: Fields, inner: Inner): (readonly [string, WireValue])[] {
  return items(fields, 'extra_attributes').map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== 'string') {
      throw new NotationError('"extra_attributes" are [name, value] pairs');
    }
    return [entry[0], inner(entry[1])] as const;
  });
}

function dataIn(json: unknown, inner: Inner): Data {
  const fields = record(json);
  return data(fields, oneOf(fields, 'type', dataClasses), inner);
}

function data(fields: Fields, type: Data['type'], inner: Inner): Data {
  return {
    type,
    timestamp: number(field(fields, 'timestamp')),
    name: text(fields, 'name'),
    units: text(fields, 'units'),
    source: oneOf(fields, 'source', dataSources),
    dim: oneOf(fields, 'dim', dataDims),
    distribution: oneOf(fields, 'distribution', dataDistributions),
    data: arrays(fields, 'data'),
    labels: texts(fields, 'labels'),
    origin: text(fields, 'origin'),
    navIndexes: items(fields, 'nav_indexes').map(index),
    axes: items(fields, 'axes').map((each) => {
      const parts = record(each);
      oneOf(parts, 'type', ['Axis', 'NavAxis']);
      return axis(parts);
    }),
    errors: field(fields, 'errors') === null ? [] : arrays(fields, 'errors'),
    extra: extra(fields, inner),
  };
}
