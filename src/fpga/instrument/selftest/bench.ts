/** What the checks of a self-test work with: the instrument's modules, all of them reserved. */
import type { Value } from '../../description.ts';
import type { Signal } from '../../modules/dsp.ts';
import type { RegisterFile } from '../../registers.ts';
import type { Figure } from './figures.ts';
import type { SampledSignal } from './signals.ts';

/** How out1 comes back to in1, and out2 to in2: by cables, or inside the FPGA. */
export const LOOPS = ['cables', 'digital'] as const;
export type Loop = (typeof LOOPS)[number];

export interface Bench {
  readonly registers: RegisterFile;
  readonly loop: Loop;
  /** Gives what the hardware took. */
  set(module: string, values: Readonly<Record<string, Value>>): Promise<Record<string, number>>;
  /** One trace of the scope with these settings, over `PLAIN`: one signal a channel, in V. */
  record(config: Readonly<Record<string, Value>>): Promise<readonly SampledSignal[]>;
  /** Means of signals over a moment, in V. */
  sample(signals: readonly Signal[]): Promise<Partial<Record<Signal, number>>>;
}

/** Settings of the scope that every trace starts from: both channels, at once. */
export const PLAIN: Readonly<Record<string, Value>> = {
  input1: 'in1',
  input2: 'in2',
  ch1_active: true,
  ch2_active: true,
  average: false,
  decimation: 8,
  threshold: 0,
  hysteresis: 20 / 8192,
  trigger_source: 'immediately',
  trigger_delay: 0,
  trace_average: 1,
  rolling_mode: false,
};

/** A generator that runs for ever, on no output. */
export const SINE: Readonly<Record<string, Value>> = {
  waveform: 'sin',
  trigger_source: 'immediately',
  cycles_per_burst: 0,
  start_phase: 0,
  offset: 0,
};

export interface Check {
  readonly name: string;
  /** Every output is off before. Gives its figures as they come. */
  run(bench: Bench): AsyncGenerator<Figure>;
}
