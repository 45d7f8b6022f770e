/** The co-simulation as a process of the test's own, and an instrument on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import type { RegisterBus } from '../../src/fpga/bus/bus.ts';
import { openMonitor } from '../../src/fpga/bus/monitor.ts';
import type { Instrument } from '../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../src/fpga/instrument/open.ts';
import { identity, silent } from '../fpga/instrument/fixture.ts';

/**
 * Tests that start the co-simulation as they need it.
 * @param what is skipped, by this name, where the co-simulation is not built.
 * @param declare is given the path of its program.
 */
export function withProgram(what: string, declare: (program: string) => void): void {
  const program = process.env.PITAYAD_COSIM;
  if (program !== undefined) {
    declare(program);
    return;
  }
  console.log(`skipped: ${what}; PITAYAD_COSIM does not name the co-simulation (npm test builds it)`);
  test.skip(what);
}

/**
 * Tests that share one instrument on one co-simulation; out1 comes back to in1, and out2 to in2.
 * @param declare is given what they share, which is there when they run.
 */
export function withInstrument(what: string, declare: (bench: () => OnCosim) => void): void {
  withProgram(what, (program) => declare(shared(() => onCosim(program))));
}

/** What the tests of a file share, started before the first of them and ended after the last. */
export function shared<T extends { end(): Promise<void> }>(start: () => Promise<T>): () => T {
  let on: T | undefined;
  test.before(async () => {
    on = await start();
  });
  test.after(async () => {
    await on?.end();
  });
  return () => {
    if (!on) throw new Error('The co-simulation did not start.');
    return on;
  };
}

/** Its time runs 73 times slower than real time, or more on a busy machine; in s. */
export const GRAB_TIMEOUT = 120;
const ANSWER_TIMEOUT = 60;

/** The FPGA's window and, above it, the co-simulation's own addresses. */
const WINDOW = { base: 0x4000_0000, bytes: 0x4000_0000 };
/** Its own commands are written there, and answered. */
const COMMANDS = 0x5fff_1000;
const ANSWER_WORDS = 16;

async function listening(child: ChildProcess, path: string): Promise<number> {
  const failed = once(child, 'error').then(([error]) => {
    throw error;
  });
  if (!child.stdout) throw new Error(`${path} has no output`);
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port) return Number(port);
  }
  await failed;
  throw new Error(`${path} ended before it listened`);
}

export interface Cosimulation {
  /** `monitor:HOST:PORT` */
  readonly place: string;
  readonly port: number;
  readonly bus: RegisterBus;
  end(): Promise<void>;
}

/** A freshly loaded FPGA. @param options as on the co-simulation's command line */
export async function cosimulation(path: string, ...options: readonly string[]): Promise<Cosimulation> {
  const child = spawn(path, [...options, '--max-clients', '4', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await listening(child, path);
  const bus = await openMonitor({ host: '127.0.0.1', port, window: WINDOW, timeout: ANSWER_TIMEOUT });
  return {
    place: `monitor:127.0.0.1:${port}`,
    port,
    bus,
    async end() {
      await bus.close();
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

export interface OnCosim extends Cosimulation {
  readonly instrument: Instrument;
  /** One of the co-simulation's own commands, such as `adc 1 sine:1e5,0.5`. @throws Error with what it answers */
  command(text: string): Promise<void>;
}

/**
 * An instrument on a freshly loaded FPGA.
 * @param options as on the co-simulation's command line; by default out1 comes back to in1, and out2 to in2
 */
export async function onCosim(path: string, ...options: readonly string[]): Promise<OnCosim> {
  const { place, port, bus, end } = await cosimulation(path, ...(options.length > 0 ? options : ['--loopback']));
  const instrument = await openInstrument({ bus, identity, log: silent, freshlyLoaded: true });
  return {
    place,
    port,
    bus,
    instrument,
    async command(text) {
      const padded = Buffer.alloc(Math.ceil((text.length + 1) / 4) * 4);
      padded.write(text, 'latin1');
      await bus.writeBlock(COMMANDS, new Uint32Array(padded.buffer, padded.byteOffset, padded.length / 4));
      const words = await bus.readBlock(COMMANDS, ANSWER_WORDS);
      const answer = Buffer.from(words.buffer, words.byteOffset, 4 * words.length)
        .toString('latin1')
        .split('\0')[0];
      if (!answer?.startsWith('ok')) throw new Error(`${text}: ${answer}`);
    },
    async end() {
      await instrument.close();
      await end();
    },
  };
}
