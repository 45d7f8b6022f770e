/** One complete message of PyMoDAQ 4, of a known kind, to an object. Grammar: see scan-v4.ts. */
import { type Reader, shown } from './reader.ts';
import type { Axis, Data, DataToExport, Kind, NdArray, ParameterWithPath, WireValue } from './values.ts';
import { dataClasses, exportClasses } from './values.ts';

/** Bytes that the smallest tagged object takes: an empty list. */
const SMALLEST = 12;

/** @throws ProtocolError */
export function parseV4(reader: Reader, kind: Kind): WireValue {
  const value = bare(reader, kind, 0);
  if (reader.left > 0) throw reader.error(`${reader.left} bytes more than the ${kind} has`);
  return value;
}

function bare(reader: Reader, kind: Kind, depth: number): WireValue {
  switch (kind) {
    case 'string':
      return { type: 'str', value: reader.text() };
    case 'bytes':
      return { type: 'bytes', bytes: reader.blob() };
    case 'scalar':
      return reader.scalar();
    case 'array':
      return reader.ndarray();
    case 'list':
      return { type: 'list', items: items(reader, depth, (each) => tagged(reader, depth + 1, each)) };
    case 'axis':
      return axis(reader);
    case 'dwa':
      return data(reader, depth);
    case 'dte':
      return dataToExport(reader, depth);
    case 'parameter':
      return parameter(reader, depth);
  }
}

/** A list whose items `read` reads, each after its tag. */
function items<Item>(reader: Reader, depth: number, read: (tag: string) => Item): Item[] {
  const count = reader.count('a list', SMALLEST);
  const found: Item[] = [];
  for (let k = 0; k < count; k++) {
    reader.enter(depth + 1);
    found.push(read(reader.name('a tag')));
  }
  return found;
}

/** A list of one kind of object, each made by `read`. */
function only<Item>(reader: Reader, depth: number, kind: Kind, what: string, read: () => Item): Item[] {
  return items(reader, depth, (tag) => {
    if (tag !== kind) throw reader.error(`${what} must be a list of ${kind}, but there is a ${shown(tag)}`);
    return read();
  });
}

function tagged(reader: Reader, depth: number, tag: string): WireValue {
  switch (tag) {
    case 'bool': {
      const value = reader.scalar();
      if (value.type !== 'bool') throw reader.error(`a bool cannot be a ${value.type}`);
      return value;
    }
    case 'scalar':
    case 'string':
    case 'bytes':
    case 'array':
    case 'list':
    case 'axis':
    case 'dwa':
    case 'dte':
    case 'parameter':
      return bare(reader, tag, depth);
    default:
      throw reader.error(`PyMoDAQ 4 has no tag ${shown(tag)}`);
  }
}

function texts(reader: Reader, depth: number, what: string): string[] {
  return only(reader, depth, 'string', what, () => reader.text());
}

function arrays(reader: Reader, depth: number, what: string): NdArray[] {
  return only(reader, depth, 'array', what, () => reader.ndarray());
}

function parameter(reader: Reader, depth: number): ParameterWithPath {
  return { type: 'ParameterWithPath', path: texts(reader, depth, 'a path'), xml: reader.text() };
}

function axis(reader: Reader): Axis {
  const type = reader.name('a class name');
  if (type !== 'Axis') throw reader.error(`an axis is of class Axis, not ${shown(type)}`);
  return {
    type,
    label: reader.text(),
    units: reader.text(),
    values: reader.ndarray(),
    index: reader.index('the index of an axis'),
    spreadOrder: reader.index('the spread order of an axis'),
  };
}

function data(reader: Reader, depth: number): Data {
  const name = reader.name('a class name');
  const type = dataClasses.find((each) => each === name);
  if (!type) throw reader.error(`the class of data is one of ${dataClasses.join(', ')}, not ${shown(name)}`);
  const head = {
    type,
    timestamp: reader.timestamp(),
    name: reader.text(),
    units: reader.text(),
    source: reader.source(reader.text()),
    dim: reader.dim(reader.text()),
    distribution: reader.distribution(reader.text()),
    data: arrays(reader, depth, 'data'),
    labels: texts(reader, depth, 'labels'),
    origin: reader.text(),
    navIndexes: only(reader, depth, 'scalar', 'nav_indexes', () => reader.index('a navigation index')),
    axes: only(reader, depth, 'axis', 'axes', () => axis(reader)),
    errors: arrays(reader, depth, 'errors'),
  };
  const names = texts(reader, depth, 'names of extra attributes');
  const extra = names.map((each) => {
    reader.enter(depth + 1);
    return [each, tagged(reader, depth + 1, reader.name('a tag'))] as const;
  });
  return { ...head, extra };
}

function dataToExport(reader: Reader, depth: number): DataToExport {
  const name = reader.name('a class name');
  const type = exportClasses.find((each) => each === name);
  if (!type) throw reader.error(`the class of exported data is one of ${exportClasses.join(', ')}, not ${shown(name)}`);
  return {
    type,
    timestamp: reader.timestamp(),
    name: reader.text(),
    data: only(reader, depth, 'dwa', 'exported data', () => data(reader, depth + 1)),
    extra: [],
  };
}
