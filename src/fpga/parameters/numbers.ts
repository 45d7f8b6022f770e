/** Parameters that are a number: real, of even steps, of the FPGA's clock, an angle, or whole. */
import { CLOCK_HZ } from '../bus/bus.ts';
import { type Field, range, roundHalfEven, saturate } from '../fields.ts';
import { acceptInteger, acceptReal, type Limits, unitOf } from './judging.ts';
import { type Board, fieldsOf, type Parameter, type Place, placed, software, type Words } from './parameter.ts';

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

/** What all whole numbers have in common, however they are coded. */
function whole(
  fields: readonly Field[],
  limits: { readonly min?: number; readonly max?: number },
  options: NumberOptions,
): Omit<Parameter<number>, 'encode' | 'decode'> {
  return {
    kind: 'integer',
    unit: '',
    default: 0,
    step: 1,
    ...limits,
    ...options,
    ...placed(fields),
    accept: (value, refuse) => acceptInteger(value, { ...limits, ...options }, refuse),
  };
}

/** A whole number. Limits default to what the field holds. */
export function integer(place: Place, options: NumberOptions): Parameter<number> {
  const limits = place === software ? {} : range(place);
  const { min, max } = { ...limits, ...options };
  return {
    ...whole(fieldsOf(place), limits, options),
    encode: (value) => (place === software ? [] : [saturate(clip(value, min, max), place)]),
    decode: ([raw = 0]) => raw,
  };
}

/** A whole number in two words, the low 32 bits first; up to 2^53 − 1. */
export function longInteger(low: Field, high: Field, options: NumberOptions): Parameter<number> {
  const limits = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    ...whole([low, high], limits, options),
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

/** The nearest number within the limits. */
export function clip(value: number, min: number | undefined, max: number | undefined): number {
  return Math.min(max ?? Number.POSITIVE_INFINITY, Math.max(min ?? Number.NEGATIVE_INFINITY, value));
}

function modulo(value: number, length: number): number {
  return ((value % length) + length) % length;
}
