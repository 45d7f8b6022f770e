/**
 * The one place where configuration is declared, read and checked. Each setting is declared once, in `settings`: a key
 * of the file, a command-line option (the same name with dashes), its type in the program, its help.
 *
 * Later ones win: built in < file (`/etc/pitayad/config.yaml` if it is there, or the one that `--config` names) <
 * `pitayad.yaml` on the card (see card-config.ts) < command line. Whatever is not understood is a ConfigurationError;
 * nothing is passed over in silence.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { type Command, Option } from 'commander';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { ConfigurationError } from './errors.ts';
import { EEPROM } from './fpga/bitstream/board.ts';
import { type FrontEnd, LOOPBACK, parseFrontEnd } from './fpga/bus/simulator/front-end.ts';
import { JUMPERS } from './fpga/calibration.ts';
import { INTERVAL_MS as STATE_INTERVAL_MS } from './fpga/instrument/state.ts';
import { nearest } from './nearest.ts';
import { type DialTarget, MAX_SERVERS, parseTarget, serverName } from './server/dial/target.ts';

export const CONFIG_FILE = '/etc/pitayad/config.yaml';

/** Where systemd keeps our state, or where it is without. */
export const STATE_FOLDER = process.env.STATE_DIRECTORY ?? '/var/lib/pitayad';

/** A configuration is a page of text; a larger file is something else. */
const MAX_FILE_BYTES = 64 * 1024;

/** Where to listen, or to connect. `host` is without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export type BusChoice =
  | { readonly kind: 'devmem' }
  | { readonly kind: 'simulator' }
  | ({ readonly kind: 'monitor' } & Address);

/** A type of setting: what it takes from the file, and how a word of the command line becomes that. */
interface Kind<T> {
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

export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly help: string;
  /** It is root's to set; names of files are so by their kind. */
  readonly notFromCard?: true;
}

function setting<T>(kind: Kind<T>, fallback: T, help: string): Setting<T> {
  return { kind, default: fallback, help };
}

/** A setting that may be absent: what then holds is said in its help. */
function optional<T>(kind: Kind<T>, help: string): Setting<T | undefined> {
  return { kind, default: undefined, help };
}

/** A setting that whoever puts the card into a PC may not change: with it, the board might not serve any more. */
function notFromCard<T>(setting: Setting<T>): Setting<T> {
  return { ...setting, notFromCard: true };
}

function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  const allowed = words.join(', ').replace(/, ([^,]*)$/, ' or $1');
  return { placeholder: words.join('|'), allowed, take: (raw) => words.find((word) => word === raw) };
}

function integer(min: number, max: number, placeholder: string): Kind<number> {
  return {
    placeholder,
    allowed: `an integer from ${min} to ${max}`,
    take: (raw) => (typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max ? raw : undefined),
    fromWord: (word) => (/^\d{1,15}$/.test(word) ? Number(word) : word),
  };
}

function real(min: number, max: number, placeholder: string): Kind<number> {
  return {
    placeholder,
    allowed: `a number from ${min} to ${max}`,
    take: (raw) => (typeof raw === 'number' && raw >= min && raw <= max ? raw : undefined),
    fromWord: (word) => (/^\d{1,3}(\.\d{1,15})?$/.test(word) ? Number(word) : word),
  };
}

/** Who announces the board. */
export const DISCOVERY = ['auto', 'avahi', 'bonjour', 'off'] as const;

const discovery: Kind<(typeof DISCOVERY)[number]> = {
  ...choice(...DISCOVERY),
  allowed: 'auto, avahi, bonjour, off, true (auto) or false (off)',
  take: (raw) => (raw === true ? 'auto' : raw === false ? 'off' : DISCOVERY.find((word) => word === raw)),
  negatable: true,
};

const file: Kind<string> = {
  placeholder: 'FILE',
  allowed: 'the name of a file',
  take: (raw) => (typeof raw === 'string' && /^[^\0]{1,4096}$/.test(raw) ? raw : undefined),
};

const hwRev: Kind<string> = {
  placeholder: 'HW_REV',
  allowed: 'the name of a board as in its EEPROM, such as STEM_125-14_v1.1',
  take: (raw) => (typeof raw === 'string' && /^[\w.-]{1,64}$/.test(raw) ? raw : undefined),
};

const sha256: Kind<string> = {
  placeholder: 'HEX',
  allowed: '64 hexadecimal digits',
  take: (raw) => (typeof raw === 'string' && /^[0-9a-f]{64}$/i.test(raw) ? raw.toLowerCase() : undefined),
};

const address: Kind<Address> = {
  placeholder: 'HOST:PORT',
  allowed: "HOST:PORT in one text (IPv6 addresses in brackets and all in quotes: '[::]:6341'), with a port up to 65535",
  take: (raw) => (typeof raw === 'string' ? parseAddress(raw) : undefined),
};

/** Where a door listens, or that it is shut. */
const door: Kind<Address | 'off'> = {
  placeholder: 'HOST:PORT|off',
  allowed: 'HOST:PORT in one text, with a port up to 65535, or off',
  take: (raw) => (raw === 'off' || raw === false ? 'off' : address.take(raw)),
  negatable: true,
};

/** Another program's door. */
const remote: Kind<Address> = {
  ...address,
  allowed: 'HOST:PORT in one text, with a port from 1 to 65535',
  take: (raw) => {
    const there = address.take(raw);
    return there && there.port > 0 ? there : undefined;
  },
};

const bus: Kind<BusChoice> = {
  placeholder: 'devmem|simulator|monitor:HOST:PORT',
  allowed: 'devmem, simulator or monitor:HOST:PORT',
  take: (raw) => {
    if (raw === 'devmem' || raw === 'simulator') return { kind: raw };
    if (typeof raw !== 'string' || !raw.startsWith('monitor:')) return undefined;
    const there = parseAddress(raw.slice('monitor:'.length));
    return there && there.port > 0 ? { kind: 'monitor', ...there } : undefined;
  },
};

const networks: Kind<readonly string[]> = {
  placeholder: 'NETWORK,…',
  allowed: "a list of addresses or networks such as ['192.0.2.0/24', '2001:db8::/32']",
  take: (raw) =>
    Array.isArray(raw) && raw.length <= 256 && raw.every((one) => typeof one === 'string' && isNetwork(one))
      ? raw
      : undefined,
  fromWord: (word) => word.split(','),
};

const dialTargets: Kind<readonly DialTarget[]> = {
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

const frontEnd: Kind<FrontEnd> = {
  placeholder: 'MODEL',
  allowed: 'the name of an input model (loopback, sine, noise, plant …)',
  take: (raw) => (typeof raw === 'string' ? parseFrontEnd(raw) : undefined),
};

/** All there is to configure. */
export const settings = {
  bus: notFromCard(
    optional(bus, 'way to the FPGA’s registers (default: devmem on a Red Pitaya, simulator on any other machine)'),
  ),
  front_end: notFromCard(
    setting(
      frontEnd,
      LOOPBACK,
      'what the simulated inputs see: loopback (the default), sine:FREQ,AMP, noise:RMS, plant:GAIN,CORNER, const, step, square; sums by +, one for each input by ;',
    ),
  ),
  in1: setting(choice(...JUMPERS), 'LV', 'jumper of input 1: LV (±1 V) or HV (±20 V)'),
  in2: setting(choice(...JUMPERS), 'LV', 'jumper of input 2'),
  calibration: setting(
    choice('on', 'off'),
    'on',
    'whether the calibration in the board’s EEPROM is applied; off: nominal volts, as PyRPL has them',
  ),
  eeprom: setting(file, `/${EEPROM}`, 'the EEPROM of the board'),
  board: notFromCard(
    optional(hwRev, 'which Red Pitaya this is, for load-fpga, where its EEPROM does not say so (STEM_125-14_v1.1 …)'),
  ),
  bitstream: optional(
    file,
    'another design than PyRPL’s own image, for load-fpga (default: red_pitaya.bin, which comes with pitayad)',
  ),
  bitstream_sha256: notFromCard(optional(sha256, 'what the SHA-256 of that design must be')),
  overlay: optional(file, 'device-tree overlay that sets the clocks of the FPGA, for load-fpga (default: PyRPL’s)'),
  root: setting(file, '/', 'where the file system of the board begins, with devmem; for tests'),
  frequency_correction: setting(
    real(0.5, 2, 'FACTOR'),
    1,
    'the real clock is 125 MHz times this (an external clock, or one that was measured)',
  ),
  listen: notFromCard(
    optional(address, 'where PyMoDAQ connects; port 0: any free one (default: port 6341 of every interface)'),
  ),
  leco: optional(
    door,
    'where LECODirectors of PyMoDAQ 5 connect, or off (default: port 12300 of every interface on a Red Pitaya; off on any other machine, and with leco_coordinator)',
  ),
  leco_coordinator: optional(
    remote,
    'a LECO Coordinator elsewhere, in which the board signs in its devices as HOSTNAME_DEVICE (default: none)',
  ),
  allowed_networks: setting(
    networks,
    [],
    'who may connect besides loopback, link-local and private addresses and the networks of this machine’s interfaces',
  ),
  dial: setting(
    dialTargets,
    [],
    'TCPServer plug-ins of PyMoDAQ 4 to connect to, each as one device: the scope, or what a move moves (asg0.frequency)',
  ),
  discovery: setting(
    discovery,
    'auto',
    'who announces the board by mDNS: avahi where it runs and lets us, else bonjour-service in this process',
  ),
  state: optional(
    file,
    'where settings are kept over a restart (default: on a Red Pitaya /var/lib/pitayad/state.json, else nowhere)',
  ),
  save_every_ms: setting(
    integer(0, 3_600_000, 'MS'),
    STATE_INTERVAL_MS,
    'time between two savings of the settings while changes go on and on, which a power cut may undo',
  ),
  grace_period: setting(
    integer(0, 86_400, 'SECONDS'),
    10,
    'how long the modules of an owner whose connection is lost are kept for it, in s',
  ),
  outputs_on_stop: setting(choice('hold', 'zero'), 'hold', 'what the outputs do when the daemon ends'),
  log_level: setting(choice('error', 'warn', 'info', 'debug', 'trace'), 'info', 'least important lines to log'),
  log_format: optional(choice('json', 'pretty'), 'form of the log (default: pretty on a terminal, json otherwise)'),
  max_clients: setting(integer(1, 1000, 'N'), 64, 'connections at a time'),
  max_clients_per_host: setting(integer(1, 1000, 'N'), 48, 'connections of one host at a time'),
  max_message_bytes: setting(integer(65_536, 67_108_864, 'BYTES'), 8_388_608, 'longest message that a client may send'),
  max_queued_bytes: setting(
    integer(1_048_576, 268_435_456, 'BYTES'),
    16_777_216,
    'what may wait for a client that does not read; beyond, it is dropped',
  ),
} as const;

type Settings = typeof settings;

const settingNames = Object.keys(settings) as readonly (keyof Settings)[];

/** The configuration in force. */
export type Config = { readonly [K in keyof Settings]: Settings[K] extends Setting<infer T> ? T : never };

/** What some source says: values by key. */
export type Given = Readonly<Record<string, unknown>>;

/** `127.0.0.1:6341`, `[::]:0`, `board.local:2222`. undefined: not of that form. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,15})?)\]|([\w.-]{1,253})):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, v6, name, digits] = match;
  const port = Number(digits);
  const host = v6 ?? name ?? '';
  if (port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) return undefined;
  return { host, port };
}

function isNetwork(text: string): boolean {
  const [host = '', prefix, ...more] = text.split('/');
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(host)] ?? 0;
  return (
    bits > 0 && more.length === 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
  );
}

/** Gives a command options for the settings, all or some, and `--config`. */
export function addOptions(command: Command, keys: readonly (keyof Settings)[] = settingNames): Command {
  for (const key of keys) {
    const { kind, default: fallback, help }: Setting<unknown> = settings[key];
    const option = optionOf(key);
    if (kind.negatable) command.addOption(new Option(`--no-${option}`, `as --${option} off`));
    command.addOption(new Option(`--${option} <${kind.placeholder}>`, help + inParentheses(fallback)));
  }
  return command.option('--config <FILE>', `configuration file (default: ${CONFIG_FILE}, if it is there)`);
}

/** Gives a command the options of those settings that the card may have. */
export function addCardOptions(command: Command): void {
  addSettings(command, cardSettings());
}

function addSettings(command: Command, chosen: readonly [string, Setting<unknown>][]): void {
  for (const [key, { kind, default: fallback, help }] of chosen) {
    const option = optionOf(key);
    if (kind.negatable) command.addOption(new Option(`--no-${option}`, `as --${option} off`));
    command.addOption(new Option(`--${option} <${kind.placeholder}>`, help + inParentheses(fallback)));
  }
}

function cardSettings(): [string, Setting<unknown>][] {
  return Object.entries<Setting<unknown>>(settings).filter(([, one]) => mayBeOnCard(one));
}

/** Whether `pitayad.yaml` on the card may set it: nothing that names a file, or without which the board would not serve. */
export function mayBeOnCard({ kind, notFromCard }: Setting<unknown>): boolean {
  return kind !== file && !notFromCard;
}

/** A configuration for the card that sets nothing, and shows what can be set. */
export function cardTemplate(): string {
  const lines = cardSettings().map(([key, { default: fallback, help }]) => {
    const value = Array.isArray(fallback) ? '[]' : (fallback ?? '');
    return `# ${help}\n# ${key}: ${value}`.trimEnd();
  });
  return ['# Settings of pitayad, one KEY: VALUE a line; those behind a # are not set.', ...lines, ''].join('\n\n');
}

function inParentheses(fallback: unknown): string {
  return fallback === undefined || Array.isArray(fallback) ? '' : ` (default: ${fallback})`;
}

function optionOf(key: string): string {
  return key.replaceAll('_', '-');
}

/**
 * The configuration in force for a command that has the options of `addOptions` and has parsed its command line.
 * @param card What the card's own file says.
 * @throws ConfigurationError
 */
export function readConfig(command: Command, card: Given = {}): Config {
  const config: Record<string, unknown> = {};
  for (const [key, { default: fallback }] of Object.entries<Setting<unknown>>(settings)) config[key] = fallback;
  const named: unknown = command.getOptionValue('config');
  Object.assign(config, typeof named === 'string' ? fromFile(named) : fromFile(CONFIG_FILE, { mayBeAbsent: true }));
  Object.assign(config, card, fromCommandLine(command));
  // Every key of `settings` was filled above, with what its own kind made.
  return config as Config;
}

function fromCommandLine(command: Command): Given {
  const values: Record<string, unknown> = {};
  for (const { key, kind, raw, word } of givenOptions(command)) {
    values[key] = judged(kind, raw, `--${optionOf(key)}`, word);
  }
  return values;
}

/**
 * What a command line says in options of settings, as a file would have it.
 * @throws ConfigurationError
 */
export function asInFile(command: Command): Given {
  fromCommandLine(command);
  return Object.fromEntries(givenOptions(command).map(({ key, raw }) => [key, raw]));
}

function givenOptions(command: Command) {
  return Object.entries<Setting<unknown>>(settings).flatMap(([key, { kind }]) => {
    const name = new Option(`--${optionOf(key)}`).attributeName();
    if (command.getOptionValueSource(name) !== 'cli') return [];
    const word: unknown = command.getOptionValue(name);
    return [{ key, kind, word, raw: typeof word === 'string' ? (kind.fromWord?.(word) ?? word) : word }];
  });
}

/**
 * What a configuration file says.
 * @throws ConfigurationError
 */
export function fromFile(path: string, { mayBeAbsent = false } = {}): Given {
  const text = textOf(path);
  if (text !== undefined) return parseConfig(text, path);
  if (mayBeAbsent) return {};
  throw new ConfigurationError(`cannot read the configuration: there is no ${path}`);
}

/**
 * The text of a configuration file; undefined: it is not there.
 * @throws ConfigurationError
 */
export function textOf(path: string): string | undefined {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) {
      throw new ConfigurationError(`${path} has ${size} bytes; a configuration has at most ${MAX_FILE_BYTES}`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new ConfigurationError(`cannot read the configuration: ${(error as Error).message}`, { cause: error });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/**
 * @param path How to call the text in errors.
 * @param author Who wrote it: root, or whoever had the card in a PC.
 * @throws ConfigurationError: not YAML, unknown key (with the nearest known one), a value that is not allowed, a setting
 *   that is root's.
 */
export function parseConfig(text: string, path: string, author: 'root' | 'card' = 'root'): Given {
  if (text.length > MAX_FILE_BYTES) throw new ConfigurationError(`${path} is longer than ${MAX_FILE_BYTES} characters`);
  const values: Record<string, unknown> = {};
  for (const { key, raw, line } of entriesOf(text, path)) {
    const where = `${path}, line ${line}: ${key}`;
    const known = Object.entries<Setting<unknown>>(settings).find(([name]) => name === key)?.[1];
    if (known === undefined) throw new ConfigurationError(`${where} is not a setting${suggestion(key)}`);
    if (author === 'card' && !mayBeOnCard(known)) {
      throw new ConfigurationError(`${where} cannot be set on the card, only in ${CONFIG_FILE}`);
    }
    values[key] = judged(known.kind, raw, where, raw);
  }
  return values;
}

function suggestion(key: string): string {
  const names = Object.keys(settings);
  const near = nearest(key, names);
  return near === undefined ? `; there are ${names.join(', ')}` : `; did you mean ${near}?`;
}

interface Entry {
  readonly key: string;
  readonly raw: unknown;
  readonly line: number;
}

function entriesOf(text: string, path: string): Entry[] {
  const lines = new LineCounter();
  if (isDeep(text)) throw new ConfigurationError(`${path} nests too deep: a setting is a value, or a list of values`);
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) {
      throw new ConfigurationError(`${path}, line ${lines.linePos(problem.pos[0]).line}: ${problem.message}`);
    }
    if (document.contents === null) return [];
    if (!isMap(document.contents)) throw new ConfigurationError(`${path} must consist of lines KEY: VALUE`);
    return document.contents.items.map(({ key, value }) => ({
      key: isScalar(key) ? String(key.value) : String(key),
      raw: isScalar(value) ? value.value : isNodeLike(value) ? value.toJS(document) : value,
      line: lines.linePos(isScalar(key) ? (key.range?.[0] ?? 0) : 0).line,
    }));
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    // The parser's own limits (aliases, depth).
    throw new ConfigurationError(`${path} cannot be understood: ${(error as Error).message}`, { cause: error });
  }
}

/** Whether the parser, which is recursive, might need more stack than there is. */
function isDeep(text: string): boolean {
  return (text.match(/[[{]/g)?.length ?? 0) > 500 || /^[ \t?:-]{500}/m.test(text);
}

function isNodeLike(value: unknown): value is { toJS(document: unknown): unknown } {
  return typeof value === 'object' && value !== null && 'toJS' in value;
}

function judged(kind: Kind<unknown>, raw: unknown, where: string, shown: unknown): unknown {
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
