/**
 * A simulated FPGA on the register bus. It answers what the hardware answers, refuses what the hardware refuses, and
 * has one of two clocks:
 *
 * - `stepped`: time passes in transfers (19 clocks a word) and by `advance`; all is exact to the clock.
 * - `wall`: time follows real time; a transfer, however long, takes no more than the few clocks of one word.
 */
import { BusError } from '../../../errors.ts';
import { checkAccess } from '../access.ts';
import { type BusTraffic, CLOCK_HZ, FPGA_WINDOW, type RegisterBus } from '../bus.ts';
import { fpga } from './fpga.ts';
import { type FrontEnd, type InputModel, LOOPBACK } from './front-end.ts';
import type { Bank } from './house-keeping.ts';

/** Clocks that a word takes over the bus: 0.152 µs. */
export const WORD_CLOCKS = 19;

/** What the processor's port to the FPGA spans, from the window on. */
const PORT_BYTES = 0x4000_0000;

/** A read finds what registers hold after its first clock; a write takes effect with its third. */
const READ_CLOCK = 1;
const WRITE_CLOCK = 3;

/** With a wall clock, means over more clocks take as many only: a trace then costs some milliseconds. */
const CLOCKS_AVERAGED = 32;

export interface SimulatorOptions {
  /** Default: wall. */
  readonly clock?: 'wall' | 'stepped';
  /** What the inputs are connected to. Default: out1 to in1, out2 to in2. */
  readonly frontEnd?: FrontEnd;
  /** Also answers where the FPGA's window repeats, every 8 MiB up to 0x7fff_ffff, as the hardware does. */
  readonly repeated?: boolean;
}

/** What a simulated board has besides its registers. */
export interface Simulator extends RegisterBus {
  /** Clocks since reset. */
  readonly clocks: number;
  /** Stepped: lets so many clocks pass. */
  advance(clocks: number): void;
  connect(input: 1 | 2, model: InputModel): void;
  putOutside(bank: Bank, levels: number): void;
  /** As after loading the bitstream. The inputs stay connected. */
  reload(): void;
}

export function openSimulator(options: SimulatorOptions = {}): Simulator {
  const { clock = 'wall', frontEnd = LOOPBACK, repeated = false } = options;
  const wall = clock === 'wall';
  const models: [InputModel, InputModel] = [...frontEnd];
  const clocksAveraged = wall ? CLOCKS_AVERAGED : Number.POSITIVE_INFINITY;
  let board = fpga({ frontEnd, clocksAveraged });
  let begin = performance.now();
  let open = true;
  /** Count of clocks at the next transfer. */
  let now = 0;
  const traffic: BusTraffic = { wordsRead: 0, wordsWritten: 0 };

  /** @throws BusError */
  const check = (address: number, words: number): void => {
    if (!open) throw new BusError('the simulator is closed');
    const { base, bytes } = FPGA_WINDOW;
    const isRepeated = repeated && address >= base && address < base + PORT_BYTES;
    checkAccess(isRepeated ? base + ((address - base) % bytes) : address, words);
  };

  /** Begins a transfer: its first clock. */
  const transfer = (): number => {
    if (wall) now = Math.max(now, Math.floor((performance.now() - begin) * (CLOCK_HZ / 1000)));
    return now;
  };

  const readWords = (address: number, out: Uint32Array): void => {
    check(address, out.length);
    const step = wall ? out.length : 1;
    for (let k = 0; k < out.length; k += step) {
      const start = transfer();
      board.timeline.advance(start + READ_CLOCK);
      board.read(address + 4 * k, step === out.length ? out : out.subarray(k, k + 1));
      now = start + WORD_CLOCKS;
    }
    traffic.wordsRead += out.length;
  };

  const writeWords = (address: number, words: Uint32Array): void => {
    check(address, words.length);
    const step = wall ? words.length : 1;
    for (let k = 0; k < words.length; k += step) {
      const start = transfer();
      board.timeline.advance(start + WRITE_CLOCK);
      board.write(address + 4 * k, step === words.length ? words : words.subarray(k, k + 1));
      now = start + WORD_CLOCKS;
    }
    traffic.wordsWritten += words.length;
  };

  const single = new Uint32Array(1);

  return {
    name: 'simulator',
    traffic,

    async read(address) {
      readWords(address, single);
      return single[0] ?? 0;
    },
    async write(address, value) {
      writeWords(address, Uint32Array.of(value));
    },
    async readBlock(address, words) {
      check(address, words);
      const out = new Uint32Array(words);
      readWords(address, out);
      return out;
    },
    async writeBlock(address, values) {
      writeWords(address, values);
    },
    async close() {
      open = false;
    },

    get clocks() {
      return now;
    },
    advance(clocks) {
      now += clocks;
    },
    connect(input, model) {
      board.timeline.advance(now);
      models[input - 1] = model;
      board.connect(input, model);
    },
    putOutside(bank, levels) {
      board.timeline.advance(now);
      board.putOutside(bank, levels);
    },
    reload() {
      board = fpga({ frontEnd: models, clocksAveraged });
      begin = performance.now();
      now = 0;
    },
  };
}
