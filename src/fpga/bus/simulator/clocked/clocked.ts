/** A module that has a state, and therefore goes through time clock by clock. */
import type { Block } from '../block.ts';

export interface Clocked extends Block {
  /**
   * Lets one clock pass.
   * @param input the signal that goes in, after the clock before.
   * @param clock how many have passed then.
   */
  step(input: number, clock: number): void;
  /**
   * Lets some clocks pass in one step in which the input stays as it is. Near the truth if little changes meanwhile; who
   * has no such step is always stepped.
   */
  leap?(input: number, clocks: number): void;
  /** Lets many clocks pass in which nobody listened: only what goes on by itself is where it would be. */
  skip?(clocks: number): void;
  /** The module's signals after the clock that passed last, in signed counts. */
  readonly outputs: ClockedOutputs;
  /** Whether it goes on with something that matters although nobody listens. */
  busy(): boolean;
  /** Whether it puts anything but a constant out. */
  audible(): boolean;
  /**
   * Whether the outputs, and what registers show, stay as they are whatever goes in. If that must be exact, hidden states
   * such as those of filters count too.
   */
  still(exact: boolean): boolean;
}

export interface ClockedOutputs {
  /** What others can choose as their input. */
  signal: number;
  /** What goes to the outputs of the board. */
  direct: number;
  /** A second signal. */
  second: number;
}
