/**
 * Edges of the scope's two channels (PyRPL red_pitaya_scope.v): sources 2 … 5, rising and falling of the first channel,
 * then of the second. The comparators see the samples as they are stored: decimated, averaged.
 */
import { type Comparator, type Levels, levels, nextEdge } from './comparator.ts';
import type { Run, ScopeMemory } from './scope-memory.ts';

export const FIRST_EDGE = 2;
export const LAST_EDGE = 5;

/** Samples looked back at, when a search begins, to tell on which side of the threshold the signal was. */
const LOOK_BACK = 64;

/** Edges that may still become triggers, at most. */
const RECENT = 8;

/** Samples looked at in one go. */
const CHUNK = 4096;

export interface Edges {
  setLevels(threshold: number, hysteresis: number): void;
  /** Looks at all samples of a run, which follow those of the run before. */
  follow(run: Run): void;
  /** Clock of the first sample, in [from, to), that is an edge of a kind among those that were followed. */
  followed(kind: number, from: number, to: number): number | undefined;
  /**
   * The same, without having followed: looks at samples of a run until there is an edge at clock `from` or later. On
   * which side of the threshold the signal was is told from the samples just before.
   */
  search(kind: number, run: Run, from: number): number | undefined;
}

export function edges(memory: ScopeMemory): Edges {
  const kinds = [2, 3, 4, 5].map((kind) => ({
    kind,
    channel: (kind < FIRST_EDGE + 2 ? 0 : 1) as 0 | 1,
    rises: kind % 2 === 0,
    comparator: { beyond: false } as Comparator,
    levels: levels(kind % 2 === 0, 0, 20) as Levels,
    found: [] as number[],
  }));
  const values = new Int32Array(CHUNK);
  /** The kind that is searched for, and the clock of the first sample that was not looked at. */
  let [searching, searched] = [0, 0];

  return {
    setLevels(threshold, hysteresis) {
      for (const one of kinds) one.levels = levels(one.rises, threshold, hysteresis);
    },

    follow(run) {
      if (run.count === 0) return;
      for (const one of kinds) if (one.found.length > RECENT) one.found = one.found.slice(-RECENT);
      for (let start = 0; start < run.count; start += CHUNK) {
        const count = Math.min(CHUNK, run.count - start);
        for (const one of kinds) {
          // Rising and falling of a channel follow each other.
          if (one.rises) memory.values(one.channel, run, start, count, values);
          for (let k = -1; ; ) {
            k = nextEdge(one.comparator, one.levels, values, k + 1, count);
            if (k < 0) break;
            one.found.push(run.first + (start + k) * run.every);
          }
        }
      }
    },

    followed: (kind, from, to) => kinds[kind - FIRST_EDGE]?.found.find((at) => at >= from && at < to),

    search(kind, run, from) {
      const one = kinds[kind - FIRST_EDGE];
      if (!one) return undefined;
      const end = run.first + run.count * run.every;
      const start = run.first + Math.max(0, Math.ceil((from - run.first) / run.every)) * run.every;
      if (searching !== kind || searched < start || searched > end) {
        [searching, searched] = [kind, start];
        const before: Run = { ...run, first: start - LOOK_BACK * run.every, count: LOOK_BACK };
        memory.values(one.channel, before, 0, LOOK_BACK, values);
        for (let k = 0; k >= 0; ) k = nextEdge(one.comparator, one.levels, values, k, LOOK_BACK);
      }
      while (searched < end) {
        const count = Math.min(CHUNK, (end - searched) / run.every);
        memory.values(one.channel, { ...run, first: searched, count }, 0, count, values);
        const k = nextEdge(one.comparator, one.levels, values, 0, count);
        const at = searched + k * run.every;
        searched = k < 0 ? searched + count * run.every : at + run.every;
        if (k >= 0) return at;
      }
      return undefined;
    },
  };
}
