/** `pitayad serve`: builds the parts, in the order in which they lean on each other, and takes them down in reverse. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { identify, isRedPitaya, readWiring } from './board.ts';
import type { BusChoice } from './config/kinds.ts';
import { type Config, STATE_FOLDER } from './config/settings.ts';
import { boardService } from './discovery/discovery.ts';
import { publisherOf } from './discovery/publisher.ts';
import { ConfigurationError, PitayadError } from './errors.ts';
import { lastLoad, loadedImage } from './fpga/bitstream/loaded.ts';
import { openInstrument } from './fpga/instrument/open.ts';
import { openLog } from './log.ts';
import { collectOldGarbage } from './old-garbage.ts';
import { openRegisters } from './open-bus.ts';
import { allowedPeers } from './server/admission.ts';
import { openDialling } from './server/dial/dialling.ts';
import { resetOnDeath } from './server/dial/sudden-end.ts';
import { type Leco, openLeco } from './server/leco/leco.ts';
import { type ListenOptions, listen, sharedTraces } from './server/listen.ts';
import { serviceManager } from './service-manager.ts';
import { feedWatchdog } from './watchdog.ts';

/**
 * V8 gives new objects ever more room the busier it is, up to 48 MB, and keeps that; a board has 512 MB for everything. What
 * is large here, traces, is not in that room. (Given before start-up, V8 takes the factor for at least 2.)
 */
const YOUNG_STAY_SMALL = '--semi-space-growth-factor=1';

/**
 * V8 compiles for speed what has run long enough. What a daemon does it does over and over, and in so many short functions
 * that with V8's own measure (132 kB of byte code) thousands of traces are slower by a fifth.
 */
const SOON_COMPILED = '--interrupt-budget=20000';

/** Whatever has not ended by then, in ms, is cut off. */
const STOP_WITHIN_MS = 1200;

/** How something that was started is ended. */
type End = () => Promise<void> | void;

/**
 * Serves until SIGTERM or SIGINT, and gives the exit status.
 * @param remarks What is to be said about the configuration.
 * @throws ConfigurationError before anything is served: what the configuration asks for is not there.
 */
export async function serve(config: Config, remarks: readonly string[] = []): Promise<number> {
  setFlagsFromString(YOUNG_STAY_SMALL);
  setFlagsFromString(SOON_COMPILED);
  const log = openLog({ level: config.log_level, format: config.log_format });
  for (const remark of remarks) log.warn(remark);
  const ends: End[] = [];
  const over = untilTold(log);
  try {
    const started = start(config, log, ends);
    // A signal may come before all is there.
    await Promise.race([started, over]);
    const status = await over;
    await Promise.race([started.catch(() => undefined), sleep(STOP_WITHIN_MS / 3, undefined, { ref: false })]);
    return (await stop(ends, log)) ? status : 1;
  } catch (error) {
    const ofOurs = error instanceof PitayadError;
    if (!(error instanceof ConfigurationError)) log.fatal(ofOurs ? {} : { err: error }, (error as Error).message);
    await stop(ends, log);
    if (error instanceof ConfigurationError) throw error;
    return 1;
  }
}

async function start(config: Config, log: Logger, ends: End[]): Promise<void> {
  const choice: BusChoice = config.bus ?? { kind: isRedPitaya() ? 'devmem' : 'simulator' };
  const { bus, lost, watch, onReturn } = await openRegisters(choice, config, log);
  ends.push(() => bus.close());
  ends.push(() => watch?.stop());
  const identity = await identify(bus, choice.kind === 'devmem' ? loadedImage(config.root) : undefined);
  const statePath = config.state ?? (choice.kind === 'devmem' ? join(STATE_FOLDER, 'state.json') : undefined);
  const instrument = await openInstrument({
    bus,
    identity,
    log,
    onStop: config.outputs_on_stop,
    gracePeriod: config.grace_period,
    frequencyCorrection: config.frequency_correction,
    wiring: readWiring(config, choice.kind === 'devmem' ? join(config.root, config.eeprom) : undefined, log),
    saveEveryMs: config.save_every_ms,
    fpgaLoad: choice.kind === 'devmem' ? lastLoad(config.root) : undefined,
    fpgaLost: lost,
    onReturn,
    ...(statePath ? { statePath } : {}),
  });
  // A daemon that never served leaves the outputs to the one that does.
  let served = false;
  ends.push(() => instrument.close(served ? undefined : 'hold'));

  const modules = instrument.modules.map(({ name }) => name);
  const traces = sharedTraces();
  const dialling = openDialling(instrument, log, {
    traces,
    allowed: allowedPeers(config.allowed_networks),
    maxQueuedBytes: config.max_queued_bytes,
    resetOnDeath: resetOnDeath(log),
  });
  let leco: Leco | undefined;
  const door = await listen(instrument, log, {
    ...doorOptions(config),
    traces,
    dialling,
    facts: () => leco?.facts() ?? {},
  });
  ends.push(() => door.close());
  served = true;
  dialling.dialAll(config.dial);
  ends.push(() => dialling.close());
  const { leco: wanted, leco_coordinator: coordinator } = config;
  leco = await openLeco(instrument, log, {
    ...doorOptions(config),
    own: wanted === undefined ? choice.kind === 'devmem' && !coordinator : wanted !== 'off',
    listen: wanted === 'off' ? undefined : wanted,
    coordinator,
    port: door.port,
    traces,
  });
  ends.push(() => leco?.close());

  if (config.discovery !== 'off') {
    const publish = publisherOf(config.discovery, config.root);
    const announcement = publish(boardService(identity, modules, door), log);
    ends.push(() => announcement.stop());
  }

  if (choice.kind === 'devmem') ends.push(collectOldGarbage());
  const manager = serviceManager(log);
  ends.push(() => manager.stopping());
  const simulated = choice.kind === 'simulator' ? { simulated: true } : {};
  const { hostname: _host, ...board } = identity;
  const doors = {
    pymodaq: { host: door.address, port: door.port },
    ...(leco.door ? { leco: { host: leco.door.address, port: leco.door.port } } : {}),
  };
  log.info({ ...doors, bus: bus.name, ...simulated, ...board }, 'serving');
  manager.ready(`serving PyMoDAQ on port ${door.port}, registers by ${bus.name}`);
  ends.push(feedWatchdog({ manager, log, verdict: () => watch?.verdict() }));
}

/** What of the configuration concerns the door for PyMoDAQ. */
export function doorOptions(config: Config): ListenOptions {
  return {
    listen: config.listen,
    maxClients: config.max_clients,
    maxClientsPerHost: config.max_clients_per_host,
    maxMessageBytes: config.max_message_bytes,
    maxQueuedBytes: config.max_queued_bytes,
    allowedNetworks: config.allowed_networks,
  };
}

/** Exit status, as soon as the daemon has to end: 0 by a signal, 1 by a fault. */
function untilTold(log: Logger): Promise<number> {
  return new Promise((resolve) => {
    let told = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // They may come twice: from the terminal, and from the npm that was told by it too.
      process.on(signal, () => {
        if (!told) log.info({ signal }, 'stopping');
        told = true;
        resolve(0);
      });
    }
    const fault = (error: unknown): void => {
      log.fatal({ err: error }, 'a fault of pitayad itself; it ends');
      resolve(1);
    };
    process.on('uncaughtException', fault);
    process.on('unhandledRejection', fault);
  });
}

/** Ends what was started, last first. false: something did not, or not in time. */
async function stop(ends: End[], log: Logger): Promise<boolean> {
  if (ends.length === 0) return true;
  let clean = true;
  const all = (async () => {
    for (let end = ends.pop(); end; end = ends.pop()) {
      try {
        await end();
      } catch (error) {
        clean = false;
        log.error({ err: error }, 'could not be ended properly');
      }
    }
    return true;
  })();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), STOP_WITHIN_MS);
  });
  const inTime = await Promise.race([all, late]);
  clearTimeout(timer);
  if (!inTime) log.error('the daemon did not end in time');
  log.info('stopped');
  return clean && inTime;
}
