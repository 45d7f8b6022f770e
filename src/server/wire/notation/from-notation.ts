/** Notation, which is anybody's JSON, into objects of the wire. */
import { type Dtype, holds, parseDtype, writeComplex, writeFloat, writeInteger } from '../dtype.ts';
import { defaultLimits } from '../limits.ts';
import type { Axis, Bool, Complex, Data, Dict, Float, Form, Int, NdArray, WireValue } from '../values.ts';
import { dataClasses, dataDims, dataDistributions, dataSources, exportClasses } from '../values.ts';
import { NotationError, usual } from './notation.ts';
import { type Fields, field, integer, items, number, oneOf, pair, record, text, texts, truth } from './parts.ts';

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

/** Reads an object within the one at hand. */
type Inner = (json: unknown) => WireValue;

function fromHex(digits: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new NotationError('"hex" of bytes must be pairs of hexadecimal digits');
  return new Uint8Array(Buffer.from(digits, 'hex'));
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

function array(fields: Fields): NdArray {
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

function arrays(fields: Fields, key: string): NdArray[] {
  return items(fields, key).map((each) => arrayIn(each, key));
}

function arrayIn(json: unknown, key: string): NdArray {
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
