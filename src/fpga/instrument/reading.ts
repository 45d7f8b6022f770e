/**
 * Reads an acquisition's points out of the scope's ring buffers: what was recorded already while the rest still is, the
 * rest afterwards. So a trace is there soon after its last sample, though a word takes the bus as long as a dozen samples
 * take the converter. Costs a word a sample, one to find the first of them, and one each time that it looks how far the
 * recording is. Sources: PyRPL red_pitaya_scope.v, acquisition_module.py.
 */
import type { Memory } from '../fields.ts';
import { SAMPLES, type ScopeValues, scopeMemories, scopeRegisters } from '../modules/scope.ts';
import type { RegisterFile } from '../registers.ts';
import { type Conversion, plainMemory, type SampleMemory } from './conversion.ts';
import { oldestIndex, type Part, type Samples, staleElements } from './trace.ts';

export type ChannelName = keyof typeof scopeMemories;

/**
 * How an acquisition ended. `retriggered`: a trigger came in the very clock after the last sample. The FPGA then
 * believes to be counting down for ever, though it writes no more, and has overwritten the pointer at the trigger
 * (red_pitaya_scope.v: adc_dly_do and adc_wp_trig are set while the source is being cleared). A signal whose period
 * fits does that in every trace. The data are good, and their place follows from the last sample.
 */
export type Ending = 'done' | 'retriggered';

/** Samples behind the write pointer that may not be in the memory yet. */
const UNDER_WAY = 2;

export interface Reading {
  /**
   * Reads what is there for sure, once the trigger has come.
   * @throws BusError
   */
  ahead(): Promise<void>;
  /**
   * Reads the rest, once all is recorded. Points are oldest first, one array a channel.
   * @throws BusError
   */
  rest(ending: Ending): Promise<ChannelSamples[]>;
}

/** Where samples of one channel are put. */
export interface Destination {
  /** For 16384 of them, and as many words at a time as are read in one go. */
  readonly memory: SampleMemory;
  /** Absent: nobody wants volts. */
  readonly conversion?: Conversion;
}

/**
 * Words that are read in one go, at most: while they become samples, the bus has those of the other channel to bring, and
 * they are still in the cache.
 */
export const PIECE = 8192;

export const freshMemory = (): Destination => ({ memory: plainMemory(SAMPLES, PIECE) });

/** What was read of one channel. */
export interface ChannelSamples extends Samples {
  /** Meaningless where nobody wanted them. */
  readonly volts: Float64Array;
}

/**
 * @param delay what is in the delay register.
 * @param part asked for once, when the first points are read.
 */
export function reading(
  registers: RegisterFile,
  { values, delay }: { readonly values: Pick<ScopeValues, 'decimation'>; readonly delay: number },
  channels: readonly ChannelName[],
  part: () => Part,
  destination: (channel: ChannelName) => Destination = freshMemory,
): Reading {
  const stale = staleElements(values.decimation);
  let atTrigger: number | undefined;
  let begun: { readonly oldest: number; readonly wanted: Part; readonly rings: readonly RingReader[] } | undefined;

  /** @param oldest where in the ring point 0 is; what was read ahead from elsewhere does not count. */
  function begin(oldest: number): NonNullable<typeof begun> {
    if (begun && (oldest - begun.oldest) % SAMPLES === 0) return begun;
    const wanted = begun?.wanted ?? part();
    const rings = channels.map((channel, k) => {
      const into = begun?.rings[k]?.into ?? destination(channel);
      return ringReader(registers, scopeMemories[channel], oldest + wanted.start, into);
    });
    begun = { oldest, wanted, rings };
    return begun;
  }

  async function pointerAtTrigger(): Promise<number> {
    atTrigger ??= await registers.readWord(scopeRegisters.writePointerAtTrigger);
    return atTrigger;
  }

  const readUpTo = (rings: readonly RingReader[], points: number): Promise<unknown> =>
    Promise.all(rings.map((ring) => ring.readUpTo(points)));

  return {
    async ahead() {
      // With a longer delay the ring is written more than once, and the pointer does not say how often.
      if (delay > SAMPLES) return;
      const trigger = await pointerAtTrigger();
      const { wanted, rings } = begin(oldestIndex(trigger, delay) + stale);
      const newest = await registers.readWord(scopeRegisters.writePointer);
      const sinceTrigger = (newest - trigger + SAMPLES) % SAMPLES;
      const there = SAMPLES - delay + sinceTrigger - UNDER_WAY - stale;
      await readUpTo(rings, Math.min(wanted.points, there - wanted.start));
    },

    async rest(ending) {
      const oldest =
        ending === 'done'
          ? oldestIndex(await pointerAtTrigger(), delay) + stale
          : (await registers.readWord(scopeRegisters.writePointer)) + 1;
      const { wanted, rings } = begin(oldest);
      await readUpTo(rings, wanted.points);
      return rings.map((ring) => ring.samples(0, wanted.points));
    },
  };
}

interface RingReader {
  readonly into: Destination;
  /** Points from `first` to before `end`, which have been read. */
  samples(first: number, end: number): ChannelSamples;
  /** Reads until so many points are there. One call at a time. */
  readUpTo(points: number): Promise<void>;
}

/** Consecutive samples of one ring, from an index on. */
export function ringReader(registers: RegisterFile, ring: Memory, first: number, into: Destination): RingReader {
  const { memory, conversion } = into;
  const { words, counts, volts } = memory;
  let filled = 0;
  let clipped = false;
  return {
    into,
    samples: (from, end) => ({ counts: counts.subarray(from, end), volts: volts.subarray(from, end), clipped }),
    async readUpTo(points) {
      while (filled < points) {
        const index = (first + filled) % SAMPLES;
        const count = Math.min(PIECE, points - filled, SAMPLES - index);
        await registers.bus.readBlock(ring.address + 4 * index, count, words.subarray(0, count));
        if (memory.convert(filled, count, conversion)) clipped = true;
        filled += count;
      }
    },
  };
}
