/**
 * One signal generator (PyRPL red_pitaya_asg_ch.v). All its times are those of the output register: what a write sets
 * off is scheduled for the clock at which the output shows it.
 */
import { changing, type Signal, saturate, toCounts } from './signal.ts';
import type { Timeline } from './timeline.ts';

const POINTS = 16384;
const FRACTION_BITS = 16;

/** Clocks from a register to the output. */
const LATENCY = {
  zero: 1,
  offset: 2,
  amplitude: 3,
  table: 6,
  random: 6,
  step: 6,
  size: 6,
  wrap: 6,
  start: 7,
  reset: 7,
  trigger: 8,
} as const;

/** Bits of the channel's half of the control word. */
const CONTROL = { source: 0b111, wrap: 1 << 4, reset: 1 << 6, zero: 1 << 7, random: 1 << 12 } as const;

/** Trigger sources. */
const IMMEDIATELY = 1;

export type Setting = 'amplitude' | 'offset' | 'size' | 'start' | 'step' | 'cycles' | 'repeats' | 'pause';

export interface Generator {
  readonly output: Signal;
  /** Table index at the last trigger of the scope, 0 … 16383. */
  readonly scopeTriggerPhase: number;
  /** The channel's half of the control word was written. */
  control(bits: number): void;
  set(setting: Setting, value: number): void;
  /** Words into the table, from `index` on. */
  fill(index: number, words: Uint32Array): void;
  /** The scope triggered at this clock, since the last change of the output. */
  scopeTriggered(clock: number): void;
}

/**
 * @param memory as `changing`.
 * @param changes called before the output changes its course.
 */
export function generator(timeline: Timeline, memory: number, changes: () => void): Generator {
  const table = new Int32Array(POINTS);
  const registers: Record<Setting, number> = {
    amplitude: 0x2000,
    offset: 0,
    size: 0x3fff_ffff,
    start: 0,
    step: 0,
    cycles: 0,
    repeats: 0,
    pause: 0,
  };
  /** What is in force at the output. */
  const { ...shown } = registers;
  let [wrap, reset, zero, running] = [false, false, false, false];
  /** Pointer at clock `since`. */
  let pointer = 0;
  let since = 0;
  let scopeTriggerPhase = POINTS - 1;

  const turn = (): number => shown.size + 1;

  /** The pointer at a clock since the last change. */
  const pointerAt = (clock: number): number => {
    if (!running) return pointer;
    const clocks = clock - since;
    if (wrap) return addTurns(pointer, shown.step, clocks, turn());
    return pointer;
  };

  const output = changing((out, first, stride, count) => {
    if (zero) {
      out.fill(0, 0, count);
      return;
    }
    const { amplitude, offset } = shown;
    if (!running) {
      out.fill(level(table[pointer >> FRACTION_BITS] ?? 0, amplitude, offset), 0, count);
      return;
    }
    const size = turn();
    const step = addTurns(0, shown.step, stride, size);
    let p = pointerAt(first);
    for (let k = 0; k < count; k++) {
      out[k] = level(table[p >> FRACTION_BITS] as number, amplitude, offset);
      p += step;
      if (p >= size) p -= size;
    }
  }, memory);

  /** Does what changes the output, at the clock at which the output shows it. */
  const later = (clocks: number, action: () => void): void => {
    timeline.at(timeline.now + clocks, () => {
      const { now } = timeline;
      changes();
      output.change(now);
      pointer = pointerAt(now);
      since = now;
      action();
    });
  };

  return {
    output,
    get scopeTriggerPhase() {
      return scopeTriggerPhase;
    },

    control(bits) {
      later(LATENCY.zero, () => {
        zero = (bits & CONTROL.zero) !== 0;
      });
      later(LATENCY.wrap, () => {
        wrap = (bits & CONTROL.wrap) !== 0;
      });
      later(LATENCY.reset, () => {
        reset = (bits & CONTROL.reset) !== 0;
        if (!reset) return;
        running = false;
        pointer = shown.start;
      });
      if ((bits & CONTROL.source) === IMMEDIATELY) {
        later(LATENCY.trigger, () => {
          if (reset || running) return;
          running = true;
        });
      }
    },

    set(setting, value) {
      registers[setting] = value;
      const latency = setting in LATENCY ? LATENCY[setting as keyof typeof LATENCY] : LATENCY.trigger;
      later(latency, () => {
        shown[setting] = value;
        if (setting === 'start' && reset) pointer = value;
      });
    },

    fill(index, words) {
      const counts = Int32Array.from(words, toCounts);
      later(LATENCY.table, () => table.set(counts, index));
    },

    scopeTriggered(clock) {
      scopeTriggerPhase = pointerAt(clock) >> FRACTION_BITS;
    },
  };
}

function level(sample: number, amplitude: number, offset: number): number {
  return saturate(((sample * amplitude) >> 13) + offset);
}

/** (pointer + step · clocks) mod size, exact; all below 2³⁰, clocks below 2⁵³. */
function addTurns(pointer: number, step: number, clocks: number, size: number): number {
  if (size === 0x4000_0000) {
    // A power of two: the lowest bits of a product follow from those of its factors.
    return (pointer + Math.imul(step, clocks % size)) & 0x3fff_ffff;
  }
  const product = step * clocks;
  if (Number.isSafeInteger(product)) return (pointer + product) % size;
  return Number((BigInt(pointer) + BigInt(step) * BigInt(clocks)) % BigInt(size));
}
