/**
 * The filter of arbitrary shape, clock by clock (PyRPL red_pitaya_iir_block.v, red_pitaya_product_sat.v): sections of
 * second order that take turns, the highest first, each with its own samples of a signal that goes on meanwhile.
 */
import { plainRegisters, wordBlock } from '../block.ts';
import { saturate } from '../signal.ts';
import type { Clocked, ClockedOutputs } from './clocked.ts';
import { filters } from './filters.ts';

const LOOPS = 0x100;
const CONTROL = 0x104;
const OVERFLOW = 0x108;
const FILTER = 0x120;
const MEMORY = 0x8000;

/** Offset: [bits that are stored, value after reset]. Constants store none. */
const REGISTERS = new Map<number, readonly [number, number]>([
  [LOOPS, [0x3ff, 0]],
  [CONTROL, [0b11, 0]],
  [FILTER, [0xffff_ffff, 0]],
  [0x200, [0, 32]],
  [0x204, [0, 29]],
  [0x208, [0, 14]],
  [0x220, [0, 1]],
  [0x224, [0, 3]],
  [0x228, [0, 1000]],
]);

const SECTIONS = 14;
/** Words of a section: b0, b1, a1, a2, each followed by one that nobody has. */
const SECTION_WORDS = 8;

const COEFFICIENT_ONE = 2 ** 29;
/** A count of the input, with three fractional bits in the filter before. */
const FILTER_COUNT = 8;
const STATE_COUNT = 2 ** 17;
const [STATE_MIN, STATE_MAX] = [-(2 ** 31), 2 ** 31 - 1];

/** Bits of the overflow register. */
const FLAGS = { a1: 1, a2: 2, section: 4, b0: 8, b1: 16, output: 64 } as const;

export function iir(): Clocked {
  const registers = plainRegisters(REGISTERS);
  const input = filters({ stages: 1, lowest: 17, shiftBits: 3, bits: 17 });
  const coefficients = new Int32Array(SECTIONS * SECTION_WORDS);
  const outputs: ClockedOutputs = { signal: 0, direct: 0, second: 0 };
  const memory = () => new Float64Array(SECTIONS);
  const [x0, x1, y1, y2] = [memory(), memory(), memory(), memory()];
  let overflow = 0;
  let sampled = 0;
  let shown = 0;
  /** Which section each stage of the calculation is at: now, and one to four clocks later. */
  const stages = [0, 0, 0, 0, 0];
  /** Factors of the products: x0, x1, y1, y2 with b0, b1, a1, a2. */
  const factors = { x0: 0, x1: 0, y1: 0, y2: 0, b0: 0, b1: 0, a1: 0, a2: 0 };
  const products = { b0: 0, b1: 0, a1: 0, a2: 0 };
  let section = 0;
  let sum = 0;

  const clear = (): void => {
    for (const one of [x0, x1, y1, y2]) one.fill(0);
    for (const key of ['x1', 'y1', 'y2', 'b0', 'b1', 'a1', 'a2'] as const) factors[key] = 0;
    Object.assign(products, { b0: 0, b1: 0, a1: 0, a2: 0 });
    section = 0;
    shown = 0;
    overflow = 0;
  };

  const cut = (value: number, flag: number): number => {
    if (value > STATE_MAX || value < STATE_MIN) overflow |= flag;
    return Math.min(STATE_MAX, Math.max(STATE_MIN, value));
  };
  const product = (a: number, b: number, flag: number): number =>
    cut(Math.floor((a * b) / COEFFICIENT_ONE + 0.5), flag);

  /** A clock: every stage takes what the one before it had. */
  const calculate = (loops: number): void => {
    const [now = 0, one = 0, two = 0, three = 0, four = 0] = stages;
    const whole = Math.floor(sum / STATE_COUNT);
    if (whole !== saturate(whole)) overflow |= FLAGS.output;
    if (four === 0) shown = saturate(whole);
    sum = three === loops - 1 || three === SECTIONS - 1 ? section : sum + section;
    const next = cut(products.a1 + products.a2 + products.b0 + products.b1, FLAGS.section);
    const made = {
      a1: product(factors.y1, factors.a1, FLAGS.a1),
      a2: product(factors.y2, factors.a2, FLAGS.a2),
      b0: product(factors.x0, factors.b0, FLAGS.b0),
      b1: product(factors.x1, factors.b1, FLAGS.b1),
    };
    if (one < SECTIONS) Object.assign(products, made);
    if (now < SECTIONS) fetch(now);
    if (two < SECTIONS) {
      y2[two] = y1[two] as number;
      y1[two] = next;
      x1[two] = x0[two] as number;
      section = next;
    }
    if (now < SECTIONS) x0[now] = sampled;
    stages.unshift(now === 0 ? loops - 1 : now - 1);
  };

  const fetch = (now: number): void => {
    const at = now * SECTION_WORDS;
    factors.y1 = y1[now] as number;
    factors.y2 = y2[now] as number;
    factors.x1 = x1[now] as number;
    factors.x0 = sampled;
    factors.b0 = coefficients[at] as number;
    factors.b1 = coefficients[at + 2] as number;
    factors.a1 = coefficients[at + 4] as number;
    factors.a2 = coefficients[at + 6] as number;
  };

  return {
    ...wordBlock(
      (offset) => (offset === OVERFLOW ? overflow : registers.get(offset)),
      (offset, word) => {
        const index = (offset - MEMORY) / 4;
        if (index >= 0) {
          if (index < coefficients.length && index % 2 === 0) coefficients[index] = word;
        } else if (registers.set(offset, word) && offset === FILTER) input.set(word);
      },
    ),
    outputs,

    step(counts) {
      const filtered = input.step(counts * FILTER_COUNT);
      const control = registers.get(CONTROL);
      const loops = registers.get(LOOPS);
      outputs.signal = (control & 2) !== 0 ? Math.floor(filtered / FILTER_COUNT) : shown;
      outputs.direct = outputs.signal;
      if ((control & 1) !== 0) calculate(loops);
      else {
        clear();
        stages.unshift(loops);
      }
      stages.pop();
      sampled = filtered * (STATE_COUNT / FILTER_COUNT);
    },

    busy: () => false,
    audible: () => true,
    still: (exact) => (exact ? registers.untouched : (registers.get(CONTROL) & 0b11) === 0 && outputs.signal === 0),
  };
}
