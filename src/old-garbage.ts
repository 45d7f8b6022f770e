/**
 * Garbage that V8 takes for old, because it lived through two small collections, waits for a large one, which comes after
 * 8 MB of it or more. Where the whole machine has 512 MB, it is collected sooner.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** So much more than what was in use after the last collection, in bytes. A large collection takes tens of ms. */
const MOST_GARBAGE = 1 << 20;

/** How often it is looked at, in ms. */
const LOOK_EVERY_MS = 2000;

/** Goes on until the function that it gives is called. */
export function collectOldGarbage(lookEveryMs = LOOK_EVERY_MS): () => void {
  // V8 has no other way to ask for one.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let kept = inUse();
  const timer = setInterval(() => {
    kept = Math.min(kept, inUse());
    if (inUse() - kept < MOST_GARBAGE) return;
    collect();
    kept = inUse();
  }, lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

function inUse(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? 0;
}
