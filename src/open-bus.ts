/** Which way to the registers the configuration names. */
import type { Logger } from 'pino';
import type { BusChoice, Config } from './config.ts';
import type { RegisterBus } from './fpga/bus/bus.ts';
import { openDevmem } from './fpga/bus/devmem.ts';
import { openMonitor } from './fpga/bus/monitor.ts';
import { openSimulator } from './fpga/bus/simulator/simulator.ts';

/** @throws ConfigurationError, BusError: the registers are not there */
export async function openBus(choice: BusChoice, config: Config, log: Logger): Promise<RegisterBus> {
  if (choice.kind === 'devmem') return openDevmem();
  if (choice.kind === 'simulator') return openSimulator({ frontEnd: config.front_end });
  const { host, port } = choice;
  return openMonitor({
    host,
    port,
    onConnection: (connected, reason) => {
      if (connected) log.info({ host, port }, 'the monitor_server is there again');
      else log.warn({ host, port, reason }, 'the monitor_server is lost; connecting again');
    },
  });
}
