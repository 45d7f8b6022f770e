/**
 * Whether a server that says nothing is still there. It says nothing until somebody wants something, and a TCPServer
 * plug-in that is switched off leaves its connections open; so a quiet one is asked for a sign of life.
 */

/** A server that has said nothing for so long is asked, in ms. */
const QUIET_MS = 5000;

/**
 * The first time it is asked so soon, in ms: with the first tick, when the settings are told. The answer tells that it has
 * read the type word, and until then the end of a killed daemon would hang it.
 */
const FIRST_MS = 200;

/** It has so long to give it, in ms: it reads a message in 0.2 s, and may have some before this one. */
const SIGN_MS = 10_000;

export interface Signs {
  /** Something came from the server. */
  heard(): void;
  /** Whether anything ever did. */
  readonly ever: boolean;
  /** `ask`: say so now; given once each time. */
  look(): 'fine' | 'ask' | 'silent';
}

/** @param now Milliseconds of a clock that never goes back. */
export function openSigns(now: () => number): Signs {
  let ever = false;
  let heardAt = now() - QUIET_MS + FIRST_MS;
  let askedAt: number | undefined;
  return {
    heard() {
      ever = true;
      heardAt = now();
      askedAt = undefined;
    },
    get ever() {
      return ever;
    },
    look() {
      const time = now();
      if (askedAt !== undefined) return time - askedAt >= SIGN_MS ? 'silent' : 'fine';
      if (time - heardAt < QUIET_MS) return 'fine';
      askedAt = time;
      return 'ask';
    },
  };
}
