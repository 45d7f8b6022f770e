/** What the user wants of a card beside pitayad itself. All of it is text that ends on the board: each word is judged. */
import { readFileSync, statSync } from 'node:fs';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { parseDocument, stringify } from 'yaml';
import { cardTemplate, parseConfig } from '../../../src/config/file.ts';
import type { Given } from '../../../src/config/settings.ts';
import { ConfigurationError } from '../../../src/errors.ts';

/** The name of the card's configuration file. */
export const CARD_CONFIG = 'pitayad.yaml';

const MAX_FILE_BYTES = 64 * 1024;
const KEY_TYPES =
  /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;

/** @throws ConfigurationError: the file is not to be read, or too large */
export function textFile(path: string): string {
  try {
    const { size } = statSync(path);
    if (size <= MAX_FILE_BYTES) return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  throw new ConfigurationError(`${path} has more than ${MAX_FILE_BYTES} bytes`);
}

/**
 * The one line of a public key file, as `ssh-keygen` writes it.
 * @throws ConfigurationError
 */
export function publicKey(text: string, path: string): string {
  if (/PRIVATE KEY/.test(text)) {
    throw new ConfigurationError(`${path} is a private key, which must stay where it is: give the file ${path}.pub`);
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const [line = ''] = lines;
  const [type = '', data = '', ...comment] = line.trim().split(/ +/);
  const bytes = Buffer.from(data, 'base64');
  const length = bytes.length > 4 ? bytes.readUInt32BE(0) : 0;
  const names = bytes.toString('latin1', 4, 4 + Math.min(length, 64));
  const printable = /^[\x20-\x7e\u00a0-\uffff]*$/.test(line);
  if (
    lines.length !== 1 ||
    !KEY_TYPES.test(type) ||
    !/^[A-Za-z0-9+/]+={0,2}$/.test(data) ||
    names !== type ||
    !printable
  ) {
    throw new ConfigurationError(`${path} is no public SSH key: it must be one line such as ssh-ed25519 AAAA… name`);
  }
  return [type, data, comment.join(' ')].join(' ').trim();
}

/** authorized_keys with a key in it, once. */
export function withKey(authorized: string, key: string): string {
  const [, data = ''] = key.split(' ');
  const lines = authorized.split('\n').filter((line) => line !== '');
  if (lines.some((line) => line.split(' ').includes(data))) return authorized;
  return [...lines, key].map((line) => `${line}\n`).join('');
}

export interface NetworkWish {
  /** `192.168.1.20/24`, or `dhcp`. */
  readonly address: string;
  readonly gateway?: string | undefined;
  readonly dns?: string | undefined;
}

/**
 * A .network file of systemd-networkd with a fixed address; undefined: none is wanted, DHCP asks for one.
 * @throws ConfigurationError
 */
export function networkFile({ address, gateway, dns }: NetworkWish): string | undefined {
  if (address === 'dhcp') {
    if (gateway !== undefined || dns !== undefined) {
      throw new ConfigurationError('with --address dhcp, gateway and name servers come by DHCP too');
    }
    return undefined;
  }
  const [ip = '', length = '', ...more] = address.split('/');
  const version = isIP(ip);
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  const longest = version === 4 ? 30 : 126;
  if (version === 0 || more.length > 0 || !(prefix >= 1 && prefix <= longest) || !isHost(ip, prefix)) {
    throw new ConfigurationError(`--address must be that of a host with its network, such as 192.168.1.20/24, or dhcp`);
  }
  if (gateway !== undefined) {
    const network = new BlockList();
    const family = version === 4 ? 'ipv4' : 'ipv6';
    network.addSubnet(ip, prefix, family);
    const linkLocal = version === 6 && /^fe[89ab]/i.test(gateway);
    if (isIP(gateway) !== version || gateway === ip || !(network.check(gateway, family) || linkLocal)) {
      throw new ConfigurationError(`--gateway must be another address in the network of ${address}`);
    }
  }
  const servers = dns?.split(',') ?? [];
  if (servers.length > 8 || servers.some((server) => isIP(server) === 0)) {
    throw new ConfigurationError('--dns must be one or more addresses, with commas between');
  }
  return [
    '# Written by the SD-card builder of pitayad.',
    ...['[Match]', 'Name=eth0', '', '[Network]', `Address=${address}`, 'LinkLocalAddressing=ipv4'],
    ...(gateway === undefined ? [] : [`Gateway=${gateway}`]),
    ...servers.map((server) => `DNS=${server}`),
    '',
  ].join('\n');
}

/** Neither the network itself nor all of its hosts, nor what no host has. */
function isHost(ip: string, prefix: number): boolean {
  if (!isIPv4(ip)) return !/^(::1?$|ff)/i.test(ip) && !ip.includes('%');
  const number = ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const hosts = 2 ** (32 - prefix);
  const first = Math.floor(number / 2 ** 24);
  return number % hosts !== 0 && number % hosts !== hosts - 1 && first !== 0 && first !== 127 && first < 224;
}

/**
 * The card's configuration: what there is, or a page that shows what there could be, with settings put in.
 * @throws ConfigurationError: the daemon would not take it
 */
export function cardConfig(former: string | undefined, name: string, given: Given): string {
  const text = former ?? cardTemplate();
  const there = parseConfig(text, name, 'card');
  const keys = Object.keys(given);
  if (keys.length === 0) return text;
  let fresh = `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${stringify(given)}`;
  if (keys.some((key) => key in there)) {
    const document = parseDocument(text);
    for (const key of keys) document.set(key, given[key]);
    fresh = document.toString({ lineWidth: 0 });
  }
  parseConfig(fresh, name, 'card');
  return fresh;
}
