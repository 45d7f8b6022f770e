/**
 * One complete message of PyMoDAQ 5 to an object. Every object begins with its class name, which has to be exact (the
 * stock reader takes parts of names for whole ones). Grammar:
 *
 *     tagged = text class name, body
 *       NoneType                  nothing
 *       str, bytes                u32 length, bytes
 *       int float complex bool    text dtype, u32 size, item
 *       ndarray                   text dtype, u32 bytes, u32 dimensions, u32 each, items
 *       list tuple                u32 count, tagged each
 *       dict                      tagged list of the keys, then tagged each
 *       Axis NavAxis              label, units, ndarray, index, spread order: each tagged
 *       DataWithAxes …            timestamp, name, source, dim, distribution, data, units, labels, origin,
 *                                 nav_indexes, axes, errors, names of extra attributes, then each: all tagged
 *       DataToExport …            timestamp, name, data, names of extra attributes, then each
 *       ParameterWithPath         list path, bytes xml
 *       ThreadCommand             str command, attribute, tuple args, dict kwargs
 */
import { type Reader, shown } from './reader.ts';
import type { Axis, Data, DataToExport, Dict, ExtraAttribute, NdArray, ThreadCommand, WireValue } from './values.ts';
import { dataClasses, exportClasses } from './values.ts';

/** Bytes that the smallest tagged object takes: an empty str. */
const SMALLEST = 11;

/** @throws ProtocolError */
export function parseV5(reader: Reader): WireValue {
  const value = tagged(reader, 0);
  if (reader.left > 0) throw reader.error(`${reader.left} bytes more than the object has`);
  return value;
}

function tagged(reader: Reader, depth: number): WireValue {
  reader.enter(depth);
  const name = reader.name('a class name');
  switch (name) {
    case 'NoneType':
      return { type: 'None' };
    case 'str':
      return { type: 'str', value: reader.text() };
    case 'bytes':
      return { type: 'bytes', bytes: reader.blob() };
    case 'int':
    case 'float':
    case 'complex':
    case 'bool': {
      const value = reader.scalar();
      if (value.type !== name) throw reader.error(`what is tagged ${name} has the dtype of a ${value.type}`);
      return value;
    }
    case 'ndarray':
      return reader.ndarray();
    case 'list':
    case 'tuple':
      return { type: name, items: items(reader, name, () => tagged(reader, depth + 1)) };
    case 'dict':
      return dict(reader, depth);
    case 'Axis':
    case 'NavAxis':
      return axis(reader, name);
    case 'ParameterWithPath':
      return { type: name, path: texts(reader, depth, 'a path'), xml: xml(reader, depth) };
    case 'ThreadCommand':
      return threadCommand(reader, depth);
  }
  const dataClass = dataClasses.find((each) => each === name);
  if (dataClass) return data(reader, dataClass, depth);
  const exportClass = exportClasses.find((each) => each === name);
  if (exportClass) return dataToExport(reader, exportClass, depth);
  throw reader.error(`objects of class ${shown(name)} are not accepted`);
}

function expect(reader: Reader, name: string, what: string): void {
  const found = reader.name('a class name');
  if (found !== name) throw reader.error(`${what} must be a ${name}, not a ${shown(found)}`);
}

function text(reader: Reader, what: string): string {
  expect(reader, 'str', what);
  return reader.text();
}

function items<Item>(reader: Reader, what: string, read: () => Item): Item[] {
  const count = reader.count(`a ${what}`, SMALLEST);
  const found: Item[] = [];
  for (let k = 0; k < count; k++) found.push(read());
  return found;
}

/** A list of what `read` reads (with its tag). */
function listOf<Item>(reader: Reader, depth: number, what: string, read: () => Item): Item[] {
  expect(reader, 'list', what);
  return items(reader, 'list', () => {
    reader.enter(depth + 1);
    return read();
  });
}

function texts(reader: Reader, depth: number, what: string): string[] {
  return listOf(reader, depth, what, () => text(reader, `each of ${what}`));
}

function array(reader: Reader, what: string): NdArray {
  expect(reader, 'ndarray', what);
  return reader.ndarray();
}

function index(reader: Reader, what: string): number {
  expect(reader, 'int', what);
  return reader.index(what);
}

function timestamp(reader: Reader): number {
  const name = reader.name('a class name');
  if (name !== 'float' && name !== 'int') throw reader.error(`a timestamp must be a float, not a ${shown(name)}`);
  return reader.timestamp();
}

/** Stock peers send bytes; text does as well. */
function xml(reader: Reader, depth: number): string {
  reader.enter(depth + 1);
  const name = reader.name('a class name');
  if (name !== 'bytes' && name !== 'str') throw reader.error(`xml must be bytes or str, not a ${shown(name)}`);
  return reader.text();
}

/** What Python can have as the key of a dict. */
const hashable: ReadonlySet<string> = new Set(['None', 'str', 'bytes', 'bool', 'int', 'float', 'complex', 'tuple']);

function dict(reader: Reader, depth: number): Dict {
  const seen = new Set<string>();
  expect(reader, 'list', 'the keys of a dict');
  const keys = items(reader, 'dict', () => {
    const key = tagged(reader, depth + 1);
    if (!hashable.has(key.type)) throw reader.error(`the key of a dict cannot be a ${key.type}`);
    if (key.type === 'str') {
      if (seen.has(key.value)) throw reader.error(`a dict with two keys ${shown(key.value)}`);
      seen.add(key.value);
    }
    return key;
  });
  return { type: 'dict', items: keys.map((key) => [key, tagged(reader, depth + 1)] as const) };
}

function axis(reader: Reader, type: Axis['type']): Axis {
  return {
    type,
    label: text(reader, 'the label of an axis'),
    units: text(reader, 'the units of an axis'),
    values: array(reader, 'the values of an axis'),
    index: index(reader, 'the index of an axis'),
    spreadOrder: index(reader, 'the spread order of an axis'),
  };
}

function threadCommand(reader: Reader, depth: number): ThreadCommand {
  const command = text(reader, 'a thread command');
  const attribute = tagged(reader, depth + 1);
  const args = tagged(reader, depth + 1);
  const kwargs = tagged(reader, depth + 1);
  if (args.type !== 'tuple' || kwargs.type !== 'dict') {
    throw reader.error('a thread command has a tuple of arguments and a dict of named ones');
  }
  return { type: 'ThreadCommand', command, attribute, args, kwargs };
}

function extra(reader: Reader, depth: number): ExtraAttribute[] {
  const names = texts(reader, depth, 'the names of extra attributes');
  return names.map((name) => [name, tagged(reader, depth + 1)] as const);
}

/** After the class name. */
function data(reader: Reader, type: Data['type'], depth: number): Data {
  return {
    type,
    timestamp: timestamp(reader),
    name: text(reader, 'the name of data'),
    source: reader.source(text(reader, 'the source of data')),
    dim: reader.dim(text(reader, 'the dim of data')),
    distribution: reader.distribution(text(reader, 'the distribution of data')),
    data: listOf(reader, depth, 'data', () => array(reader, 'each of the data')),
    units: text(reader, 'the units of data'),
    labels: texts(reader, depth, 'the labels of data'),
    origin: text(reader, 'the origin of data'),
    navIndexes: listOf(reader, depth, 'nav_indexes', () => index(reader, 'a navigation index')),
    axes: listOf(reader, depth, 'axes', () => axisOfData(reader)),
    errors: listOf(reader, depth, 'errors', () => array(reader, 'each of the errors')),
    extra: extra(reader, depth),
  };
}

function axisOfData(reader: Reader): Axis {
  const name = reader.name('a class name');
  if (name !== 'Axis' && name !== 'NavAxis') throw reader.error(`an axis is of class Axis, not ${shown(name)}`);
  return axis(reader, name);
}

/** After the class name. */
function dataToExport(reader: Reader, type: DataToExport['type'], depth: number): DataToExport {
  return {
    type,
    timestamp: timestamp(reader),
    name: text(reader, 'the name of exported data'),
    data: listOf(reader, depth, 'exported data', () => {
      const name = reader.name('a class name');
      const dataClass = dataClasses.find((each) => each === name);
      if (!dataClass) throw reader.error(`exported data cannot hold a ${shown(name)}`);
      return data(reader, dataClass, depth + 1);
    }),
    extra: extra(reader, depth),
  };
}
