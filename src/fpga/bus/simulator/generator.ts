/**
 * One signal generator (PyRPL red_pitaya_asg_ch.v): a pointer that runs through a table, and what is made of the value
 * there. What a write sets off is scheduled for the clock at which it shows.
 */
import { debouncer } from './debouncer.ts';
import { FRACTION_BITS, FULL_TURN, goRound, POINTS } from './loops.ts';
import type { RandomIndex } from './random-index.ts';
import { changing, type Signal, saturate, toCounts } from './signal.ts';
import type { Timeline } from './timeline.ts';

/** From so many samples on it pays to scale the whole table first. */
const MANY = 1024;

/** Clocks from a register to the output, or to the pointer (see `path`). */
const LATENCY = {
  zero: 1,
  offset: 2,
  amplitude: 3,
  table: 6,
  noise: 6,
  step: 3,
  size: 3,
  wrap: 3,
  start: 4,
  reset: 4,
  trigger: 5,
  cycles: 5,
  repeats: 5,
  pause: 5,
} as const;

/** Clocks from the pointer to the output, and to the register that the scope has noted. */
const OUTPUT_LATENCY = 3;
const NOTE_LATENCY = 2;

/** Clocks after which a change of the pin does what a write of the control word does at once, from when it is told. */
const PIN_LATENCY = { level: -1, edge: 2 } as const;

/** Bits of the channel's half of the control word. */
const CONTROL = { source: 0b111, wrap: 1 << 4, reset: 1 << 6, zero: 1 << 7, random: 1 << 12 } as const;

/** Trigger sources. */
const SOURCES = { immediately: 1, risingEdge: 2, fallingEdge: 3, level: 4, always: 5 } as const;

/** After an edge of the pin, further ones are ignored for so many clocks. */
const DEBOUNCE = 62_500;

/** Clocks in a microsecond, the unit of the pause between bursts. */
const MICROSECOND = 125;

export type Setting = 'amplitude' | 'offset' | 'size' | 'start' | 'step' | 'cycles' | 'repeats' | 'pause';

export interface Generator {
  readonly output: Signal;
  /** Signed counts. */
  readonly table: Int32Array;
  /** Table index at the end of the scope's last acquisition, or now if one is being finished; 0 … 16383. */
  readonly scopeTriggerPhase: number;
  /** Table index at a clock just passed, 0 … 16383. */
  phaseAt(clock: number): number;
  /** The channel's half of the control word was written. */
  control(bits: number): void;
  set(setting: Setting, value: number): void;
  /** Words into the table, from `index` on. */
  fill(index: number, words: Uint32Array): void;
  /** The level of the external trigger's pin has changed a clock ago. */
  pinChanged(high: boolean): void;
  /**
   * The next clock, `from` or later, at which the generator's trigger line to the scope rises: when it is triggered, and
   * when its pointer comes around. Holds as long as nothing changes; Infinity: never.
   */
  nextPulse(from: number): number;
  /** The scope counts down from this clock on, or until this clock. */
  scopeCounts(on: boolean, clock: number): void;
}

export interface GeneratorOptions {
  readonly timeline: Timeline;
  /** As `changing`. */
  memory(): number;
  readonly random: RandomIndex;
  /** Called before the output changes its course. */
  changes(): void;
}

export function generator({ timeline, memory, random, changes }: GeneratorOptions): Generator {
  const table = new Int32Array(POINTS);
  /** What is in force at the output. */
  const shown: Record<Setting, number> = {
    amplitude: 0x2000,
    offset: 0,
    size: 0x3fff_ffff,
    start: 0,
    step: 0,
    cycles: 0,
    repeats: 0,
    pause: 0,
  };
  let [wrap, reset, zero, noise, running] = [false, false, false, false, false];
  /** Pointer at clock `since`. */
  let pointer = 0;
  let since = 0;
  /** To come, the present ones included. 0 cycles: endless. */
  let [cyclesLeft, repeatsLeft] = [0, 0];
  /** Counts what makes a scheduled end or repetition of a burst void. */
  let plan = 0;

  let source = 0;
  let pinHigh = false;
  /** For rises and falls of the pin. */
  const edges = [debouncer(() => DEBOUNCE), debouncer(() => DEBOUNCE)] as const;
  /** As long as a level triggers, it does so every other clock, in pointer time. */
  const held = { from: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY };
  /** Triggers that the scope may still have to hear of, oldest first. */
  let triggered: number[] = [];

  const single = new Int32Array(1);
  let phase = POINTS - 1;
  let scopeCounting = false;
  /** When the pointer is to be noted for the scope. */
  let noteAt = Number.POSITIVE_INFINITY;

  const turn = (): number => shown.size + 1;

  /** Clocks from the start to where a pointer that does not wrap starts again. */
  const period = (): number => Math.max(1, Math.ceil((turn() - shown.start) / shown.step));

  /** Clocks until the pointer has come around once. */
  const firstRound = (): number =>
    shown.step === 0 ? Number.POSITIVE_INFINITY : Math.ceil((turn() - pointer) / shown.step);

  /** The pointer at a clock since the last change. */
  const pointerAt = (clock: number): number => {
    const clocks = clock - since;
    if (!running || shown.step === 0 || clocks <= 0) return pointer;
    if (wrap) return addTurns(pointer, shown.step, clocks, turn());
    const first = firstRound();
    return clocks < first ? pointer + shown.step * clocks : shown.start + shown.step * ((clocks - first) % period());
  };

  /** How often it came around since the last change. */
  const roundsAt = (clock: number): number => {
    const clocks = clock - since;
    const first = firstRound();
    if (!running || clocks < first) return 0;
    if (!wrap) return 1 + Math.floor((clocks - first) / period());
    return Number((BigInt(pointer) + BigInt(shown.step) * BigInt(clocks)) / BigInt(turn()));
  };

  /** Clocks from the last change until it has come around so often. */
  const clocksFor = (rounds: number): number => {
    const first = firstRound();
    if (!Number.isFinite(first)) return first;
    if (!wrap) return first + (rounds - 1) * period();
    const way = BigInt(rounds) * BigInt(turn()) - BigInt(pointer);
    return Number((way + BigInt(shown.step) - 1n) / BigInt(shown.step));
  };

  /** The pointer, at the clock at which the trigger line shows that it comes around. */
  const path = changing(
    (out, first, stride, count) => {
      if (!running || shown.step === 0) {
        out.fill(pointer, 0, count);
      } else if (wrap) {
        const size = turn();
        const step = addTurns(0, shown.step, stride, size);
        let p = pointerAt(first);
        for (let k = 0; k < count; k++) {
          out[k] = p;
          p += step;
          if (p >= size) p -= size;
        }
      } else {
        for (let k = 0; k < count; k++) out[k] = pointerAt(first + k * stride);
      }
    },
    () => 2 * OUTPUT_LATENCY,
  );

  /** The table as it comes out, scaled and shifted; made when many samples are wanted. */
  let levels: Int32Array | undefined;

  const output = changing((out, first, stride, count) => {
    if (zero) {
      out.fill(0, 0, count);
      return;
    }
    const { amplitude, offset } = shown;
    if (count >= MANY) levels ??= table.map((sample) => level(sample, amplitude, offset));
    const ready = levels;
    const begin = first - OUTPUT_LATENCY;
    if (ready && !noise && running && wrap && turn() === FULL_TURN && begin >= path.since) {
      goRound(ready, out, pointerAt(begin), addTurns(0, shown.step, stride, FULL_TURN), count);
      return;
    }
    if (noise) random.sample(out, first, stride, count);
    else path.sample(out, begin, stride, count);
    const shift = noise ? 0 : FRACTION_BITS;
    if (ready) {
      for (let k = 0; k < count; k++) out[k] = ready[(out[k] as number) >> shift] as number;
    } else {
      for (let k = 0; k < count; k++) out[k] = level(table[(out[k] as number) >> shift] as number, amplitude, offset);
    }
  }, memory);

  /** Scales, shifts or replaces what the pointer picks, so many clocks from now. */
  const laterOutput = (clocks: number, action: () => void): void =>
    timeline.at(timeline.now + clocks, () => {
      changes();
      output.change(timeline.now);
      action();
      levels = undefined;
    });

  /** The pointer's course changes now. */
  const change = (action: () => void): void => {
    const { now } = timeline;
    changes();
    path.change(now);
    if (noteAt < now) notePhase();
    if (cyclesLeft > 0) cyclesLeft = Math.max(1, cyclesLeft - roundsAt(now));
    pointer = pointerAt(now);
    since = now;
    action();
    // Bursts without a pause between them are never over.
    if (running && cyclesLeft > 0 && (repeatsLeft === 0 || shown.pause > 0)) {
      whenDue(clocksFor(cyclesLeft), endBurst);
    }
  };

  const later = (clocks: number, action: () => void): void => timeline.at(timeline.now + clocks, () => change(action));

  /** As `later`, unless there is another change before. */
  const whenDue = (clocks: number, action: () => void): void => {
    const mine = ++plan;
    if (!Number.isFinite(clocks)) return;
    timeline.at(timeline.now + clocks, () => {
      if (plan === mine) change(action);
    });
  };

  const begin = (): void => {
    running = true;
    pointer = shown.start;
    cyclesLeft = shown.cycles;
  };

  const endBurst = (): void => {
    running = false;
    cyclesLeft = 0;
    if (repeatsLeft === 0) {
      whenDue(nextHeld(timeline.now + 1) - timeline.now, start);
      return;
    }
    whenDue(shown.pause * MICROSECOND + 1, () => {
      repeatsLeft--;
      begin();
    });
  };

  const start = (): void => {
    if (reset || running) return;
    repeatsLeft = shown.repeats;
    begin();
  };

  const trigger = (): void => {
    triggered = [...triggered.slice(-3), timeline.now + LATENCY.trigger];
    later(LATENCY.trigger, start);
  };

  /** The next trigger by a level, at a clock or later. */
  const nextHeld = (from: number): number => {
    const at = held.from + 2 * Math.max(0, Math.ceil((from - held.from) / 2));
    return at < held.until ? at : Number.POSITIVE_INFINITY;
  };

  /** @param clocks by which what is seen now works later than a write of the control word. */
  const lookAtLevel = (clocks = 0): void => {
    const holds = source === SOURCES.always || (source === SOURCES.level && pinHigh);
    const at = timeline.now + clocks + LATENCY.trigger;
    if (holds && at > held.until) Object.assign(held, { from: at, until: Number.POSITIVE_INFINITY });
    else if (holds && held.from === Number.POSITIVE_INFINITY) held.from = at;
    else if (!holds && held.from < held.until) held.until = Math.min(held.until, at);
    if (holds) later(clocks + LATENCY.trigger, start);
  };

  const notePhase = (): void => {
    phase = pointerAt(noteAt) >> FRACTION_BITS;
    noteAt = Number.POSITIVE_INFINITY;
  };

  return {
    output,
    table,

    get scopeTriggerPhase() {
      if (scopeCounting) return pointerAt(timeline.now + NOTE_LATENCY - 1) >> FRACTION_BITS;
      return noteAt < Number.POSITIVE_INFINITY ? pointerAt(noteAt) >> FRACTION_BITS : phase;
    },

    phaseAt(clock) {
      path.sample(single, clock, 1, 1);
      return (single[0] as number) >> FRACTION_BITS;
    },

    control(bits) {
      source = bits & CONTROL.source;
      laterOutput(LATENCY.zero, () => {
        zero = (bits & CONTROL.zero) !== 0;
      });
      laterOutput(LATENCY.noise, () => {
        noise = (bits & CONTROL.random) !== 0;
      });
      later(LATENCY.wrap, () => {
        wrap = (bits & CONTROL.wrap) !== 0;
      });
      later(LATENCY.reset, () => {
        reset = (bits & CONTROL.reset) !== 0;
        if (!reset) return;
        plan++;
        running = false;
        [cyclesLeft, repeatsLeft] = [0, 0];
        pointer = shown.start;
      });
      if (source === SOURCES.immediately) trigger();
      lookAtLevel();
    },

    set(setting, value) {
      const when = setting === 'amplitude' || setting === 'offset' ? laterOutput : later;
      when(LATENCY[setting], () => {
        shown[setting] = value;
        if (setting === 'start' && reset) pointer = value;
      });
    },

    fill(index, words) {
      const [only = 0] = words;
      const counts = words.length === 1 ? undefined : Int32Array.from(words, toCounts);
      laterOutput(LATENCY.table, () => {
        if (counts) table.set(counts, index);
        else table[index] = toCounts(only);
      });
    },

    pinChanged(high) {
      pinHigh = high;
      lookAtLevel(PIN_LATENCY.level);
      if (!edges[high ? 0 : 1].rises(timeline.now)) return;
      timeline.at(timeline.now + PIN_LATENCY.edge, () => {
        if (source === (high ? SOURCES.risingEdge : SOURCES.fallingEdge)) trigger();
      });
    },

    nextPulse(from) {
      const trigger = Math.min(triggered.find((clock) => clock >= from) ?? Number.POSITIVE_INFINITY, nextHeld(from));
      if (!running || shown.step === 0) return trigger;
      const rounds = roundsAt(Math.max(since, from - 1));
      return Math.min(trigger, since + clocksFor(rounds + 1));
    },

    scopeCounts(on, clock) {
      scopeCounting = on;
      if (!on) noteAt = clock + NOTE_LATENCY;
    },
  };
}

/** The sum has 15 bits: beyond them it comes around. */
function level(sample: number, amplitude: number, offset: number): number {
  return saturate(((((sample * amplitude) >> 13) + offset) << 17) >> 17);
}

/** (pointer + step · clocks) mod size, exact; all below 2³⁰, clocks below 2⁵³. */
function addTurns(pointer: number, step: number, clocks: number, size: number): number {
  if (size === FULL_TURN) {
    // A power of two: the lowest bits of a product follow from those of its factors.
    return (pointer + Math.imul(step, clocks % size)) & 0x3fff_ffff;
  }
  const sum = pointer + step * clocks;
  if (Number.isSafeInteger(sum)) return sum % size;
  return Number((BigInt(pointer) + BigInt(step) * BigInt(clocks)) % BigInt(size));
}
