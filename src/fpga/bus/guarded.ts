/** A register bus that can be forbidden: from then on every access is refused with the reason, and nothing is touched. */
import { BusError } from '../../errors.ts';
import type { RegisterBus } from './bus.ts';

export interface GuardedBus extends RegisterBus {
  /** For good: what is forbidden stays so until the process ends. The first reason counts. */
  forbid(sentence: string): void;
  /** Why no access is allowed any more; undefined: it is. */
  readonly forbidden: string | undefined;
}

export function guarded(bus: RegisterBus): GuardedBus {
  let forbidden: string | undefined;

  // Without another turn of the event loop an access, which polls would feel.
  function allowed<T>(access: () => Promise<T>): Promise<T> {
    return forbidden === undefined ? access() : Promise.reject(new BusError(forbidden));
  }

  return {
    name: bus.name,
    get traffic() {
      return bus.traffic;
    },
    get forbidden() {
      return forbidden;
    },
    forbid(sentence) {
      forbidden ??= sentence;
    },
    read: (address) => allowed(() => bus.read(address)),
    write: (address, value) => allowed(() => bus.write(address, value)),
    readBlock: (address, words, into) => allowed(() => bus.readBlock(address, words, into)),
    writeBlock: (address, values) => allowed(() => bus.writeBlock(address, values)),
    close: () => bus.close(),
  };
}
