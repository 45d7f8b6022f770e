/**
 * What a parameter is: how a value looks outside, and how it is kept in registers. Pure data and pure functions, no bus. The
 * kinds that a module can have are made by numbers.ts, levels.ts and choices.ts.
 *
 * `accept` judges foreign values and refuses those out of limits; `encode` below it never refuses, it takes the
 * nearest raw value that the register can hold, as PyRPL does (attributes.py), so that no way leads to garbage.
 */
import type { ParameterDescription, Value } from '../description.ts';
import type { Field } from '../fields.ts';
import { NOMINAL_SCALE, type Scale } from '../volts.ts';
import type { Refuse } from './judging.ts';

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

/** Raw values of a parameter's fields, in the order of `fields`; undefined leaves a field as it is. */
export type Raw = readonly (number | undefined)[];

export interface Parameter<T extends Value = Value> extends Omit<ParameterDescription, 'name' | 'label' | 'default'> {
  readonly label?: string;
  readonly default: T;
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

/** No register: the driver itself keeps the value. */
export const software = 'software';

/** Where a value is kept. */
export type Place = Field | typeof software;

/** The fields of a place. */
export const fieldsOf = (place: Place): readonly Field[] => (place === software ? [] : [place]);

const isReadonly = (fields: readonly Field[]): boolean =>
  fields.length > 0 && fields.every((field) => field.access === 'r');

const isVolatile = (fields: readonly Field[]): boolean => fields.some((field) => field.access === 'r');

/** What follows from the fields alone. */
export function placed(fields: readonly Field[]): Pick<Parameter, 'fields' | 'readonly' | 'volatile'> {
  return { fields, readonly: isReadonly(fields), volatile: isVolatile(fields) };
}

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
