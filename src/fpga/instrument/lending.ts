/**
 * Memory in which recordings lie, lent for as long as somebody looks at their traces, and used again afterwards: fresh
 * memory costs as much time as to fill it. What is not given back is lost to the lender, and collected as garbage.
 */
import { SAMPLES } from '../modules/scope.ts';
import { type SampleMemory, sampleMemory } from './conversion.ts';
import { PIECE } from './reading.ts';

/**
 * Channels' worth of memory that is kept for the next traces: 6 MB at most, enough for two channels of as many traces as
 * are on their way to clients who all grab on their own.
 */
const MOST_SPARE = 32;

/** What one acquisition has been lent. */
export interface Lease {
  /** For another channel. */
  memory(): SampleMemory;
  /** So many look at its traces; each is to release it once. */
  share(holders: number): void;
  release(): void;
  /** Nobody looks at it any more. */
  giveBack(): void;
}

/** Gives leases, with nothing lent yet. */
export function lending(): () => Lease {
  const spare: SampleMemory[] = [];
  return () => {
    const lent: SampleMemory[] = [];
    let looking = 0;

    function giveBack(): void {
      for (const each of lent.splice(0)) if (spare.length < MOST_SPARE) spare.push(each);
    }

    return {
      memory() {
        const memory = spare.pop() ?? sampleMemory(SAMPLES, PIECE);
        lent.push(memory);
        return memory;
      },
      share(holders) {
        looking = holders;
      },
      release() {
        looking--;
        if (looking === 0) giveBack();
      },
      giveBack,
    };
  };
}
