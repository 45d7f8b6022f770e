/**
 * The trigger block, clock by clock (PyRPL red_pitaya_trigger_block.v): a comparator at the full rate behind an input
 * filter. It triggers the scope, stamps the time, and puts out a pulse or the phase that asg0 had.
 */
import { plainRegisters, wordBlock } from '../block.ts';
import { levels } from '../comparator.ts';
import { toCounts } from '../signal.ts';
import type { Timeline } from '../timeline.ts';
import type { Clocked, ClockedOutputs } from './clocked.ts';
import { filters } from './filters.ts';

/** Offsets. */
const ARM = 0x100;
const MODE = 0x104;
const EDGES = 0x108;
const SELECT = 0x10c;
const PHASE_OFFSET = 0x110;
const THRESHOLD = 0x118;
const HYSTERESIS = 0x11c;
const FILTER = 0x120;
const CLOCK = [0x15c, 0x160] as const;
const CLOCK_AT_TRIGGER = [0x164, 0x168] as const;

/** Offset: [bits that are stored, value after reset]. Constants store none. */
const REGISTERS = new Map<number, readonly [number, number]>([
  [MODE, [0b11, 0]],
  [EDGES, [0b11, 0]],
  [SELECT, [0xf, 0]],
  [PHASE_OFFSET, [0x3fff, 0]],
  [THRESHOLD, [0x3fff, 0]],
  [HYSTERESIS, [0x3fff, 20]],
  [FILTER, [0xffff_ffff, 0]],
  [0x220, [0, 1]],
  [0x224, [0, 5]],
  [0x228, [0, 1]],
]);

const AUTO_REARM = 1;
const ABSOLUTE_PHASE = 2;
const RISING = 1;
const FALLING = 2;
const SELECTED = { pulse: 0, phase: 1 } as const;

/** Clocks from the input at or beyond the threshold to the time stamp; a clock later output and scope see it. */
const LATENCY = 3;
const PULSE = 8191;

export interface TrigOptions {
  readonly timeline: Timeline;
  /** Index into the table of asg0 at a clock just passed. */
  phase(clock: number): number;
  /** Whether the scope waits for it. */
  wanted(): boolean;
  /** Triggers the scope at a clock. */
  triggers(clock: number): void;
}

export function trig({ timeline, phase, wanted, triggers }: TrigOptions): Clocked {
  const registers = plainRegisters(REGISTERS);
  const input = filters({ stages: 1, lowest: 27, shiftBits: 5, bits: 14 });
  const outputs: ClockedOutputs = { signal: 0, direct: 0, second: 0 };
  const comparators = [
    { bit: RISING, beyond: false, at: levels(true, 0, 20) },
    { bit: FALLING, beyond: false, at: levels(false, 0, 20) },
  ];
  let armed = false;
  let [mode, kinds, select, offset] = [0, 0, 0, 0];
  /** Edges on their way to the time stamp, a bit for each clock: the newest one lowest. */
  let coming = 0;
  let pulse = false;
  let captured = 0;
  let clockAtTrigger = 0;
  let last = -1;

  const learn = (): void => {
    mode = registers.get(MODE);
    kinds = registers.get(EDGES);
    select = registers.get(SELECT);
    offset = registers.get(PHASE_OFFSET);
    for (const one of comparators) {
      one.at = levels(one.bit === RISING, registers.get(THRESHOLD), registers.get(HYSTERESIS));
    }
  };

  const rearms = (): boolean => (mode & AUTO_REARM) !== 0;
  const signal = (): number =>
    select === SELECTED.pulse ? (pulse ? PULSE : 0) : select === SELECTED.phase ? captured : 0;

  /** @param known whether the clock before was seen too; if not, nothing that is beyond came there just now. */
  const crosses = (value: number, known: boolean): boolean => {
    let found = false;
    for (const one of comparators) {
      const { sign, level, release } = one.at;
      const upright = value * sign;
      if (one.beyond) one.beyond = upright >= release;
      else if (upright >= level) {
        one.beyond = true;
        if (known && (kinds & one.bit) !== 0) found = true;
      }
    }
    return found;
  };

  const trigger = (clock: number): void => {
    armed = rearms();
    clockAtTrigger = clock;
    triggers(clock + 1);
  };

  const capture = (clock: number): void => {
    const turned = toCounts(phase(clock) + offset);
    captured = (mode & ABSOLUTE_PHASE) !== 0 ? Math.abs(turned) : turned;
  };

  return {
    ...wordBlock(
      (at) => {
        if (at === ARM) return armed ? 1 : 0;
        if (at === CLOCK[0]) return timeline.now >>> 0;
        if (at === CLOCK[1]) return Math.floor(timeline.now / 2 ** 32) >>> 0;
        if (at === CLOCK_AT_TRIGGER[0]) return clockAtTrigger >>> 0;
        if (at === CLOCK_AT_TRIGGER[1]) return Math.floor(clockAtTrigger / 2 ** 32) >>> 0;
        return registers.get(at);
      },
      (at, word) => {
        if (at !== ARM) registers.set(at, word);
        if (at === FILTER) input.set(registers.get(FILTER));
        learn();
        // What re-arms by itself needs no arming.
        if (at === ARM || rearms()) armed = true;
      },
    ),
    outputs,

    step(counts, clock) {
      const known = last === clock - 1;
      last = clock;
      pulse = (coming & (1 << LATENCY)) !== 0;
      if (pulse) capture(clock);
      coming = (coming << 1) & ((2 << LATENCY) - 1);
      if (crosses(input.step(counts), known)) coming |= 1 << 1;
      if ((coming & (1 << LATENCY)) !== 0) {
        if (armed || rearms()) trigger(clock);
        else coming &= ~(1 << LATENCY);
      }
      outputs.signal = signal();
      outputs.direct = outputs.signal;
    },

    busy: () => kinds !== 0 && (wanted() || (armed && !rearms())),
    audible: () => kinds !== 0,
    still: (exact) =>
      coming === 0 &&
      outputs.signal === signal() &&
      (exact ? registers.untouched && !armed : !pulse && (kinds === 0 || !(armed || rearms()))),
  };
}
