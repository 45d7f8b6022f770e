/**
 * A few things, in the order in which they came. As a Set, for what comes and goes all the time: the tables that a Set
 * or Map leaves behind refer to those that follow, so that once one of them is old, all that was ever in it stays in
 * memory until the whole heap is looked through. Finding one takes the longer the more there are: meant for tens.
 *
 * A class, for one is made with each trace: its getter is then defined once, and not each time.
 */
export class Bag<T> implements Iterable<T> {
  readonly #all: T[];

  constructor(items: readonly T[] = []) {
    this.#all = [...items];
  }

  get size(): number {
    return this.#all.length;
  }

  has(item: T): boolean {
    return this.#all.includes(item);
  }

  add(item: T): void {
    if (!this.#all.includes(item)) this.#all.push(item);
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    const place = this.#all.indexOf(item);
    if (place >= 0) this.#all.splice(place, 1);
    return place >= 0;
  }

  /** Empties it; gives what was there. */
  takeAll(): T[] {
    return this.#all.splice(0);
  }

  /** Whoever goes through it may add and delete meanwhile. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#all.slice().values();
  }
}
