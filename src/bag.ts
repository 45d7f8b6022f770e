/**
 * A few things, in the order in which they came. As a Set, for what comes and goes all the time: the tables that a Set
 * or Map leaves behind refer to those that follow, so that once one of them is old, all that was ever in it stays in
 * memory until the whole heap is looked through.
 */
export interface Bag<T> extends Iterable<T> {
  readonly size: number;
  has(item: T): boolean;
  add(item: T): void;
  /** Whether it was there. */
  delete(item: T): boolean;
  clear(): void;
}

/** Finding one takes the longer the more there are: meant for tens. */
export function bag<T>(items: Iterable<T> = []): Bag<T> {
  const all = [...items];
  return {
    get size() {
      return all.length;
    },
    has: (item) => all.includes(item),
    add(item) {
      if (!all.includes(item)) all.push(item);
    },
    delete(item) {
      const place = all.indexOf(item);
      if (place >= 0) all.splice(place, 1);
      return place >= 0;
    },
    clear() {
      all.length = 0;
    },
    // Whoever goes through it may add and delete meanwhile.
    [Symbol.iterator]: () => [...all][Symbol.iterator](),
  };
}
