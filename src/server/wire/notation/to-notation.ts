/** Objects of the wire into their notation, arrays written out. */
import { type Dtype, parseDtype, readComplex, readFloat, readInteger, readText, toFloats } from '../dtype.ts';
import type { Axis, Bool, Complex, Data, Float, Form, Int, NdArray, WireValue } from '../values.ts';
import { type Json, NotationError, usual } from './notation.ts';

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

function scalarValue(value: Bool | Int | Float | Complex): Json {
  if (value.type === 'bool') return value.value;
  if (value.type === 'int') return whole(value.value);
  if (value.type === 'float') return special(value.value);
  return [special(value.re), special(value.im)];
}

function arrayNotation(array: NdArray): Json {
  const { dtype: name, shape, bytes } = array;
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
  const values = axis.values;
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
function holding(values: NdArray): { held_as: string; scaling: Json; offset: Json; size: number } {
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
