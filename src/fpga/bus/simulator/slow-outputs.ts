/** The four slow analog outputs (PyRPL red_pitaya_ams.v): duty cycle in bits 23 … 16, dither pattern in 15 … 0. */
import { type Block, wordBlock } from './block.ts';
import type { Signal } from './signal.ts';
import type { Timeline } from './timeline.ts';

/** Offsets of dac0 … dac3. The first two follow signals. */
const FOLLOWING = [0x20, 0x24] as const;
const WRITTEN = [0x28, 0x2c] as const;

/** Clocks from a signal to the word. */
const LATENCY = 2;

/** @param input the signals that pwm0 and pwm1 listen to. */
export function slowOutputs(timeline: Timeline, input: (k: 0 | 1) => Signal): Block {
  const words = new Map<number, number>(WRITTEN.map((offset) => [offset, 0]));
  const sample = new Int32Array(1);
  return wordBlock(
    (offset) => {
      const k = offset === FOLLOWING[0] ? 0 : offset === FOLLOWING[1] ? 1 : undefined;
      if (k === undefined) return words.get(offset) ?? 0;
      input(k).sample(sample, timeline.now - LATENCY, 1, 1);
      return wordOf(sample[0] ?? 0);
    },
    (offset, word) => {
      if (words.has(offset)) words.set(offset, word & 0xff_ffff);
    },
  );
}

/** Which of the 16 periods are one longer, for each bit of the dither: evenly spread, 8, 4, 2 and 1 of them. */
const DITHER = [0x0080, 0x0808, 0x2222, 0x5555] as const;

/** −8192 … 8191 is 0 … 4095/4096 of the range: eight bits of duty cycle, four of dither. */
function wordOf(counts: number): number {
  const steps = (counts + 8192) >> 2;
  return DITHER.reduce((word, periods, bit) => word | ((steps >> bit) & 1 ? periods : 0), (steps >> 4) << 16);
}
