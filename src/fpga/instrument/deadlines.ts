/** Many deadlines, one timer: it rings at the earliest, or before if that one was put off meanwhile. */

/** Longest time that a timer takes, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Timers may fire this much early, in ms. */
const EARLY_MS = 1;

export interface Deadlines<T> {
  /** In ms of performance.now(); replaces an earlier one. */
  set(item: T, time: number): void;
  remove(item: T): void;
}

/** @param expire is called for each item whose time has come, once; the item has no deadline any more. */
export function deadlines<T>(expire: (item: T) => void): Deadlines<T> {
  const times = new Map<T, number>();
  let alarm: NodeJS.Timeout | undefined;
  let alarmAt = Number.POSITIVE_INFINITY;

  function setAlarm(time: number): void {
    clearTimeout(alarm);
    alarmAt = time;
    const ms = Math.max(0, time - performance.now()) + EARLY_MS;
    alarm = time < Number.POSITIVE_INFINITY ? setTimeout(ring, Math.min(ms, LONGEST_TIMER_MS)) : undefined;
  }

  function ring(): void {
    const now = performance.now();
    for (const [item, time] of [...times]) {
      if (time > now || !times.delete(item)) continue;
      expire(item);
    }
    setAlarm(Math.min(Number.POSITIVE_INFINITY, ...times.values()));
  }

  return {
    set(item, time) {
      times.set(item, time);
      if (time < alarmAt) setAlarm(time);
    },
    remove(item) {
      times.delete(item);
      if (times.size === 0) setAlarm(Number.POSITIVE_INFINITY);
    },
  };
}
