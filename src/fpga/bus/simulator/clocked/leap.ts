/**
 * How many clocks a loop of controllers may be taken through in one step, where it need not be exact: so few that
 * nothing changes by much within one. A loop around a plant of 1 kHz takes a thousand and more, and so keeps up with real time; one that reacts at once
 * takes one.
 */
import { CLOCK_HZ } from '../../bus.ts';
import type { InputModel } from '../front-end.ts';

/** Steps in a time constant, and in a period. */
const STEPS_IN_CONSTANT = 16;
const STEPS_IN_PERIOD = 64;

/** What a controller does, as far as it limits the step. */
export interface Gains {
  /** Proportional gain. */
  readonly p: number;
  /** Unity-gain frequency of the integral part in Hz. */
  readonly i: number;
}

/**
 * @param gains of a controller.
 * @param model of the input that it listens to, as far as that comes from an output that a controller drives.
 * @returns clocks, 1 or more; Infinity: nothing limits them.
 */
export function longestLeap({ p, i }: Gains, model: InputModel): number {
  let total = 0;
  let leap = Number.POSITIVE_INFINITY;
  for (const one of model) {
    switch (one.kind) {
      case 'const':
      case 'step':
        break;
      case 'noise':
        return 1;
      case 'sine':
      case 'square':
        leap = Math.min(leap, CLOCK_HZ / (STEPS_IN_PERIOD * one.freq));
        break;
      case 'loopback':
        // The loop answers within its delay.
        if (p !== 0) return 1;
        total += Math.abs(one.gain);
        break;
      case 'plant':
        leap = Math.min(leap, ofRate(2 * Math.PI * one.corner * (1 + Math.abs(p * one.gain))));
        total += Math.abs(one.gain);
    }
  }
  return Math.max(1, Math.min(leap, ofRate(2 * Math.PI * Math.abs(i) * total)));
}

/** @param rate at which it approaches, in 1/s */
function ofRate(rate: number): number {
  return CLOCK_HZ / (STEPS_IN_CONSTANT * rate);
}
