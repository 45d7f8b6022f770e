/** Objects to bytes in the form of PyMoDAQ 4: tagged only inside of others. The reverse: parse-v4.ts. */
import { checkDepth, floatScalar, intScalar, ndarray, scalar, UnsendableError } from './elements.ts';
import type { Axis, Data, DataToExport, NdArray, ParameterWithPath, WireValue } from './values.ts';
import type { Writer } from './writer.ts';

/** Without a tag: the receiver knows what comes. */
export function bareV4(writer: Writer, value: WireValue, depth: number): void {
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
