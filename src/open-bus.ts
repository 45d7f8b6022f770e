/** The way to the registers that the configuration names, with what guards it: nothing is served before it is known whose they are. */
import type { Logger } from 'pino';
import type { BusChoice } from './config/kinds.ts';
import type { Config } from './config/settings.ts';
import { ConfigurationError } from './errors.ts';
import type { RegisterBus } from './fpga/bus/bus.ts';
import { openDevmem } from './fpga/bus/devmem.ts';
import { guarded } from './fpga/bus/guarded.ts';
import { openMonitor } from './fpga/bus/monitor.ts';
import { openSimulator } from './fpga/bus/simulator/simulator.ts';
import { wrongConstants } from './fpga/identity.ts';
import { type IdentityWatch, watchIdentity } from './fpga/identity-watch.ts';

export interface Registers {
  readonly bus: RegisterBus;
  /** Why they are not ours any more; undefined: they are. */
  lost(): string | undefined;
  /** undefined: they are this process's own (the simulator). */
  readonly watch: IdentityWatch | undefined;
  /** See OpenOptions of the instrument. */
  onReturn(listener: (ours: Promise<boolean>) => void): void;
}

/**
 * Opens the registers, sees that they are those of PyRPL's design before anything else is read or written, and watches
 * that they stay so: when they don't, all access ends.
 * @throws ConfigurationError, BusError: the registers are not there, or not PyRPL's
 */
export async function openRegisters(choice: BusChoice, config: Config, log: Logger): Promise<Registers> {
  const returned = new Set<() => void>();
  const bus = await openBus(choice, config, log, () => {
    for (const listener of returned) listener();
  });
  return guardRegisters(bus, choice.kind === 'devmem' ? config.root : undefined, log, (listener) => {
    returned.add(listener);
  });
}

/**
 * The same for a bus that is open. It is closed if it is none of PyRPL's design.
 * @param onReturn calls its listener when the bus is there again after an interruption
 */
export async function guardRegisters(
  open: RegisterBus,
  root: string | undefined,
  log: Logger,
  onReturn: (listener: () => void) => void = () => {},
): Promise<Registers> {
  if (open.name === 'simulator') {
    return { bus: open, lost: () => undefined, watch: undefined, onReturn: () => {} };
  }
  const bus = guarded(open);
  const watch = watchIdentity({
    bus,
    root,
    lost: (sentence) => {
      bus.forbid(sentence);
      log.error(sentence);
    },
  });
  try {
    if ((await wrongConstants(bus)) > 0) {
      throw new ConfigurationError(
        `what answers at ${bus.name} is not PyRPL’s design: load it first (pitayad load-fpga on the board)`,
      );
    }
  } catch (error) {
    watch.stop();
    await bus.close();
    throw error;
  }
  return {
    bus,
    lost: () => bus.forbidden,
    watch,
    onReturn: (listener) => onReturn(() => listener(watch.look().then(({ lost }) => lost === undefined))),
  };
}

/** @throws ConfigurationError, BusError: the registers are not there */
async function openBus(choice: BusChoice, config: Config, log: Logger, returned: () => void): Promise<RegisterBus> {
  if (choice.kind === 'devmem') return openDevmem({ root: config.root });
  if (choice.kind === 'simulator') return openSimulator({ frontEnd: config.front_end });
  const { host, port } = choice;
  return openMonitor({
    host,
    port,
    onConnection: (connected, reason) => {
      if (!connected) {
        log.warn({ host, port, reason }, 'the monitor_server is lost; connecting again');
        return;
      }
      log.info({ host, port }, 'the monitor_server is there again');
      returned();
    },
  });
}
