/**
 * What the world outside `fpga/` knows of a module: plain data derived from its declaration. Settings trees, actuator
 * lists, command answers, documentation: all of them are made from this and from nothing else.
 */

/** A parameter's value as clients see it. Numbers are in the parameter's unit. */
export type Value = number | boolean | string | readonly number[];

/** `number` is real; `choice` is one of `choices`; `numbers` a list of reals (filter corners). */
export type ValueKind = 'number' | 'integer' | 'bool' | 'choice' | 'numbers' | 'text';

export interface ParameterDescription {
  /** PyRPL's name; a valid XML tag and Python identifier. */
  readonly name: string;
  readonly label: string;
  /** One or two sentences, for tool tips and the reference page. */
  readonly help: string;
  readonly kind: ValueKind;
  /** A unit that PyMoDAQ knows (`V`, `s`, `Hz`, `deg`, …), or '' if there is none. */
  readonly unit: string;
  /** Limits, both allowed; of kind number, integer and numbers. */
  readonly min?: number;
  readonly max?: number;
  /** Smallest distance of two values that the hardware can hold; absent: as fine as a number is, or of no even steps. */
  readonly step?: number;
  /** Allowed values, of kind choice. */
  readonly choices?: readonly (string | number)[];
  readonly readonly: boolean;
  readonly default: Value;
  /** A state that can be set, such as an integrator's value, but no setting: it is neither saved nor restored. */
  readonly momentary?: true;
  /** Where `move_home` goes; absent: there is no home. */
  readonly home?: number;
  /** What the command `off` sets; absent: it leaves the parameter as it is. */
  readonly off?: Value;
}

export interface ModuleDescription {
  /** `scope`, `asg0` … */
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly parameters: readonly ParameterDescription[];
  /** Name of the parameter that the move words move when the client named none. */
  readonly actuator?: string;
  /** Whether it answers `grab`. */
  readonly grabs: boolean;
  /** `start` and `points` of a grab ask for a part of it, and `statistics` for what is worked out of that. */
  readonly parts?: boolean;
}

/** The settings among a module's parameters: what is saved and restored. */
export function settable({ parameters }: Pick<ModuleDescription, 'parameters'>): readonly ParameterDescription[] {
  return parameters.filter(({ readonly, momentary }) => !readonly && !momentary);
}
