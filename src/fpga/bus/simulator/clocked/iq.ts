/** A lock-in, clock by clock (PyRPL red_pitaya_iq_block.v and its parts). */
import { plainRegisters, wordBlock } from '../block.ts';
import { fromCounts, saturate } from '../signal.ts';
import type { Clocked, ClockedOutputs } from './clocked.ts';
import { filters } from './filters.ts';
import { oscillator } from './oscillator.ts';

const CONTROL = 0x100;
const START_PHASE = 0x104;
const STEP = 0x108;
const SELECT = 0x10c;
const G1 = 0x110;
const G2 = 0x114;
const G3 = 0x118;
const G4 = 0x11c;
const INPUT_FILTER = 0x120;
const QUADRATURE_FILTER = 0x124;
const AVERAGES = 0x130;
const SLEEP = 0x134;
const SUMS = 0x140;
const LAST_SUM = 0x14c;
const PFD = 0x150;

const WORD = 0xffff_ffff;
const GAIN = 0x3_ffff;

/** Offset: [bits that are stored, value after reset]. Constants store none. */
const registersOf = (stages: number) =>
  new Map<number, readonly [number, number]>([
    [CONTROL, [0b11_1110, 0b10]],
    [START_PHASE, [WORD, 0]],
    [STEP, [WORD, 0]],
    [SELECT, [0xf, 0]],
    [G1, [GAIN, 0]],
    [G2, [GAIN, 0]],
    [G3, [GAIN, 0]],
    [G4, [GAIN, 0]],
    [INPUT_FILTER, [WORD, 0]],
    [QUADRATURE_FILTER, [WORD, 0]],
    [AVERAGES, [WORD, 0]],
    [SLEEP, [WORD, 0]],
    [0x200, [0, 11]],
    [0x204, [0, 17]],
    [0x208, [0, 32]],
    [0x20c, [0, 18]],
    [0x210, [0, 14]],
    [0x214, [0, 24]],
    [0x218, [0, 8]],
    [0x220, [0, 1]],
    [0x224, [0, 5]],
    [0x228, [0, 50]],
    [0x230, [0, stages]],
    [0x234, [0, 5]],
    [0x238, [0, 10]],
  ]);

const signed18 = (word: number): number => (word << 14) >> 14;

/** Rounded quotient by a power of two, cut to 14 bits. */
const scaledDown = (product: number, divisor: number): number =>
  saturate(Math.floor((product + divisor / 2) / divisor));

/** Counts of the integral at which it turns back by one. */
const [PFD_MAX, PFD_MIN] = [8191, -8192];

const SELECTED = { quadrature: 0, output: 1, pfd: 2 } as const;

/**
 * @param stages filters behind the demodulation.
 * @param running whether the module's sync bit is set.
 */
export function iq(stages: number, running: () => boolean): Clocked {
  const layout = registersOf(stages);
  const registers = plainRegisters(layout);
  const input = filters({ stages: 1, lowest: 22, shiftBits: 5, bits: 14 });
  const low = [0, 1].map(() => filters({ stages, lowest: 24, shiftBits: 5, bits: 24 })) as [
    ReturnType<typeof filters>,
    ReturnType<typeof filters>,
  ];
  const source = oscillator(running);
  const outputs: ClockedOutputs = { signal: 0, direct: 0, second: 0 };
  let [g1, amplitude, g3, g4, select, pfdOn] = [0, 0, 0, 0, 0, true];
  // Registers on the way: the input, its products, the modulator’s factors, their sum.
  let [sampled, product1, product2, factor1, factor2, modulated] = [0, 0, 0, 0, 0, 0];
  let quadrature = 0;
  const pfd = { last1: false, last2: false, integral: 0 };
  const sums = { i: 0, q: 0, remaining: 0, sleep: 0, busy: false };

  const learn = (): void => {
    g1 = signed18(registers.get(G1));
    amplitude = signed18(registers.get(G2)) >> 4;
    g3 = signed18(registers.get(G3));
    g4 = signed18(registers.get(G4));
    select = registers.get(SELECT);
    const control = registers.get(CONTROL);
    pfdOn = (control & 2) !== 0;
    source.set({
      step: registers.get(STEP),
      startPhase: registers.get(START_PHASE),
      modulationAt2f: (control >>> 2) & 3,
      demodulationAt2f: (control >>> 4) & 3,
    });
  };
  learn();

  /** One of the four words of the sums: the lower or the upper 31 bits of 62, and whether they are complete. */
  const sumWord = (k: number): number => {
    const sum = k < 2 ? sums.i : sums.q;
    const upper = Math.floor(sum / 2 ** 31);
    const half = k % 2 === 0 ? sum - upper * 2 ** 31 : ((upper % 2 ** 31) + 2 ** 31) % 2 ** 31;
    return half + (sums.busy ? 2 ** 31 : 0);
  };

  const addUp = (i: number, q: number): void => {
    sums.busy = sums.remaining > 0;
    if (!sums.busy) return;
    if (sums.sleep > 0) {
      sums.sleep--;
      return;
    }
    sums.remaining--;
    sums.i += i;
    sums.q += q;
  };

  const compare = (one: boolean, other: boolean): void => {
    if (!pfdOn) {
      Object.assign(pfd, { last1: false, last2: false, integral: 0 });
      return;
    }
    const [rose, otherRose] = [one && !pfd.last1, other && !pfd.last2];
    pfd.last1 = one;
    pfd.last2 = other;
    // At its ends it turns back by one.
    if (pfd.integral === PFD_MAX) pfd.integral--;
    else if (pfd.integral === PFD_MIN) pfd.integral++;
    else if (rose !== otherRose) pfd.integral += rose ? 1 : -1;
  };

  return {
    ...wordBlock(
      (offset) => {
        if (offset === CONTROL) return registers.get(CONTROL) | (running() ? 1 : 0);
        if (offset >= SUMS && offset <= LAST_SUM) return sumWord((offset - SUMS) / 4);
        if (offset === PFD) return fromCounts(pfd.integral);
        return registers.get(offset);
      },
      (offset, word) => {
        if (!registers.set(offset, word)) return;
        if (offset === INPUT_FILTER) input.set(word);
        else if (offset === QUADRATURE_FILTER) for (const one of low) one.set(word);
        else learn();
        if (offset !== STEP) return;
        Object.assign(sums, {
          i: 0,
          q: 0,
          remaining: registers.get(AVERAGES),
          sleep: registers.get(SLEEP),
          busy: true,
        });
      },
    ),
    outputs,

    step(counts) {
      const filtered = input.step(counts);
      const i = low[0].step(product1 >> 6);
      const q = low[1].step(product2 >> 6);
      addUp(i, q);
      compare(filtered < 0, source.sin < 0);
      outputs.direct = saturate(modulated >> 16);
      quadrature = scaledDown(i * g3, 1024);
      outputs.second = scaledDown(q * g3, 1024);
      outputs.signal =
        select === SELECTED.quadrature
          ? quadrature
          : select === SELECTED.output
            ? outputs.direct
            : select === SELECTED.pfd
              ? pfd.integral
              : 0;
      modulated = (factor1 * source.sin + factor2 * source.cos) | 0;
      factor1 = scaledDown(i * g1, 2 ** 20) + amplitude;
      factor2 = scaledDown(q * g4, 2 ** 20);
      product1 = sampled * source.shiftedSin + 32;
      product2 = sampled * source.shiftedCos + 32;
      sampled = filtered;
      source.step();
    },

    skip: source.skip,
    busy: () => sums.busy,
    audible: () => amplitude !== 0 || g1 !== 0 || g4 !== 0,
    still: (exact) => exact && !sums.busy && registers.untouched,
  };
}
