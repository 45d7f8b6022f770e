/**
 * A daemon that is killed cannot say `Quit`, and the end of its connections would hang the stock servers that it dialled.
 * Linux can be told to reset them instead, which does those no harm; Node has no word for it, the native code has.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { PitayadError } from '../../errors.ts';
import { loadNative, type Native } from '../../fpga/bus/native.ts';

/** Gives what is to be called with each connection; without native code it does nothing. */
export function resetOnDeath(log: Logger): (socket: Socket) => void {
  let native: Native | null | undefined;
  return (socket) => {
    if (native === undefined) native = load(log);
    const fd = descriptorOf(socket);
    if (native && fd !== undefined && !native.resetOnClose(fd)) log.debug('a connection cannot be made to reset');
  };
}

function load(log: Logger): Native | null {
  try {
    if (process.platform === 'linux') return loadNative();
  } catch (error) {
    if (!(error instanceof PitayadError)) throw error;
    log.debug({ reason: error.message }, 'connections are not reset if this process is killed');
  }
  return null;
}

/** Node keeps it in the handle, as it has since 0.x; undefined if it does not. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
