/**
 * All modules that have a state, stepped together: what one puts out after a clock is what the others get with the
 * next. The last clocks of each signal are kept.
 */
import { SILENCE, type Signal } from '../signal.ts';
import type { Clocked, ClockedOutputs } from './clocked.ts';

/** Clocks that are stepped before others, who look back, are let at the signals. */
export const STRETCH = 4096;

/** Clocks that bring a module near to where it would be, had it been stepped all the time; half a ms. */
const SETTLING = 65_536;
/** What a write sets off has taken place after so many clocks, at most. */
const TAKES_EFFECT = 64;
/** Who was looked at is stepped for so long, in ms of the wall. */
const WATCHED_MS = 1000;

export interface Network {
  /** Signals of a slot: what others choose, what goes to the outputs, and the second one. */
  signal(slot: number, which: 'signal' | 'direct' | 'second'): Signal;
  /** Whether anything must be stepped. */
  live(): boolean;
  /** Registers are written, or something else changes from outside: what was not live may be so. */
  stir(): void;
  /** Clocks of the longest step that was taken last. */
  readonly leapt: number;
  /**
   * Somebody reads a signal of a slot, and may do so again. If that was not stepped because nobody listened, it is
   * brought near to where it would be.
   */
  look(slot: number): void;
  /** Steps until `clock`, at most `STRETCH` from where it is if it is live. */
  advance(clock: number): void;
}

export interface NetworkOptions {
  readonly modules: ReadonlyMap<number, Clocked>;
  /** Code of the signal that a slot listens to. */
  listensTo(slot: number): number;
  /** Signals that come from elsewhere, by code. */
  readonly signals: readonly Signal[];
  /** Codes of the signals that are made here: [slot, which]. */
  readonly made: ReadonlyMap<number, readonly [slot: number, which: 'signal' | 'second']>;
  /** Clocks after which a signal made here may come back from elsewhere, at least. */
  returning(): number;
  /** Clocks that others look back. */
  memory(): number;
  exact(): boolean;
  /** Whether anybody has chosen a signal of a slot. */
  chosen(slot: number): boolean;
  /** Whether a slot's signal goes to an output. */
  feeds(slot: number): boolean;
  /** Clocks that modules, which all can, may leap at a time; 1 if it must be exact. */
  leap(slots: readonly number[]): number;
}

type Which = 'signal' | 'direct' | 'second';
const ALL: readonly Which[] = ['signal', 'direct', 'second'];

interface Slot {
  readonly slot: number;
  readonly module: Clocked;
  /** Until when somebody is taken to look at it, in ms of the wall. */
  watchedUntil: number;
  /** Clocks that have passed for it: since then all its outputs are as they were. */
  stepped: number;
  readonly rings: Record<Which, Int32Array>;
}

/** A slot while it is stepped, and what goes in. */
interface Listening extends Slot {
  readonly one: Slot;
  /** The module that it listens to, and to which of its signals; otherwise it is the signal of a code. */
  readonly source: ClockedOutputs | undefined;
  readonly which: 'signal' | 'second';
  readonly code: number;
  readonly buffer: Int32Array | undefined;
  value: number;
}

export function network(options: NetworkOptions): Network {
  const { modules, listensTo, signals, made, returning, memory, exact, chosen, feeds, leap } = options;
  let size = 4 * STRETCH;
  const all = [...modules].map(
    ([slot, module]): Slot => ({
      slot,
      module,
      watchedUntil: 0,
      stepped: 0,
      rings: { signal: new Int32Array(size), direct: new Int32Array(size), second: new Int32Array(size) },
    }),
  );
  let now = 0;
  let leapt = 1;
  /** Nothing is live, and nothing becomes so by itself; for one kind of clock. */
  let dormant: { readonly exact: boolean } | undefined;
  let stirredUntil = 0;
  const buffers = new Map<number, Int32Array>();

  const grow = (): void => {
    const wanted = 2 ** Math.ceil(Math.log2(memory() + 3 * STRETCH));
    if (wanted <= size) return;
    for (const one of all) {
      for (const which of ALL) {
        const ring = new Int32Array(wanted);
        for (let clock = Math.max(0, one.stepped - size + 1); clock <= one.stepped; clock++) {
          ring[clock & (wanted - 1)] = one.rings[which][clock & (size - 1)] as number;
        }
        one.rings[which] = ring;
      }
    }
    size = wanted;
  };

  /** What was not stepped stayed as it was. */
  const fillIn = (one: Slot, until: number): void => {
    if (one.stepped === until) return;
    one.module.skip?.(until - one.stepped);
    const first = Math.max(one.stepped + 1, until - size + 1);
    for (const which of ALL) {
      const ring = one.rings[which];
      const value = ring[one.stepped & (size - 1)] as number;
      for (let clock = first; clock <= until; clock++) ring[clock & (size - 1)] = value;
    }
    one.stepped = until;
  };

  const isLive = ({ slot, module, watchedUntil }: Slot): boolean => {
    if (module.still(exact())) return false;
    if (exact() || module.busy() || chosen(slot) || (feeds(slot) && module.audible())) return true;
    return watchedUntil > 0 && performance.now() < watchedUntil;
  };

  const live = (): boolean => {
    if (dormant?.exact === exact()) return false;
    if (all.some(isLive)) return true;
    if (now >= stirredUntil) dormant = { exact: exact() };
    return false;
  };

  const stir = (): void => {
    dormant = undefined;
    stirredUntil = now + TAKES_EFFECT;
  };

  /** Clocks that some modules may take in one step. */
  const longest = (living: readonly Slot[]): number => {
    if (!living.every(({ module }) => module.leap)) return 1;
    return Math.min(STRETCH, Math.floor(leap(living.map(({ slot }) => slot))));
  };

  /** A value that holds from the clock after `from` to `to`. */
  const hold = (ring: Int32Array, from: number, to: number, value: number): void => {
    const [first, end] = [(from + 1) & (size - 1), (to + 1) & (size - 1)];
    if (first < end) ring.fill(value, first, end);
    else ring.fill(value, first).fill(value, 0, end);
  };

  /** Takes modules from a clock to another in steps of many clocks. */
  const leaps = (inputs: readonly Listening[], from: number, to: number, most: number): void => {
    for (let clock = from; clock < to; ) {
      const count = Math.min(most, to - clock);
      for (const { source, code, buffer } of inputs) {
        if (!source && buffer) (signals[code] ?? SILENCE).sample(buffer, clock, count, 1);
      }
      for (const one of inputs) one.value = one.source ? one.source[one.which] : (one.buffer?.[0] ?? 0);
      for (const { one, module, value } of inputs) {
        module.leap?.(value, count);
        for (const which of ALL) hold(one.rings[which], clock, clock + count, module.outputs[which]);
      }
      clock += count;
      for (const { one } of inputs) one.stepped = clock;
    }
  };

  /** Steps some modules from a clock to another. */
  const go = (living: readonly Slot[], from: number, to: number): void => {
    const inputs = living.map((one): Listening => {
      const code = listensTo(one.slot);
      const own = made.get(code);
      const source = own ? modules.get(own[0])?.outputs : undefined;
      if (!own && !buffers.has(code)) buffers.set(code, new Int32Array(STRETCH));
      return { ...one, one, source, which: own?.[1] ?? 'signal', code, buffer: buffers.get(code), value: 0 };
    });
    leapt = longest(living);
    if (leapt > 1) {
      leaps(inputs, from, to, leapt);
      return;
    }
    const outside = [...new Set(inputs.filter(({ source }) => !source).map(({ code }) => code))];
    const stretch = outside.length === 0 ? STRETCH : Math.min(STRETCH, returning());
    for (let clock = from; clock < to; ) {
      const count = Math.min(stretch, to - clock);
      for (const code of outside) {
        const buffer = buffers.get(code);
        if (buffer) (signals[code] ?? SILENCE).sample(buffer, clock, 1, count);
      }
      for (let n = 0; n < count; n++) {
        for (const one of inputs) one.value = one.source ? one.source[one.which] : (one.buffer?.[n] ?? 0);
        clock++;
        const at = clock & (size - 1);
        for (const { module, rings, value } of inputs) {
          module.step(value, clock);
          rings.signal[at] = module.outputs.signal;
          rings.direct[at] = module.outputs.direct;
          rings.second[at] = module.outputs.second;
        }
      }
      for (const { one } of inputs) one.stepped = clock;
    }
  };

  return {
    signal(slot, which) {
      const one = all.find((each) => each.slot === slot);
      if (!one) throw new Error(`There is no module in slot ${slot}.`);
      return {
        sample(out, first, stride, count) {
          const ring = one.rings[which];
          const { stepped } = one;
          const oldest = Math.max(0, stepped - size + 1);
          for (let k = 0; k < count; k++) {
            const clock = first + k * stride;
            out[k] = clock < 0 ? 0 : (ring[Math.min(stepped, Math.max(oldest, clock)) & (size - 1)] as number);
          }
        },
      };
    },

    live,
    stir,
    get leapt() {
      return leapt;
    },

    look(slot) {
      const one = all.find((each) => each.slot === slot);
      if (!one || exact()) return;
      stir();
      const before = isLive(one);
      one.watchedUntil = performance.now() + WATCHED_MS;
      if (before || !isLive(one)) return;
      grow();
      const start = Math.max(one.stepped, now - SETTLING);
      fillIn(one, start);
      go([one], start, now);
    },

    advance(clock) {
      if (clock <= now) return;
      if (!live()) {
        now = clock;
        return;
      }
      const living = all.filter(isLive);
      grow();
      for (const one of living) fillIn(one, now);
      go(living, now, clock);
      now = clock;
    },
  };
}
