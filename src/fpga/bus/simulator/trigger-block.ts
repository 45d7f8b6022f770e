/**
 * The trigger block (PyRPL red_pitaya_trigger_block.v): a comparator at the full rate that triggers the scope. Its
 * input filter and its output signal are not modelled.
 */
import { type Block, plainRegisters, wordBlock } from './block.ts';
import { type Levels, levels, nextEdge } from './comparator.ts';
import type { Signal } from './signal.ts';
import type { Timeline } from './timeline.ts';

/** Offsets. */
const ARM = 0x100;
const MODE = 0x104;
const EDGES = 0x108;
const THRESHOLD = 0x118;
const HYSTERESIS = 0x11c;
const CLOCK = [0x15c, 0x160] as const;
const CLOCK_AT_TRIGGER = [0x164, 0x168] as const;

/** Offset: [bits that are stored, value after reset]. Constants store none. */
const REGISTERS = new Map<number, readonly [number, number]>([
  [MODE, [0b11, 0]],
  [EDGES, [0b11, 0]],
  [0x10c, [0xf, 0]],
  [0x110, [0x3fff, 0]],
  [THRESHOLD, [0x3fff, 0]],
  [HYSTERESIS, [0x3fff, 20]],
  [0x120, [0xffff_ffff, 0]],
  [0x220, [0, 1]],
  [0x224, [0, 5]],
  [0x228, [0, 1]],
]);

const AUTO_REARM = 1;
const RISING = 1;
const FALLING = 2;

/** Clocks from the input at or beyond the threshold to the scope's trigger, and to the time stamp. */
const SCOPE_LATENCY = 4;
const STAMP_LATENCY = 3;

/** Clocks looked back at, when a search begins. */
const LOOK_BACK = 64;

/** Clocks searched at a time. */
const SEARCH = 4096;

/** If not exact: clocks that are searched at once; what was before is passed over. */
const AFFORDABLE = 1_000_000;

export interface TriggerBlock extends Block {
  /** Looks for edges until a clock. */
  advance(clock: number): void;
}

export interface TriggerBlockOptions {
  readonly timeline: Timeline;
  input(): Signal;
  exact(): boolean;
  /** Whether the scope listens. */
  wanted(): boolean;
  /** Triggers the scope at a clock to come. */
  triggers(clock: number): void;
}

export function triggerBlock({ timeline, input, exact, wanted, triggers }: TriggerBlockOptions): TriggerBlock {
  const registers = plainRegisters(REGISTERS);
  const comparators = [
    { beyond: false, rising: true, bit: RISING },
    { beyond: false, rising: false, bit: FALLING },
  ];
  const values = new Int32Array(SEARCH);
  let armed = false;
  let searched = 0;
  let clockAtTrigger = 0;

  const rearms = (): boolean => (registers.get(MODE) & AUTO_REARM) !== 0;

  const edge = (clock: number): void => {
    if (!armed && !rearms()) return;
    armed = rearms();
    clockAtTrigger = clock + STAMP_LATENCY;
    triggers(clock + SCOPE_LATENCY);
  };

  const levelsOf = (rising: boolean): Levels => levels(rising, registers.get(THRESHOLD), registers.get(HYSTERESIS));

  /** Tells from the clocks before on which side of the threshold the signal was. */
  const lookBack = (to: number): void => {
    input().sample(values, to - LOOK_BACK, 1, LOOK_BACK);
    for (const one of comparators) {
      for (let k = 0; k >= 0; ) k = nextEdge(one, levelsOf(one.rising), values, k, LOOK_BACK);
    }
  };

  const search = (to: number): void => {
    if (!exact() && to - searched > AFFORDABLE) {
      searched = to - AFFORDABLE;
      lookBack(searched);
    }
    const searching = comparators.map((one) => ({ one, at: levelsOf(one.rising), next: -1 }));
    for (; searched < to; searched += SEARCH) {
      const count = Math.min(SEARCH, to - searched);
      input().sample(values, searched, 1, count);
      for (const each of searching) each.next = nextEdge(each.one, each.at, values, 0, count);
      for (;;) {
        const [first] = searching.filter(({ next }) => next >= 0).sort((a, b) => a.next - b.next);
        if (!first) break;
        if (registers.get(EDGES) & first.one.bit) edge(searched + first.next);
        first.next = nextEdge(first.one, first.at, values, first.next + 1, count);
      }
    }
    searched = to;
  };

  /** Whether anybody could tell if it did not search. */
  const matters = (): boolean => registers.get(EDGES) !== 0 && (exact() || (wanted() && (armed || rearms())));

  const block = wordBlock(
    (offset) => {
      if (armed) search(timeline.now);
      if (offset === ARM) return armed ? 1 : 0;
      if (offset === CLOCK[0]) return timeline.now >>> 0;
      if (offset === CLOCK[1]) return Math.floor(timeline.now / 2 ** 32) >>> 0;
      if (offset === CLOCK_AT_TRIGGER[0]) return clockAtTrigger >>> 0;
      if (offset === CLOCK_AT_TRIGGER[1]) return Math.floor(clockAtTrigger / 2 ** 32) >>> 0;
      return registers.get(offset);
    },
    (offset, word) => {
      if (armed) search(timeline.now);
      const before = matters();
      if (offset !== ARM) registers.set(offset, word);
      // What re-arms by itself needs no arming.
      if (offset === ARM || rearms()) armed = true;
      if (before || !matters()) return;
      searched = timeline.now;
      lookBack(searched);
    },
  );
  return {
    ...block,
    advance(clock) {
      if (matters()) search(clock);
    },
  };
}
