/**
 * Reads an acquisition's points out of the scope's ring buffers: what was recorded already while the rest still is, the
 * rest afterwards. So a trace is there soon after its last sample, though a word takes the bus as long as a dozen samples
 * take the converter. Costs a word a sample, one to find the first of them, and one each time that it looks how far the
 * recording is. Sources: PyRPL red_pitaya_scope.v, acquisition_module.py.
 */
import type { Memory } from '../fields.ts';
import { SAMPLES, type ScopeValues, scopeMemories, scopeRegisters } from '../modules/scope.ts';
import type { RegisterFile } from '../registers.ts';
import { oldestIndex, type Part, ringRuns, type Samples, samplesOf, staleElements } from './trace.ts';

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
  rest(ending: Ending): Promise<Samples[]>;
}

/** Gives memory for up to 16384 samples. */
export type CountsMemory = () => Int16Array;

export const freshCounts: CountsMemory = () => new Int16Array(SAMPLES);

/**
 * @param delay what is in the delay register.
 * @param part asked for once, when the first points are read.
 */
export function reading(
  registers: RegisterFile,
  { values, delay }: { readonly values: Pick<ScopeValues, 'decimation'>; readonly delay: number },
  channels: readonly ChannelName[],
  part: () => Part,
  memory: CountsMemory = freshCounts,
): Reading {
  const stale = staleElements(values.decimation);
  let atTrigger: number | undefined;
  let begun: { readonly oldest: number; readonly wanted: Part; readonly rings: readonly RingReader[] } | undefined;

  /** @param oldest where in the ring point 0 is; what was read ahead from elsewhere does not count. */
  function begin(oldest: number): NonNullable<typeof begun> {
    if (begun && (oldest - begun.oldest) % SAMPLES === 0) return begun;
    const wanted = begun?.wanted ?? part();
    const rings = channels.map((channel, k) => {
      const counts = begun?.rings[k]?.counts ?? memory();
      return ringReader(registers, scopeMemories[channel], oldest + wanted.start, counts);
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
      return rings.map(({ counts, clipped }) => ({ counts: counts.subarray(0, wanted.points), clipped }));
    },
  };
}

interface RingReader {
  readonly counts: Int16Array;
  readonly clipped: boolean;
  /** Reads until so many points are there. One call at a time. */
  readUpTo(points: number): Promise<void>;
}

/** Where words are put until they are samples: one array a memory and bus, used again for each trace. */
const scratches = new WeakMap<RegisterFile, Map<number, Uint32Array>>();

function scratchFor(registers: RegisterFile, memory: Memory): Uint32Array {
  const known = scratches.get(registers) ?? new Map<number, Uint32Array>();
  scratches.set(registers, known);
  const words = known.get(memory.address) ?? new Uint32Array(memory.words);
  known.set(memory.address, words);
  return words;
}

/**
 * Consecutive samples of one ring, from an index on, into `counts`. Only one at a time for a memory: acquisitions of the
 * scope follow each other.
 */
export function ringReader(registers: RegisterFile, memory: Memory, first: number, counts: Int16Array): RingReader {
  const scratch = scratchFor(registers, memory);
  let filled = 0;
  let clipped = false;
  return {
    counts,
    get clipped() {
      return clipped;
    },
    async readUpTo(points) {
      const from = filled;
      if (points <= from) return;
      const reads = ringRuns(first + from, points - from).map(({ index, words }) => {
        const into = scratch.subarray(filled, filled + words);
        filled += words;
        return registers.bus.readBlock(memory.address + 4 * index, words, into);
      });
      await Promise.all(reads);
      if (samplesOf(scratch.subarray(from, points), counts.subarray(from, points)).clipped) clipped = true;
    },
  };
}
