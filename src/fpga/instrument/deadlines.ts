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

interface Deadline<T> {
  readonly item: T;
  readonly time: number;
}

/** @param expire is called for each item whose time has come, once; the item has no deadline any more. */
export function deadlines<T>(expire: (item: T) => void): Deadlines<T> {
  /** No Map, for the reason that bag.ts gives. */
  const all: Deadline<T>[] = [];
  let alarm: NodeJS.Timeout | undefined;
  let alarmAt = Number.POSITIVE_INFINITY;

  function setAlarm(time: number): void {
    clearTimeout(alarm);
    alarmAt = time;
    const ms = Math.max(0, time - performance.now()) + EARLY_MS;
    alarm = time < Number.POSITIVE_INFINITY ? setTimeout(ring, Math.min(ms, LONGEST_TIMER_MS)) : undefined;
  }

  function take(item: T): boolean {
    const place = all.findIndex((each) => each.item === item);
    if (place >= 0) all.splice(place, 1);
    return place >= 0;
  }

  function ring(): void {
    const now = performance.now();
    for (const { item, time } of [...all]) if (time <= now && take(item)) expire(item);
    setAlarm(all.reduce((earliest, { time }) => Math.min(earliest, time), Number.POSITIVE_INFINITY));
  }

  return {
    set(item, time) {
      take(item);
      all.push({ item, time });
      if (time < alarmAt) setAlarm(time);
      else alarm?.ref();
    },
    remove(item) {
      // The alarm stays, for the next one to come is mostly later; to ring once for nothing costs less.
      if (take(item) && all.length === 0) alarm?.unref();
    },
  };
}
