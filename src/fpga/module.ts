/**
 * What a module of the FPGA is: a table of parameters (parameters/), limits between them, and, where a module needs
 * more than "write what differs in the order of the table", the sequence that its hardware demands.
 * It is driven by module-driver.ts.
 */
import type { Complex } from './complex.ts';
import type { ModuleDescription } from './description.ts';
import type { ModuleDriver, Taken } from './driver.ts';
import type { Field, Memory } from './fields.ts';
import { type Board, describe, type Parameter } from './parameters/parameter.ts';
import type { FieldValue, RegisterFile } from './registers.ts';

export type Parameters = Readonly<Record<string, Parameter>>;

/** Values of a parameter table, typed by the declaration. */
export type ValuesOf<D> = D extends { readonly parameters: infer P }
  ? { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never }
  : never;

/** A limit that concerns several parameters: `holds` must stay true of their values, `sentence` says what it wants. */
export interface Constraint<V> {
  readonly of: readonly (keyof V & string)[];
  readonly sentence: string | ((values: V, board: Board) => string);
  holds(values: V, board: Board): boolean;
}

/** `low` must not be above `high`. */
export function ordered<K extends string>(low: K, high: K): Constraint<Readonly<Record<K, number>>> {
  return {
    of: [low, high],
    sentence: `${low} must not be above ${high}`,
    holds: (values) => values[low] <= values[high],
  };
}

/** What a module's own `write` works with. */
export interface Writing<V> {
  readonly registers: RegisterFile;
  /** Values before. */
  readonly present: V;
  /** Values wanted, all of them. */
  readonly next: V;
  /** Names that the request gave, or that followed from it, in the order of the table. */
  readonly given: ReadonlySet<keyof V>;
  readonly board: Board;
  /** The fields of these parameters with their raw values in `next`, for `registers.write`. */
  raw(...names: (keyof V & string)[]): FieldValue[];
}

/** What a model of a module must know beside its settings. */
export interface Timing {
  /** Length of a clock in s. */
  readonly clock: number;
  /** Delay outside the module, in s. */
  readonly extraDelay: number;
}

export interface ModuleOptions<V> {
  /** `scope`, `asg0` … */
  readonly name: string;
  readonly title: string;
  readonly help: string;
  /** Whether it answers `grab`. */
  readonly grabs?: boolean;
  /** Whether a part of what it measures may be asked for. */
  readonly parts?: boolean;
  /** Parameter that is moved when nobody named one. */
  readonly actuator?: keyof V & string;
  readonly constraints?: readonly Constraint<V>[];
  /** Registers beside those of the parameters. */
  readonly registers?: Readonly<Record<string, Field>>;
  readonly memories?: Readonly<Record<string, Memory>>;
  /** Values that say what is in a memory, which cannot be read. */
  readonly inMemory?: readonly (keyof V & string)[];
  /** What a request says without naming it. Pure; gives the request completed. */
  readonly complete?: (given: Partial<V>) => Partial<V>;
  /** In place of writing what differs in the order of the table. */
  readonly write?: (writing: Writing<V>) => Promise<void>;
  /** Values of read-only parameters without registers, which follow from the others. */
  readonly derive?: (values: V, board: Board) => Partial<V>;
  /** Complex gain from its input to its signal, at a frequency in Hz. */
  readonly response?: (values: V, frequency: number, timing: Timing) => Complex;
  /** After a read-back: values that the driver keeps itself, as far as the shadow tells them. */
  readonly recognise?: (registers: RegisterFile) => Partial<V>;
  /** Values that the registers, as `next` has them, would tell wrongly: kept by the driver. */
  readonly keeps?: (next: V) => readonly (keyof V & string)[];
}

type Plain<P extends Parameters> = ValuesOf<{ readonly parameters: P }>;

export interface ModuleDeclaration<P extends Parameters = Parameters> {
  readonly name: string;
  readonly parameters: P;
  readonly options: ModuleOptions<Plain<P>>;
  readonly description: ModuleDescription;
}

/** Declares a module. The order of the parameters is that of the settings tree and of register writes. */
export function fpgaModule<const P extends Parameters>(
  options: ModuleOptions<Plain<P>>,
  parameters: P,
): ModuleDeclaration<P> {
  const { name, title, help, grabs = false, parts, actuator } = options;
  return {
    name,
    parameters,
    options,
    description: {
      name,
      title,
      help,
      grabs,
      parameters: Object.entries(parameters).map(([key, parameter]) => describe(key, parameter)),
      ...(parts ? { parts } : {}),
      ...(actuator === undefined ? {} : { actuator }),
    },
  };
}

/** A driver whose values are typed by its declaration, for the code of the instrument. */
export interface TypedDriver<V> extends ModuleDriver {
  /** Values as they were last known, without a bus word. */
  readonly values: V;

  /**
   * Writes without judging: each value becomes the nearest that its register can hold. For the instrument's own
   * values; what comes from outside goes through `check` and `apply`.
   */
  set(values: Partial<V>): Promise<Taken[]>;
}
