/**
 * How a module measures. Each module that answers `grab` has one recorder, be it hardware (the scope) or software on
 * the board that uses other modules (the network analyzer an iq, the spectrum analyzer the scope).
 */
import type { Value } from '../description.ts';
import type { ModuleDeclaration, Parameters, TypedDriver, ValuesOf } from '../module.ts';
import type { RegisterFile } from '../registers.ts';
import type { Scale } from '../volts.ts';
import type { Counters } from './counters.ts';
import type { Client, Grab, GrabOptions, Measurement, Progress } from './instrument.ts';

export interface Recorder {
  /** Measures from now on. Options have been checked; settings that came along are written. */
  grab(client: Client, options: Omit<GrabOptions, 'config'>): Grab<Measurement>;
  /** Every change of the module's settings goes through here, where it matters to what is under way. */
  writing?<T>(write: () => Promise<T>, changed: (outcome: T) => boolean): Promise<T>;
  /** @throws Refusal: with these settings no measurement would ever end. Called before settings of a grab are written. */
  refuseHopeless?(values: Readonly<Record<string, Value>>): void;
  /** Ends everything, for all. */
  stop(by: string): Promise<void>;
  /** For `status`: undefined when idle. */
  running(): Record<string, unknown> | undefined;
}

/** What the instrument lends to a recorder. */
export interface RecorderTools {
  readonly registers: RegisterFile;
  readonly counters: Counters;
  /** Name of the board, in the data. */
  readonly board: string;
  /** Counts and volts of a signal by its name. */
  scaleOf(signal: string): Scale;
  /** Whether volts of this signal are those of the board's own calibration, or need none. */
  isCalibrated(signal: string): boolean;
  /** Length of a clock of the FPGA in s. */
  readonly clock: number;
  /** Whether the host's clock is right. */
  clockSynchronised(): boolean;
  progress(progress: Progress): void;
  /** Present values of any module, without a bus word. */
  values(module: string): Readonly<Record<string, Value>>;
  /**
   * Takes modules for one measurement, as soon as grabs that run on them are over. From then on until `release`
   * nobody else writes them, and grabs of them wait.
   * @param by name of the instrument that takes them: `networkanalyzer`
   * @param signal gives up waiting (then the promise is rejected with the signal's reason)
   * @throws Refusal that names the holder, where somebody else owns one of them
   */
  reserve(client: Client, modules: readonly string[], by: string, signal: AbortSignal): Promise<Reservation>;
  /**
   * Uses modules for one measurement that writes none of their settings, beside everybody else; waits while another
   * measurement has one of them for itself.
   * @param signal gives up waiting (then the promise is rejected with the signal's reason)
   */
  visit(modules: readonly string[], signal: AbortSignal): Promise<Visit>;
}

/** Modules that one measurement looks at; nobody takes them for himself until it leaves. */
export interface Visit {
  /** Does this after one write of the module's settings and before the next. */
  betweenWrites(module: string, job: () => Promise<void>): Promise<void>;
  /** Once. */
  leave(): void;
}

/** Modules that one measurement has for itself. */
export interface Reservation {
  /** Writes settings; they are checked like those of a client. Gives what the hardware took. */
  configure(module: string, values: Readonly<Record<string, Value>>): Promise<Record<string, Value>>;
  grab(module: string, options: Omit<GrabOptions, 'config'>): Grab<Measurement>;
  /** Puts the former settings back, whatever happened meanwhile, and lets others at the modules. Once. */
  release(): Promise<void>;
}

/** A module with its recorder, as in the table of recorders.ts. */
export interface RecorderEntry {
  readonly module: string;
  open(tools: RecorderTools, driver: TypedDriver<unknown>): Recorder;
}

/** Binds a recorder to its module's declaration, which gives its driver the types of the module's values. */
export function recorderOf<P extends Parameters>(
  declaration: ModuleDeclaration<P>,
  open: (tools: RecorderTools, driver: TypedDriver<ValuesOf<{ readonly parameters: P }>>) => Recorder,
): RecorderEntry {
  return {
    module: declaration.name,
    // The instrument gives each entry the driver that was made from the entry's own declaration.
    open: (tools, driver) => open(tools, driver as TypedDriver<ValuesOf<{ readonly parameters: P }>>),
  };
}
