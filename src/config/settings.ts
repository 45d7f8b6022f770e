/**
 * All there is to configure, each declared once: a key of the file, a command-line option (the same name with dashes),
 * its type in the program, its help. The readers (file.ts, command-line.ts), the card's rules and the reference are derived
 * from this table. Whatever is not understood is a ConfigurationError; nothing is passed over in silence.
 */
import { EEPROM } from '../fpga/bitstream/board.ts';
import { LOOPBACK } from '../fpga/bus/simulator/front-end.ts';
import { JUMPERS } from '../fpga/calibration.ts';
import { INTERVAL_MS as STATE_INTERVAL_MS } from '../fpga/instrument/state.ts';
import {
  address,
  bus,
  choice,
  dialTargets,
  discovery,
  door,
  file,
  frontEnd,
  hwRev,
  integer,
  type Kind,
  networks,
  real,
  remote,
  sha256,
} from './kinds.ts';

export const CONFIG_FILE = '/etc/pitayad/config.yaml';

/** Where systemd keeps our state, or where it is without. */
export const STATE_FOLDER = process.env.STATE_DIRECTORY ?? '/var/lib/pitayad';

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

/** The configuration in force. */
export type Config = { readonly [K in keyof Settings]: Settings[K] extends Setting<infer T> ? T : never };

/** What some source says: values by key. */
export type Given = Readonly<Record<string, unknown>>;

/** Whether `pitayad.yaml` on the card may set it: nothing that names a file, or without which the board would not serve. */
export function mayBeOnCard({ kind, notFromCard }: Setting<unknown>): boolean {
  return kind !== file && !notFromCard;
}

/** Those that `pitayad.yaml` on the card may have. */
export function cardSettings(): [string, Setting<unknown>][] {
  return Object.entries<Setting<unknown>>(settings).filter(([, one]) => mayBeOnCard(one));
}
