/** Grabs of all modules: what may be asked, settings that come along, waiting for a module that is in use, withdrawal. */
import { Bag } from '../../bag.ts';
import { Refusal } from '../../errors.ts';
import { checkGrabOptions } from './grab-options.ts';
import type { Client, Grab, GrabOptions, Measurement } from './instrument.ts';
import type { Module } from './open.ts';
import type { Values } from './start-up.ts';
import type { Leave } from './turnstile.ts';

/** Time-out of waiting for a module that another measurement has for itself, unless the request names one; in s. */
const DEFAULT_WAIT = 5;

interface GrabbingOptions {
  /** Names of the modules that can be grabbed. */
  readonly measuring: readonly string[];
  moduleOf(name: string): Module;
  write(client: Client, module: Module, values: Values): Promise<void>;
  /** @throws Refusal */
  checkOwner(client: Client, name: string): void;
  /** @throws PitayadError */
  checkOpen(): void;
}

export interface Grabbing {
  grab(client: Client, name: string, wanted?: GrabOptions): Grab;
  /** The client's grabs are withdrawn. */
  leave(client: Client): void;
}

export function grabbing({ measuring, moduleOf, write, checkOwner, checkOpen }: GrabbingOptions): Grabbing {
  /** Kept for as long as the client itself. */
  const grabsOf = new WeakMap<Client, Bag<Grab>>();

  function grab(client: Client, name: string, wanted: GrabOptions = {}): Grab {
    const mine = grabsOf.get(client) ?? new Bag<Grab>();
    grabsOf.set(client, mine);
    let stoppedBy: string | undefined;
    let inner: Grab | undefined;
    let endWait: (() => void) | undefined;
    let leave: Leave | undefined;

    const checkStopped = (): void => {
      if (stoppedBy !== undefined) throw new Refusal(`The grab was stopped by ${stoppedBy}.`);
    };

    /** Time is up, or the grab stopped, before the module is free: a Refusal. */
    const admitted = (entrance: Promise<Leave>, seconds: number): Promise<Leave> =>
      new Promise((resolve, reject) => {
        const giveUp = (reason: string): void => {
          clearTimeout(timer);
          reject(new Refusal(reason));
          void entrance.then((unused) => unused());
        };
        const timer = setTimeout(
          () => giveUp(`${name} was in use by another measurement for ${seconds} s; nothing was changed.`),
          seconds * 1e3,
        );
        endWait = () => giveUp(`The grab was stopped by ${stoppedBy}.`);
        void entrance.then((entered) => {
          clearTimeout(timer);
          resolve(entered);
        });
      });

    const begun = async (): Promise<Measurement> => {
      checkOpen();
      const module = moduleOf(name);
      const recorder = module.recorder;
      if (!recorder) throw new Refusal(`${name} measures nothing; what can be grabbed: ${measuring.join(', ')}.`);
      checkGrabOptions({ ...wanted });
      const { config, ...rest } = wanted;
      if (
        !module.driver.description.parts &&
        [rest.start, rest.points, rest.statistics].some((part) => part !== undefined)
      ) {
        throw new Refusal(
          `${name} is always grabbed whole: start, points and statistics are for traces; nothing was changed.`,
        );
      }
      if (config !== undefined && Object.keys(config).length > 0) {
        checkOwner(client, name);
        recorder.refuseHopeless?.(module.driver.check(config).values);
        await write(client, module, config);
        checkStopped();
        checkOpen();
      }
      const entrance = module.place.pass();
      if (typeof entrance === 'function') leave = entrance;
      else {
        leave = await admitted(entrance, rest.timeout ?? DEFAULT_WAIT);
        endWait = undefined;
        checkStopped();
        checkOpen();
      }
      inner = recorder.grab(client, rest);
      return inner.result;
    };

    const result = begun();
    const grab: Grab = {
      result,
      stop(by) {
        stoppedBy ??= by;
        endWait?.();
        inner?.stop(by);
      },
      release: () => inner?.release?.(),
    };
    mine.add(grab);
    const forget = (): void => {
      leave?.();
      mine.delete(grab);
    };
    result.then(forget, forget);
    return grab;
  }

  return {
    grab,
    leave(client) {
      for (const grab of grabsOf.get(client) ?? []) grab.stop(`${client.owner}, who left`);
    },
  };
}
