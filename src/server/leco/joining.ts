/**
 * Joins a Coordinator elsewhere: one connection, as a DEALER, on which all actors of the board sign in. Comes back by itself,
 * for as long as it is wanted.
 */

import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { connect, isIPv6, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Address } from '../../address.ts';
import type { BoardIdentity, Instrument } from '../../fpga/instrument/instrument.ts';
import { backOff, type Pauses } from '../back-off.ts';
import type { SharedTraces } from '../listen.ts';
import { whyLost } from '../why-lost.ts';
import { devicesOf } from './devices.ts';
import { namespaceOf } from './door.ts';
import { type Link, openLink } from './link.ts';
import { openStation } from './station.ts';

/** How often time-outs are looked at, in ms. */
const TICK_MS = 250;

/** How long signing out may take at the end, in ms. */
const GOODBYE_MS = 500;

const WHY_LOST = {
  refused: 'nobody listens there: is the Coordinator running?',
  reset: 'the Coordinator reset the connection',
};

export interface JoinOptions {
  readonly coordinator: Address;
  /** Whether an address is in a network that may be spoken to. */
  readonly allowed: (address: string) => boolean;
  readonly maxMessageBytes: number;
  readonly maxQueuedBytes: number;
  readonly traces: SharedTraces;
  /** Told to the Coordinator; see `identityOf`. */
  readonly identity: Uint8Array;
  /** In place of 1 s and 15 s, for tests; in ms. */
  readonly pauses?: Pauses;
}

export interface Joined {
  /** What goes on, in words. */
  readonly state: string;
  /** Signs out, and comes back no more. */
  close(): Promise<void>;
}

export function joinCoordinator(instrument: Instrument, log: Logger, options: JoinOptions): Joined {
  const { coordinator, traces, allowed, maxMessageBytes, maxQueuedBytes } = options;
  const { host, port } = coordinator;
  const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  const joinLog = log.child({ coordinator: where });
  const prefix = namespaceOf(instrument.identity.hostname);
  // Several boards may be in one Coordinator, whose namespace is not theirs.
  const devices = devicesOf(instrument.modules).map((device) => ({ ...device, name: `${prefix}_${device.name}` }));
  let link: Link | undefined;
  let socket: Socket | undefined;
  let wanted = true;
  let state = 'not tried yet';

  const station = openStation({
    instrument,
    devices,
    log: joinLog,
    traces,
    send(message) {
      if (link) link.send(message);
      else message.sent?.();
    },
  });
  const tries = backOff(joinLog, () => void attempt(), options.pauses);
  const ticking = setInterval(() => station.tick(), TICK_MS).unref();

  async function attempt(): Promise<void> {
    const reason = await connection();
    link = undefined;
    socket = undefined;
    station.disconnect();
    if (wanted) state = tries.again(reason);
  }

  /** One connection from beginning to end; gives why there is none any more. */
  async function connection(): Promise<string> {
    let address: string;
    try {
      ({ address } = await lookup(host));
    } catch {
      return `there is no host ${host}`;
    }
    if (!allowed(address)) {
      return `${address} is in no network of this board; to allow it: allowed_networks: ['${address}']`;
    }
    if (!wanted) return 'not wanted any more';
    state = 'connecting';
    const open = connect({ host: address, port, noDelay: true });
    socket = open;
    let failure: string | undefined;
    open.on('error', (error: NodeJS.ErrnoException) => {
      failure = whyLost(error, WHY_LOST);
    });
    return new Promise((resolve) => {
      open.once('close', () => {
        if (!link) resolve(failure ?? 'the connection ended');
      });
      open.once('connect', () => {
        link = openLink(open, {
          socketType: 'DEALER',
          identity: options.identity,
          maxMessageBytes,
          maxQueuedBytes,
          log: joinLog,
          ready() {
            tries.connected();
            tries.proved();
            state = 'connected';
            joinLog.info('connected');
            station.connect();
          },
          receive: (message) => station.receive(message),
          gone: (why) => resolve(why ?? failure ?? 'the Coordinator ended the connection'),
        });
      });
    });
  }

  void attempt();
  return {
    get state() {
      return state === 'connected' ? `connected, ${station.signedIn} of ${devices.length} actors signed in` : state;
    },
    async close() {
      wanted = false;
      tries.stop();
      await Promise.race([station.close(), sleep(GOODBYE_MS, undefined, { ref: false })]);
      clearInterval(ticking);
      link?.end();
      if (!link) socket?.destroy();
    },
  };
}

/**
 * By this a Coordinator knows the board again after the daemon was started anew, and takes its names at once. It differs from one
 * boot to the next: after a power cut the old connection still looks open there, and its identity is taken.
 * @param port of another door: two daemons on one machine are two
 */
export function identityOf({ serial }: BoardIdentity, port: number): Uint8Array {
  return Buffer.from(`pitayad-${serial}-${port}-${bootId()}`.slice(0, 255));
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return randomUUID();
  }
}
