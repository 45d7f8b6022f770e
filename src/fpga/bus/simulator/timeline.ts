/**
 * Simulated time: a count of clocks since reset, and what is to happen at which of them. A state "at n" is what the
 * registers hold after n clocks.
 */

interface Happening {
  readonly clock: number;
  readonly action: () => void;
}

export interface Timeline {
  /** Clocks that have passed; inside an action, the clock at which it happens. */
  readonly now: number;
  /** Has an action done when `clock` clocks have passed, after those that were asked for earlier. The past means now. */
  at(clock: number, action: () => void): void;
  /** Lets time pass until `clock`, doing what is due on the way and at its end. */
  advance(clock: number): void;
}

/** @param passed called before each step of time ends, with the clock up to which nothing else happens. */
export function timeline(passed: (clock: number) => void): Timeline {
  /** In order of time. There are a few at most: what a write sets off reaches the outputs within 9 clocks. */
  const queue: Happening[] = [];
  let now = 0;
  return {
    get now() {
      return now;
    },

    at(clock, action) {
      let place = queue.length;
      while (place > 0 && (queue[place - 1]?.clock ?? 0) > clock) place--;
      queue.splice(place, 0, { clock, action });
    },

    advance(clock) {
      for (let next = queue[0]; next && next.clock <= clock; next = queue[0]) {
        queue.shift();
        if (next.clock > now) {
          passed(next.clock);
          now = next.clock;
        }
        next.action();
      }
      if (clock > now) {
        passed(clock);
        now = clock;
      }
    },
  };
}
