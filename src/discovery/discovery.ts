/**
 * How the board makes itself known on the network: as a service `_pymodaq._tcp` of DNS-SD over multicast DNS (RFC 6762
 * and 6763). Publishers: bonjour.ts, by itself; avahi.ts, which leaves the work to a running avahi. There is never more than
 * one at a time (publisher.ts).
 *
 * Discovery is a convenience: whatever happens on the network, it never ends the daemon.
 */
import type { Logger } from 'pino';
import type { BoardIdentity } from '../fpga/instrument/instrument.ts';

/** What is announced. */
export interface Service {
  /** Instance name, as users see it in a list: `pitayad on rp-f0a1b2`. */
  readonly name: string;
  /** First label of the host's name; its addresses are found as HOST.local. */
  readonly host: string;
  readonly port: number;
  /** The address that the port is bound to: only what can be connected to is announced. `::` stands for IPv4 too. */
  readonly listensOn: string;
  readonly txt: Readonly<Record<string, string>>;
}

/** A service that is announced until it is stopped. */
export interface Announcement {
  /** The instance name in force: with a number behind it if another board has the name. */
  readonly name: string;
  /** Says goodbye and ends; takes half a second at most, never fails. */
  stop(): Promise<void>;
}

export type Publisher = (service: Service, log: Logger) => Announcement;

export const SERVICE_TYPE = 'pymodaq';

/** Bytes of a label in DNS, and of `key=value` in a TXT record. */
const MAX_LABEL = 63;
const MAX_TXT = 255;

/** What a board says about itself. */
export function boardService(
  identity: BoardIdentity,
  modules: readonly string[],
  { address, port }: { address: string; port: number },
): Service {
  const host = label(identity.hostname.split('.')[0] || 'pitayad');
  const txt = {
    txtvers: '1',
    model: identity.model,
    serial: identity.serial,
    version: identity.version,
    forms: 'v4,v5',
    modules: wholeNames(modules, MAX_TXT - 'modules='.length),
    bitstream: identity.bitstream,
  };
  return { name: label(`pitayad on ${host}`), host, port, listensOn: address, txt };
}

/** `name` with a number that tells it from others, within the length of a label: `pitayad on rp (2)`. */
export function numbered(name: string, number: number, [before, after]: readonly [string, string]): string {
  if (number < 2) return name;
  const suffix = `${before}${number}${after}`;
  return label(name, MAX_LABEL - suffix.length) + suffix;
}

/** As much of the text as a label of DNS holds. Dots would end the label. */
function label(text: string, bytes = MAX_LABEL): string {
  let cut = text.replaceAll('.', '-');
  while (Buffer.byteLength(cut) > bytes) cut = [...cut].slice(0, -1).join('');
  return cut;
}

function wholeNames(names: readonly string[], bytes: number): string {
  const fitting = [...names];
  while (fitting.join(',').length > bytes) fitting.pop();
  return fitting.join(',');
}
