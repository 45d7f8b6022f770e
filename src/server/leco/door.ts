/** The LECO door: a Coordinator of this board's own, with its actors signed in. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Address } from '../../address.ts';
import type { Instrument } from '../../fpga/instrument/instrument.ts';
import { type AdmissionOptions, bind, type Caller, openAdmission } from '../admission.ts';
import type { Door, SharedTraces } from '../listen.ts';
import { type LecoPeer, openCoordinator } from './coordinator.ts';
import { devicesOf } from './devices.ts';
import { type Link, openLink } from './link.ts';
import { openStation } from './station.ts';

/** LECO's port. */
export const LECO_PORT = 12300;

/** How often time-outs are looked at, in ms. */
const TICK_MS = 250;

export interface LecoDoorOptions extends AdmissionOptions {
  /** Default: LECO's port of every interface, over IPv6 and IPv4. */
  readonly listen: Address | undefined;
  readonly maxMessageBytes: number;
  readonly maxQueuedBytes: number;
  readonly traces: SharedTraces;
  /** Of a message, in ms; for tests. */
  readonly messageMs?: number;
}

export interface LecoDoor extends Door {
  /** Who is signed in, besides the board's own actors. */
  guests(): readonly string[];
}

/** A name of LECO that this host is known by: up to the first dot. */
export function namespaceOf(hostname: string): string {
  return hostname.split('.')[0]?.replace(/\p{C}/gu, '') || 'board';
}

/** @throws PitayadError if the port is in use or the address is not of this machine */
export async function openLecoDoor(instrument: Instrument, log: Logger, options: LecoDoorOptions): Promise<LecoDoor> {
  const { maxMessageBytes, maxQueuedBytes, traces, messageMs } = options;
  const { hostname, version } = instrument.identity;
  const clients = new Set<{ readonly host: string; readonly link: Link }>();
  const hosts = new Map<LecoPeer, string>();
  const judge = openAdmission(options, () => [...clients].map(({ host }) => host), log);

  const coordinator = openCoordinator({
    namespace: namespaceOf(hostname),
    address: () => `${hostname}:${port}`,
    version,
    log,
    forgotten: (name) => station.forget(name),
  });
  const board: LecoPeer = { peer: 'this board', lasting: true, send: (message) => station.receive(message) };
  const station = openStation({
    instrument,
    devices: devicesOf(instrument.modules),
    log,
    traces,
    lasting: true,
    send: (message) => coordinator.receive(board, message),
    hostOf(director) {
      const peer = coordinator.peerOf(director);
      return peer && hosts.get(peer);
    },
  });

  function accept(socket: Socket): void {
    const caller = judge(socket);
    if (caller) serve(socket, caller);
  }

  function serve(socket: Socket, { host, peer }: Caller): void {
    const peerLog = log.child({ leco: peer });
    const link = openLink(socket, {
      socketType: 'ROUTER',
      maxMessageBytes,
      maxQueuedBytes,
      log: peerLog,
      ...(messageMs === undefined ? {} : { messageMs }),
      ready: () => peerLog.info('connected'),
      receive: (message) => coordinator.receive(self, message),
      gone(why) {
        clients.delete(client);
        hosts.delete(self);
        coordinator.leave(self);
        if (why === undefined) peerLog.info('disconnected');
        else peerLog.warn({ reason: why }, 'dropped');
      },
    });
    const self: LecoPeer = { peer, send: (message) => link.send(message) };
    const client = { host, link };
    clients.add(client);
    hosts.set(self, host);
  }

  const server = createServer({ allowHalfOpen: true }, accept);
  await bind(server, options.listen, { port: LECO_PORT, option: '--leco' });
  server.on('error', (error) => log.error({ err: error }, 'the LECO door has a fault'));
  const { address, port } = server.address() as AddressInfo;
  station.connect();
  const ticking = setInterval(() => {
    station.tick();
    coordinator.tick();
  }, TICK_MS).unref();

  return {
    address,
    port,
    guests: () => coordinator.names.filter((name) => coordinator.peerOf(name) !== board),
    async close() {
      clearInterval(ticking);
      await station.close();
      const closed = once(server, 'close');
      server.close();
      for (const { link } of clients) link.reset();
      await closed;
    },
  };
}
