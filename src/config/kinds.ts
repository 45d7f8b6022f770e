/**
 * The kinds of values that a setting can have: what each takes from the file, and how a word of the command line becomes
 * that. Pure functions; which setting is of which kind stands in settings.ts.
 */
import { isIP } from 'node:net';
import { type Address, parseAddress } from '../address.ts';
import { ConfigurationError } from '../errors.ts';
import { type FrontEnd, parseFrontEnd } from '../fpga/bus/simulator/front-end.ts';
import { type DialTarget, MAX_SERVERS, parseTarget, serverName } from '../server/dial/target.ts';

/** A type of setting: what it takes from the file, and how a word of the command line becomes that. */
export interface Kind<T> {
  /** What stands in for the value in the help. */
  readonly placeholder: string;
  /** Completes the sentence "… must be". */
  readonly allowed: string;
  /** The value in the program; undefined, or a ConfigurationError that says more: not allowed. */
  take(raw: unknown): T | undefined;
  /** Default: the word itself. */
  fromWord?(word: string): unknown;
  /** `--no-NAME` stands for false. */
  readonly negatable?: true;
}

export type BusChoice =
  | { readonly kind: 'devmem' }
  | { readonly kind: 'simulator' }
  | ({ readonly kind: 'monitor' } & Address);

export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  const allowed = words.join(', ').replace(/, ([^,]*)$/, ' or $1');
  return { placeholder: words.join('|'), allowed, take: (raw) => words.find((word) => word === raw) };
}

export function integer(min: number, max: number, placeholder: string): Kind<number> {
  return {
    placeholder,
    allowed: `an integer from ${min} to ${max}`,
    take: (raw) => (typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max ? raw : undefined),
    fromWord: (word) => (/^\d{1,15}$/.test(word) ? Number(word) : word),
  };
}

export function real(min: number, max: number, placeholder: string): Kind<number> {
  return {
    placeholder,
    allowed: `a number from ${min} to ${max}`,
    take: (raw) => (typeof raw === 'number' && raw >= min && raw <= max ? raw : undefined),
    fromWord: (word) => (/^\d{1,3}(\.\d{1,15})?$/.test(word) ? Number(word) : word),
  };
}

/** Who announces the board. */
export const DISCOVERY = ['auto', 'avahi', 'bonjour', 'off'] as const;

export const discovery: Kind<(typeof DISCOVERY)[number]> = {
  ...choice(...DISCOVERY),
  allowed: 'auto, avahi, bonjour, off, true (auto) or false (off)',
  take: (raw) => (raw === true ? 'auto' : raw === false ? 'off' : DISCOVERY.find((word) => word === raw)),
  negatable: true,
};

export const file: Kind<string> = {
  placeholder: 'FILE',
  allowed: 'the name of a file',
  take: (raw) => (typeof raw === 'string' && /^[^\0]{1,4096}$/.test(raw) ? raw : undefined),
};

export const hwRev: Kind<string> = {
  placeholder: 'HW_REV',
  allowed: 'the name of a board as in its EEPROM, such as STEM_125-14_v1.1',
  take: (raw) => (typeof raw === 'string' && /^[\w.-]{1,64}$/.test(raw) ? raw : undefined),
};

export const sha256: Kind<string> = {
  placeholder: 'HEX',
  allowed: '64 hexadecimal digits',
  take: (raw) => (typeof raw === 'string' && /^[0-9a-f]{64}$/i.test(raw) ? raw.toLowerCase() : undefined),
};

export const address: Kind<Address> = {
  placeholder: 'HOST:PORT',
  allowed: "HOST:PORT in one text (IPv6 addresses in brackets and all in quotes: '[::]:6341'), with a port up to 65535",
  take: (raw) => (typeof raw === 'string' ? parseAddress(raw) : undefined),
};

/** Where a door listens, or that it is shut. */
export const door: Kind<Address | 'off'> = {
  placeholder: 'HOST:PORT|off',
  allowed: 'HOST:PORT in one text, with a port up to 65535, or off',
  take: (raw) => (raw === 'off' || raw === false ? 'off' : address.take(raw)),
  negatable: true,
};

/** Another program's door. */
export const remote: Kind<Address> = {
  ...address,
  allowed: 'HOST:PORT in one text, with a port from 1 to 65535',
  take: (raw) => {
    const there = address.take(raw);
    return there && there.port > 0 ? there : undefined;
  },
};

export const bus: Kind<BusChoice> = {
  placeholder: 'devmem|simulator|monitor:HOST:PORT',
  allowed: 'devmem, simulator or monitor:HOST:PORT',
  take: (raw) => {
    if (raw === 'devmem' || raw === 'simulator') return { kind: raw };
    if (typeof raw !== 'string' || !raw.startsWith('monitor:')) return undefined;
    const there = parseAddress(raw.slice('monitor:'.length));
    return there && there.port > 0 ? { kind: 'monitor', ...there } : undefined;
  },
};

export const networks: Kind<readonly string[]> = {
  placeholder: 'NETWORK,…',
  allowed: "a list of addresses or networks such as ['192.0.2.0/24', '2001:db8::/32']",
  take: (raw) =>
    Array.isArray(raw) && raw.length <= 256 && raw.every((one) => typeof one === 'string' && isNetwork(one))
      ? raw
      : undefined,
  fromWord: (word) => word.split(','),
};

export const dialTargets: Kind<readonly DialTarget[]> = {
  placeholder: 'DEVICE@HOST:PORT,…',
  allowed:
    "a list such as [{host: pc.lab, port: 6341, device: scope}, 'asg0.frequency@pc.lab:6342'], one device a port",
  take: (raw) => {
    if (!Array.isArray(raw) || raw.length > MAX_SERVERS) return undefined;
    const targets = raw.map(parseTarget).filter((target) => target !== undefined);
    const servers = new Set(targets.map(serverName));
    return targets.length === raw.length && servers.size === raw.length ? targets : undefined;
  },
  fromWord: (word) => word.split(','),
};

export const frontEnd: Kind<FrontEnd> = {
  placeholder: 'MODEL',
  allowed: 'the name of an input model (loopback, sine, noise, plant …)',
  take: (raw) => (typeof raw === 'string' ? parseFrontEnd(raw) : undefined),
};

function isNetwork(text: string): boolean {
  const [host = '', prefix, ...more] = text.split('/');
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(host)] ?? 0;
  return (
    bits > 0 && more.length === 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
  );
}

export function judged(kind: Kind<unknown>, raw: unknown, where: string, shown: unknown): unknown {
  let value: unknown;
  try {
    value = kind.take(raw);
  } catch (error) {
    if (error instanceof ConfigurationError)
      throw new ConfigurationError(`${where}: ${error.message}`, { cause: error });
    throw error;
  }
  if (value === undefined) {
    const what = (JSON.stringify(shown) ?? String(shown)).slice(0, 100);
    throw new ConfigurationError(`${where} must be ${kind.allowed}, not ${what}`);
  }
  return value;
}
