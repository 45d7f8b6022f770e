/** Tells systemd, where that started us, what the daemon is about (sd_notify). Elsewhere it does nothing. */
import type { Logger } from 'pino';
import { loadNative } from './fpga/bus/native.ts';

export interface ServiceManager {
  /** Start-up is over; `status` is a line for `systemctl status`. */
  ready(status: string): void;
  /** It is well, which its watchdog waits for; `trouble` is a line for `systemctl status`, if there is something to tell. */
  alive(trouble?: string): void;
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
    ready: (status) => tell(`READY=1\n${statusLine(status)}`),
    alive: (trouble) => tell(trouble === undefined ? 'WATCHDOG=1' : `WATCHDOG=1\n${statusLine(trouble)}`),
    stopping: () => tell('STOPPING=1'),
  };
}

function statusLine(text: string): string {
  return `STATUS=${text.replaceAll('\n', ' ')}`;
}
