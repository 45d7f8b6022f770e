/**
 * The scope (PyRPL red_pitaya_scope.v): registers, and the trigger. Its state goes from event to event (armed, enough
 * samples, triggered, over), never clock by clock; what it recorded is worked out when somebody asks.
 */
import type { Block } from './block.ts';
import { edges } from './edges.ts';
import { INDEX, type Run, SAMPLES, type ScopeMemory } from './scope-memory.ts';
import { SOURCES, scopeTriggers } from './scope-triggers.ts';
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

/** Samples that are searched for an edge within some milliseconds. */
const AFFORDABLE = 1_000_000;

export interface Scope extends Block {
  /** Lets its time pass until a clock. */
  advance(clock: number): void;
  /** The samples that come next. */
  readonly coming: Run;
  /** Clocks between two of its samples; Infinity while it takes none. */
  samplesEvery(): number;
  /** So many clocks may pass in one go without taking long. */
  affordable(): number;
  /** The level of the external trigger's pin has changed a clock ago. */
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
  /** As in ScopeTriggersOptions. */
  exact(): boolean;
  /** Called when it begins to count down after a trigger (`on`), and when the last sample is written. */
  counts(on: boolean, clock: number): void;
}

export function scope({ timeline, memory, channel, generators, exact, counts }: ScopeOptions): Scope {
  let [threshold, hysteresis, delay, decimation, debounce] = [0, 20, 8192, 8192, 62500];
  let [keep, average] = [false, false];
  const edgesOf = edges(memory);
  const triggers = scopeTriggers({ edges: edgesOf, generators, exact, debounce: () => debounce });

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

  /** It was triggered while writing, maybe too early to count. */
  let heard = false;

  const every = (): number => Math.max(1, decimation);

  /** The decimator's samples from the next one until a clock. */
  const samplesUntil = (to: number): Run => ({
    first: nextSample,
    every: every(),
    average,
    count: Math.max(0, Math.ceil((to - nextSample) / every())),
    index: nextIndex,
  });

  /** A trigger counts once more samples than these were written. Fourteen bits: with delay 0 one will do. */
  const needed = (): number => (SAMPLES - delay) & INDEX;

  /** First clock from which on a trigger counts. */
  const enoughFrom = (): number => {
    const missing = delay >= SAMPLES ? 0 : needed() + 1 - sinceArmed;
    if (missing <= 0) return 0;
    return writing && !counting ? nextSample + (missing - 1) * every() + 1 : Number.POSITIVE_INFINITY;
  };

  const hear = (at: number): void => {
    if (heard || !writing) return;
    heard = true;
    counts(true, at);
  };

  /** The clock of the next trigger that counts, in [clock, to). undefined: there is none. */
  const nextTrigger = (to: number): number | undefined => {
    const samples = samplesUntil(to);
    const enough = enoughFrom();
    if (exact() && writing && !heard) {
      const first = triggers.next(clock, to, samples);
      if (first !== undefined) hear(first);
    }
    return triggers.next(Math.max(clock, enough + 1), to, samples);
  };

  // ------------------------------------------------------------ time

  /** Nothing but samples until a clock. */
  const run = (to: number): void => {
    const samples = samplesUntil(to);
    const { count } = samples;
    if (count > 0 && writing) {
      memory.record(samples);
      nextIndex = (nextIndex + count) & INDEX;
      pointer = (nextIndex - 1) & INDEX;
      if (counting) remaining -= count;
      else {
        sinceArmed = (sinceArmed + count) >>> 0;
        lastCounted = nextSample + (count - 1) * every();
      }
    }
    nextSample += count * every();
    clock = to;
  };

  const settled = (): void => {
    if (heard) counts(false, clock - 1);
    heard = false;
  };

  const over = (): void => {
    settled();
    counting = false;
    writing = keep;
    triggers.select(SOURCES.off, clock);
  };

  const advance = (to: number): void => {
    triggers.listen(samplesUntil(to), clock, to);
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
      hear(at);
      pointerAtTrigger = pointer;
      clockAtTrigger = at;
      run(at + 1);
      if (delay === 0) over();
      else {
        counting = true;
        remaining = delay;
      }
    }
  };

  // ------------------------------------------------------------ registers

  const arm = (): void => {
    settled();
    [writing, counting] = [true, false];
    if (lastCounted !== clock - 1) sinceArmed = 0;
    if (nextSample !== clock) nextSample = clock + every();
  };

  const reset = (): void => {
    [nextIndex, pointer, pointerAtTrigger] = [0, 0, 0];
    settled();
    [writing, counting] = [false, false];
    if (lastCounted !== clock - 1) sinceArmed = 0;
    triggers.select(SOURCES.off, timeline.now);
    clockAtTrigger = clock - 1;
  };

  const present = new Int32Array(1);

  const read = (offset: number): number => {
    if (offset === CONTROL) return (writing ? ARM : 0) | (counting ? COUNTING : 0) | (keep ? KEEP : 0);
    if (offset === SOURCE) return triggers.source;
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
      triggers.written(word & 0xf, timeline.now);
    } else if (offset === THRESHOLD) {
      threshold = word & 0x3fff;
      edgesOf.setLevels(threshold, hysteresis);
    } else if (offset === DELAY) delay = word;
    else if (offset === DECIMATION) {
      const last = nextSample - every();
      decimation = word & 0x1_ffff;
      // The counter goes on, and is compared with the new value from now on.
      if (nextSample > timeline.now) nextSample = Math.max(timeline.now + 1, last + every());
    } else if (offset === HYSTERESIS) {
      hysteresis = word & 0x3fff;
      edgesOf.setLevels(threshold, hysteresis);
    } else if (offset === AVERAGE) average = (word & 1) === 1;
    else if (offset === DEBOUNCE) debounce = word & 0xf_ffff;
  };

  const affordable = (): number =>
    triggers.waitsForEdge && !counting ? AFFORDABLE * every() : Number.POSITIVE_INFINITY;

  return {
    advance,
    get coming() {
      return samplesUntil(clock);
    },
    samplesEvery: () => (writing ? every() : Number.POSITIVE_INFINITY),
    affordable,
    pinChanged: (high) => triggers.pinChanged(high, timeline.now - 1),
    listensToTrig: () => triggers.source === SOURCES.trig,
    trigTriggers: triggers.trigTriggers,

    read(offset, out) {
      if (offset >= MEMORIES) memory.read(offset >= 2 * MEMORIES ? 1 : 0, (offset % MEMORIES) / 4, out);
      else for (let k = 0; k < out.length; k++) out[k] = read(offset + 4 * k);
    },

    write(offset, words) {
      for (const [k, word] of words.entries()) write(offset + 4 * k, word);
    },
  };
}
