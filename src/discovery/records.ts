/** Judging and trimming of mDNS records, without any network. Records are in the notation of the package `dns-packet`. */
import { isIPv6 } from 'node:net';

export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  /** This record replaces all of that name and type that the reader knows (RFC 6762, 10.2). */
  readonly flush?: boolean;
  readonly data?: unknown;
}

/** A message as it comes from, or goes to, the network. */
export interface Packet {
  readonly answers: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** What we claim on a link. Names are whole: `pitayad on rp._pymodaq._tcp.local`, `rp.local`. */
export interface Claim {
  readonly instance: string;
  readonly target: string;
  readonly port: number;
}

export type Conflict = 'instance' | 'host';

/** Seconds that an address is kept by who has heard of it (RFC 6762, 10). */
const ADDRESS_TTL = 120;

/** Types of which there is one set a name, so that a new one replaces what was known. PTR is shared with other boards. */
const UNIQUE = new Set(['SRV', 'TXT', 'A', 'AAAA']);

/**
 * Whether an answer that came in says that somebody else has our names. Our own words come back to us by way of other
 * interfaces, and other programs of this machine (avahi, systemd-resolved) speak for its name with its addresses: that is
 * no conflict.
 */
export function conflictIn(
  { answers, additionals = [] }: Packet,
  claim: Claim,
  own: ReadonlySet<string>,
): Conflict | undefined {
  let conflict: Conflict | undefined;
  for (const { name, type, ttl = 0, data } of [...answers, ...additionals]) {
    if (ttl === 0) continue;
    if (type === 'SRV' && isSame(name, claim.instance) && !isOurs(data, claim)) return 'instance';
    if ((type === 'A' || type === 'AAAA') && isSame(name, claim.target) && !own.has(String(data))) conflict = 'host';
  }
  return conflict;
}

function isOurs(data: unknown, { target, port }: Claim): boolean {
  const { target: theirs, port: their } = (data ?? {}) as { target?: unknown; port?: unknown };
  return their === port && isSame(String(theirs), target);
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Address records of a name. */
export function addressRecords(target: string, addresses: readonly string[]): DnsRecord[] {
  return addresses.map((data) => ({ name: target, type: isIPv6(data) ? 'AAAA' : 'A', ttl: ADDRESS_TTL, data }));
}

/**
 * What may go out on a link of a message that would tell the addresses of all links: those of this link alone, given
 * with every SRV record. A goodbye (lifetime 0) takes back what is ours, the service, and neither the host's addresses
 * nor the type, which others may have too. undefined: nothing is left to say.
 */
export function trimmed(packet: Packet, { target }: Claim, addresses: readonly string[]): Packet | undefined {
  const reached = new Set(addresses);
  const keep = (record: DnsRecord): boolean => {
    if (record.ttl === 0 && record.name.startsWith('_services.')) return false;
    return !isAddress(record) || (record.ttl !== 0 && reached.has(String(record.data)));
  };
  const mark = (record: DnsRecord): DnsRecord => (UNIQUE.has(record.type) ? { ...record, flush: true } : record);
  const answers = packet.answers.filter(keep);
  if (answers.length === 0) return undefined;
  const additionals = (packet.additionals ?? []).filter(keep);
  const all = [...answers, ...additionals];
  if (all.some(({ type, ttl }) => type === 'SRV' && ttl !== 0)) {
    const told = new Set(all.filter(isAddress).map(({ data }) => data));
    additionals.push(
      ...addressRecords(
        target,
        addresses.filter((address) => !told.has(address)),
      ),
    );
  }
  return { answers: answers.map(mark), additionals: additionals.map(mark) };
}

function isAddress({ type }: DnsRecord): boolean {
  return type === 'A' || type === 'AAAA';
}
