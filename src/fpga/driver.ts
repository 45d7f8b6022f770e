/**
 * One module of the FPGA, driven: values in units above, registers below. A driver never knows who asked; rights and
 * sharing are the instrument's.
 */
import type { Complex } from './complex.ts';
import type { ModuleDescription, Value } from './description.ts';

/** A parameter whose value changed in the hardware. */
export interface Taken {
  readonly parameter: string;
  readonly from: Value;
  readonly to: Value;
}

/** Values that have passed every check of a module; only its driver can make one. */
export interface Checked {
  readonly module: string;
  /** Canonical values (nearest register step not yet applied), of the given keys only. */
  readonly values: Readonly<Record<string, Value>>;
}

export interface ModuleDriver {
  readonly description: ModuleDescription;

  /** Values as the hardware has them: known ones without a bus word, volatile ones read. */
  get(names?: readonly string[]): Promise<Record<string, Value>>;

  /**
   * Types, limits, choices of every value, and limits between parameters with the present values of the others.
   * Touches no register.
   * @throws Refusal: unknown name (with the nearest), wrong type, not finite, out of limits.
   */
  check(values: Readonly<Record<string, unknown>>): Checked;

  /**
   * Writes what differs, in the order that the hardware demands, and gives every parameter whose value changed,
   * coupled ones included (`duration` when `decimation` was set).
   */
  apply(checked: Checked): Promise<Taken[]>;

  /**
   * What the present settings make of a sine: complex gain from the module's input to its signal. undefined: there is
   * no such model of this module.
   * @param frequencies in Hz, above 0
   * @param extraDelay of the way outside the module, in s
   */
  response(frequencies: readonly number[], extraDelay: number): readonly Complex[] | undefined;

  /** Learns the present values from the registers: the FPGA was running before this process. */
  readBack(): Promise<void>;

  /**
   * Learns them anew: others may have written the registers, or loaded the FPGA. Gives what is other than it was. Where
   * registers are, the module's memories may be: what they held is not claimed any more.
   */
  readAgain(): Promise<Taken[]>;

  /**
   * Takes values that no register tells (a waveform, a trace average) as known, from a saved state. Writes nothing;
   * values that registers tell, or that are not allowed, are left out. After `readBack`.
   */
  remember(values: Readonly<Record<string, unknown>>): void;
}
