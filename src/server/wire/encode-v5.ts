/** Objects to bytes in the form of PyMoDAQ 5: each a message with its length, all tagged. The reverse: parse-v5.ts. */
import { checkDepth, floatScalar, intScalar, ndarray, scalar } from './elements.ts';
import type { Data, ExtraAttribute, WireValue } from './values.ts';
import type { Writer } from './writer.ts';

export function messageV5(writer: Writer, value: WireValue): void {
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
