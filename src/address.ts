/** Where something listens, or is to be connected to, as one text: HOST:PORT. */
import { isIP } from 'node:net';

/** Where to listen, or to connect. `host` is without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

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
