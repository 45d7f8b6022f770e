/**
 * The objects that PyMoDAQ's peers exchange, as typed records. `type` is Python's class name, as the vectors and the v5
 * form spell it. Both byte forms carry the same objects; what one form cannot carry, its encoder refuses.
 */

/** Python's None; v5 only. */
export interface None {
  readonly type: 'None';
}

export interface Str {
  readonly type: 'str';
  readonly value: string;
}

export interface Bytes {
  readonly type: 'bytes';
  readonly bytes: Uint8Array;
}

/**
 * A number or truth value. `dtype` is given only where it is not the one that Python's own type has (`|b1`, `<i8`,
 * `<f8`, `<c16`, and `<u8` from 2**63): a numpy scalar in v4, an int of Windows in v5.
 */
interface Scalar {
  readonly dtype?: string;
}

export interface Bool extends Scalar {
  readonly type: 'bool';
  readonly value: boolean;
}

/** Whole number from -2**63 to 2**64 - 1; a bigint where a number would not be exact. */
export interface Int extends Scalar {
  readonly type: 'int';
  readonly value: number | bigint;
}

export interface Float extends Scalar {
  readonly type: 'float';
  readonly value: number;
}

export interface Complex extends Scalar {
  readonly type: 'complex';
  readonly re: number;
  readonly im: number;
}

/** A numpy array: items in C order, as `dtype` says (dtype.ts has the list). */
export interface NdArray {
  readonly type: 'ndarray';
  readonly dtype: string;
  /** Empty for a 0-d array. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface List {
  readonly type: 'list';
  readonly items: readonly WireValue[];
}

/** v5 only. */
export interface Tuple {
  readonly type: 'tuple';
  readonly items: readonly WireValue[];
}

/** v5 only. Keys are hashable (no list, dict, array or data), and no two are the same string. */
export interface Dict {
  readonly type: 'dict';
  readonly items: readonly (readonly [key: WireValue, value: WireValue])[];
}

/** PyMoDAQ's Axis; on the wire always with its full array of values. A NavAxis is v5 only. */
export interface Axis {
  readonly type: 'Axis' | 'NavAxis';
  readonly label: string;
  readonly units: string;
  readonly values: NdArray;
  /** Which dimension of the data it belongs to; 0 is the first. */
  readonly index: number;
  /** 0 unless several axes share one spread dimension. */
  readonly spreadOrder: number;
}

export const dataSources = ['raw', 'calculated'] as const;
export const dataDims = ['Data0D', 'Data1D', 'Data2D', 'DataND'] as const;
export const dataDistributions = ['uniform', 'spread'] as const;
export const dataClasses = ['DataWithAxes', 'DataRaw', 'DataActuator', 'DataFromPlugins', 'DataCalculated'] as const;
export const exportClasses = ['DataToExport', 'DataScan', 'DataToActuators'] as const;

/** PyMoDAQ's DataWithAxes and its subclasses: one or several arrays of one shape. */
export interface Data {
  readonly type: (typeof dataClasses)[number];
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly name: string;
  readonly units: string;
  readonly source: (typeof dataSources)[number];
  readonly dim: (typeof dataDims)[number];
  readonly distribution: (typeof dataDistributions)[number];
  readonly data: readonly NdArray[];
  /** One per array. */
  readonly labels: readonly string[];
  readonly origin: string;
  readonly navIndexes: readonly number[];
  readonly axes: readonly Axis[];
  /** One array per data array, or none. */
  readonly errors: readonly NdArray[];
  readonly extra: readonly ExtraAttribute[];
}

export type ExtraAttribute = readonly [name: string, value: WireValue];

/** PyMoDAQ's DataToExport and its subclasses: what one grab brings. */
export interface DataToExport {
  readonly type: (typeof exportClasses)[number];
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly name: string;
  readonly data: readonly Data[];
  /** v5 only. */
  readonly extra: readonly ExtraAttribute[];
}

/** One parameter of a settings tree; in v4 only inside lists. */
export interface ParameterWithPath {
  readonly type: 'ParameterWithPath';
  readonly path: readonly string[];
  readonly xml: string;
}

/** v5 only; no stock peer sends it over TCP. */
export interface ThreadCommand {
  readonly type: 'ThreadCommand';
  readonly command: string;
  readonly attribute: WireValue;
  readonly args: Tuple;
  readonly kwargs: Dict;
}

export type WireValue =
  | None
  | Str
  | Bytes
  | Bool
  | Int
  | Float
  | Complex
  | NdArray
  | List
  | Tuple
  | Dict
  | Axis
  | Data
  | DataToExport
  | ParameterWithPath
  | ThreadCommand;

/** The two byte grammars: that of PyMoDAQ 4, and that of 5. */
export type Form = 'v4' | 'v5';

/** What a reader of v4 can be told to expect: nothing on the wire says what comes. */
export const kinds = ['string', 'scalar', 'bytes', 'array', 'list', 'axis', 'dwa', 'dte', 'parameter'] as const;
export type Kind = (typeof kinds)[number];

export const none: None = { type: 'None' };

export function str(value: string): Str {
  return { type: 'str', value };
}

/** Text is taken as UTF-8. */
export function bytes(value: Uint8Array | string): Bytes {
  return { type: 'bytes', bytes: typeof value === 'string' ? Buffer.from(value) : value };
}

export function bool(value: boolean): Bool {
  return { type: 'bool', value };
}

export function int(value: number | bigint): Int {
  return { type: 'int', value };
}

export function float(value: number): Float {
  return { type: 'float', value };
}

export function complex(re: number, im: number): Complex {
  return { type: 'complex', re, im };
}

export function list(items: readonly WireValue[]): List {
  return { type: 'list', items };
}

/** A list of strings: a settings path. */
export function path(names: readonly string[]): List {
  return list(names.map(str));
}

export function tuple(items: readonly WireValue[]): Tuple {
  return { type: 'tuple', items };
}

export function dict(entries: Readonly<Record<string, WireValue>>): Dict {
  return { type: 'dict', items: Object.entries(entries).map(([key, value]) => [str(key), value] as const) };
}

/** One-dimensional array of float64, copied. */
export function floats(values: ArrayLike<number>): NdArray {
  return floatsOf(new Float64Array(values));
}

/** One-dimensional array of float64: `values` themselves, which must not change until they are encoded. */
export function floatsOf(values: Float64Array): NdArray {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { type: 'ndarray', dtype: '<f8', shape: [values.length], bytes };
}

export function axis(label: string, units: string, values: NdArray, index = 0): Axis {
  return { type: 'Axis', label, units, values, index, spreadOrder: 0 };
}

/** What a data object needs at least; the rest has the defaults of PyMoDAQ. */
export type DataFields = Pick<Data, 'timestamp' | 'name' | 'data'> & Partial<Omit<Data, 'type'>>;

/** Of class `type`; `dim` follows from the shape of the first array, labels are `CH00`, `CH01` … unless given. */
export function data(type: Data['type'], fields: DataFields): Data {
  const shape = fields.data[0]?.shape ?? [1];
  const size = shape.reduce((product, length) => product * length, 1);
  const dims = { 0: 'Data0D', 1: size === 1 ? 'Data0D' : 'Data1D', 2: 'Data2D' } as const;
  return {
    type,
    units: '',
    source: type === 'DataCalculated' ? 'calculated' : 'raw',
    dim: dims[shape.length as 0 | 1 | 2] ?? 'DataND',
    distribution: 'uniform',
    labels: fields.data.map((_, k) => `CH${String(k).padStart(2, '0')}`),
    origin: '',
    navIndexes: [],
    axes: [],
    errors: [],
    extra: [],
    ...fields,
  };
}

/** One position, as move words carry it. */
export function dataActuator(name: string, value: number, units: string, timestamp: number): Data {
  return data('DataActuator', { timestamp, name, units, data: [floats([value])] });
}

export function dataToExport(name: string, parts: readonly Data[], timestamp: number): DataToExport {
  return { type: 'DataToExport', timestamp, name, data: parts, extra: [] };
}

/**
 * A value made of what JSON knows as an object of the wire: whole numbers become ints, other numbers floats.
 * @throws TypeError for what JSON does not know (a bug of the caller).
 */
export function fromPlain(value: unknown): WireValue {
  if (value === null || value === undefined) return none;
  if (typeof value === 'string') return str(value);
  if (typeof value === 'boolean') return bool(value);
  if (typeof value === 'bigint') return int(value);
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? int(value) : float(value);
  if (Array.isArray(value)) return list(value.map(fromPlain));
  if (typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return { type: 'dict', items: entries.map(([key, item]) => [str(key), fromPlain(item)] as const) };
  }
  throw new TypeError(`a ${typeof value} has no form on the wire`);
}

/**
 * The bare value of strings, numbers, truth values, None, lists, tuples and dicts with string keys; bigints stay
 * bigints. Undefined where a part of it has no such form (bytes, arrays, data …).
 */
export function toPlain(value: WireValue): unknown {
  switch (value.type) {
    case 'None':
      return null;
    case 'str':
    case 'bool':
    case 'int':
    case 'float':
      return value.value;
    case 'list':
    case 'tuple': {
      const items = value.items.map(toPlain);
      return items.includes(undefined) ? undefined : items;
    }
    case 'dict': {
      const all: Record<string, unknown> = {};
      for (const [key, item] of value.items) {
        const plain = toPlain(item);
        if (key.type !== 'str' || plain === undefined) return undefined;
        if (key.value === '__proto__') ownProperty(all, key.value, plain);
        else all[key.value] = plain;
      }
      return all;
    }
    default:
      return undefined;
  }
}

/** So that it is a key like any other. */
function ownProperty(all: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(all, key, { value, writable: true, enumerable: true, configurable: true });
}
