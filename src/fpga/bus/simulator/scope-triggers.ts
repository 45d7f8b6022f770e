/**
 * What can trigger the scope (PyRPL red_pitaya_scope.v), and when it does: all sources in one place, each with its
 * latency. Whether a trigger counts is the scope's to say.
 */
import { debouncer } from './debouncer.ts';
import { type Edges, FIRST_EDGE, LAST_EDGE } from './edges.ts';
import type { Run } from './scope-memory.ts';

export const SOURCES = { off: 0, immediately: 1, pinRises: 6, pinFalls: 7, firstGenerator: 8, trig: 10 } as const;

/** Clocks to the trigger: from a write of the source; from an edge's sample; from a change of the pin. */
const LATENCY = { software: 1, edge: 3, pin: 4 } as const;

/** If not exact: rises of a generator's line further back than so many times the debouncing are passed over. */
const MISSED = 16;

export interface ScopeTriggersOptions {
  readonly edges: Edges;
  /** Of each generator: the next clock, from one on, at which its trigger line rises. */
  readonly generators: readonly ((from: number) => number)[];
  /** All that can be heard is followed, also what nobody waits for: then nothing has to be guessed when somebody does. */
  exact(): boolean;
  /** Clocks for which a line is not listened to after it rose. */
  debounce(): number;
}

export interface ScopeTriggers {
  readonly source: number;
  /** Whether an edge of a channel is waited for. */
  readonly waitsForEdge: boolean;
  /** Takes a source from a clock on. */
  select(source: number, clock: number): void;
  /** The source was written at a clock: `immediately` is a trigger in itself. */
  written(source: number, clock: number): void;
  pinChanged(high: boolean, clock: number): void;
  /** The trigger block triggers at a clock, maybe one to come. */
  trigTriggers(clock: number): void;
  /** Hears what happens until a clock. @param samples those of the decimator in this time */
  listen(samples: Run, clock: number, to: number): void;
  /**
   * The first trigger in [from, to), which must have been listened to.
   * @param samples those of the decimator in this time, as far as an edge would be a trigger
   */
  next(from: number, to: number, samples: Run): number | undefined;
}

export function scopeTriggers({ edges, generators, exact, debounce }: ScopeTriggersOptions): ScopeTriggers {
  let source: number = SOURCES.off;
  let before: number = SOURCES.off;
  let since = 0;
  const pin = [debouncer(debounce), debouncer(debounce)] as const;
  const lines = generators.map((next, k) => ({
    next,
    kind: SOURCES.firstGenerator + k,
    line: debouncer(debounce),
    heard: 0,
  }));
  /** What was heard of and is not over yet, in no order. */
  let pulses: { readonly kind: number; readonly at: number }[] = [];

  /** The source in force at a clock, not long ago. */
  const sourceAt = (clock: number): number => (clock >= since ? source : before);
  const isEdge = (kind: number): boolean => kind >= FIRST_EDGE && kind <= LAST_EDGE;

  const select = (code: number, clock: number): void => {
    before = sourceAt(clock - 1);
    since = clock;
    source = code;
  };

  const firstPulse = (from: number, to: number): number => {
    let first = Number.POSITIVE_INFINITY;
    for (const { kind, at } of pulses) {
      if (at >= from && at < to && at < first && kind === sourceAt(at - 1)) first = at;
    }
    return first;
  };

  const firstEdge = (from: number, to: number, samples: Run): number => {
    if (!isEdge(source) && !isEdge(before)) return Number.POSITIVE_INFINITY;
    if (exact()) {
      for (const kind of before === source ? [source] : [before, source]) {
        if (!isEdge(kind)) continue;
        // Up to the change of source it is the one before that counts.
        const [first, last] = kind === source ? [Math.max(from, since + 1), to] : [from, Math.min(to, since + 1)];
        const sample = edges.followed(kind, first - LATENCY.edge, last - LATENCY.edge);
        if (sample !== undefined) return sample + LATENCY.edge;
      }
      return Number.POSITIVE_INFINITY;
    }
    if (!isEdge(source)) return Number.POSITIVE_INFINITY;
    const sample = edges.search(source, samples, Math.max(from, since + 1) - LATENCY.edge);
    return sample === undefined ? Number.POSITIVE_INFINITY : sample + LATENCY.edge;
  };

  return {
    get source() {
      return source;
    },
    get waitsForEdge() {
      return isEdge(source);
    },
    select,

    written(code, clock) {
      select(code, clock);
      if (code === SOURCES.immediately) pulses.push({ kind: code, at: clock + LATENCY.software });
    },

    pinChanged(high, clock) {
      if (!pin[high ? 0 : 1].rises(clock)) return;
      pulses.push({ kind: high ? SOURCES.pinRises : SOURCES.pinFalls, at: clock + LATENCY.pin });
    },

    trigTriggers: (at) => pulses.push({ kind: SOURCES.trig, at }),

    listen(samples, clock, to) {
      pulses = pulses.filter(({ at }) => at >= clock);
      if (exact()) edges.follow(samples);
      for (const one of lines) {
        if (!exact() && source !== one.kind) continue;
        let from = Math.max(one.heard, one.line.deafUntil);
        if (!exact()) from = Math.max(from, clock - MISSED * (debounce() + 1));
        for (;;) {
          const at = one.next(from);
          if (at >= to) break;
          if (one.line.rises(at) && at >= clock) pulses.push({ kind: one.kind, at });
          from = Math.max(at + 1, one.line.deafUntil);
        }
        one.heard = to;
      }
    },

    next(from, to, samples) {
      const pulse = firstPulse(from, to);
      const first = Math.min(pulse, firstEdge(from, Math.min(to, pulse), samples));
      if (first < to) return first;
      // An edge that was found by searching, and is a trigger in a moment.
      if (Number.isFinite(first)) pulses.push({ kind: source, at: first });
      return undefined;
    },
  };
}
