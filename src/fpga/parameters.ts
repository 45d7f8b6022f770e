/**
 * The kinds of parameter that a module can have: how a value looks outside, and how it is kept in registers. Each
 * function here makes one `Parameter`: pure data and pure functions, no bus.
 *
 * `accept` judges foreign values and refuses those out of limits; `encode` below it never refuses, it takes the
 * nearest raw value that the register can hold, as PyRPL does (attributes.py), so that no way leads to garbage.
 */

import { nearest } from '../nearest.ts';
import { CLOCK_HZ } from './bus/bus.ts';
import type { ParameterDescription, Value, ValueKind } from './description.ts';
import { type Field, range, roundHalfEven, saturate } from './fields.ts';
import { NOMINAL_SCALE, type Scale, VOLTS_PER_COUNT } from './volts.ts';

/** What differs from board to board. */
export interface Board {
  /** The real clock is 125 MHz times this. */
  readonly frequencyCorrection: number;
  /** Of inputs and outputs (`in1`, `in2`, `out1`, `out2`), where it is not the nominal one. */
  readonly scales: Readonly<Record<string, Scale>>;
}

/** A board of which nothing is known. */
export const NOMINAL_BOARD: Board = { frequencyCorrection: 1, scales: {} };

/** The scale of a signal by its name. */
export function scaleOf(board: Board, signal: string): Scale {
  return (Object.hasOwn(board.scales, signal) ? board.scales[signal] : undefined) ?? NOMINAL_SCALE;
}

/** Values of parameters of the same module, by name. */
export type Others = Readonly<Record<string, Value>>;

/** Ends the judging of a value: `why` goes on "NAME …". */
export type Refuse = (why: string) => never;

/** Raw values of a parameter's fields, in the order of `fields`; undefined leaves a field as it is. */
export type Raw = readonly (number | undefined)[];

export interface Parameter<T extends Value = Value> {
  readonly kind: ValueKind;
  readonly label?: string;
  readonly help: string;
  readonly unit: string;
  readonly min?: number;
  readonly max?: number;
  /** Smallest distance of two values that the hardware can hold; absent: as fine as a number is, or of no even steps. */
  readonly step?: number;
  readonly choices?: readonly (string | number)[];
  readonly readonly: boolean;
  readonly default: T;
  readonly home?: number;
  /** What the command `off` sets. */
  readonly off?: Value;
  /** A state, no setting: neither saved nor restored. */
  readonly momentary?: true;
  /** The hardware changes it by itself: read at each `get`. */
  readonly volatile: boolean;
  /** Where it is kept; none: in the driver alone. */
  readonly fields: readonly Field[];
  /** The value in its canonical type, or a refusal. */
  accept(value: unknown, refuse: Refuse): T;
  encode(value: T, board: Board, others?: Others): Raw;
  /** Of all fields' raw values. */
  decode(raw: readonly number[], board: Board, others?: Others): T;
  /** Parameters whose values encode, decode and limits ask for; these have no needs themselves. */
  readonly needs?: readonly string[];
  /** Limits that hold at present, in place of min and max, which are the widest. */
  limits?(board: Board, others: Others): { readonly min: number; readonly max: number };
  /** The widest limits on a board. */
  widest?(board: Board): { readonly min: number; readonly max: number };
}

/** What each parameter is declared with, whatever its kind. */
export interface Words {
  readonly help: string;
  /** By default made from the name: `trigger_source` → `Trigger source`. */
  readonly label?: string;
  /** What the command `off` sets; by default it leaves the parameter as it is. */
  readonly off?: Value;
}

interface Limits {
  readonly min?: number;
  readonly max?: number;
}

/** No register: the driver itself keeps the value. */
export const software = 'software';
export type Place = Field | typeof software;

const fieldsOf = (place: Place): readonly Field[] => (place === software ? [] : [place]);
const isReadonly = (fields: readonly Field[]): boolean =>
  fields.length > 0 && fields.every((field) => field.access === 'r');
const isVolatile = (fields: readonly Field[]): boolean => fields.some((field) => field.access === 'r');

/** What follows from the fields alone. */
function placed(fields: readonly Field[]): Pick<Parameter, 'fields' | 'readonly' | 'volatile'> {
  return { fields, readonly: isReadonly(fields), volatile: isVolatile(fields) };
}

// ---------------------------------------------------------------- numbers

export interface NumberOptions extends Words, Limits {
  readonly unit?: string;
  readonly default?: number;
  readonly home?: number;
  /** See Parameter; needed where it does not follow from the register. */
  readonly step?: number;
}

/** A real number that the driver keeps. */
export function real(place: typeof software, options: NumberOptions): Parameter<number> {
  return {
    kind: 'number',
    unit: '',
    default: 0,
    ...options,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => acceptReal(value, options, refuse),
    encode: () => [],
    decode: () => options.default ?? 0,
  };
}

/** A number that is a multiple of `scale`: value = raw · scale. Limits default to what the field holds. */
export function fixed(field: Field, options: NumberOptions & { readonly scale: number }): Parameter<number> {
  const { scale, ...rest } = options;
  const limits = { min: range(field).min * scale, max: range(field).max * scale };
  const { min, max } = { ...limits, ...rest };
  return {
    kind: 'number',
    unit: '',
    default: 0,
    step: scale,
    ...limits,
    ...rest,
    ...placed([field]),
    accept: (value, refuse) => acceptReal(value, { min, max, ...unitOf(options) }, refuse),
    encode: (value) => [saturate(clip(value, min, max) / scale, field)],
    decode: ([raw = 0]) => raw * scale,
  };
}

/** A level within the FPGA: 8192 counts are 1 V. Up to ±1 V unless said otherwise; +1 V becomes 8191 counts. */
export function volts(field: Field, options: Omit<NumberOptions, 'unit'>): Parameter<number> {
  return fixed(field, { unit: 'V', min: -1, max: 1, scale: VOLTS_PER_COUNT, ...options });
}

/** Which signal a level belongs to: by its name, or by the values of other parameters. */
export interface SignalOf {
  readonly needs: readonly string[];
  of(others: Others): string;
}

/** The signal that another parameter names. */
export const signalIn = (parameter: string): SignalOf => ({
  needs: [parameter],
  of: (others) => String(others[parameter]),
});

/** The output at which a module is heard: out1 where it is both, none where it is off. */
export const outputIn = (parameter: string): SignalOf => ({
  needs: [parameter],
  of: (others) => (others[parameter] === 'both' ? 'out1' : String(others[parameter])),
});

export const always = (signal: string): SignalOf => ({ needs: [], of: () => signal });

/**
 * A level of a signal that may be one of the board's inputs or outputs: in its volts, as jumper and calibration have
 * them. When another signal is chosen, the register stays, and the same level is another voltage.
 */
export function level(
  field: Field,
  options: Omit<NumberOptions, 'unit'> & {
    readonly signal: SignalOf;
    /** A difference of levels: an offset does not matter. */
    readonly difference?: true;
    /** Nominal volts of one step; default: a count. */
    readonly step?: number;
    /** Never 0 unless it is 0: the smallest step of its sign is taken instead. */
    readonly neverZero?: true;
  },
): Parameter<number> {
  const { signal, difference, step = VOLTS_PER_COUNT, neverZero, min = -1, max = 1, ...rest } = options;
  const scaled = (scale: Scale): Scale => ({
    gain: (scale.gain / VOLTS_PER_COUNT) * step,
    offset: difference ? 0 : (scale.offset * VOLTS_PER_COUNT) / step,
  });
  const here = (board: Board, others: Others): Scale => scaled(scaleOf(board, signal.of(others)));
  const limitsAt = ({ gain: perStep, offset }: Scale) => ({
    min: (min / step - offset) * perStep,
    max: (max / step - offset) * perStep,
  });
  return {
    kind: 'number',
    default: 0,
    ...rest,
    unit: 'V',
    min,
    max,
    step,
    ...placed([field]),
    needs: signal.needs,
    accept: (value, refuse) => acceptReal(value, {}, refuse),
    encode: (value, board, others = {}) => {
      const { gain: perStep, offset } = here(board, others);
      const raw = saturate(clip(value / perStep + offset, min / step, max / step), field);
      return [neverZero && raw === 0 && value !== 0 ? Math.sign(value) : raw];
    },
    decode: ([raw = 0], board, others = {}) => {
      const { gain: perStep, offset } = here(board, others);
      return (raw - offset) * perStep;
    },
    limits: (board, others) => limitsAt(here(board, others)),
    widest: (board) => {
      const all = [NOMINAL_SCALE, ...(signal.needs.length > 0 ? Object.values(board.scales) : [here(board, {})])];
      const known = all.map((scale) => limitsAt(scaled(scale)));
      return { min: Math.min(...known.map((one) => one.min)), max: Math.max(...known.map((one) => one.max)) };
    },
  };
}

/** A number that never becomes 0 unless it is 0: the smallest step of its sign is taken instead. */
export function gain(field: Field, options: NumberOptions & { readonly scale: number }): Parameter<number> {
  const plain = fixed(field, options);
  return {
    ...plain,
    encode: (value, board, others) => {
      const [raw] = plain.encode(value, board, others);
      return [raw === 0 && value !== 0 ? Math.sign(value) : raw];
    },
  };
}

/** A frequency that is one of the FPGA's clock: in proportion to the real one, its limits too. */
export function ofClock<T extends number | readonly number[]>(parameter: Parameter<T>): Parameter<T> {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = parameter;
  const times = (value: T, factor: number): T =>
    (typeof value === 'number' ? value * factor : value.map((one) => one * factor)) as T;
  const limits = ({ frequencyCorrection: factor }: Board) => ({ min: min * factor, max: max * factor });
  return {
    ...parameter,
    accept: (value, refuse) =>
      typeof value === 'number' && parameter.kind === 'number'
        ? (acceptReal(value, {}, refuse) as T)
        : parameter.accept(value, refuse),
    encode: (value, board, others) => parameter.encode(times(value, 1 / board.frequencyCorrection), board, others),
    decode: (raw, board, others) => times(parameter.decode(raw, board, others), board.frequencyCorrection),
    limits,
    widest: limits,
  };
}

/** Oscillator frequency in Hz, 0 … 62.5 MHz: the phase advances by raw / 2^bits turns a clock. */
export function frequency(field: Field, options: Omit<NumberOptions, 'unit'>): Parameter<number> {
  const step = CLOCK_HZ / 2 ** field.bits;
  const limits = { unit: 'Hz', min: 0, max: CLOCK_HZ / 2 };
  const highest = 2 ** (field.bits - 1);
  return {
    kind: 'number',
    default: 0,
    step,
    ...limits,
    ...options,
    ...placed([field]),
    accept: (value, refuse) => acceptReal(value, { ...limits, ...options }, refuse),
    encode: (value, board) => [clip(roundHalfEven(value / board.frequencyCorrection / step), 0, highest)],
    decode: ([raw = 0], board) => raw * step * board.frequencyCorrection,
  };
}

/** Angle in degrees, reduced to one turn: 0 … 360 (excluded) when read. `inverted`: the register holds its negative. */
export function phase(
  field: Field,
  options: Omit<NumberOptions, 'unit'> & { readonly inverted?: boolean },
): Parameter<number> {
  const { inverted, ...rest } = options;
  const turn = 2 ** field.bits;
  const sign = inverted ? -1 : 1;
  const limits = { unit: 'deg', min: -360, max: 360 };
  return {
    kind: 'number',
    default: 0,
    step: 360 / turn,
    ...limits,
    ...rest,
    ...placed([field]),
    accept: (value, refuse) => acceptReal(value, { ...limits, ...rest }, refuse),
    encode: (value) => [modulo(roundHalfEven((sign * value * turn) / 360), turn)],
    decode: ([raw = 0]) => (modulo(sign * raw, turn) * 360) / turn,
  };
}

/** A whole number. Limits default to what the field holds. */
export function integer(place: Place, options: NumberOptions): Parameter<number> {
  const limits = place === software ? {} : range(place);
  const { min, max } = { ...limits, ...options };
  return {
    kind: 'integer',
    unit: '',
    default: 0,
    step: 1,
    ...limits,
    ...options,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => acceptInteger(value, { ...limits, ...options }, refuse),
    encode: (value) => (place === software ? [] : [saturate(clip(value, min, max), place)]),
    decode: ([raw = 0]) => raw,
  };
}

/** A whole number in two words, the low 32 bits first; up to 2^53 − 1. */
export function longInteger(low: Field, high: Field, options: NumberOptions): Parameter<number> {
  const limits = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    kind: 'integer',
    unit: '',
    default: 0,
    step: 1,
    ...limits,
    ...options,
    ...placed([low, high]),
    accept: (value, refuse) => acceptInteger(value, { ...limits, ...options }, refuse),
    encode: (value) => [value % 2 ** 32, Math.floor(value / 2 ** 32)],
    decode: ([lower = 0, upper = 0]) => upper * 2 ** 32 + lower,
  };
}

/**
 * A free-running 64-bit counter in two words that are not latched together: `high` stands twice among the fields,
 * around `low`, so that an overflow between the reads is seen.
 */
export function counter(low: Field, high: Field, options: Words & { readonly unit?: string }): Parameter<number> {
  return {
    ...longInteger(low, high, options),
    ...placed([high, low, high]),
    encode: () => [],
    decode: ([before = 0, lower = 0, after = 0]) =>
      before === after || lower < 2 ** 31 ? after * 2 ** 32 + lower : before * 2 ** 32 + lower,
  };
}

// ---------------------------------------------------------------- switches, choices

export interface BoolOptions extends Words {
  readonly default?: boolean;
  /** The register's bit is 0 when the value is true. */
  readonly inverted?: boolean;
}

/** On or off; one bit. 0 and 1 are taken for false and true. */
export function bool(place: Place, options: BoolOptions): Parameter<boolean> {
  const { inverted = false, ...rest } = options;
  return {
    kind: 'bool',
    unit: '',
    default: false,
    ...rest,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => {
      if (typeof value === 'boolean') return value;
      if (value === 0 || value === 1) return value === 1;
      return refuse(`must be true or false, not ${show(value)}`);
    },
    encode: (value) => (place === software ? [] : [Number(value !== inverted)]),
    decode: ([raw = 0]) => (raw !== 0) !== inverted,
  };
}

/** One of several names; `codes` says what each is in the register. The first is the default unless named. */
export function choice<const C extends Readonly<Record<string, number>>>(
  place: Place,
  codes: C,
  options: Words & { readonly default?: keyof C & string },
): Parameter<keyof C & string> & { readonly codes: C } {
  const names: (keyof C & string)[] = Object.keys(codes);
  const [first] = names;
  if (first === undefined) throw new Error('A choice needs names to choose from.');
  const usual = options.default ?? first;
  return {
    kind: 'choice',
    unit: '',
    ...options,
    default: usual,
    choices: names,
    codes,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => names.find((name) => name === value) ?? refuse(oneOfThese(value, names)),
    encode: (value) => (place === software ? [] : [codes[value]]),
    decode: ([raw]) => names.find((name) => codes[name] === raw) ?? usual,
  };
}

/** One of several names that stand for nothing in a register by themselves. */
export function name<const N extends string>(
  names: readonly [N, ...N[]],
  options: Words & { readonly default?: N },
): Parameter<N> {
  return {
    kind: 'choice',
    unit: '',
    ...options,
    default: options.default ?? names[0],
    choices: names,
    ...placed([]),
    accept: (value, refuse) => names.find((known) => known === value) ?? refuse(oneOfThese(value, names)),
    encode: () => [],
    decode: () => options.default ?? names[0],
  };
}

/** One of several numbers, which the register holds as they are; 0 there acts as the first. */
export function oneOf(
  place: Place,
  numbers: readonly [number, ...number[]],
  options: Words & { readonly unit?: string; readonly default?: number },
): Parameter<number> {
  return {
    kind: 'choice',
    unit: '',
    default: numbers[0],
    ...options,
    choices: numbers,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => numbers.find((known) => known === value) ?? refuse(oneOfThese(value, numbers)),
    encode: (value) => (place === software ? [] : [saturate(value, place)]),
    decode: ([raw]) => raw || numbers[0],
  };
}

/** 2^from … 2^to. */
export function powersOfTwo(from: number, to: number): readonly [number, ...number[]] {
  return [2 ** from, ...Array.from({ length: to - from }, (_, k) => 2 ** (from + 1 + k))];
}

/** A text that the hardware holds, such as a serial number; read only. */
export function text(
  fields: readonly Field[],
  decode: (raw: readonly number[]) => string,
  words: Words,
): Parameter<string> {
  return {
    kind: 'text',
    unit: '',
    default: '',
    ...words,
    ...placed(fields),
    readonly: true,
    accept: (_, refuse) => refuse('is read only'),
    encode: () => [],
    decode,
  };
}

/** Numbers that follow from other parameters; read only. See `derive` of a module. */
export function list(words: Words & { readonly unit?: string }): Parameter<readonly number[]> {
  return {
    kind: 'numbers',
    unit: '',
    default: [],
    ...words,
    ...placed([]),
    readonly: true,
    accept: (_, refuse) => refuse('is read only'),
    encode: () => [],
    decode: () => [],
  };
}

/** Another look at the value of `origin`, with which it shares the register: setting one sets the other. */
export function derived(
  origin: Parameter<number>,
  options: Words & {
    readonly unit: string;
    readonly min: number;
    readonly max: number;
    readonly step?: number;
    /** The origin's value for a wanted one, never refused; and back. */
    readonly toOrigin: (wanted: number) => number;
    readonly fromOrigin: (value: number) => number;
  },
): Parameter<number> {
  const { toOrigin, fromOrigin, ...rest } = options;
  return {
    kind: 'number',
    ...rest,
    default: fromOrigin(origin.default),
    ...placed(origin.fields),
    accept: (value, refuse) => acceptReal(value, options, refuse),
    encode: (value, board, others) => origin.encode(toOrigin(value), board, others),
    decode: (raw, board, others) => fromOrigin(origin.decode(raw, board, others)),
  };
}

// ---------------------------------------------------------------- descriptions

/** The description that the world outside sees. */
export function describe(key: string, parameter: Parameter, board: Board = NOMINAL_BOARD): ParameterDescription {
  const { kind, help, unit, step, choices, home, off, momentary } = parameter;
  const { min, max } = parameter.widest?.(board) ?? parameter;
  const words = key.replaceAll('_', ' ');
  return {
    name: key,
    label: parameter.label ?? words.charAt(0).toUpperCase() + words.slice(1),
    help,
    kind,
    unit,
    readonly: parameter.readonly,
    default: parameter.default,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(step === undefined ? {} : { step }),
    ...(choices === undefined ? {} : { choices }),
    ...(home === undefined ? {} : { home }),
    ...(off === undefined ? {} : { off }),
    ...(momentary ? { momentary } : {}),
  };
}

// ---------------------------------------------------------------- judging

const MAX_SHOWN = 40;

/** A foreign value as it may stand in a sentence: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) {
    return String(value);
  }
  if (typeof value === 'string')
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'a structure' : `a ${typeof value}`;
}

interface Measured extends Limits {
  readonly unit?: string;
}

const unitOf = ({ unit }: Measured): { unit?: string } => (unit ? { unit } : {});

/** A finite number within the limits. */
export function acceptReal(value: unknown, { min, max, unit }: Measured, refuse: Refuse): number {
  if (typeof value !== 'number') return refuse(`must be a number, not ${show(value)}`);
  if (!Number.isFinite(value)) return refuse(`must be a finite number, not ${value}`);
  const tooSmall = min !== undefined && value < min;
  const tooLarge = max !== undefined && value > max;
  if (!tooSmall && !tooLarge) return value === 0 ? 0 : value;
  const suffix = unit ? ` ${unit}` : '';
  if (min !== undefined && max !== undefined) {
    return refuse(`must be from ${min} to ${max}${suffix}, not ${value}`);
  }
  return refuse(`must be ${tooSmall ? `at least ${min}` : `at most ${max}`}${suffix}, not ${value}`);
}

function acceptInteger(value: unknown, limits: Measured, refuse: Refuse): number {
  const number = acceptReal(value, limits, refuse);
  return Number.isInteger(number) ? number : refuse(`must be a whole number, not ${number}`);
}

function oneOfThese(value: unknown, known: readonly (string | number)[]): string {
  const near = typeof value === 'string' ? nearest(value, known.map(String)) : undefined;
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  return `must be one of ${known.join(', ')}, not ${show(value)}${hint}`;
}

function clip(value: number, min: number | undefined, max: number | undefined): number {
  return Math.min(max ?? Number.POSITIVE_INFINITY, Math.max(min ?? Number.NEGATIVE_INFINITY, value));
}

function modulo(value: number, length: number): number {
  return ((value % length) + length) % length;
}
