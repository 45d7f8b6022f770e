/** An instrument on a bus, for tests: silent, with a board of no importance. */
import { type Logger, pino } from 'pino';
import { settable } from '../../../src/fpga/description.ts';
import type { Client, Instrument } from '../../../src/fpga/instrument/instrument.ts';
import { type OpenOptions, openInstrument } from '../../../src/fpga/instrument/open.ts';
import { type TimedBus, timedBus } from './timed-bus.ts';

export const identity = { model: 'test', serial: '0', hostname: 'rp-test', version: '0', bitstream: '4894f44b' };
export const silent: Logger = pino({ level: 'silent' });

export function client(owner: string): Client {
  return { peer: `${owner}:1`, owner };
}

/** A log that keeps its lines. */
export function keptLog(): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return { log: pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) }), lines };
}

/** An instrument on registers whose scope is over when the test says so. */
export async function timed(
  options: Partial<OpenOptions> = {},
): Promise<{ readonly bus: TimedBus; readonly instrument: Instrument }> {
  const bus = timedBus();
  const instrument = await openInstrument({ bus, identity, log: silent, freshlyLoaded: true, ...options });
  return { bus, instrument };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What all modules are set to. */
export async function allSettings(instrument: Instrument): Promise<Record<string, Record<string, unknown>>> {
  const all: Record<string, Record<string, unknown>> = {};
  for (const module of instrument.modules) {
    const names = settable(module).map(({ name }) => name);
    all[module.name] = await instrument.get(module.name, names);
  }
  return all;
}

/** Waits for what another task does, turn by turn. */
export async function eventually(holds: () => boolean, what: string, ms = 2000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The sentence of a refusal, or a failed test. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error && error.name === 'Refusal') return error.message;
    throw error;
  }
  throw new Error('It was not refused.');
}
