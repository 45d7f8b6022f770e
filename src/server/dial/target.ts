/**
 * Where to dial, and what is offered there. The TCPServer plug-ins of PyMoDAQ 4 take one instrument a port: a viewer
 * takes a GRABBER, a move an ACTUATOR (`socket_types` in PyMoDAQ's viewer_utility_classes.py, move_utility_classes.py).
 */
import { isIPv6 } from 'node:net';
import { Refusal } from '../../errors.ts';
import type { ModuleDescription, ParameterDescription } from '../../fpga/description.ts';
import type { Instrument } from '../../fpga/instrument/instrument.ts';
import { actuatorParameter } from '../moves.ts';
import type { TypeWord } from '../words.ts';

/** The port that a TCPServer plug-in has unless the user gives another. */
const STOCK_PORT = 6341;

/** Servers that may be dialled at a time. */
export const MAX_SERVERS = 32;

export interface DialTarget {
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** `scope`, or what a move moves: `asg0.frequency`. */
  readonly device: string;
}

export interface Device {
  /** As it was named. */
  readonly name: string;
  readonly typeWord: TypeWord;
  readonly module: ModuleDescription;
  /** What is moved. */
  readonly parameter?: ParameterDescription;
}

const HOST = /^(?:[A-Za-z0-9_](?:[\w.-]{0,252})|[0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,15})?)$/;
const DEVICE = /^[a-z]\w{0,31}(?:\.[a-z]\w{0,63})?$/i;

/** `pc.lab:6342`, `pc.lab` (port 6341), `[fe80::7%eth0]:6342`; undefined: not of that form. */
export function parseServer(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  return judged(host, match?.[3] === undefined ? STOCK_PORT : Number(match[3]));
}

function judged(host: string, port: number): { readonly host: string; readonly port: number } | undefined {
  const bare = host.replace(/%.*$/, '');
  if (!HOST.test(host) || (host.includes(':') && !isIPv6(bare))) return undefined;
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** From `{host, port, device}`, port 6341 unless given, or `DEVICE@HOST:PORT`; undefined: not of that form. */
export function parseTarget(raw: unknown): DialTarget | undefined {
  if (typeof raw === 'string') {
    const [device = '', server = '', ...more] = raw.split('@');
    const where = parseServer(server);
    return where && DEVICE.test(device) && more.length === 0 ? { ...where, device } : undefined;
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return undefined;
  const { host, port = STOCK_PORT, device, ...others }: Record<string, unknown> = { ...raw };
  if (typeof host !== 'string' || typeof port !== 'number' || typeof device !== 'string') return undefined;
  const where = judged(host, port);
  return where && DEVICE.test(device) && Object.keys(others).length === 0 ? { ...where, device } : undefined;
}

/** `pc.lab:6341`, as logs and sentences have it. */
export function serverName({ host, port }: { readonly host: string; readonly port: number }): string {
  return isIPv6(host.replace(/%.*$/, '')) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The module, and the parameter, that a device names: `scope` is what grabs, `asg0.frequency` what moves, `asg0` moves
 * the module's own choice.
 * @throws Refusal: there is none of that name, it measures nothing and has nothing to move, or cannot be moved
 */
export function findDevice(instrument: Instrument, name: string): Device {
  const [moduleName = '', parameterName] = name.split('.');
  const module = instrument.describe(moduleName);
  if (parameterName === undefined && module.grabs) return { name, typeWord: 'GRABBER', module };
  const moved = parameterName ?? module.actuator;
  if (moved === undefined) {
    throw new Refusal(
      `${module.name} measures nothing; to move one of its parameters, name it: ${module.name}.PARAMETER; nothing was changed.`,
    );
  }
  return { name, typeWord: 'ACTUATOR', module, parameter: actuatorParameter(module, moved) };
}
