/** Tells systemd, where that started us, what the daemon is about (sd_notify). Elsewhere it does nothing. */
import type { Logger } from 'pino';
import { loadNative } from './fpga/bus/native.ts';

export interface ServiceManager {
  /** Start-up is over; `status` is a line for `systemctl status`. */
  ready(status: string): void;
  stopping(): void;
}

export function serviceManager(log: Logger, socket: string | undefined = process.env.NOTIFY_SOCKET): ServiceManager {
  const tell = (message: string): void => {
    if (!socket) return;
    try {
      const errno = loadNative().sdNotify(socket, message);
      if (errno < 0) log.warn({ errno, socket }, 'systemd could not be told');
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'systemd could not be told');
    }
  };
  return {
    ready: (status) => tell(`READY=1\nSTATUS=${status.replaceAll('\n', ' ')}`),
    stopping: () => tell('STOPPING=1'),
  };
}
