/** Who may connect to a door: what all listening doors have in common. */
import { once } from 'node:events';
import { BlockList, isIPv6, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import type { Address } from '../address.ts';
import { PitayadError } from '../errors.ts';

/** A refusal that repeats itself within this time is only counted, in ms. */
const REFUSAL_MS = 60_000;

/** Hosts whose refusals are remembered. */
const MAX_REFUSED = 1000;

export interface AdmissionOptions {
  /** Networks that may connect besides the usual ones. */
  readonly allowedNetworks: readonly string[];
  readonly maxClients: number;
  /** So many of them from one host, so that no computer can keep the others out. Default: all. */
  readonly maxClientsPerHost?: number;
}

/** Where a connection comes from. */
export interface Caller {
  /** Its address alone. */
  readonly host: string;
  /** `192.0.2.7:51234` */
  readonly peer: string;
}

/**
 * Judges connections. One that may not be is told in the log, once a minute for each host and reason, and reset.
 * @param hosts those of the connections that there are at the moment, one for each
 */
export function openAdmission(
  { allowedNetworks, maxClients, maxClientsPerHost = maxClients }: AdmissionOptions,
  hosts: () => Iterable<string>,
  log: Logger,
): (socket: Socket) => Caller | undefined {
  const refusals = new Map<string, { readonly at: number; again: number }>();
  const allowed = allowedPeers(allowedNetworks);

  /** Why nobody else of the host may connect now. */
  function refusalOf(host: string): [reason: string, facts?: Record<string, unknown>] | undefined {
    if (!allowed(host)) {
      return [`refused: ${host} is in no network of this board; to allow it: allowed_networks: ['${host}']`];
    }
    const there = [...hosts()];
    if (there.length >= maxClients) {
      return ['too many clients; the connection is refused', { max_clients: maxClients }];
    }
    if (there.filter((one) => one === host).length < maxClientsPerHost) return undefined;
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

  return (socket) => {
    socket.on('error', () => {
      // What follows is 'close'; a peer that goes is no event but that.
    });
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined) {
      socket.destroy();
      return undefined;
    }
    const host = remoteAddress.replace(/^::ffff:/, '');
    const refusal = refusalOf(host);
    if (refusal) {
      refuse(host, ...refusal);
      socket.resetAndDestroy();
      return undefined;
    }
    return { host, peer: isIPv6(host) ? `[${host}]:${remotePort}` : `${host}:${remotePort}` };
  };
}

/**
 * Binds to the wanted address; without one, to the port of every interface, over IPv4 alone where there is no IPv6.
 * @param option The one that would take another address, for the sentence.
 * @throws PitayadError if the port is in use or the address is not of this machine
 */
export async function bind(
  server: Server,
  wanted: Address | undefined,
  usual: { readonly port: number; readonly option: string },
): Promise<void> {
  const tries = wanted
    ? [wanted]
    : [
        { host: '::', port: usual.port },
        { host: '0.0.0.0', port: usual.port },
      ];
  for (const [k, { host, port }] of tries.entries()) {
    try {
      server.listen({ host, port });
      await once(server, 'listening');
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if ((code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL') && k + 1 < tries.length) continue;
      throw new PitayadError(sentenceOf(code, { host, port }, usual.option, error), { cause: error });
    }
  }
}

function sentenceOf(code: unknown, { host, port }: Address, option: string, error: unknown): string {
  const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return `Port ${port} is in use (${where}): is another pitayad running? ${option} HOST:PORT takes another one.`;
  }
  if (code === 'EACCES') return `This user may not listen on port ${port}; ports from 1024 on are free for all.`;
  if (code === 'EADDRNOTAVAIL')
    return `${host} is no address of this machine; ${option} 0.0.0.0:${port} takes all that it has.`;
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
