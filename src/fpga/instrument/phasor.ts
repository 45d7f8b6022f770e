/**
 * The mean of a demodulated signal over a known number of clocks, which an iq sums up by itself: amplitude and phase of
 * its input at its frequency. Sources: PyRPL red_pitaya_iq_block.v, software_modules/network_analyzer.py.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { CLOCK_HZ } from '../bus/bus.ts';
import type { Complex } from '../complex.ts';
import type { iqRegisters } from '../modules/iq.ts';
import type { RegisterFile } from '../registers.ts';

/** The four words of the sums: low and high 31 bits of I, then of Q. */
export type SumWords = readonly [iLow: number, iHigh: number, qLow: number, qHigh: number];

/** In ms. */
const SHORTEST_TIMER_MS = 1;
/** How often the sums are asked for without a pause. */
const QUICK_QUESTIONS = 100;

/** A sine of 1 V peak in phase gives a mean of 2^22. */
const ONE_VOLT = 2 ** 22;

/** A sum of 62 bits, two's complement, exact up to 2^53. */
function signed62(low: number, high: number): number {
  const signedHigh = high >= 2 ** 30 ? high - 2 ** 31 : high;
  return signedHigh * 2 ** 31 + low;
}

/** Complex amplitude in V peak. */
export function phasorOf([iLow, iHigh, qLow, qHigh]: SumWords, averages: number): Complex {
  const scale = 1 / (averages * ONE_VOLT);
  return { re: signed62(iLow, iHigh) * scale, im: signed62(qLow, qHigh) * scale };
}

/** Waits, without blocking, for sums that were begun just now, and reads them. 5 words or a few more. */
export async function readPhasor(
  registers: RegisterFile,
  iq: ReturnType<typeof iqRegisters>,
  cycles: { readonly averages: number; readonly sleep: number },
  signal?: AbortSignal,
): Promise<Complex> {
  const whole = ((cycles.averages + cycles.sleep) / CLOCK_HZ) * 1e3;
  // A timer takes a millisecond at least: shorter times are spent asking.
  if (whole > SHORTEST_TIMER_MS) await sleep(whole, undefined, { signal });
  for (let asked = 0; asked < QUICK_QUESTIONS && (await registers.read(iq.naBusy)) === 1; asked++) {
    await setImmediate(undefined, { signal });
  }
  // Simulated time may be slower than ours.
  for (let pause = 1; (await registers.read(iq.naBusy)) === 1; pause = Math.min(50, pause * 2)) {
    await sleep(pause, undefined, { signal });
  }
  const words: SumWords = [
    await registers.read(iq.naILow),
    await registers.read(iq.naIHigh),
    await registers.read(iq.naQLow),
    await registers.read(iq.naQHigh),
  ];
  return phasorOf(words, cycles.averages);
}
