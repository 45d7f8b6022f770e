/** A message that has begun has a deadline, however its bytes trickle in. */

export interface MessageDeadline {
  /** To be called when bytes have come. @param unfinished number of the message that has begun; undefined: none has */
  watch(unfinished: number | undefined): void;
  end(): void;
}

/** @param late called when a message has not come whole within `ms` */
export function messageDeadline(ms: number, late: () => void): MessageDeadline {
  let timer: NodeJS.Timeout | undefined;
  /** Of the message that the timer is for. */
  let due: number | undefined;
  return {
    watch(unfinished) {
      if (unfinished === due) return;
      due = unfinished;
      clearTimeout(timer);
      if (due !== undefined) timer = setTimeout(late, ms).unref();
    },
    end: () => clearTimeout(timer),
  };
}
