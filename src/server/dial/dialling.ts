/** All servers that are dialled: one device a server, and never two connections to one. */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { Refusal } from '../../errors.ts';
import type { Instrument } from '../../fpga/instrument/instrument.ts';
import type { Pauses } from '../back-off.ts';
import type { SharedTraces } from '../listen.ts';
import { type Dialler, startDialler } from './dialler.ts';
import { type DialTarget, findDevice, MAX_SERVERS, parseServer, parseTarget, serverName } from './target.ts';

/** As `status` tells it. */
export interface DialledServer {
  readonly server: string;
  readonly device: string;
  readonly state: string;
}

export interface Dialling {
  /** @throws Refusal: no such device, no such form, or the server is dialled already */
  dial(server: string, device: string): DialledServer;
  /** Says goodbye to the server, and tries it no more. @throws Refusal: it is not dialled */
  hangUp(server: string): Promise<DialledServer>;
  /** Those of the configuration. One that cannot be is told in the log. */
  dialAll(targets: readonly DialTarget[]): void;
  list(): readonly DialledServer[];
  close(): Promise<void>;
}

export interface DiallingOptions {
  readonly traces: SharedTraces;
  /** Whether an address is in a network that may be spoken to. */
  readonly allowed: (address: string) => boolean;
  readonly maxQueuedBytes: number;
  /** See DiallerOptions. */
  readonly resetOnDeath?: (socket: Socket) => void;
  /** Between tries, in ms; for tests. */
  readonly pauses?: Pauses;
}

/** Dials nobody yet. */
export function openDialling(instrument: Instrument, log: Logger, options: DiallingOptions): Dialling {
  const { allowed, traces, ...more } = options;
  const diallers = new Map<string, Dialler>();

  function add(target: DialTarget): Dialler {
    const name = serverName(target);
    const known = diallers.get(name);
    if (known) {
      throw new Refusal(
        `${name} is dialled already, with ${known.target.device}; a TCPServer plug-in takes one instrument, and another needs another plug-in with a port of its own; nothing was changed.`,
      );
    }
    if (diallers.size >= MAX_SERVERS) {
      throw new Refusal(`${MAX_SERVERS} servers are dialled, and no more can be; nothing was changed.`);
    }
    const device = findDevice(instrument, target.device);
    const dialler = startDialler({ ...more, ...traces, instrument, target, device, log, refuse });
    diallers.set(name, dialler);
    return dialler;
  }

  function refuse(address: string, self: Dialler): string | undefined {
    if (!allowed(address)) {
      return `${address} is in no network of this board; to allow it: allowed_networks: ['${address}']`;
    }
    const { port } = self.target;
    const other = [...diallers.values()].find(
      (one) => one !== self && one.address === address && one.target.port === port,
    );
    return other && `it is ${serverName(other.target)}, which is dialled already with ${other.target.device}`;
  }

  function told(dialler: Dialler): DialledServer {
    return { server: serverName(dialler.target), device: dialler.target.device, state: dialler.state };
  }

  return {
    dial(server, device) {
      const target = parseTarget(`${device}@${server}`);
      if (target) return told(add(target));
      throw new Refusal(
        `A server is HOST or HOST:PORT and a device scope or asg0.frequency, not ${JSON.stringify(`${device} at ${server}`.slice(0, 80))}; nothing was changed.`,
      );
    },
    async hangUp(server) {
      const where = parseServer(server);
      const name = where && serverName(where);
      const dialler = name === undefined ? undefined : diallers.get(name);
      if (!dialler || name === undefined) {
        const there = [...diallers.keys()].join(', ') || 'none is';
        throw new Refusal(`${JSON.stringify(server.slice(0, 80))} is not dialled (${there}); nothing was changed.`);
      }
      await dialler.hangUp();
      diallers.delete(name);
      return { ...told(dialler), state: 'hung up' };
    },
    dialAll(targets) {
      for (const target of targets) {
        try {
          add(target);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          log.error({ dial: `${target.device}@${serverName(target)}` }, error.message);
        }
      }
    },
    list: () => [...diallers.values()].map(told),
    async close() {
      await Promise.all([...diallers.values()].map((dialler) => dialler.hangUp()));
      diallers.clear();
    },
  };
}
