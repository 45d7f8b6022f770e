/**
 * What a client of the simulated monitor_server can do besides reading and writing registers: let time pass, connect
 * the inputs, put levels on pins. By addresses outside the FPGA, or by a line of text written there; the addresses and
 * words are those of the co-simulation that runs PyRPL's Verilog, so that one client works with both.
 *
 *     0x5fff0000, 4   clocks since reset, low and high word (reading the low one keeps the high one)
 *     0x5fff0008      write N: N clocks pass
 *     0x5fff000c      1 time follows the wall clock, 0 stepped
 *     0x5fff0010      write 1: reset pulse, 2: as after loading the bitstream
 *     0x5fff0014, 18  clocks added to each request, clocks a word takes
 *     0x5fff001c      refused accesses so far
 *     0x5fff0020 … 2c out1, out2, in1, in2 now, signed counts
 *     0x5fff0030, 34  levels put on the p and n pins from outside
 *     0x5fff0038, 3c  LEDs; 0x4c505231
 *     0x5fff1000      write text, ended or filled up by zeros: a command; read: its answer
 */
import { PitayadError } from '../../../errors.ts';
import type { SideAddresses } from '../monitor-server.ts';
import { parseInputModel } from './front-end.ts';
import type { Bank } from './house-keeping.ts';
import type { Simulator } from './simulator.ts';

const FIRST = 0x5fff_0000;
const LAST = 0x5fff_ffff;
const TEXT = 0x1000;
const MARK = 0x4c50_5231;

/** Longest command, in bytes. */
const MAX_COMMAND = 4096;

/** Most clocks that a word of the bus may take. */
const MAX_WORD_CLOCKS = 100_000;

/** Most clocks that may be added to a request, or pass by one command. */
const MAX_CLOCKS = 2 ** 48;

export interface SideDoorOptions {
  readonly simulator: Simulator;
  /** What the inputs are connected to at first, as text. */
  readonly models: readonly [string, string];
  /** Values that input models have when none are given, by name. */
  readonly defaults: Readonly<Record<string, number>>;
  readonly requestClocks: number;
  /** Accesses refused so far. */
  refused(): number;
  /** The command `quit`. */
  quit(): void;
}

export interface SimulatorSideDoor extends SideAddresses {
  /** Clocks added to each request when stepped. */
  readonly requestClocks: number;
}

export function sideDoor(options: SideDoorOptions): SimulatorSideDoor {
  const { simulator, refused, quit } = options;
  const models = [...options.models];
  const levels: Record<Bank, number> = { p: 0, n: 0 };
  let { defaults, requestClocks } = options;
  let highWord = 0;
  let answer: Uint8Array = new Uint8Array(0);

  const put = (bank: Bank, value: number): void => {
    levels[bank] = value & 0xff;
    simulator.putOutside(bank, value);
  };
  const follow = (wall: boolean): void => simulator.retime({ clock: wall ? 'wall' : 'stepped' });

  const commands: Readonly<Record<string, (...words: string[]) => string | undefined>> = {
    adc(channel = '', spec = '') {
      if (channel !== '1' && channel !== '2') return 'error: adc takes 1 or 2, and an input model';
      const input = channel === '1' ? 1 : 2;
      simulator.connect(input, parseInputModel(spec, input, defaults));
      models[input - 1] = spec;
      return 'ok';
    },
    advance: (clocks) => given(clocks, MAX_CLOCKS, (n) => simulator.advance(n)),
    mode(mode) {
      if (mode !== 'free' && mode !== 'stepped') return 'error: mode takes free or stepped';
      follow(mode === 'free');
      return 'ok';
    },
    'ticks-per-request': (clocks) =>
      given(clocks, MAX_CLOCKS, (n) => {
        requestClocks = n;
      }),
    'bus-cycles': (clocks) => given(clocks, MAX_WORD_CLOCKS, (n) => simulator.retime({ wordClocks: n })),
    'realtime-ratio'(ratio = '') {
      const speed = Number(ratio);
      if (ratio === '' || !(speed >= 0 && speed <= 1))
        return 'error: realtime-ratio takes a number from 0 to 1; 0 is 1';
      simulator.retime({ speed: speed === 0 ? 1 : speed });
      return 'ok';
    },
    pins(bank, value) {
      if (bank !== 'p' && bank !== 'n') return 'error: pins takes p or n, and 8 levels as a number';
      return given(value, 255, (n) => put(bank, n));
    },
    // The duty cycles follow from the words of the slow outputs; there is nothing to be switched on.
    pwm: (on) => (on === 'on' || on === 'off' ? 'ok' : 'error: pwm takes on or off'),
    seed: (seed) =>
      given(seed, Number.MAX_SAFE_INTEGER, (n) => {
        defaults = { ...defaults, seed: n };
      }),
    reset() {
      simulator.reset();
      return 'ok';
    },
    reload() {
      simulator.reload();
      return 'ok';
    },
    status: () => JSON.stringify(status()),
    quit() {
      quit();
      return 'ok';
    },
  };

  const status = () => ({
    cycle: simulator.clocks,
    mode: simulator.timing.clock === 'wall' ? 'free' : 'stepped',
    ticks_per_request: requestClocks,
    bus_cycles: simulator.timing.wordClocks,
    bus_errors: refused(),
    reads: simulator.traffic.wordsRead,
    writes: simulator.traffic.wordsWritten,
    adc1: models[0],
    adc2: models[1],
    ...simulator.present,
    led: simulator.leds,
    gpio_p: levels.p,
    gpio_n: levels.n,
    realtime_ratio: simulator.timing.speed,
    lag: simulator.lag,
    exact: simulator.timing.clock === 'stepped',
  });

  const run = (line: string): string => {
    const [name = '', ...words] = line.trim().split(/\s+/);
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) return `error: there is no command ${JSON.stringify(name.slice(0, 40))}`;
    if (words.length > command.length && command.length > 0) return `error: ${name} takes fewer words`;
    try {
      return command(...words) ?? 'ok';
    } catch (error) {
      if (error instanceof PitayadError) return `error: ${error.message}`;
      throw error;
    }
  };

  const reads: Readonly<Record<number, () => number>> = {
    0: () => {
      const { clocks } = simulator;
      highWord = Math.floor(clocks / 2 ** 32);
      return clocks;
    },
    4: () => highWord,
    12: () => (simulator.timing.clock === 'wall' ? 1 : 0),
    20: () => requestClocks,
    24: () => simulator.timing.wordClocks,
    28: refused,
    32: () => simulator.present.out1,
    36: () => simulator.present.out2,
    40: () => simulator.present.in1,
    44: () => simulator.present.in2,
    48: () => levels.p,
    52: () => levels.n,
    56: () => simulator.leds,
    60: () => MARK,
  };

  const writes: Readonly<Record<number, (word: number) => void>> = {
    8: (word) => simulator.advance(word),
    12: (word) => follow((word & 1) === 1),
    16: (word) => {
      if (word === 1) simulator.reset();
      if (word === 2) simulator.reload();
    },
    20: (word) => {
      requestClocks = word;
    },
    24: (word) => simulator.retime({ wordClocks: Math.min(word, MAX_WORD_CLOCKS) }),
    48: (word) => put('p', word),
    52: (word) => put('n', word),
  };

  return {
    get requestClocks() {
      return requestClocks;
    },

    has: (address) => address >= FIRST && address <= LAST,

    read(address, words) {
      const out = new Uint32Array(words);
      const offset = address - FIRST;
      if (offset < TEXT) {
        for (let k = 0; k < words; k++) out[k] = reads[offset + 4 * k]?.() ?? 0;
      } else {
        new Uint8Array(out.buffer).set(answer.subarray(offset - TEXT, offset - TEXT + 4 * words));
      }
      return out;
    },

    write(address, words) {
      const offset = address - FIRST;
      if (offset < TEXT) {
        for (const [k, word] of words.entries()) writes[offset + 4 * k]?.(word);
        return;
      }
      const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
      const end = bytes.indexOf(0);
      const text = bytes.subarray(0, end < 0 ? bytes.length : end);
      answer = new TextEncoder().encode(
        text.length > MAX_COMMAND
          ? `error: a command has ${MAX_COMMAND} bytes at most`
          : run(new TextDecoder().decode(text)),
      );
    },
  };
}

function given(text: string | undefined, most: number, action: (n: number) => void): string {
  const n = /^(0x[\da-f]{1,13}|\d{1,16})$/i.test(text ?? '') ? Number(text) : Number.NaN;
  if (!(n <= most)) return `error: an integer from 0 to ${most} is wanted, not ${JSON.stringify(text ?? '')}`;
  action(n);
  return 'ok';
}
