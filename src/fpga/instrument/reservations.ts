/** Modules that a measurement has for itself, and what they get back when it is over. */
import type { Value } from '../description.ts';
import type { Client } from './instrument.ts';
import type { Module } from './open.ts';
import type { Ownership } from './ownership.ts';
import type { RecorderTools, Reservation } from './recorder.ts';
import type { Leave } from './turnstile.ts';

type Former = Readonly<Record<string, Value>>;

export interface Reservations {
  readonly reserve: RecorderTools['reserve'];
  readonly visit: RecorderTools['visit'];
  /** Settings that a reserved module gets back; empty for others. */
  former(module: string): Former;
  /** The module, if it is reserved, gets back these values in place of the former ones. */
  amend(module: string, values: Former): void;
}

interface ReservationsOptions {
  readonly owners: Ownership;
  moduleOf(name: string): Module;
  /** @throws Refusal */
  checkOwner(client: Client, name: string): void;
}

/** The settings of a module, between two writes. */
export async function settingsOf({ driver, settable, write }: Module): Promise<Former> {
  let settings: Former = {};
  // After the writes that are under way.
  await write(async () => {
    settings = await driver.get(settable);
    return [];
  });
  return settings;
}

/** Beside others, as soon as nobody has the module for himself. */
async function entered({ place }: Module, signal: AbortSignal): Promise<Leave> {
  const entrance = place.pass();
  if (typeof entrance === 'function') return entrance;
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      reject(signal.reason);
      void entrance.then((unused) => unused());
    };
    signal.addEventListener('abort', giveUp, { once: true });
    void entrance.then((leave) => {
      signal.removeEventListener('abort', giveUp);
      if (!signal.aborted) resolve(leave);
    });
  });
}

export function reservations({ owners, moduleOf, checkOwner }: ReservationsOptions): Reservations {
  const formers = new Map<string, Former>();

  async function giveBack(module: Module): Promise<void> {
    const { driver, name } = module;
    try {
      await module.write(() => driver.apply(driver.check(formers.get(name) ?? {})));
    } finally {
      formers.delete(name);
    }
  }

  const reserve: RecorderTools['reserve'] = async (client, names, by, signal) => {
    const undo: (() => Promise<unknown> | unknown)[] = [];
    let over = false;
    const release = async (): Promise<void> => {
      if (over) return;
      over = true;
      for (const step of undo.reverse()) await step();
    };
    const mine = (name: string): Module => {
      if (over || !names.includes(name)) throw new Error(`${name} is not reserved by ${by}`);
      return moduleOf(name);
    };
    try {
      // In one order, so that two measurements never wait for each other.
      for (const name of [...names].sort()) {
        const module = moduleOf(name);
        checkOwner(client, name);
        undo.push(await module.place.alone(signal));
        undo.push(owners.reserve(client, name, by));
        formers.set(name, await settingsOf(module));
        undo.push(() => giveBack(module));
      }
    } catch (error) {
      await release();
      throw error;
    }
    const reservation: Reservation = {
      async configure(name, values) {
        const { driver, write } = mine(name);
        await write(() => driver.apply(driver.check(values)));
        return driver.get(Object.keys(values));
      },
      grab(name, options) {
        const { recorder } = mine(name);
        if (!recorder) throw new Error(`${name} has no recorder`);
        return recorder.grab(client, options);
      },
      release,
    };
    return reservation;
  };

  const visit: RecorderTools['visit'] = async (names, signal) => {
    const left: Leave[] = [];
    const leave = (): void => {
      for (const one of left.splice(0)) one();
    };
    try {
      for (const name of [...names].sort()) left.push(await entered(moduleOf(name), signal));
    } catch (error) {
      leave();
      throw error;
    }
    return {
      async betweenWrites(name, job) {
        await moduleOf(name).write(async () => {
          await job();
          return [];
        });
      },
      leave,
    };
  };

  return {
    reserve,
    visit,
    former: (name) => formers.get(name) ?? {},
    amend(name, values) {
      const former = formers.get(name);
      if (former) formers.set(name, { ...former, ...values });
    },
  };
}
