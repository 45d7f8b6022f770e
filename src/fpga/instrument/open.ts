/**
 * Opens the instrument on a register bus: all modules with their drivers, ownership, acquisition and saved state. See
 * instrument.ts for what it promises to the doors.
 */
import type { Logger } from 'pino';
import { PitayadError, Refusal } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import type { RegisterBus } from '../bus/bus.ts';
import type { ModuleDescription, Value } from '../description.ts';
import type { ModuleDriver, Taken } from '../driver.ts';
import { type ModuleDeclaration, moduleDriver, type TypedDriver } from '../module.ts';
import { modules } from '../modules/modules.ts';
import { scope } from '../modules/scope.ts';
import { show } from '../parameters.ts';
import { registerFile } from '../registers.ts';
import { hostClock } from './clock.ts';
import { newCounters } from './counters.ts';
import { checkGrabOptions } from './grab-options.ts';
import { refuseHopeless, scopeGrabs } from './grabs.ts';
import type { BoardIdentity, Change, Client, Grab, GrabOptions, Instrument, Progress, Trace } from './instrument.ts';
import { outputsOff } from './off.ts';
import { ownership } from './ownership.ts';
import { stateFile } from './state.ts';

export interface OpenOptions {
  readonly bus: RegisterBus;
  readonly identity: BoardIdentity;
  readonly log: Logger;
  /** What outputs do when the instrument is closed. Default: hold. */
  readonly onStop?: 'hold' | 'zero';
  /** Where settings are kept; none: they are lost with the FPGA's. */
  readonly statePath?: string;
  /**
   * The FPGA has just been loaded: saved settings (or defaults) are written to it. Otherwise it was running, keeps
   * what it does, and its registers are read. Default: true on the simulator, which starts with this process.
   */
  readonly freshlyLoaded?: boolean;
  /** The real clock is 125 MHz times this. Default 1. */
  readonly frequencyCorrection?: number;
  /** Whether timestamps can be trusted. Default: what the host's time service says. */
  readonly clockSynchronised?: () => boolean;
  /** Shortest time between two savings of the state, in ms. */
  readonly saveEveryMs?: number;
}

/** Changes of one parameter by one owner within this time, in ms, are logged once at info level; the rest at debug. */
const LOG_QUIET_MS = 10_000;

/** Values by name, not judged. */
type Values = Readonly<Record<string, unknown>>;

type Driver = ModuleDriver & Pick<TypedDriver<unknown>, 'remember'>;

/** A module, and its way of being written. */
interface Module {
  readonly driver: Driver;
  readonly name: string;
  /** Names of the parameters that can be written. */
  readonly settable: readonly string[];
  write(write: () => Promise<Taken[]>): Promise<Taken[]>;
}

/**
 * @throws BusError if the registers do not answer; the bus is then still open.
 */
export async function openInstrument(options: OpenOptions): Promise<Instrument> {
  const { bus, identity, log, onStop = 'hold' } = options;
  const { freshlyLoaded = bus.name === 'simulator', frequencyCorrection = 1 } = options;
  const registers = registerFile(bus);
  const board = { frequencyCorrection };
  const scopeDriver = moduleDriver(registers, scope, board);
  const drivers = modules.map(
    (declaration): Driver =>
      // The driver's own types matter to the scope's acquisition only; here all modules are alike.
      declaration === scope ? scopeDriver : moduleDriver(registers, declaration as unknown as ModuleDeclaration, board),
  );
  const counters = newCounters();
  const owners = ownership();
  const changeListeners = new Set<(change: Change) => void>();
  const progressListeners = new Set<(progress: Progress) => void>();
  const grabsOf = new Map<Client, Set<Grab>>();
  const loggedAt = new Map<string, number>();
  const startedAt = Date.now() / 1e3;
  const clock = options.clockSynchronised ?? hostClock().synchronised;
  let closed = false;

  const scopes = scopeGrabs({
    registers,
    driver: scopeDriver,
    counters,
    board: identity.hostname,
    clockSynchronised: clock,
    progress: (progress) => tell(progressListeners, progress),
  });

  const parts = new Map<string, Module>(
    drivers.map((driver) => {
      const { name, parameters } = driver.description;
      const settable = parameters.filter((parameter) => !parameter.readonly).map((parameter) => parameter.name);
      const inTurn = serial();
      const write = (job: () => Promise<Taken[]>): Promise<Taken[]> =>
        inTurn(() => (driver === scopeDriver ? scopes.writing(job, (taken) => taken.length > 0) : job()));
      return [name, { driver, name, settable, write }];
    }),
  );

  const state = options.statePath
    ? stateFile(options.statePath, collect, log, ...(options.saveEveryMs === undefined ? [] : [options.saveEveryMs]))
    : undefined;

  await startUp();

  // ---------------------------------------------------------------- start

  async function startUp(): Promise<void> {
    const saved = await state?.load();
    for (const module of parts.values()) {
      await module.driver.readBack();
      const wanted = saved?.[module.name] ?? {};
      if (freshlyLoaded) await restore(module, wanted);
      else module.driver.remember(wanted);
    }
    const unknown = Object.keys(saved ?? {}).filter((name) => !parts.has(name));
    if (unknown.length > 0)
      log.warn({ modules: unknown }, 'the saved state has modules that this version does not know');
  }

  /** Writes defaults and, over them, what was saved, as far as it is allowed. */
  async function restore({ driver }: Module, saved: Values): Promise<void> {
    const values: Record<string, unknown> = {};
    for (const parameter of driver.description.parameters) {
      if (!parameter.readonly) values[parameter.name] = parameter.default;
    }
    await driver.apply(driver.check(values));
    await driver.apply(driver.check(allowed(driver, saved)));
  }

  /** What the driver accepts of the saved values: all, or one after the other as many as go together. */
  function allowed(driver: ModuleDriver, saved: Values): Values {
    try {
      driver.check(saved);
      return saved;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    const good: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(saved)) {
      try {
        driver.check({ ...good, [key]: value });
        good[key] = value;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        const module = driver.description.name;
        log.warn({ module, parameter: key, reason: error.message }, 'a saved value is not taken');
      }
    }
    return good;
  }

  async function collect(): Promise<Record<string, Record<string, Value>>> {
    const all: Record<string, Record<string, Value>> = {};
    for (const { driver, name, settable } of parts.values()) all[name] = await driver.get(settable);
    return all;
  }

  // ---------------------------------------------------------------- helpers

  function moduleOf(name: string): Module {
    const module = parts.get(name);
    if (module) return module;
    const near = nearest(String(name), parts.keys());
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    throw new Refusal(`There is no module ${show(name)}${hint}; there are ${[...parts.keys()].join(', ')}.`);
  }

  function checkOwner(client: Client, name: string): void {
    try {
      owners.check(client, name);
    } catch (error) {
      counters.refusedByOwner++;
      throw error;
    }
  }

  function checkOpen(): void {
    if (closed) throw new PitayadError('The instrument is closed.');
  }

  function tell<T>(listeners: ReadonlySet<(event: T) => void>, event: T): void {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        log.error({ err: error }, 'a listener failed');
      }
    }
  }

  function announce(module: string, taken: readonly Taken[], by: string): void {
    for (const { parameter, from, to } of taken) {
      counters.changes++;
      const key = `${module}.${parameter} ${by}`;
      const now = performance.now();
      const repeated = now - (loggedAt.get(key) ?? Number.NEGATIVE_INFINITY) < LOG_QUIET_MS;
      if (!repeated) loggedAt.set(key, now);
      log[repeated ? 'debug' : 'info']({ module, parameter, from, to, by }, 'changed');
      tell(changeListeners, { module, parameter, from, to, by });
    }
    if (loggedAt.size > 1000) loggedAt.clear();
    if (taken.length > 0) state?.touch();
  }

  async function write(client: Client, module: Module, values: Values): Promise<void> {
    checkOwner(client, module.name);
    const checked = module.driver.check(values);
    const taken = await module.write(async () => {
      checkOwner(client, module.name);
      return module.driver.apply(checked);
    });
    announce(module.name, taken, client.owner);
  }

  // ---------------------------------------------------------------- the instrument

  return {
    identity,
    modules: drivers.map((driver) => driver.description),

    describe: (name): ModuleDescription => moduleOf(name).driver.description,

    async get(name, names) {
      checkOpen();
      return moduleOf(name).driver.get(names);
    },

    async configure(client, name, values) {
      checkOpen();
      const module = moduleOf(name);
      await write(client, module, values);
      return module.driver.get(Object.keys(values));
    },

    grab(client, name, wanted: GrabOptions = {}) {
      const mine = grabsOf.get(client) ?? new Set();
      grabsOf.set(client, mine);
      let stoppedBy: string | undefined;
      let inner: Grab | undefined;

      const configureFirst = async (config: Values): Promise<void> => {
        const module = moduleOf(name);
        checkOwner(client, name);
        const { values } = module.driver.check(config);
        refuseHopeless({ ...scopeDriver.values, ...values });
        await write(client, module, config);
      };
      const begun = async (): Promise<Trace> => {
        checkOpen();
        const { description } = moduleOf(name).driver;
        if (!description.grabs) {
          const able = drivers.filter((driver) => driver.description.grabs).map((driver) => driver.description.name);
          throw new Refusal(`${name} records no traces; ${able.join(', ')} does.`);
        }
        checkGrabOptions({ ...wanted });
        const { config, ...rest } = wanted;
        if (config === undefined || Object.keys(config).length === 0) {
          inner = scopes.grab(rest);
          return inner.result;
        }
        await configureFirst(config);
        if (stoppedBy !== undefined) throw new Refusal(`The grab was stopped by ${stoppedBy}.`);
        checkOpen();
        inner = scopes.grab(rest);
        return inner.result;
      };

      const result = begun();
      const grab: Grab = {
        result,
        stop(by) {
          stoppedBy ??= by;
          inner?.stop(by);
        },
      };
      mine.add(grab);
      const forget = (): void => {
        mine.delete(grab);
        if (mine.size === 0 && grabsOf.get(client) === mine) grabsOf.delete(client);
      };
      result.then(forget, forget);
      return grab;
    },

    async stop(client, name) {
      const module = moduleOf(name);
      checkOwner(client, name);
      if (module.driver === scopeDriver) await scopes.stop(client.owner);
    },

    async attach(client, name, mode) {
      moduleOf(name);
      if (mode !== 'own' && mode !== 'share') {
        throw new Refusal(`A module is attached as own or share, not ${show(mode)}; nothing was changed.`);
      }
      owners.attach(client, name, mode);
    },

    async detach(client, name) {
      moduleOf(name);
      owners.detach(client, name);
    },

    leave(client) {
      for (const grab of [...(grabsOf.get(client) ?? [])]) grab.stop(`${client.owner}, who left`);
      grabsOf.delete(client);
      const free = owners.leave(client);
      if (free.length > 0) log.info({ modules: free, owner: client.owner }, 'free again');
    },

    async off(client) {
      checkOpen();
      await allOff(client.owner);
    },

    async status() {
      return {
        since: startedAt,
        holders: owners.holders(),
        acquisitions: { scope: scopes.running() ?? null },
        counters: { ...counters },
        bus: { name: bus.name, ...bus.traffic },
        ...(state ? { state: { ...state.status } } : {}),
      };
    },

    onChange(listener) {
      changeListeners.add(listener);
      return () => changeListeners.delete(listener);
    },

    onProgress(listener) {
      progressListeners.add(listener);
      return () => progressListeners.delete(listener);
    },

    async close() {
      if (closed) return;
      closed = true;
      await scopes.stop('pitayad, which ends');
      await state?.close();
      if (onStop === 'zero') await allOff('pitayad, which ends');
    },
  };

  async function allOff(by: string): Promise<void> {
    const failures: unknown[] = [];
    const attempts = outputsOff(registers, drivers).map(async ({ module, act }): Promise<void> => {
      const known = module === undefined ? undefined : parts.get(module);
      try {
        const taken = known ? await known.write(act) : await act();
        if (module !== undefined) announce(module, taken, by);
      } catch (error) {
        failures.push(error);
      }
    });
    await Promise.all(attempts);
    log.info({ by }, 'all outputs off');
    if (failures.length > 0) throw failures[0];
  }
}

/** Jobs one after the other, in the order of the calls; a failed one does not stop the next. */
function serial(): <T>(job: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (job) => {
    const done = tail.then(job);
    tail = done.catch(() => undefined);
    return done;
  };
}
