/**
 * The instrument as the doors see it: modules with parameters, owners, acquisitions. Knows nothing of PyMoDAQ or of
 * sockets. Every method that takes foreign values checks them first; what it does not like is a `Refusal` (see
 * errors.ts) and has changed nothing.
 */
import type { Complex } from '../complex.ts';
import type { ModuleDescription, Value } from '../description.ts';
import type { SelftestReport } from './selftest/figures.ts';
import type { Setups } from './setups.ts';

/** Which board this is; announced by mDNS and written into the data. */
export interface BoardIdentity {
  readonly model: string;
  /** The board's own number (FPGA DNA in hex unless the host knows better). */
  readonly serial: string;
  readonly hostname: string;
  /** pitayad's version. */
  readonly version: string;
  /** First 8 hex digits of the bitstream's SHA-256. */
  readonly bitstream: string;
}

/** Whoever sends commands: one per connection. Ownership goes by `owner`, not by connection. */
export interface Client {
  /** For logs: `192.168.1.7:51234`. */
  readonly peer: string;
  /** Name that owns modules on behalf of this connection; the peer's address until `attach` names another. */
  owner: string;
}

/** A value that changed in the FPGA, as told to subscribers and to the log. */
export interface Change {
  readonly module: string;
  readonly parameter: string;
  readonly from: Value;
  readonly to: Value;
  /** Who did it. */
  readonly by: string;
}

export interface GrabOptions {
  /** Settings to write first (a write: needs the right to). */
  readonly config?: Readonly<Record<string, unknown>>;
  /** false: a running acquisition will do (live displays). Default true: armed after this request. */
  readonly fresh?: boolean;
  /** Seconds until the grab fails with a sentence; default: the acquisition's duration + 5 s. */
  readonly timeout?: number;
  /** Part of the trace: first point, and how many; only that part is read. Default: all. */
  readonly start?: number;
  readonly points?: number;
  /** Single values in place of the trace: a Curve with mean, rms and peak-to-peak of each channel. */
  readonly statistics?: Statistics;
}

/** The window of a trace whose statistics are taken, in s on its axis, both edges within. Default: the whole trace. */
export interface Statistics {
  readonly from?: number;
  readonly to?: number;
}

/** One recorded channel, as the converter gave it: volts = counts · gain + offset. */
export interface TraceChannel {
  /** `ch1`, `ch2`. */
  readonly label: string;
  /** What was recorded: `in1`, `asg0` … */
  readonly input: string;
  /** One per point, oldest first. Float64Array when averaged over several traces. */
  readonly counts: Int16Array | Float64Array;
  /** The same in volts. */
  readonly volts: Float64Array;
  /** Volts per count, and volts at 0 counts. */
  readonly gain: number;
  readonly offset: number;
}

/** What a `grab` brings: evenly spaced samples of one or two signals. */
export interface Trace {
  readonly module: string;
  /** Seconds since 1970 when the acquisition ended. */
  readonly timestamp: number;
  readonly channels: readonly TraceChannel[];
  /** Time of point k is t0 + k · dt, in s; 0 is the first sample at or beyond the threshold. */
  readonly t0: number;
  readonly dt: number;
  /** How many grabs brought this very trace. */
  readonly recipients: number;
  /** Further facts, in the order in which they go into the data: `number`, `decimation`, `clipped`, `settings` … */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** One line of a curve: as many values as the axis has, or a single one where there is no axis. */
export interface CurveChannel {
  readonly label: string;
  readonly values: Float64Array;
  /** Uncertainty of each value, same unit. */
  readonly errors?: Float64Array;
}

/** Channels of one unit. */
export interface Quantity {
  /** `Amplitude`, `Phase` … */
  readonly name: string;
  /** A unit that PyMoDAQ knows, or ''. */
  readonly unit: string;
  readonly channels: readonly CurveChannel[];
}

/** What a `grab` of other modules than the scope brings: quantities over an axis of any spacing, or single values. */
export interface Curve {
  readonly module: string;
  /** Seconds since 1970 when the measurement ended. */
  readonly timestamp: number;
  /** Absent: single values. */
  readonly axis?: { readonly label: string; readonly unit: string; readonly values: Float64Array };
  readonly quantities: readonly Quantity[];
  /** As those of a trace. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

export type Measurement = Trace | Curve;

export function isTrace(measurement: Measurement): measurement is Trace {
  return 'dt' in measurement;
}

/** A grab under way. */
export interface Grab<M extends Measurement = Measurement> {
  /** Rejected with a `Refusal` that says why: time-out, stopped by whom. */
  readonly result: Promise<M>;
  /** Withdraws this request alone; others that share the acquisition still get it. */
  stop(by: string): void;
  /**
   * The result is not looked at any more: its memory may be used for the next. Whoever does not say so keeps the result
   * for as long as it likes.
   */
  release?(): void;
}

/** Progress of an acquisition that takes longer than half a second. */
export interface Progress {
  readonly module: string;
  /** 0 … 1, or absent while waiting for a trigger. */
  readonly fraction?: number;
  /** What it is doing, for people: `waiting for trigger ch1_positive_edge at 0.1 V`. */
  readonly text: string;
  /** Points that came since the last telling, from point `first` on: one list a quantity, and the axis. */
  readonly points?: { readonly first: number; readonly [name: string]: number | readonly number[] };
}

export type AttachMode = 'own' | 'share';

export interface AttachOptions {
  /** Seconds to wait until the module is free; default: refused at once. */
  readonly timeout?: number;
  /** Takes it from whoever has it. */
  readonly takeOver?: boolean;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** Who has a module, as `status` tells it. Times are seconds since 1970. */
export interface Holder {
  /** Absent: nobody owns it. */
  readonly owner?: string;
  readonly since?: number;
  /** The owner is lost: until when it finds its module as it was. */
  readonly kept_until?: number;
  /** Who wants to own it, the next one first. */
  readonly waiting?: readonly string[];
  /** The measurement that has it for itself, and for whom. */
  readonly in_use_by?: string;
}

export type OutputsOnStop = 'hold' | 'zero';

export interface Instrument {
  readonly identity: BoardIdentity;
  readonly modules: readonly ModuleDescription[];

  /** Named settings of all modules, to be loaded again. */
  readonly setups: Setups;

  /** @throws Refusal that names the modules there are. */
  describe(module: string): ModuleDescription;

  /**
   * Values as the hardware has them; all parameters unless named.
   * @throws Refusal for an unknown module or parameter (names the nearest).
   */
  get(module: string, names?: readonly string[]): Promise<Record<string, Value>>;

  /**
   * Checks every value, and all of them together, and the right to write; then writes what differs.
   * Gives, for every key, the value that the hardware took.
   * @throws Refusal, with nothing written: unknown name, wrong type, out of limits, held by another owner.
   */
  configure(client: Client, module: string, values: Readonly<Record<string, unknown>>): Promise<Record<string, Value>>;

  /**
   * What the present settings of a module make of a sine: complex gain from its input to its signal.
   * @param frequencies in Hz, each above 0 and up to 62.5 MHz; at most 100 000
   * @param extraDelay of the way outside the module in s (converters and their pins: about 0.2 µs); default 0
   * @throws Refusal: there is no model of this module
   */
  transferFunction(module: string, frequencies: readonly number[], extraDelay?: number): Promise<readonly Complex[]>;

  /** Starts, or joins, an acquisition. Synchronous refusals arrive through `result` too. */
  grab(client: Client, module: 'scope', options?: Omit<GrabOptions, 'statistics'>): Grab<Trace>;
  grab(client: Client, module: string, options?: GrabOptions): Grab;

  /** Ends what is running on the module, for all who wait for it: they get a Refusal "stopped by …". */
  stop(client: Client, module: string): Promise<void>;

  /** @throws Refusal with the holder's name, at once or after the wait. */
  attach(client: Client, module: string, mode: AttachMode, options?: AttachOptions): Promise<void>;
  detach(client: Client, module: string): Promise<void>;

  /**
   * The connection is gone: its grabs are withdrawn, and what its name owned is free now or, unless it left `forGood`,
   * after the grace period.
   */
  leave(client: Client, forGood?: boolean): void;

  /**
   * Every output off, generators stopped; works whoever owns what. Measurements that drive an output, and self-tests,
   * end.
   */
  off(client: Client): Promise<void>;
  /** Calls back when all outputs go off, before they do: what waits and would switch on again must be given up. */
  onOff(listener: (by: string) => void): () => void;

  /**
   * Tests the board, with all modules reserved meanwhile and all settings as they were afterwards. Ends when the client
   * leaves.
   * @param options as they came, not judged
   * @throws Refusal: an option that there is not; somebody else owns a module
   */
  selftest(client: Client, options: Readonly<Record<string, unknown>>): Promise<SelftestReport>;

  /** Facts for `status`: holders, running acquisitions, counters, bus. JSON-able. */
  status(): Promise<Record<string, unknown>>;

  /** Calls back on each change / progress until the returned function is called. */
  onChange(listener: (change: Change) => void): () => void;
  onProgress(listener: (progress: Progress) => void): () => void;

  /**
   * Ends acquisitions and saves the state. Outputs stay (`hold`) or go to zero, as configured, unless `outputs` says
   * what they do.
   */
  close(outputs?: OutputsOnStop): Promise<void>;
}
