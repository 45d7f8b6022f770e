/**
 * Whether the FPGA is still the one that this process serves. Other programs of the board (its web pages, SCPI, linien,
 * PyRPL) load designs of their own, and then the registers belong to somebody else, or are not there at all, so that an
 * access hangs the processor. Therefore the files that tell of a load are looked at first, and registers only if those
 * are as they were. Once lost, it stays lost: a new process, after a reload by root, begins anew.
 */
import { BusError } from '../errors.ts';
import type { RegisterBus } from './bus/bus.ts';
import { fpgaState, loadedAt, whyNoClock, whyNotOperating } from './bus/operating.ts';
import { wrongConstants } from './identity.ts';

/** Time between two looks at files and registers, in ms. */
const LOOK_EVERY_MS = 1000;

/** Time between two looks at the files alone, in ms: a load, in which no register may be touched, takes some 300 ms. */
const FILES_EVERY_MS = 50;

/** What was found at a look. */
export interface Verdict {
  /** Why the FPGA is not ours any more, for clients; undefined: it is ours. */
  readonly lost: string | undefined;
  /** When it was found, in ms of `performance.now()`. One that grows old says that nobody looks any more. */
  readonly at: number;
}

export interface IdentityWatch {
  /** Of the last look at all; the first was before the watch began. */
  verdict(): Verdict;
  /** Looks now. Never fails. */
  look(): Promise<Verdict>;
  stop(): void;
}

export interface IdentityWatchOptions {
  readonly bus: RegisterBus;
  /** Where the file system of the board begins. undefined: the registers are not this machine's, and only they are asked. */
  readonly root: string | undefined;
  /** Called once, at the look that finds the FPGA lost. No register has been touched in that look if files told it. */
  lost(sentence: string): void;
  readonly everyMs?: number;
}

/** Begins to watch an FPGA that has just been seen operating, with the right identity. */
export function watchIdentity({ bus, root, lost, everyMs = LOOK_EVERY_MS }: IdentityWatchOptions): IdentityWatch {
  const loaded = root === undefined ? undefined : loadedAt(root);
  let verdict: Verdict = { lost: undefined, at: performance.now() };
  let looking: Promise<Verdict> | undefined;

  function toldByFiles(): string | undefined {
    if (root === undefined) return undefined;
    const reason = whyNotOperating(root);
    if (reason !== undefined) return reason.replace(/: load (it|the PyRPL design) before pitayad starts$/, '');
    return loadedAt(root) === loaded ? undefined : 'the PyRPL design was loaded again by another program';
  }

  async function reasonNow(): Promise<string | undefined> {
    const told = toldByFiles();
    if (told !== undefined) return told;
    try {
      const wrong = await wrongConstants(bus);
      return wrong === 0 ? undefined : 'its registers do not answer as PyRPL’s design does';
    } catch (error) {
      // A way that is interrupted says nothing of the FPGA; requests learn it from the bus itself.
      if (error instanceof BusError) return undefined;
      throw error;
    }
  }

  async function look(): Promise<Verdict> {
    if (verdict.lost !== undefined) {
      verdict = { ...verdict, at: performance.now() };
      return verdict;
    }
    conclude(await reasonNow());
    return verdict;
  }

  function conclude(reason: string | undefined): void {
    // The files may have told meanwhile.
    if (verdict.lost !== undefined) return;
    verdict = { lost: reason && sentence(reason, root), at: performance.now() };
    if (verdict.lost !== undefined) lost(verdict.lost);
  }

  /** Whether the files still tell what they did: of a design's name that was not written anew nothing need be read. */
  function filesAsBefore(at: string): boolean {
    return fpgaState(at)?.operating === true && whyNoClock(at) === undefined && loadedAt(at) === loaded;
  }

  function lookAtFiles(): void {
    if (verdict.lost !== undefined || root === undefined || filesAsBefore(root)) return;
    const told = toldByFiles();
    if (told !== undefined) conclude(told);
  }

  /** One look at a time. */
  function once(): Promise<Verdict> {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  const timers = [setInterval(() => void once(), everyMs), setInterval(lookAtFiles, FILES_EVERY_MS)];
  for (const timer of timers) timer.unref();
  return { verdict: () => verdict, look: once, stop: () => timers.forEach(clearInterval) };
}

function sentence(reason: string, root: string | undefined): string {
  const remedy =
    root === undefined
      ? 'load it there and start pitayad again'
      : 'end what uses the FPGA, then `sudo pitayad reload` on the board loads it again';
  return `The FPGA is not pitayad’s any more: ${reason}. Nothing was accessed; ${remedy}.`;
}
