/** On which network interfaces a listening port can be reached, and by which addresses. */
import { isIPv6 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** A network interface on which something is announced. */
export interface Link {
  /** `eth0`, `wlan0` … */
  readonly name: string;
  /** The IPv4 address that multicast is sent from. */
  readonly sender: string;
  /** Where the port is reached: IPv4 and IPv6, not empty. Link-local IPv6 is left out, since it says nothing without its zone. */
  readonly addresses: readonly string[];
}

/** As `os.networkInterfaces()` gives it. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * The links of a port that is bound to `listensOn`; none if that is a loopback address. A port of every interface is
 * announced on all but loopback, unless there is nothing else (a computer without network can still find itself).
 */
export function linksOf(listensOn: string, interfaces: Interfaces): Link[] {
  const everywhere = listensOn === '::' || listensOn === '0.0.0.0';
  const outside = links(listensOn, interfaces, false);
  return outside.length === 0 && everywhere ? links(listensOn, interfaces, true) : outside;
}

function links(listensOn: string, interfaces: Interfaces, internal: boolean): Link[] {
  const found: Link[] = [];
  for (const [name, infos = []] of Object.entries(interfaces)) {
    const usable = infos.filter((info) => info.internal === internal);
    const sender = usable.find((info) => info.family === 'IPv4')?.address;
    const addresses = usable.map((info) => info.address).filter((address) => isReached(address, listensOn));
    if (sender !== undefined && addresses.length > 0) found.push({ name, sender, addresses });
  }
  return found;
}

function isReached(address: string, listensOn: string): boolean {
  if (isIPv6(address)) return (listensOn === '::' && !/^fe[89ab]/i.test(address)) || listensOn === address;
  return listensOn === '0.0.0.0' || listensOn === '::' || listensOn === address || listensOn === `::ffff:${address}`;
}

/** All addresses of this machine. */
export function ownAddresses(interfaces: Interfaces): Set<string> {
  return new Set(Object.values(interfaces).flatMap((infos = []) => infos.map((info) => info.address)));
}

export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}
