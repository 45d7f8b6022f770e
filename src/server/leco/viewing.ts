/**
 * What a director of a viewer gets: a measurement for each snap, and one after the other while it grabs. Two may be on
 * their way, the next one is begun when the director has acknowledged one of them: nothing queues up anywhere, and after the
 * end of a grab nothing comes any more.
 */
import { LONGEST_TIMEOUT } from '../../fpga/instrument/grab-options.ts';
import type { SharedMessage } from '../data.ts';
import type { Viewed } from '../dial/data.ts';
import { createBufferPool } from '../wire/buffers.ts';
import { encode } from '../wire/encode.ts';
import { str } from '../wire/values.ts';
import type { Outcome } from './asking.ts';

/** Frames on their way to one director: the second is measured and sent while the first is read. */
const IN_FLIGHT = 2;

/** Snaps that may wait; a director that averages asks for that many at once. */
const MAX_OWED = 1000;

/** After a grab that was refused, or a frame that did not arrive, the next is tried so much later, in ms. */
const AGAIN_MS = 1000;

/** A director that has not acknowledged so many frames in a row, AGAIN_MS apart, is not there any more. */
const MAX_LOST = 5;

/**
 * A director acknowledges a frame before its window has drawn it: more than this, in bytes a second, no window draws, and
 * what is shown would be ever older. 50 whole traces a second; of 2 x 512 points more than any director takes.
 */
const BYTES_PER_SECOND = 20e6;

/** Bytes before the data in what the doors share: the word `Done`, and the length of what follows it. */
const AHEAD = encode('v5', [str('Done')]).length + 4;

/** For frames on their way to any director; so many bytes are kept for the next ones. */
const pool = createBufferPool(2 ** 21);

export interface ViewingOptions {
  /** Measures once. @throws Refusal, BusError */
  grab(fields: Readonly<Record<string, unknown>>): Promise<SharedMessage>;
  /** Ends what this director has under way. */
  withdraw(): void;
  /** Sends one measurement, serialised; gives what the director said to it. */
  deliver(dataToExport: Uint8Array, sent: () => void): Promise<Outcome>;
  readonly viewed: Viewed;
  /** Of the trace that is wanted. */
  part(): { readonly points?: number };
  refused(command: string, error: unknown): void;
  /** The director does not answer any more. */
  gone(): void;
  /** There is a way to the director. */
  readonly connected: () => boolean;
  readonly now: () => number;
  /** Calls back later. */
  after(ms: number, call: () => void): void;
}

export interface Viewing {
  /** Too many snaps wait. */
  readonly full: boolean;
  /** One more. */
  snap(): void;
  /** On and on; again while it does: no difference. */
  start(): void;
  stop(): void;
  tick(): void;
  end(): void;
}

export function openViewing(options: ViewingOptions): Viewing {
  const { viewed, now } = options;
  let owed = 0;
  let streaming = false;
  /** A measurement is under way. */
  let measuring = false;
  /** Frames that are not acknowledged yet. */
  let flying = 0;
  let lost = 0;
  let notBefore = 0;

  function push(): void {
    if (measuring || flying >= IN_FLIGHT || !wanted() || !options.connected()) return;
    if (owed === 0 && now() < notBefore) return;
    measuring = true;
    void measure().finally(() => {
      measuring = false;
      push();
    });
  }

  async function measure(): Promise<void> {
    const ready = await measured();
    if (!ready) return;
    if (!wanted()) {
      ready.sent();
      return;
    }
    const snapped = owed > 0;
    if (snapped) owed--;
    void send(ready);
    if (!snapped) await paced(lengthOf(ready.parts), options.after);
  }

  /** undefined: it was refused, and what that takes is done. */
  async function measured(): Promise<SharedMessage | undefined> {
    const forSnap = owed > 0;
    try {
      // A trigger may be long in coming, and there is no time-out in the director either.
      return await options.grab({ timeout: LONGEST_TIMEOUT, ...options.part() });
    } catch (error) {
      if (!wanted()) return undefined;
      options.refused(forSnap ? 'send_data_snap' : 'send_data_grab', error);
      if (owed === 0) {
        notBefore = now() + AGAIN_MS;
        return undefined;
      }
      const absence = encode('v5', [str('Done'), viewed.absence(Date.now() / 1e3)]);
      return { parts: [absence], sent: () => undefined };
    }
  }

  async function send(ready: SharedMessage): Promise<void> {
    flying++;
    const { bytes, sent } = inOnePiece(ready);
    const { what } = await options.deliver(bytes.subarray(AHEAD), sent);
    flying--;
    if (what === 'result') {
      lost = 0;
    } else {
      notBefore = now() + AGAIN_MS;
      if (++lost >= MAX_LOST && options.connected()) {
        end();
        options.gone();
      }
    }
    push();
  }

  const wanted = (): boolean => owed > 0 || streaming;

  function end(): void {
    owed = 0;
    streaming = false;
    options.withdraw();
  }

  return {
    get full() {
      return owed >= MAX_OWED;
    },
    snap() {
      // A snap ends a grab that goes on, as in PyMoDAQ's own.
      streaming = false;
      owed++;
      push();
    },
    start() {
      streaming = true;
      notBefore = 0;
      push();
    },
    stop() {
      streaming = false;
      if (owed === 0 && measuring) options.withdraw();
    },
    tick: push,
    end,
  };
}

/** A copy, since a frame of ZeroMQ is one piece of memory. */
function inOnePiece({ parts, sent }: SharedMessage): { readonly bytes: Uint8Array; readonly sent: () => void } {
  const bytes = pool.take(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  sent();
  return { bytes, sent: () => pool.give(bytes) };
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Until the frame after one of so many bytes may leave; of a short one the acknowledgement takes longer. */
function paced(length: number, after: ViewingOptions['after']): Promise<void> | undefined {
  const ms = (length / BYTES_PER_SECOND) * 1000;
  return ms < 1 ? undefined : new Promise((resolve) => after(ms, resolve));
}
