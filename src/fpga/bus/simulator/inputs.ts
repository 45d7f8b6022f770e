/** The signals in1 and in2: volts of the front end's models as counts of the converter. */
import { CLOCK_HZ } from '../bus.ts';
import type { InputModel, Model } from './front-end.ts';
import { type Pace, type Plant, plant } from './plant.ts';
import { type Signal, saturate } from './signal.ts';

const COUNTS_PER_VOLT = 8192;

/** Clocks from the sum at an output to the input's register, besides the delay of a loop: two pin registers. */
export const PIN_LATENCY = 2;

/** Clocks after which a running sine is computed afresh: rounding adds up to less than 1e-12 in between. */
const FRESH = 256;

type Volts = (out: Float64Array, first: number, stride: number, count: number) => void;

/** What an input gets: volts · 8192, to the nearest, within −8192 … 8191. */
export interface Input extends Signal {
  /** Has a state that depends on what the outputs were: `settle` must be called before they change. */
  readonly hasState: boolean;
  /** What comes before this clock is settled. */
  settle(clock: number): void;
}

/**
 * @param outputs the sums that the two outputs put out.
 * @param pace as that of a plant.
 */
export function inputSignal(model: InputModel, outputs: readonly [Signal, Signal], pace: Pace): Input {
  const [only] = model;
  // The commonest case costs nothing: what the output has is what the input gets.
  if (model.length === 1 && only?.kind === 'loopback' && only.gain === 1 && only.offset === 0) {
    const source = outputs[only.src === 1 ? 0 : 1];
    const latency = PIN_LATENCY + Math.floor(only.delay);
    return {
      hasState: false,
      settle() {},
      sample: (out, first, stride, count) => source.sample(out, first - latency, stride, count),
    };
  }
  const plants: Plant[] = [];
  const parts = model.map((one) => {
    if (one.kind !== 'plant') return voltsOf(one, outputs);
    const { gain, corner, src, delay } = one;
    const latency = PIN_LATENCY - 1 + Math.floor(delay);
    const filter = plant({ gain, corner, source: outputs[src === 1 ? 0 : 1], latency, ...pace });
    plants.push(filter);
    return ((out, first, stride, count) => {
      for (let k = 0; k < count; k++) (out[k] as number) += one.offset;
      filter.add(out, first, stride, count, 1 / COUNTS_PER_VOLT);
    }) satisfies Volts;
  });
  let volts = new Float64Array(0);
  return {
    hasState: plants.length > 0,
    settle(clock) {
      for (const filter of plants) filter.settle(clock - 1);
    },
    sample(out, first, stride, count) {
      if (volts.length < count) volts = new Float64Array(count);
      volts.fill(0, 0, count);
      // The pin's register shows what was there a clock before.
      for (const add of parts) add(volts, first - 1, stride, count);
      for (let k = 0; k < count; k++) {
        out[k] = saturate(Math.floor((volts[k] as number) * COUNTS_PER_VOLT + 0.5));
      }
    },
  };
}

/** Adds the volts of one model at clocks first, first + stride, … */
function voltsOf(model: Exclude<Model, { kind: 'plant' }>, outputs: readonly [Signal, Signal]): Volts {
  switch (model.kind) {
    case 'const':
      return (out, _first, _stride, count) => {
        for (let k = 0; k < count; k++) (out[k] as number) += model.volts;
      };
    case 'step':
      return (out, first, stride, count) => {
        for (let k = 0; k < count; k++)
          (out[k] as number) += first + k * stride < model.cycle ? model.before : model.after;
      };
    case 'square':
      return (out, first, stride, count) => {
        const step = model.freq / CLOCK_HZ;
        for (let k = 0; k < count; k++) {
          const turns = step * (first + k * stride);
          (out[k] as number) += model.offset + (turns - Math.floor(turns) < model.duty ? model.amp : -model.amp);
        }
      };
    case 'sine':
      return sine(model);
    case 'noise':
      return noise(model);
    case 'loopback':
      return loop(model, outputs);
  }
}

function sine({ freq, amp, offset, phase }: Model & { kind: 'sine' }): Volts {
  return (out, first, stride, count) => {
    const turnsPerClock = freq / CLOCK_HZ;
    const step = 2 * Math.PI * ((turnsPerClock * stride) % 1);
    const [cos, sin] = [Math.cos(step), Math.sin(step)];
    for (let start = 0; start < count; start += FRESH) {
      const turns = turnsPerClock * (first + start * stride);
      const angle = 2 * Math.PI * (turns - Math.floor(turns) + phase / 360);
      let [c, s] = [amp * Math.cos(angle), amp * Math.sin(angle)];
      const end = Math.min(count, start + FRESH);
      for (let k = start; k < end; k++) {
        (out[k] as number) += offset + s;
        const next = c * cos - s * sin;
        s = s * cos + c * sin;
        c = next;
      }
    }
  };
}

/** Nearly Gaussian, at most 3.46 rms: a sum of four numbers that are even distributed. Depends on seed and clock only. */
function noise({ rms, offset, seed }: Model & { kind: 'noise' }): Volts {
  const scale = (rms * Math.sqrt(3)) / 65536;
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  return (out, first, stride, count) => {
    for (let k = 0; k < count; k++) {
      const clock = first + k * stride;
      const one = mixed((clock ^ low) | 0, (Math.floor(clock / 2 ** 32) + high) | 0);
      const two = mixed(one ^ 0x5bd1_e995, low);
      const sum = (one & 0xffff) + (one >>> 16) + (two & 0xffff) + (two >>> 16);
      (out[k] as number) += offset + scale * (sum - 2 * 65535);
    }
  };
}

/** 32 bits that look random and depend on all bits of both (the finalizer of MurmurHash3, twice). */
function mixed(a: number, b: number): number {
  let h = a;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  h ^= (h >>> 16) ^ b;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

function loop(model: Model & { kind: 'loopback' }, outputs: readonly [Signal, Signal]): Volts {
  const source = outputs[model.src === 1 ? 0 : 1];
  const latency = PIN_LATENCY - 1 + Math.floor(model.delay);
  let counts = new Int32Array(0);
  return (out, first, stride, count) => {
    if (counts.length < count) counts = new Int32Array(count);
    source.sample(counts, first - latency, stride, count);
    const gain = model.gain / COUNTS_PER_VOLT;
    for (let k = 0; k < count; k++) (out[k] as number) += model.offset + gain * (counts[k] as number);
  };
}
