/** Sessions over a real instrument on plain registers, joined to peers by hand: no network. */
import type { Instrument } from '../../src/fpga/instrument/instrument.ts';
import type { OpenOptions } from '../../src/fpga/instrument/open.ts';
import { clientJournal } from '../../src/log.ts';
import { type TraceEncoder, traceEncoder } from '../../src/server/data.ts';
import { openDialling } from '../../src/server/dial/dialling.ts';
import { openSession, type Session, type SessionOptions } from '../../src/server/session.ts';
import type { Form } from '../../src/server/wire/values.ts';
import { silent, timed } from '../fpga/instrument/fixture.ts';
import type { TimedBus } from '../fpga/instrument/timed-bus.ts';
import { type Peer, peer } from './peer.ts';

export interface Joined {
  readonly peer: Peer;
  readonly session: Session;
  /** Pieces in which the session sent. */
  readonly sends: readonly (readonly Uint8Array[])[];
}

export interface Bench {
  readonly bus: TimedBus;
  readonly instrument: Instrument;
  readonly encodeTrace: TraceEncoder;
  /** A connected peer; `typeWord` '': it has not said its type. */
  join(form: Form, typeWord?: string, options?: Partial<SessionOptions>): Joined;
}

export async function bench(instrumentOptions: Partial<OpenOptions> = {}): Promise<Bench> {
  const { bus, instrument } = await timed(instrumentOptions);
  const encodeTrace = traceEncoder();
  let count = 0;
  // Nobody may be dialled, so that no test reaches a network.
  const dialling = openDialling(instrument, silent, {
    traces: { encodeTrace, turn: async () => undefined },
    allowed: () => false,
    maxQueuedBytes: 2 ** 20,
  });
  return {
    bus,
    instrument,
    encodeTrace,
    join(form, typeWord = 'GRABBER', options = {}) {
      const name = `192.0.2.${++count}`;
      const sends: (readonly Uint8Array[])[] = [];
      const other: Peer = peer(form, (bytes) => session.receive(bytes));
      const session = openSession({
        instrument,
        peer: `${name}:50000`,
        owner: name,
        log: silent,
        journal: clientJournal(silent),
        encodeTrace,
        dialling,
        outlet: {
          send(parts, sent) {
            sends.push(parts.map((part) => Uint8Array.from(part)));
            for (const part of parts) other.take(part);
            sent?.();
          },
          close: (how) => other.closed(how),
        },
        ...options,
      });
      if (typeWord !== '') other.say(typeWord);
      return { peer: other, session, sends };
    },
  };
}
