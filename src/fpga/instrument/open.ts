/**
 * Opens the instrument on a register bus: all modules with their drivers, ownership, recorders and saved state. See
 * instrument.ts for what it promises to the doors.
 */
import type { Logger } from 'pino';
import { BusError, PitayadError, Refusal } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { CLOCK_HZ, type RegisterBus } from '../bus/bus.ts';
import { scalesOf, type Wiring } from '../calibration.ts';
import { type ModuleDescription, settable, type Value } from '../description.ts';
import type { Taken } from '../driver.ts';
import type { ModuleDeclaration, TypedDriver } from '../module.ts';
import { moduleDriver } from '../module-driver.ts';
import { modules } from '../modules/modules.ts';
import { show } from '../parameters/judging.ts';
import { type Board, scaleOf } from '../parameters/parameter.ts';
import { registerFile } from '../registers.ts';
import { hostClock } from './clock.ts';
import { newCounters } from './counters.ts';
import { grabbing } from './grabbing.ts';
import type { BoardIdentity, Change, Client, Instrument, OutputsOnStop, Progress } from './instrument.ts';
import { offValues, readOutputs, undrivenOff } from './off.ts';
import { ownership } from './ownership.ts';
import type { Recorder, RecorderTools } from './recorder.ts';
import { recorders } from './recorders.ts';
import { reservations, settingsOf } from './reservations.ts';
import { checkSelftestOptions, selftest } from './selftest/selftest.ts';
import { serial } from './serial.ts';
import { setups, setupsFolder } from './setups.ts';
import { bringUp, type Values } from './start-up.ts';
import { type SavedModules, stateFile } from './state.ts';
import { type Turnstile, turnstile } from './turnstile.ts';

export interface OpenOptions {
  readonly bus: RegisterBus;
  readonly identity: BoardIdentity;
  readonly log: Logger;
  /** What outputs do when the instrument is closed. Default: hold. */
  readonly onStop?: OutputsOnStop;
  /** Where settings are kept; none: they are lost with the FPGA's. */
  readonly statePath?: string;
  /**
   * The FPGA has just been loaded: saved settings (or defaults) are written to it. Otherwise it was running, keeps
   * what it does, and its registers are read. Default: true on the simulator, which starts with this process;
   * elsewhere what the saved state says of `fpgaLoad`.
   */
  readonly freshlyLoaded?: boolean;
  /** Which load of the FPGA this is (see `lastLoad`); without, it counts as running. */
  readonly fpgaLoad?: string | undefined;
  /** Why the FPGA is not ours any more: then nothing is answered, not even from memory. Default: it stays ours. */
  readonly fpgaLost?: () => string | undefined;
  /**
   * Calls its listener when the registers are there again after an interruption, in which others may have written them or
   * loaded the FPGA; `ours`: they are still those of PyRPL's design. Default: they are never interrupted.
   */
  readonly onReturn?: (listener: (ours: Promise<boolean>) => void) => void;
  /** The real clock is 125 MHz times this. Default 1. */
  readonly frequencyCorrection?: number;
  /** Jumpers of the inputs, and the board's calibration. Default: LV, and none. */
  readonly wiring?: Wiring;
  /** How long the modules of an owner whose last connection is lost are kept for it, in s. Default: not at all. */
  readonly gracePeriod?: number;
  /** Whether timestamps can be trusted. Default: what the host's time service says. */
  readonly clockSynchronised?: () => boolean;
  /** Shortest time between two savings of the state, in ms. */
  readonly saveEveryMs?: number;
}

/** Changes of one parameter by one owner within this time, in ms, are logged once at info level; the rest at debug. */
const LOG_QUIET_MS = 10_000;

/** A signal that is a connector of the board. */
const isPin = (signal: string): boolean => /^(in|out)[12]$/.test(signal);

/** A module, and its way of being written. */
export interface Module {
  readonly driver: TypedDriver<unknown>;
  readonly name: string;
  /** Names of the parameters that are settings. */
  readonly settable: readonly string[];
  /** What makes its measurements, where it makes any. */
  readonly recorder: Recorder | undefined;
  /** Grabs pass side by side; a measurement of another module that needs this one has it alone. */
  readonly place: Turnstile;
  /** One write after the other, in the order of the calls. */
  write(write: () => Promise<Taken[]>): Promise<Taken[]>;
  /** The registers are read again, if `may` says so, as after a write of who knows what: measurements are outdated. */
  readAgain(may: Promise<boolean>): Promise<Taken[]>;
}

/**
 * @throws BusError if the registers do not answer; the bus is then still open.
 */
export async function openInstrument(options: OpenOptions): Promise<Instrument> {
  const { bus, identity, log, onStop = 'hold' } = options;
  const { statePath, fpgaLoad, saveEveryMs: intervalMs, frequencyCorrection = 1 } = options;
  const registers = registerFile(bus);
  const wiring = options.wiring ?? { in1: 'LV', in2: 'LV' };
  const board: Board = { frequencyCorrection, scales: scalesOf(wiring) };
  const counters = newCounters();
  const owners = ownership({
    gracePeriod: options.gracePeriod ?? 0,
    event: ({ what, ...facts }) => log.info(facts, what),
  });
  const changeListeners = new Set<(change: Change) => void>();
  const progressListeners = new Set<(progress: Progress) => void>();
  let offs = 0;
  const offListeners = new Set<(by: string) => void>();
  /** Self-tests under way; `ended` once all is as it was. */
  const tests = new Map<Client, Set<{ readonly over: AbortController; readonly ended: Promise<unknown> }>>();
  const loggedAt = new Map<string, number>();
  const startedAt = Date.now() / 1e3;
  let closed = false;
  /** Saved modules that this version does not have. */
  let unknown: SavedModules = {};

  const reserved = reservations({ moduleOf, checkOwner, owners });
  const tools: RecorderTools = {
    registers,
    counters,
    board: identity.hostname,
    scaleOf: (signal) => scaleOf(board, signal),
    // Signals within the FPGA have volts by definition.
    isCalibrated: (signal) => wiring.corrections !== undefined || !isPin(signal),
    clock: 1 / (CLOCK_HZ * frequencyCorrection),
    clockSynchronised: options.clockSynchronised ?? hostClock().synchronised,
    progress: (progress) => tell(progressListeners, progress),
    // Drivers know their values by name; the declaration gives them their types.
    values: (name) => moduleOf(name).driver.values as Record<string, Value>,
    reserve: reserved.reserve,
    visit: reserved.visit,
  };
  const parts = new Map(modules.map((declaration) => [declaration.name, open(declaration)]));
  const descriptions = [...parts.values()].map(({ driver }) => driver.description);
  const measuring = recorders.map(({ module }) => module);
  const grabs = grabbing({ measuring, moduleOf, write, checkOwner, checkOpen });

  const state = statePath ? stateFile({ path: statePath, log, collect: collectAll, fpgaLoad, intervalMs }) : undefined;

  await startUp();
  options.onReturn?.((ours) => void readAgain(ours));

  // ---------------------------------------------------------------- parts

  function open(declaration: (typeof modules)[number]): Module {
    // What a driver's values are matters to its own recorder only; here all modules are alike.
    const driver = moduleDriver(registers, declaration as unknown as ModuleDeclaration, board);
    const { name } = driver.description;
    const recorder = recorders.find(({ module }) => module === name)?.open(tools, driver);
    const inTurn = serial();
    const writing = (job: () => Promise<Taken[]>, changed: (taken: Taken[]) => boolean): Promise<Taken[]> =>
      inTurn(() => recorder?.writing?.(job, changed) ?? job());
    return {
      driver,
      name,
      settable: settable(driver.description).map((one) => one.name),
      recorder,
      place: turnstile(),
      write: (job) => writing(job, (taken) => taken.length > 0),
      readAgain: (may) =>
        writing(
          async () => ((await may) ? driver.readAgain() : []),
          () => true,
        ),
    };
  }

  async function startUp(): Promise<void> {
    const saved = await state?.load();
    const modules = saved?.modules ?? {};
    // Nothing saved: the FPGA was never ours.
    const anew = fpgaLoad !== undefined && !saved?.inFpga;
    const { freshlyLoaded = bus.name === 'simulator' || anew } = options;
    const drivers = [...parts.values()].map(({ driver }) => driver);
    await bringUp(drivers, modules, freshlyLoaded, log);
    // From now on the registers tell, also after a crash.
    if (freshlyLoaded) state?.touch();
    unknown = Object.fromEntries(Object.entries(modules).filter(([name]) => !parts.has(name)));
    const names = Object.keys(unknown);
    if (names.length > 0) log.warn({ modules: names }, 'the saved state has modules that this version does not know');
  }

  /** At once in every module's turn: no later write goes by what may not be so any more. */
  async function readAgain(ours: Promise<boolean>): Promise<void> {
    registers.doubt();
    const jobs = [...parts.values()].map(async (module) => {
      const taken = await module.readAgain(ours);
      announce(module.name, taken, 'others');
      return taken.length;
    });
    try {
      const changes = (await Promise.all(jobs)).reduce((sum, count) => sum + count, 0);
      if (!(await ours)) return;
      if (changes === 0) log.info('the registers were read again: the FPGA is as it was');
      else log.warn({ changes }, 'the registers were read again: others have written them, or loaded the FPGA anew');
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      // Those that were not are still in doubt, and read when they are to be written.
      log.warn({ reason: error.message }, 'not all registers could be read again');
    }
  }

  /** With what another version has left, for its return. */
  async function collectAll(): Promise<SavedModules> {
    return { ...unknown, ...(await collect()) };
  }

  /** Settings to be kept: those of a reserved module are the ones that it gets back. */
  async function collect(): Promise<Record<string, Record<string, Value>>> {
    const all: Record<string, Record<string, Value>> = {};
    for (const module of parts.values()) {
      all[module.name] = { ...(await settingsOf(module)), ...reserved.former(module.name) };
    }
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
    const lost = options.fpgaLost?.();
    if (lost !== undefined) throw new BusError(lost);
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

  /** Every recorder ends what it does, and gives back what it reserved. */
  async function stopRecorders(by: string): Promise<void> {
    await Promise.all([...parts.values()].map(({ recorder }) => recorder?.stop(by)));
  }

  /** Each step is worth doing when another fails. @throws the first failure, after all steps */
  async function allOff(by: string): Promise<void> {
    const failures: unknown[] = [];
    const attempt = (step: () => Promise<void>): Promise<void> => step().catch((error) => void failures.push(error));
    const once = async (): Promise<void> => {
      await attempt(() => readOutputs(registers));
      const steps = [...parts.values()].map((module) =>
        attempt(async () => {
          const values = offValues(module.driver.description);
          if (Object.keys(values).length === 0) return;
          reserved.amend(module.name, values);
          const taken = await module.write(() => module.driver.apply(module.driver.check(values)));
          announce(module.name, taken, by);
        }),
      );
      await Promise.all([...steps, attempt(() => undrivenOff(registers, descriptions))]);
    };
    offs++;
    tell(offListeners, by);
    // A measurement that drives an output would go on without, and bring what is not so; a self-test switches it on.
    const ending = [...parts.values()]
      .filter(({ driver, recorder }) => recorder?.running() && Object.keys(offValues(driver.description)).length > 0)
      .map(({ recorder }) => attempt(async () => recorder?.stop(`${by}, who switched all outputs off`)));
    const testing = [...tests.values()].flatMap((mine) => [...mine]);
    for (const { over } of testing)
      over.abort(new Refusal(`The self-test was ended by ${by}, who switched all outputs off.`));
    await once();
    if (ending.length + testing.length > 0) {
      await Promise.all([...ending, ...testing.map(({ ended }) => ended)]);
      await once();
    }
    log.info({ by }, 'all outputs off');
    if (failures.length > 0) throw failures[0];
  }

  // ---------------------------------------------------------------- the instrument

  return {
    identity,
    modules: descriptions,
    setups: setups({
      folder: statePath && setupsFolder(statePath),
      collect,
      moduleOf,
      checkOwner,
      announce,
      offs: () => offs,
    }),

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

    async transferFunction(name, frequencies, extraDelay = 0) {
      checkOpen();
      const found = moduleOf(name).driver.response(frequencies, extraDelay);
      if (found) return found;
      const known = [...parts.values()].filter(({ driver }) => driver.response([], 0)).map((part) => part.name);
      throw new Refusal(`There is no model of ${name}; there are models of ${known.join(', ')}.`);
    },

    // The scope's recorder brings traces.
    grab: grabs.grab as Instrument['grab'],

    async stop(client, name) {
      const module = moduleOf(name);
      checkOwner(client, name);
      await module.recorder?.stop(client.owner);
    },

    async attach(client, name, mode, wanted) {
      moduleOf(name);
      if (mode !== 'own' && mode !== 'share') {
        throw new Refusal(`A module is attached as own or share, not ${show(mode)}; nothing was changed.`);
      }
      await owners.attach(client, name, mode, wanted);
    },

    async detach(client, name) {
      moduleOf(name);
      owners.detach(client, name);
    },

    leave(client, forGood) {
      grabs.leave(client);
      for (const { over } of tests.get(client) ?? []) over.abort(new Refusal('The client of the self-test left.'));
      const free = owners.leave(client, forGood);
      if (free.length > 0) log.info({ modules: free, owner: client.owner }, 'free again');
    },

    async selftest(client, wanted) {
      checkOpen();
      const test = checkSelftestOptions(wanted);
      const over = new AbortController();
      const mine = tests.get(client) ?? new Set();
      const report = selftest(tools, descriptions, client, test, over.signal);
      const underWay = { over, ended: report.catch(() => undefined) };
      tests.set(client, mine.add(underWay));
      try {
        return await report;
      } finally {
        mine.delete(underWay);
        if (mine.size === 0) tests.delete(client);
      }
    },

    async off(client) {
      checkOpen();
      await allOff(client.owner);
    },

    async status() {
      checkOpen();
      const saturated = await moduleOf('asg0').driver.get(['out1_saturated', 'out2_saturated']);
      return {
        since: startedAt,
        holders: owners.holders(),
        acquisitions: Object.fromEntries(measuring.map((name) => [name, parts.get(name)?.recorder?.running() ?? null])),
        counters: { ...counters },
        volts: {
          in1: wiring.in1,
          in2: wiring.in2,
          calibrated: wiring.corrections !== undefined,
          ...(wiring.corrections ? { remarks: wiring.corrections.remarks } : {}),
          scales: board.scales,
        },
        outputs: { out1_saturated: saturated.out1_saturated, out2_saturated: saturated.out2_saturated },
        bus: { name: bus.name, ...bus.traffic, ...(bus.lag === undefined ? {} : { lag: bus.lag, step: bus.step }) },
        ...(state ? { state: { ...state.status } } : {}),
      };
    },

    onOff(listener) {
      offListeners.add(listener);
      return () => offListeners.delete(listener);
    },

    onChange(listener) {
      changeListeners.add(listener);
      return () => changeListeners.delete(listener);
    },

    onProgress(listener) {
      progressListeners.add(listener);
      return () => progressListeners.delete(listener);
    },

    async close(outputs = onStop) {
      if (closed) return;
      closed = true;
      owners.close();
      await stopRecorders('pitayad, which ends');
      await state?.close();
      if (outputs !== 'zero') return;
      if (options.fpgaLost?.() === undefined) await allOff('pitayad, which ends');
      else log.warn('the outputs are not set to zero: the FPGA is not ours any more');
    },
  };
}
