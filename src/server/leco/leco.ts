/** The board in LECO: a Coordinator of its own, one elsewhere that it joins, both or neither. */
import type { Logger } from 'pino';
import type { Address } from '../../address.ts';
import { PitayadError } from '../../errors.ts';
import type { Instrument } from '../../fpga/instrument/instrument.ts';
import { allowedPeers } from '../admission.ts';
import { type LecoDoor, type LecoDoorOptions, openLecoDoor } from './door.ts';
import { identityOf, joinCoordinator } from './joining.ts';

export interface LecoOptions extends LecoDoorOptions {
  /** A Coordinator of its own: `listen` says where. */
  readonly own: boolean;
  readonly coordinator: Address | undefined;
  /** Of the door for PyMoDAQ, which tells two daemons on one machine apart. */
  readonly port: number;
}

export interface Leco {
  readonly door: LecoDoor | undefined;
  /** For `status`. */
  facts(): Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

/** A door that cannot be opened is an error line; the others are open all the same. */
export async function openLeco(instrument: Instrument, log: Logger, options: LecoOptions): Promise<Leco> {
  const { own, coordinator, allowedNetworks, port } = options;
  const door = own ? await opened() : undefined;
  const joined =
    coordinator &&
    joinCoordinator(instrument, log, {
      ...options,
      coordinator,
      allowed: allowedPeers(allowedNetworks),
      identity: identityOf(instrument.identity, port),
    });

  async function opened(): Promise<LecoDoor | undefined> {
    try {
      return await openLecoDoor(instrument, log, options);
    } catch (error) {
      if (!(error instanceof PitayadError)) throw error;
      log.error(`the LECO door stays shut: ${error.message}`);
      return undefined;
    }
  }

  return {
    door,
    facts: () => ({
      ...(door ? { leco: { port: door.port, signed_in: door.guests() } } : {}),
      ...(joined ? { leco_coordinator: joined.state } : {}),
    }),
    async close() {
      await Promise.all([door?.close(), joined?.close()]);
    },
  };
}
