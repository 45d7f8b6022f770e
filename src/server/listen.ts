/**
 * The listening door: TCP connections, each with a session of its own. A thin transport: it judges who may connect, how
 * long a message may take and how much may be queued, never what is said. One client's fault does not reach another.
 */
import { once } from 'node:events';
import { type AddressInfo, BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import type { Address } from '../config.ts';
import { PitayadError } from '../errors.ts';
import type { Instrument } from '../fpga/instrument/instrument.ts';
import { clientJournal } from '../log.ts';
import { type TraceEncoder, traceEncoder } from './data.ts';
import type { Dialling } from './dial/dialling.ts';
import { openSession } from './session.ts';
import { turns } from './turns.ts';
import { createBufferPool } from './wire/buffers.ts';

/** A message that has begun must be whole within this time, in ms; so must the type word after connecting. */
const MESSAGE_MS = 30_000;

/** Buffers of traces that are kept for the next one. */
const POOL_BYTES = 8 * 2 ** 20;

/** How often clients are summed up in the log, if their minute is over, in ms. */
const TICK_MS = 1000;

/** How long a closing connection may still take what was sent to it, in ms. */
const LINGER_MS = 1000;

/** A refusal that repeats itself within this time is only counted, in ms. */
const REFUSAL_MS = 60_000;

/** Hosts whose refusals are remembered. */
const MAX_REFUSED = 1000;

export interface ListenOptions {
  /** Default: this port of every interface, over IPv6 and IPv4. */
  readonly listen: Address | undefined;
  readonly maxClients: number;
  /** So many of them from one host, so that no computer can keep the others out. Default: all. */
  readonly maxClientsPerHost?: number;
  readonly maxMessageBytes: number;
  readonly maxQueuedBytes: number;
  /** Networks that may connect besides the usual ones. */
  readonly allowedNetworks: readonly string[];
  /** Of a message, in ms; for tests. */
  readonly messageMs?: number;
  /** Makes bytes of traces, also for other doors; by default for this one alone. */
  readonly traces?: SharedTraces;
  /** Servers that the board connects to. */
  readonly dialling?: Dialling;
}

/** What doors that send the same traces have in common. */
export interface SharedTraces {
  readonly encodeTrace: TraceEncoder;
  readonly turn: () => Promise<void>;
}

export function sharedTraces(): SharedTraces {
  return { encodeTrace: traceEncoder(createBufferPool(POOL_BYTES)), turn: turns() };
}

export interface Door {
  /** Where it really listens. */
  readonly address: string;
  readonly port: number;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** PyMoDAQ's port. */
export const PYMODAQ_PORT = 6341;

/**
 * @throws PitayadError if the port is in use or the address is not of this machine
 */
export async function listen(instrument: Instrument, log: Logger, options: ListenOptions): Promise<Door> {
  const { maxClients, maxClientsPerHost = maxClients, maxMessageBytes, maxQueuedBytes } = options;
  const { messageMs = MESSAGE_MS } = options;
  const { encodeTrace, turn } = options.traces ?? sharedTraces();
  const clients = new Set<{ readonly socket: Socket; readonly host: string; tick(): void }>();
  const refusals = new Map<string, { readonly at: number; again: number }>();
  const allowed = allowedPeers(options.allowedNetworks);

  function accept(socket: Socket): void {
    socket.on('error', () => {
      // What follows is 'close'; a peer that goes is no event but that.
    });
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const host = remoteAddress.replace(/^::ffff:/, '');
    const refusal = refusalOf(host);
    if (refusal) {
      refuse(host, ...refusal);
      socket.resetAndDestroy();
      return;
    }
    const peer = isIPv6(host) ? `[${host}]:${remotePort}` : `${host}:${remotePort}`;
    serve(socket, peer, host);
  }

  /** Why nobody else of the host may connect now. */
  function refusalOf(host: string): [reason: string, facts?: Record<string, unknown>] | undefined {
    if (!allowed(host)) {
      return [`refused: ${host} is in no network of this board; to allow it: allowed_networks: ['${host}']`];
    }
    if (clients.size >= maxClients) {
      return ['too many clients; the connection is refused', { max_clients: maxClients }];
    }
    if ([...clients].filter((client) => client.host === host).length < maxClientsPerHost) return undefined;
    return ['too many clients of one host; the connection is refused', { max_clients_per_host: maxClientsPerHost }];
  }

  /** In the log once a minute for each host and reason, with how often it was refused since the line before. */
  function refuse(host: string, reason: string, facts: Readonly<Record<string, unknown>> = {}): void {
    const key = `${host} ${reason}`;
    const now = performance.now();
    const before = refusals.get(key);
    if (before && now - before.at < REFUSAL_MS) {
      before.again++;
      return;
    }
    if (refusals.size >= MAX_REFUSED) refusals.clear();
    refusals.set(key, { at: now, again: 0 });
    log.warn({ host, ...facts, ...(before?.again ? { refused_before: before.again } : {}) }, reason);
  }

  function serve(socket: Socket, peer: string, host: string): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const clientLog = log.child({ client: peer });
    const journal = clientJournal(clientLog);
    let deadline: NodeJS.Timeout | undefined;
    /** Number of the message that the deadline is for. */
    let due: number | undefined;
    const session = openSession({
      instrument,
      peer,
      owner: host,
      log: clientLog,
      journal,
      encodeTrace,
      turn,
      limits: { messageBytes: maxMessageBytes, waitingBytes: maxMessageBytes + 2 ** 20 },
      facts: () => ({ clients: clients.size }),
      ...(options.dialling ? { dialling: options.dialling } : {}),
      outlet: { send, close },
    });

    function send(parts: readonly Uint8Array[], sent?: () => void): void {
      if (socket.destroyed || socket.writableEnded) {
        sent?.();
        return;
      }
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      if (socket.writableLength > 0 && socket.writableLength + bytes > maxQueuedBytes) {
        clientLog.warn({ queued: socket.writableLength }, 'does not read what it is sent; dropped');
        sent?.();
        socket.resetAndDestroy();
        return;
      }
      if (parts.length > 1) socket.cork();
      for (const [k, part] of parts.entries()) socket.write(part, k === 0 ? sent : undefined);
      if (parts.length > 1) socket.uncork();
    }

    function close(how: 'end' | 'reset'): void {
      clearTimeout(deadline);
      if (how === 'reset') {
        socket.resetAndDestroy();
        return;
      }
      socket.end();
      // What still comes is not read; a peer that does not close in turn is cut off.
      socket.removeAllListeners('data').resume();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    }

    /** A message that has begun has a deadline, however its bytes trickle in. */
    function watch(): void {
      const { unfinished } = session;
      if (unfinished === due) return;
      due = unfinished;
      clearTimeout(deadline);
      if (due === undefined) return;
      deadline = setTimeout(
        () =>
          session.fail(
            `A message that was begun did not come whole within ${messageMs / 1000} s, and the connection is closed; nothing was changed.`,
          ),
        messageMs,
      ).unref();
    }

    session.onRelief(() => {
      if (socket.isPaused() && !session.full) socket.resume();
      watch();
    });
    socket.on('data', (chunk: Buffer) => {
      session.receive(chunk);
      if (session.full) socket.pause();
      watch();
    });
    socket.on('end', () => socket.end());
    socket.once('close', () => {
      clearTimeout(deadline);
      clients.delete(entry);
      session.end();
      journal.close();
    });
    const entry = { socket, host, tick: () => journal.tick() };
    clients.add(entry);
    watch();
  }

  const server = createServer({ allowHalfOpen: true }, accept);
  await bind(server, options.listen);
  server.on('error', (error) => log.error({ err: error }, 'the listening door has a fault'));
  const ticking = setInterval(() => {
    for (const client of clients) client.tick();
  }, TICK_MS).unref();

  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    async close() {
      clearInterval(ticking);
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of clients) socket.resetAndDestroy();
      await closed;
    },
  };
}

/** Binds to the wanted address; without one, to every interface, over IPv4 alone where there is no IPv6. */
async function bind(server: Server, wanted: Address | undefined): Promise<void> {
  const tries = wanted
    ? [wanted]
    : [
        { host: '::', port: PYMODAQ_PORT },
        { host: '0.0.0.0', port: PYMODAQ_PORT },
      ];
  for (const [k, { host, port }] of tries.entries()) {
    try {
      server.listen({ host, port });
      await once(server, 'listening');
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if ((code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL') && k + 1 < tries.length) continue;
      throw new PitayadError(sentenceOf(code, host, port, error), { cause: error });
    }
  }
}

function sentenceOf(code: unknown, host: string, port: number, error: unknown): string {
  const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return `Port ${port} is in use (${where}): is another pitayad running? --listen HOST:PORT takes another one.`;
  }
  if (code === 'EACCES') return `This user may not listen on port ${port}; ports from 1024 on are free for all.`;
  if (code === 'EADDRNOTAVAIL')
    return `${host} is no address of this machine; --listen 0.0.0.0:${port} takes all that it has.`;
  return `Cannot listen on ${where}: ${error instanceof Error ? error.message : error}.`;
}

/** Loopback, link-local and private addresses, and the networks of the board's own interfaces as they are at the moment. */
export function allowedPeers(
  more: readonly string[],
  interfaces: typeof networkInterfaces = networkInterfaces,
): (host: string) => boolean {
  const fixed = new BlockList();
  const usual = [
    '127.0.0.0/8',
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '169.254.0.0/16',
    '::1/128',
    'fe80::/10',
    'fc00::/7',
  ];
  for (const network of [...usual, ...more]) addNetwork(fixed, network);
  return (host) => {
    const bare = host.replace(/%.*$/, '');
    const family = isIPv6(bare) ? 'ipv6' : 'ipv4';
    if (fixed.check(bare, family)) return true;
    const own = new BlockList();
    for (const cidr of ownNetworks(interfaces)) addNetwork(own, cidr);
    return own.check(bare, family);
  };
}

/** None where the system does not let us look. */
function ownNetworks(interfaces: typeof networkInterfaces): string[] {
  try {
    return Object.values(interfaces()).flatMap((each) => each?.flatMap(({ cidr }) => cidr ?? []) ?? []);
  } catch {
    return [];
  }
}

function addNetwork(list: BlockList, network: string): void {
  const [host = '', prefix] = network.split('/');
  const family = isIPv6(host) ? 'ipv6' : 'ipv4';
  if (prefix === undefined) list.addAddress(host, family);
  else list.addSubnet(host, Number(prefix), family);
}
