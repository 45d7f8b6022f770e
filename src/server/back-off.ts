/** When a connection of our own making is tried again: ever later while nobody is there, and told in the log once. */
import type { Logger } from 'pino';

/** Time until the next try, in ms: the first, doubled each time up to the last. */
export interface Pauses {
  readonly first: number;
  readonly last: number;
}

const PAUSES: Pauses = { first: 1000, last: 15_000 };

export interface BackOff {
  /** Tries again after the next pause. Gives what goes on, in words. */
  again(reason: string): string;
  /** There is a connection: why the next one is missing is news. */
  connected(): void;
  /** It was of use: the next try comes soon again. */
  proved(): void;
  stop(): void;
}

export function backOff(log: Logger, attempt: () => void, { first, last }: Pauses = PAUSES): BackOff {
  let pause = first;
  let told: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    again(reason) {
      const seconds = pause / 1000;
      // A night without the computer is one line.
      log[reason === told ? 'debug' : 'warn']({ reason, again_within_s: seconds }, 'not connected');
      told = reason;
      timer = setTimeout(attempt, pause).unref();
      pause = Math.min(2 * pause, last);
      return `${reason}; next try within ${seconds} s`;
    },
    connected() {
      told = undefined;
    },
    proved() {
      pause = first;
    },
    stop: () => clearTimeout(timer),
  };
}
