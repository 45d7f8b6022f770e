/**
 * Who gets whose signal, and the sums that go to the outputs (PyRPL red_pitaya_dsp.v): the first registers of each of
 * the 16 module slots.
 */
import { type ChangingSignal, changing, fromCounts, SILENCE, type Signal, saturate } from './signal.ts';
import type { Timeline } from './timeline.ts';

/** Codes of signals; each is a slot too. */
export const SLOTS = 16;
export const CODES = {
  trig: 3,
  iir: 4,
  iq0: 5,
  iq2_2: 14,
  asg0: 8,
  asg1: 9,
  in1: 10,
  in2: 11,
  out1: 12,
  out2: 13,
  off: 15,
} as const;

/** Registers of a slot. */
const INPUT = 0x00;
const OUTPUT_DIRECT = 0x04;
const SATURATED = 0x08;
const SYNC = 0x0c;
const NOW = 0x10;

/** Slots that have an input selector, and an output selector. What the others read there is not defined. */
const INPUT_SLOTS = 12;
const OUTPUT_SLOTS = 10;

/** Clocks from a module's output to the sum, and from an output selector. */
export const SUM_LATENCY = 5;
const SELECTOR_LATENCY = 5;

/** Clocks that whoever listens to a slot's input may look back beyond a change of its selector. */
const SELECTED_MEMORY = 64;

export interface Routing {
  /** Code of the signal that a slot's input selector picks. */
  selected(slot: number): number;
  /** Whether any input selector picks a signal. */
  isSelected(code: number): boolean;
  /** Whether a slot's signal goes to an output. */
  feeds(slot: number): boolean;
  /** The signal that a slot's input selector picks. */
  input(slot: number): Signal;
  readonly outputs: readonly [Signal, Signal];
  read(slot: number, offset: number): number;
  write(slot: number, offset: number, word: number): void;
}

/**
 * @param signalOf signals by code; those of the outputs are filled in here.
 * @param directs what goes to the outputs in place of a module's signal, by slot.
 * @param memory as `changing`.
 * @param changes called before a signal or an input selector changes.
 */
export function routing(
  timeline: Timeline,
  signals: Signal[],
  directs: readonly (Signal | undefined)[],
  memory: () => number,
  changes: () => void,
): Routing {
  // After reset everything listens to in1 but the scope's second channel (in2) and the slow outputs (off).
  const inputs = Array.from({ length: INPUT_SLOTS }, (_, slot) =>
    slot < CODES.asg1 ? CODES.in1 : slot === CODES.asg1 ? CODES.in2 : CODES.off,
  ) as number[];
  const selected = inputs.map((_, slot) =>
    changing(
      (out, first, stride, count) => (signals[inputs[slot] ?? CODES.off] ?? SILENCE).sample(out, first, stride, count),
      () => SELECTED_MEMORY,
    ),
  );
  const ways = new Array<number>(OUTPUT_SLOTS).fill(0);
  let sync = 0xff;

  const sum = (): {
    readonly signal: ChangingSignal;
    has(slot: number): boolean;
    connect(slot: number, on: boolean): void;
    saturated(): boolean;
  } => {
    const connected = new Set<number>();
    let scratch = new Int32Array(0);
    const one = new Int32Array(1);

    const add = (out: Int32Array, first: number, stride: number, count: number): void => {
      if (scratch.length < count) scratch = new Int32Array(count);
      let empty = true;
      for (const slot of connected) {
        const source = directs[slot] ?? signals[slot] ?? SILENCE;
        if (empty) {
          source.sample(out, first - SUM_LATENCY, stride, count);
          empty = false;
          continue;
        }
        source.sample(scratch, first - SUM_LATENCY, stride, count);
        for (let k = 0; k < count; k++) (out[k] as number) += scratch[k] as number;
      }
      if (empty) out.fill(0, 0, count);
    };

    const signal = changing((out, first, stride, count) => {
      add(out, first, stride, count);
      // A single signal fits as it is.
      if (connected.size < 2) return;
      for (let k = 0; k < count; k++) {
        out[k] = saturate(out[k] as number);
      }
    }, memory);
    return {
      signal,
      has: (slot) => connected.has(slot),
      connect(slot, on) {
        if (on) connected.add(slot);
        else connected.delete(slot);
      },
      saturated() {
        add(one, timeline.now, 1, 1);
        const value = one[0] ?? 0;
        return value !== saturate(value);
      },
    };
  };

  const sums = [sum(), sum()] as const;
  signals[CODES.out1] = sums[0].signal;
  signals[CODES.out2] = sums[1].signal;
  const present = new Int32Array(1);

  return {
    input: (slot) => selected[slot] ?? SILENCE,
    isSelected: (code) => inputs.includes(code),
    selected: (slot) => inputs[slot] ?? CODES.off,
    feeds: (slot) => (ways[slot] ?? 0) !== 0 || sums.some(({ has }) => has(slot)),
    outputs: [sums[0].signal, sums[1].signal],

    read(slot, offset) {
      if (offset === INPUT) return inputs[slot] ?? 0;
      if (offset === OUTPUT_DIRECT) return ways[slot] ?? 0;
      if (offset === SATURATED) return (sums[0].saturated() ? 1 : 0) | (sums[1].saturated() ? 2 : 0);
      if (offset === SYNC) return sync;
      if (offset !== NOW) return 0;
      (signals[slot] ?? SILENCE).sample(present, timeline.now, 1, 1);
      return fromCounts(present[0] ?? 0);
    },

    write(slot, offset, word) {
      if (offset === INPUT && slot < INPUT_SLOTS) {
        changes();
        selected[slot]?.change(timeline.now);
        inputs[slot] = word & 0xf;
      } else if (offset === OUTPUT_DIRECT && slot < OUTPUT_SLOTS) {
        ways[slot] = word & 0b11;
        timeline.at(timeline.now + SELECTOR_LATENCY, () => {
          changes();
          for (const [output, { signal, connect }] of sums.entries()) {
            signal.change(timeline.now);
            connect(slot, ((word >> output) & 1) === 1);
          }
        });
      } else if (offset === SYNC) sync = word & 0xff;
    },
  };
}
