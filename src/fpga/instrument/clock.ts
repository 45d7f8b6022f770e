/** Whether the host's clock is right: a board without a battery starts with an old time until the network corrects it. */
import { access } from 'node:fs/promises';

/** systemd-timesyncd makes this file once the time has been set. */
export const SYNCHRONISED = '/run/systemd/timesync/synchronized';

/** How long an answer is good for, in ms. */
const FRESH_MS = 10_000;

export interface HostClock {
  /** The last answer, without waiting; false until there is one. */
  synchronised(): boolean;
}

/** @param file exists when the clock is right. */
export function hostClock(file: string = SYNCHRONISED): HostClock {
  let answer = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  const ask = (): void => {
    askedAt = performance.now();
    access(file).then(
      () => {
        answer = true;
      },
      () => {
        answer = false;
      },
    );
  };
  ask();
  return {
    synchronised() {
      if (performance.now() - askedAt > FRESH_MS) ask();
      return answer;
    },
  };
}
