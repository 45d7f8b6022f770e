/**
 * What a server is to be told unasked: settings that changed, and why something was refused. A stock server takes one
 * message in 0.2 s, of whatever kind, so that news are told one at a time and the newest of each alone.
 */
import type { WireValue } from '../wire/values.ts';

/** For a server that takes five messages a second. */
const MANY = 4;

export type DueNews =
  | { readonly what: 'reason'; readonly sentence: string }
  | { readonly what: 'change'; readonly payload: readonly WireValue[] }
  | { readonly what: 'tree' };

export interface News {
  changed(parameter: string, payload: readonly WireValue[]): void;
  /** The server was told this one already. */
  told(parameter: string): void;
  reason(sentence: string): void;
  /** The next to tell. */
  next(): DueNews | undefined;
}

/** @param many More changes than these at once are told by the whole tree. */
export function openNews(many: number = MANY): News {
  const changes = new Map<string, readonly WireValue[]>();
  let reason: string | undefined;
  let last: string | undefined;

  return {
    changed(parameter, payload) {
      changes.delete(parameter);
      changes.set(parameter, payload);
    },
    told(parameter) {
      changes.delete(parameter);
    },
    reason(sentence) {
      if (sentence !== last) reason = sentence;
      last = sentence;
    },
    next() {
      if (reason !== undefined) {
        const sentence = reason;
        reason = undefined;
        return { what: 'reason', sentence };
      }
      if (changes.size > many) {
        changes.clear();
        return { what: 'tree' };
      }
      for (const [parameter, payload] of changes) {
        changes.delete(parameter);
        return { what: 'change', payload };
      }
      return undefined;
    },
  };
}
