/** Waiting that can be cut short. Leaves no timer behind. */

/** Timers fire up to this much late, in ms; what is shorter is waited for turn by turn of the event loop. */
const TIMER_SLACK_MS = 1.5;

/** Below this a timer is not worth it: it fires after 1 ms at the earliest. */
const SHORTEST_TIMER_MS = 2.5;

/** Longest time that a timer takes, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface Nap {
  /**
   * Returns at `time` (in ms, of performance.now()) or soon after, earlier if `wake` was called since the last wait.
   * Other work of the event loop gets its turn at each call.
   */
  until(time: number): Promise<void>;
  /** Gives other work of the event loop its turn, unless it had one since the last call. undefined: it had. */
  turn(): Promise<void> | undefined;
  /** Ends the wait that is on, or the next one. */
  wake(): void;
}

export function nap(): Nap {
  let woken = false;
  let cutShort: (() => void) | undefined;
  let hadTurn = true;

  const timer = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const handle = setTimeout(resolve, ms);
      cutShort = () => {
        clearTimeout(handle);
        resolve();
      };
    });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  const watchForTurn = (): void => {
    hadTurn = false;
    setImmediate(() => {
      hadTurn = true;
    });
  };

  return {
    async until(time) {
      do {
        const remaining = time - performance.now();
        if (woken) break;
        if (remaining > SHORTEST_TIMER_MS) await timer(Math.min(remaining - TIMER_SLACK_MS, LONGEST_TIMER_MS));
        else await turn();
      } while (performance.now() < time);
      cutShort = undefined;
      woken = false;
    },

    turn() {
      if (!hadTurn) return turn().then(watchForTurn);
      watchForTurn();
      return undefined;
    },

    wake() {
      woken = true;
      cutShort?.();
    },
  };
}
