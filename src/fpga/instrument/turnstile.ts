/**
 * Many may pass at once, or one has the place for itself; first come, first served, so that neither starves the other.
 */

/** To be called once, when the place is left. */
export type Leave = () => void;

export interface Turnstile {
  /** Beside others. undefined: there at once, without waiting. */
  pass(): Promise<Leave> | Leave;
  /** Alone. @param signal gives up waiting: the promise is rejected with its reason */
  alone(signal: AbortSignal): Promise<Leave>;
}

interface Waiter {
  readonly alone: boolean;
  enter(leave: Leave): void;
}

export function turnstile(): Turnstile {
  let inside = 0;
  let taken = false;
  const queue: Waiter[] = [];

  const free = (alone: boolean): boolean => !taken && (!alone || inside === 0);

  function enter(alone: boolean): Leave {
    if (alone) taken = true;
    else inside++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (alone) taken = false;
      else inside--;
      admit();
    };
  }

  function admit(): void {
    for (let next = queue[0]; next && free(next.alone); next = queue[0]) {
      queue.shift();
      next.enter(enter(next.alone));
    }
  }

  return {
    pass() {
      if (queue.length === 0 && free(false)) return enter(false);
      return new Promise((resolve) => {
        queue.push({ alone: false, enter: resolve });
      });
    },

    alone(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (queue.length === 0 && free(true)) return resolve(enter(true));
        const waiter: Waiter = {
          alone: true,
          enter(leave) {
            signal.removeEventListener('abort', giveUp);
            resolve(leave);
          },
        };
        const giveUp = (): void => {
          queue.splice(queue.indexOf(waiter), 1);
          reject(signal.reason);
          admit();
        };
        signal.addEventListener('abort', giveUp, { once: true });
        queue.push(waiter);
      });
    },
  };
}
