/**
 * The scope (PyRPL red_pitaya_scope.v): registers, and the trigger. Its state goes from event to event (armed, enough
 * samples, triggered, over), never clock by clock; what it recorded is worked out when somebody asks.
 */
import type { Block } from './block.ts';
import { type Comparator, type Levels, levels, nextEdge } from './comparator.ts';
import { debouncer } from './debouncer.ts';
import { INDEX, type Run, SAMPLES, type ScopeMemory } from './scope-memory.ts';
import { fromCounts, type Signal } from './signal.ts';
import type { Timeline } from './timeline.ts';

/** Offsets. */
const CONTROL = 0x00;
const SOURCE = 0x04;
const THRESHOLD = 0x08;
const DELAY = 0x10;
const DECIMATION = 0x14;
const POINTER = 0x18;
const POINTER_AT_TRIGGER = 0x1c;
const HYSTERESIS = 0x20;
const AVERAGE = 0x28;
const SINCE_ARMED = 0x2c;
const DEBOUNCE = 0x90;
const PRESENT = [0x154, 0x158] as const;
const CLOCK = [0x15c, 0x160] as const;
const CLOCK_AT_TRIGGER = [0x164, 0x168] as const;
const ENOUGH = 0x16c;
const MEMORIES = 0x1_0000;

/** Bits of the control word. */
const ARM = 1;
const RESET = 2;
const COUNTING = 4;
const KEEP = 8;

/** Trigger sources; 2 … 5 are rising and falling edges of channel 1, then of channel 2. */
const IMMEDIATELY = 1;
const FIRST_EDGE = 2;
const LAST_EDGE = 5;

const PIN_RISES = 6;
const PIN_FALLS = 7;
const FIRST_GENERATOR = 8;
const TRIG = 10;

/** Clocks from a change of the pin to the trigger. */
const PIN_LATENCY = 4;

/** If not exact: rises of a generator's trigger line further back than so many times the debouncing are passed over. */
const MISSED = 16;

/** Clocks from a decimated sample at or beyond the threshold to the trigger. */
const EDGE_LATENCY = 3;

/** Samples looked back at, when the search begins, to tell on which side of the threshold the signal was. */
const LOOK_BACK = 64;

/** Samples that are searched within some milliseconds. */
const AFFORDABLE = 1_000_000;

/** Samples searched at a time. */
const SEARCH = 4096;

export interface Scope extends Block {
  /** Lets its time pass until a clock. */
  advance(clock: number): void;
  /** So many clocks may pass in one go without taking long. */
  affordable(): number;
  /** The level of the external trigger's pin has changed. */
  pinChanged(high: boolean): void;
  /** Whether it waits for the trigger block. */
  listensToTrig(): boolean;
  /** The trigger block triggers it at a clock. */
  trigTriggers(clock: number): void;
}

export interface ScopeOptions {
  readonly timeline: Timeline;
  readonly memory: ScopeMemory;
  /** The signals of the two channels, as they are selected now. */
  channel(k: 0 | 1): Signal;
  /** Of each generator: the next clock, from one on, at which its trigger line rises. */
  readonly generators: readonly ((from: number) => number)[];
  /** Every rise of those lines is followed, also those that nobody waits for. */
  exact(): boolean;
  /** Called when it begins to count down after a trigger (`on`), and when the last sample is written. */
  counts(on: boolean, clock: number): void;
}

export function scope({ timeline, memory, channel, generators, exact, counts }: ScopeOptions): Scope {
  let [threshold, hysteresis, delay, decimation, debounce] = [0, 20, 8192, 8192, 62500];
  let [source, keep, average] = [0, false, false];
  let sourceBefore = 0;
  let sourceSince = 0;
  let softwareTrigger = -1;

  let [writing, counting] = [false, false];
  /** All before this clock has happened. */
  let clock = 0;
  /** The next clock at which the decimator gives a sample. */
  let nextSample = decimation;
  /** Index of the next sample in the ring; of the last one that was written, and of that at the trigger. */
  let [nextIndex, pointer, pointerAtTrigger] = [0, 0, 0];
  let sinceArmed = 0;
  let lastCounted = -1;
  /** Samples to come while counting. */
  let remaining = 0;
  let clockAtTrigger = 0;

  // ------------------------------------------------------------ debounced triggers

  const length = (): number => debounce;
  const pin = [debouncer(length), debouncer(length)] as const;
  const lines = generators.map((next) => ({ next, line: debouncer(length), heard: 0 }));
  /** Triggers of the sources 6 … 9 that were heard of and have not come yet. */
  let pulses: { readonly kind: number; readonly at: number }[] = [];

  /** Listens to the generators until a clock. */
  const listen = (to: number): void => {
    for (const [k, one] of lines.entries()) {
      const kind = FIRST_GENERATOR + k;
      if (!exact() && source !== kind) continue;
      let from = Math.max(one.heard, one.line.deafUntil);
      if (!exact()) from = Math.max(from, clock - MISSED * (debounce + 1));
      for (;;) {
        const at = one.next(from);
        if (at >= to) break;
        if (one.line.rises(at) && at >= clock) pulses.push({ kind, at });
        from = Math.max(at + 1, one.line.deafUntil);
      }
      one.heard = to;
    }
  };

  // ------------------------------------------------------------ edges

  /** Where the search for an edge is: samples before it were looked at. */
  let searched = 0;
  let searching = 0;
  const compared: Comparator = { beyond: false };
  const chunk = new Int32Array(SEARCH);

  const every = (): number => Math.max(1, decimation);

  const setSource = (code: number): void => {
    sourceBefore = sourceAt(timeline.now - 1);
    sourceSince = timeline.now;
    source = code;
  };
  const sourceAt = (at: number): number => (at >= sourceSince ? source : sourceBefore);

  const startSearch = (kind: number, from: number): void => {
    searching = kind;
    searched = from;
    const run: Run = { first: from - LOOK_BACK * every(), every: every(), average, count: LOOK_BACK, index: 0 };
    memory.values(edgeChannel(kind), run, 0, LOOK_BACK, chunk);
    for (let k = 0; k >= 0; ) k = nextEdge(compared, edgeLevels(kind), chunk, k, LOOK_BACK);
  };

  const edgeLevels = (kind: number): Levels => levels(edgeRises(kind), threshold, hysteresis);

  /** A trigger counts once more samples than these were written. Fourteen bits: with delay 0 one will do. */
  const needed = (): number => (SAMPLES - delay) & INDEX;

  /** First clock from which on a trigger counts. */
  const enoughFrom = (): number => {
    const missing = delay >= SAMPLES ? 0 : needed() + 1 - sinceArmed;
    if (missing <= 0) return 0;
    return writing && !counting ? nextSample + (missing - 1) * every() + 1 : Number.POSITIVE_INFINITY;
  };

  /** Whether an edge is waited for. */
  const searches = (): boolean => source >= FIRST_EDGE && source <= LAST_EDGE && !counting;

  /** The clock of the next trigger, in [clock, to). undefined: there is none. */
  const nextTrigger = (to: number): number | undefined => {
    const enough = enoughFrom();
    if (softwareTrigger >= 0) {
      const at = softwareTrigger + 1;
      if (at < to) {
        softwareTrigger = -1;
        if (at >= clock && at > enough && sourceAt(at - 1) === IMMEDIATELY) return at;
      }
    }
    pulses = pulses.filter(({ at }) => at >= clock);
    const pulse = pulses.find(({ kind, at }) => at < to && at > enough && kind === sourceAt(at - 1));
    if (pulse) return pulse.at;
    const kind = source;
    if (!searches() || enough >= to) return undefined;
    const D = every();
    // A sample gives a trigger some clocks later; what is too early to count need not be looked at.
    const earliest = Math.max(clock, enough + 1, sourceSince + 1) - EDGE_LATENCY;
    const from = Math.max(nextSample - Math.ceil((nextSample - earliest) / D) * D, 0);
    if (searching !== kind || searched < from) startSearch(kind, from);
    while (searched < to - EDGE_LATENCY) {
      const count = Math.min(SEARCH, Math.ceil((to - EDGE_LATENCY - searched) / D));
      const run: Run = { first: searched, every: D, average, count, index: 0 };
      memory.values(edgeChannel(kind), run, 0, count, chunk);
      const level = edgeLevels(kind);
      for (
        let k = nextEdge(compared, level, chunk, 0, count);
        k >= 0;
        k = nextEdge(compared, level, chunk, k + 1, count)
      ) {
        const edge = searched + k * D + EDGE_LATENCY;
        if (edge < clock || edge <= enough) continue;
        searched += (k + 1) * D;
        return edge;
      }
      searched += count * D;
    }
    return undefined;
  };

  // ------------------------------------------------------------ time

  /** Nothing but samples until a clock. */
  const run = (to: number): void => {
    if (nextSample < to) {
      const count = Math.ceil((to - nextSample) / every());
      if (writing) {
        memory.record({ first: nextSample, every: every(), average, count, index: nextIndex });
        nextIndex = (nextIndex + count) & INDEX;
        pointer = (nextIndex - 1) & INDEX;
        if (counting) remaining -= count;
        else {
          sinceArmed = (sinceArmed + count) >>> 0;
          lastCounted = nextSample + (count - 1) * every();
        }
      }
      nextSample += count * every();
    }
    clock = to;
  };

  const over = (): void => {
    if (counting) counts(false, clock - 1);
    counting = false;
    writing = keep;
    sourceBefore = source;
    sourceSince = clock;
    source = 0;
  };

  const advance = (to: number): void => {
    listen(to);
    while (clock < to) {
      if (counting && writing) {
        const end = remaining <= 0 ? clock : nextSample + (remaining - 1) * every() + 1;
        run(Math.min(end + 1, to));
        if (end < to) over();
        continue;
      }
      const at = counting ? undefined : nextTrigger(to);
      if (at === undefined) {
        run(to);
        return;
      }
      run(at);
      pointerAtTrigger = pointer;
      clockAtTrigger = at;
      run(at + 1);
      if (delay === 0) over();
      else {
        counting = true;
        remaining = delay;
        counts(true, at);
      }
    }
  };

  // ------------------------------------------------------------ registers

  const arm = (): void => {
    writing = true;
    if (lastCounted !== clock - 1) sinceArmed = 0;
    if (nextSample !== clock) nextSample = clock + every();
    searching = 0;
  };

  const reset = (): void => {
    [nextIndex, pointer, pointerAtTrigger] = [0, 0, 0];
    [writing, counting] = [false, false];
    if (lastCounted !== clock - 1) sinceArmed = 0;
    setSource(0);
    clockAtTrigger = clock - 1;
  };

  const present = new Int32Array(1);

  const read = (offset: number): number => {
    if (offset === CONTROL) return (writing ? ARM : 0) | (counting ? COUNTING : 0) | (keep ? KEEP : 0);
    if (offset === SOURCE) return source;
    if (offset === THRESHOLD) return threshold;
    if (offset === DELAY) return delay;
    if (offset === DECIMATION) return decimation;
    if (offset === POINTER) return pointer;
    if (offset === POINTER_AT_TRIGGER) return pointerAtTrigger;
    if (offset === HYSTERESIS) return hysteresis;
    if (offset === AVERAGE) return average ? 1 : 0;
    if (offset === SINCE_ARMED) return sinceArmed;
    if (offset === DEBOUNCE) return debounce;
    if (offset === PRESENT[0] || offset === PRESENT[1]) {
      channel(offset === PRESENT[0] ? 0 : 1).sample(present, timeline.now, 1, 1);
      return fromCounts(present[0] ?? 0);
    }
    if (offset === CLOCK[0]) return timeline.now >>> 0;
    if (offset === CLOCK[1]) return Math.floor(timeline.now / 2 ** 32) >>> 0;
    if (offset === CLOCK_AT_TRIGGER[0]) return clockAtTrigger >>> 0;
    if (offset === CLOCK_AT_TRIGGER[1]) return Math.floor(clockAtTrigger / 2 ** 32) >>> 0;
    if (offset === ENOUGH) return delay >= SAMPLES || sinceArmed > needed() ? 1 : 0;
    return 0;
  };

  const write = (offset: number, word: number): void => {
    if (offset === CONTROL) {
      keep = (word & KEEP) !== 0;
      // Pulses act one clock later.
      if (word & RESET) timeline.at(timeline.now + 1, reset);
      if (word & ARM) timeline.at(timeline.now + 1, arm);
    } else if (offset === SOURCE) {
      setSource(word & 0xf);
      if ((word & 0xf) === IMMEDIATELY) softwareTrigger = timeline.now;
    } else if (offset === THRESHOLD) threshold = word & 0x3fff;
    else if (offset === DELAY) delay = word;
    else if (offset === DECIMATION) {
      const last = nextSample - every();
      decimation = word & 0x1_ffff;
      // The counter goes on, and is compared with the new value from now on.
      if (nextSample > timeline.now) nextSample = Math.max(timeline.now + 1, last + every());
    } else if (offset === HYSTERESIS) hysteresis = word & 0x3fff;
    else if (offset === AVERAGE) average = (word & 1) === 1;
    else if (offset === DEBOUNCE) debounce = word & 0xf_ffff;
  };

  const pinChanged = (high: boolean): void => {
    if (!pin[high ? 0 : 1].rises(timeline.now)) return;
    pulses.push({ kind: high ? PIN_RISES : PIN_FALLS, at: timeline.now + PIN_LATENCY });
  };

  const affordable = (): number => (searches() ? AFFORDABLE * every() : Number.POSITIVE_INFINITY);

  return {
    advance,
    affordable,
    pinChanged,
    listensToTrig: () => source === TRIG,
    trigTriggers: (at) => pulses.push({ kind: TRIG, at }),

    read(offset, out) {
      if (offset >= MEMORIES) memory.read(offset >= 2 * MEMORIES ? 1 : 0, (offset % MEMORIES) / 4, out);
      else for (let k = 0; k < out.length; k++) out[k] = read(offset + 4 * k);
    },

    write(offset, words) {
      for (const [k, word] of words.entries()) write(offset + 4 * k, word);
    },
  };
}

function edgeChannel(kind: number): 0 | 1 {
  return kind < FIRST_EDGE + 2 ? 0 : 1;
}

function edgeRises(kind: number): boolean {
  return (kind & 1) === 0;
}
