/**
 * A simulated FPGA on the register bus. It answers what the hardware answers, refuses what the hardware refuses, and
 * has one of two clocks:
 *
 * - `stepped`: time passes in transfers (19 clocks a word) and by `advance`; all is exact to the clock.
 * - `wall`: time follows real time; a transfer, however long, takes no more than the few clocks of one word. What would
 *   be costly is near the truth instead (see fpga.ts); while the scope waits for a trigger faster than signals can be
 *   searched, or modules are stepped more slowly than clocks pass, time stands still now and then, and `lag` says how much
 *   of it was lost. Loops of controllers are taken through many clocks in a step where they allow it; `step` says through how many.
 */
import { BusError } from '../../../errors.ts';
import { checkAccess } from '../access.ts';
import { type BusTraffic, CLOCK_HZ, FPGA_WINDOW, type RegisterBus } from '../bus.ts';
import { fpga } from './fpga.ts';
import { type FrontEnd, type InputModel, LOOPBACK } from './front-end.ts';
import type { Bank } from './house-keeping.ts';

/** What the processor's port to the FPGA spans, from the window on. */
const PORT_BYTES = 0x4000_0000;

/** A read finds what registers hold after its first clock; a write takes effect with its third. */
const READ_CLOCK = 1;
const WRITE_CLOCK = 3;

/** Modules with a state are stepped for so long in one go, in ms; whoever drives them then has as long for itself. */
const STEPPING_MS = 5;
/** It goes on by itself for so long after somebody has used the bus, in ms. */
const STEPPING_ON_MS = 200;
/** Clocks between two looks at real time meanwhile: a fraction of a millisecond's work. */
const STEPPING_CLOCKS = 4096;

/** How time passes. */
export interface Timing {
  readonly clock: 'wall' | 'stepped';
  /** Clocks that a word takes over the bus; 19 are 0.152 µs. */
  readonly wordClocks: number;
  /** Wall: simulated seconds a second. */
  readonly speed: number;
}

const TIMING: Timing = { clock: 'wall', wordClocks: 19, speed: 1 };

export interface SimulatorOptions {
  /** Default: a wall clock at the speed of real time. */
  readonly timing?: Partial<Timing>;
  /** What the inputs are connected to. Default: out1 to in1, out2 to in2. */
  readonly frontEnd?: FrontEnd;
  /** Also answers where the FPGA's window repeats, every 8 MiB up to 0x7fff_ffff, as the hardware does. */
  readonly repeated?: boolean;
}

/** What a simulated board has besides its registers. */
export interface Simulator extends RegisterBus {
  /** Clocks since reset. */
  readonly clocks: number;
  readonly timing: Timing;
  /** Seconds that a wall clock has lost so far. */
  readonly lag: number;
  /** Signed counts now. */
  readonly present: { readonly out1: number; readonly out2: number; readonly in1: number; readonly in2: number };
  readonly leds: number;
  retime(timing: Partial<Timing>): void;
  /** Lets so many clocks pass, besides those that pass by themselves. */
  advance(clocks: number): void;
  connect(input: 1 | 2, model: InputModel): void;
  /** Levels put on the pins of the expansion connector from outside. */
  putOutside(bank: Bank, levels: number): void;
  /** A reset pulse; memories are kept. */
  reset(): void;
  /** As after loading the bitstream. */
  reload(): void;
}

export function openSimulator(options: SimulatorOptions = {}): Simulator {
  const { frontEnd = LOOPBACK, repeated = false } = options;
  const models: [InputModel, InputModel] = [...frontEnd];
  const outside: Record<Bank, number> = { p: 0, n: 0 };
  let timing: Timing = { ...TIMING, ...options.timing };
  const exact = (): boolean => timing.clock === 'stepped';
  let board = fpga({ frontEnd: models, exact });
  /** Clocks that had passed at a moment of real time, in ms. */
  let [base, baseTime] = [0, performance.now()];
  /** Count of clocks at the next transfer. */
  let now = 0;
  let lostClocks = 0;
  /** Moment of real time before which nothing is stepped, in ms. */
  let restsUntil = 0;
  /** Last moment at which somebody used the bus while modules were to be stepped. */
  let askedAt = 0;
  let goesOn = false;
  let open = true;
  const traffic: BusTraffic = { wordsRead: 0, wordsWritten: 0 };

  /** @throws BusError */
  const check = (address: number, words: number): void => {
    if (!open) throw new BusError('the simulator is closed');
    const { base: first, bytes } = FPGA_WINDOW;
    const isRepeated = repeated && address >= first && address < first + PORT_BYTES;
    checkAccess(isRepeated ? first + ((address - first) % bytes) : address, words);
  };

  const rebase = (): void => {
    [base, baseTime] = [now, performance.now()];
  };

  /** Whoever has asked will ask again: until then it is stepped on, in turns. */
  const goOn = (rest: number): void => {
    if (goesOn) return;
    goesOn = true;
    setTimeout(() => {
      goesOn = false;
      if (open && performance.now() < askedAt + STEPPING_ON_MS) catchUp(false);
    }, rest).unref();
  };

  /** Lets the time pass that has passed. @param asked for somebody who uses the bus */
  const catchUp = (asked = true): void => {
    if (exact()) return;
    const due = base + Math.floor((performance.now() - baseTime) * timing.speed * (CLOCK_HZ / 1000));
    if (due <= now) return;
    const affordable = Math.min(due, now + board.affordable());
    if (board.steps()) {
      const began = performance.now();
      if (asked) askedAt = began;
      if (began < restsUntil) return;
      while (now < affordable && performance.now() - began < STEPPING_MS) {
        now = Math.min(affordable, now + STEPPING_CLOCKS);
        board.timeline.advance(now);
      }
      restsUntil = 2 * performance.now() - began;
      if (now < due) goOn(restsUntil - performance.now());
    } else now = affordable;
    if (now < due) {
      lostClocks += due - now;
      rebase();
    }
  };

  const readWords = (address: number, out: Uint32Array): void => {
    check(address, out.length);
    const step = exact() ? 1 : Math.max(1, out.length);
    for (let k = 0; k < out.length; k += step) {
      catchUp();
      board.timeline.advance(now + READ_CLOCK);
      board.read(address + 4 * k, step === out.length ? out : out.subarray(k, k + step));
      now += timing.wordClocks;
    }
    traffic.wordsRead += out.length;
  };

  const writeWords = (address: number, words: Uint32Array): void => {
    check(address, words.length);
    const step = exact() ? 1 : Math.max(1, words.length);
    for (let k = 0; k < words.length; k += step) {
      catchUp();
      board.timeline.advance(now + WRITE_CLOCK);
      board.write(address + 4 * k, step === words.length ? words : words.subarray(k, k + step));
      now += timing.wordClocks;
    }
    traffic.wordsWritten += words.length;
  };

  /** The time that others see now. */
  const settle = (): void => {
    catchUp();
    board.timeline.advance(now);
  };

  const restart = (memoriesOf?: typeof board): void => {
    board = fpga({ frontEnd: models, exact, ...(memoriesOf ? { memoriesOf } : {}) });
    for (const bank of ['p', 'n'] as const) board.putOutside(bank, outside[bank]);
    now = 0;
    rebase();
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
    async readBlock(address, words, into) {
      check(address, words);
      const out = into ?? new Uint32Array(words);
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
      catchUp();
      return now;
    },
    get timing() {
      return timing;
    },
    get lag() {
      return lostClocks / CLOCK_HZ;
    },
    get step() {
      return board.steps() ? board.leapt : 1;
    },
    get present() {
      settle();
      const [out1 = 0, out2 = 0, in1 = 0, in2 = 0] = board.present();
      return { out1, out2, in1, in2 };
    },
    get leds() {
      return board.leds;
    },

    retime(changed) {
      settle();
      timing = { ...timing, ...changed };
      rebase();
    },
    advance(clocks) {
      catchUp();
      now += clocks;
      board.timeline.advance(now);
      rebase();
    },
    connect(input, model) {
      settle();
      models[input - 1] = model;
      board.connect(input, model);
    },
    putOutside(bank, levels) {
      settle();
      outside[bank] = levels & 0xff;
      board.putOutside(bank, levels);
    },
    reset() {
      settle();
      restart(board);
    },
    reload() {
      restart();
    },
  };
}
