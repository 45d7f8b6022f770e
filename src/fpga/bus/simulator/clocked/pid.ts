/** A PID controller, clock by clock (PyRPL red_pitaya_pid_block.v). */

import { CLOCK_HZ } from '../../bus.ts';
import { plainRegisters, wordBlock } from '../block.ts';
import { saturate, toCounts } from '../signal.ts';
import type { Clocked, ClockedOutputs } from './clocked.ts';
import { filters } from './filters.ts';
import type { Gains } from './leap.ts';

const IVAL = 0x100;
const SETPOINT = 0x104;
const P = 0x108;
const I = 0x10c;
const FILTER = 0x120;
const MIN = 0x124;
const MAX = 0x128;
const PAUSES = 0x12c;

/** Offset: [bits that are stored, value after reset]. Constants store none. */
const REGISTERS = new Map<number, readonly [number, number]>([
  [SETPOINT, [0x3fff, 0]],
  [P, [0xff_ffff, 0]],
  [I, [0xff_ffff, 0]],
  [0x110, [0xff_ffff, 0]],
  [FILTER, [0xffff_ffff, 0]],
  [MIN, [0x3fff, 0x2000]],
  [MAX, [0x3fff, 0x1fff]],
  [PAUSES, [0xf, 7]],
  [0x200, [0, 12]],
  [0x204, [0, 32]],
  [0x208, [0, 10]],
  [0x20c, [0, 24]],
  [0x220, [0, 4]],
  [0x224, [0, 5]],
  [0x228, [0, 10]],
]);

const P_SHIFT = 2 ** 12;
/** Fractional part of the integrator. */
const FRACTION = 2 ** 32;
/** ±4 V. */
const INTEGRATOR_MAX = 2 ** 15 * FRACTION - 1;
const INTEGRATOR_MIN = -(2 ** 15) * FRACTION;

const PAUSED_I = 1;
const PAUSED_P = 2;
const DIFFERENTIAL = 8;

const signed24 = (word: number): number => (word << 8) >> 8;

/** Unity-gain frequency of one step of i, in Hz. */
const I_STEP = CLOCK_HZ / (FRACTION * 2 * Math.PI);

export interface Pid extends Clocked {
  readonly gains: Gains;
  readonly isDifferential: boolean;
  /** The filtered input: what the partner takes for its setpoint in differential mode. */
  readonly filtered: number;
}

/**
 * @param running whether the module's sync bit is set.
 * @param partner who lends its filtered input in place of the setpoint in differential mode; 0 without.
 */
export function pid(running: () => boolean, partner: () => Pid | undefined): Pid {
  const registers = plainRegisters(REGISTERS);
  const input = filters({ stages: 4, lowest: 24, shiftBits: 5, bits: 14 });
  const outputs: ClockedOutputs = { signal: 0, direct: 0, second: 0 };
  let filtered = 0;
  // The stages on the way.
  let [error, proportional, increment, integrator, sum] = [0, 0, 0, 0, 0];
  let [p, i, setpoint, min, max, pauses, exponent] = [0, 0, 0, -8192, 8191, 7, 0];

  const learn = (): void => {
    p = signed24(registers.get(P));
    i = signed24(registers.get(I));
    setpoint = toCounts(registers.get(SETPOINT));
    min = toCounts(registers.get(MIN));
    max = toCounts(registers.get(MAX));
    pauses = registers.get(PAUSES);
    if (exponent !== registers.get(FILTER)) {
      exponent = registers.get(FILTER);
      input.set(exponent);
    }
  };

  const whole = (): number => Math.floor(integrator / FRACTION);

  /** The upper limit wins, should they cross. */
  const limited = (value: number): number => (value >= max ? max : Math.max(value, min));

  const show = (): void => {
    outputs.signal = limited(sum);
    outputs.direct = outputs.signal;
  };
  const integrate = (clocks: number): void => {
    integrator = Math.min(INTEGRATOR_MAX, Math.max(INTEGRATOR_MIN, integrator + clocks * increment));
  };
  const react = (): void => {
    const paused = !running();
    proportional = paused && pauses & PAUSED_P ? 0 : Math.floor((error * p) / P_SHIFT);
    increment = paused && pauses & PAUSED_I ? 0 : error * i;
  };
  const compare = (value: number): void => {
    filtered = value;
    error = filtered - (pauses & DIFFERENTIAL ? (partner()?.filtered ?? 0) : setpoint);
  };

  return {
    ...wordBlock(
      (offset) => (offset === IVAL ? whole() >>> 0 : registers.get(offset)),
      (offset, word) => {
        if (offset === IVAL) integrator = ((word << 16) >> 16) * FRACTION;
        else registers.set(offset, word);
        learn();
      },
    ),
    outputs,

    get filtered() {
      return filtered;
    },

    get isDifferential() {
      return (pauses & DIFFERENTIAL) !== 0;
    },

    get gains() {
      return { p: p / P_SHIFT, i: i * I_STEP };
    },

    step(counts) {
      show();
      sum = saturate(proportional + whole());
      integrate(1);
      react();
      compare(input.step(counts));
    },

    leap(counts, clocks) {
      compare(input.leap(counts, clocks));
      react();
      integrate(clocks);
      sum = saturate(proportional + whole());
      show();
    },

    busy: () => i !== 0,
    audible: () => true,

    still(exact) {
      if (partner()?.isDifferential) return false;
      if (exact) return registers.untouched && integrator === 0;
      return (
        p === 0 && i === 0 && proportional === 0 && increment === 0 && outputs.signal === limited(saturate(whole()))
      );
    },
  };
}
