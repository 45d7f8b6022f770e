/**
 * Plain registers with a scope whose timing the test decides: it is over so many ms after arming, or when the test
 * triggers it. Samples are what `sample` says at the moment of arming. For what happens around acquisitions; the
 * hardware's own behaviour is shown on the simulator and on the real Verilog.
 */
import type { RegisterBus } from '../../../src/fpga/bus/bus.ts';
import { type RecordingBus, recordingBus } from '../recording-bus.ts';

const SCOPE = 0x4010_0000;
const CONTROL = SCOPE;
const SOURCE = SCOPE + 4;
const POINTER = SCOPE + 0x18;
const POINTER_AT_TRIGGER = SCOPE + 0x1c;
const RINGS = [SCOPE + 0x1_0000, SCOPE + 0x2_0000] as const;
const SAMPLES = 16384;

export interface TimedBus extends RegisterBus {
  readonly registers: RecordingBus;
  /** ms from arming to the end; undefined: never by itself. */
  lasts: number | undefined;
  /** Sample i of channel 0 or 1, in counts; `armings` counts from 1. */
  sample(channel: number, index: number, armings: number): number;
  readonly armings: number;
  /** Ends the acquisition that is armed. */
  finish(): void;
  /** Reads of the control word since the last arming. */
  readonly polls: number;
  /** Words over the bus, all other ones too, since the last arming, which is the first of them. */
  readonly wordsSinceArming: number;
  /** A trigger comes in the clock after the last sample: see `Ending`. */
  triggeredAgain: boolean;
  /** While it runs it is triggered, and so many samples were written since; undefined: it never says so. */
  sinceTrigger: number | undefined;
  /** Called before each single read, to set what it will find. */
  beforeRead: (address: number) => void;
  /** The next so many reads of the control word fail. */
  failPolls: number;
  /** A write of a word outside the control word takes this long, in ms; it takes effect at its end. */
  writeMs: number;
  /** A block read takes this long, in ms. */
  blockMs: number;
  /** Block reads asked for: address and words. */
  readonly blockReads: { readonly address: number; readonly words: number }[];
}

export function timedBus(name = 'timed'): TimedBus {
  const registers = recordingBus();
  let armedAt = Number.POSITIVE_INFINITY;
  let armings = 0;
  let polls = 0;
  let over = true;
  let blockWords = 0;
  let wordsBefore = 0;
  /** What a register holds: the hardware's own look, which is none over the bus. */
  const present = (address: number): number => registers.content().get(address) ?? 0;
  const words = (): number => bus.traffic.wordsRead + bus.traffic.wordsWritten;

  const bus: TimedBus = {
    name,
    registers,
    get traffic() {
      const { wordsRead, wordsWritten } = registers.traffic;
      return { wordsRead: wordsRead + blockWords, wordsWritten };
    },
    lasts: 0,
    blockMs: 0,
    writeMs: 0,
    failPolls: 0,
    beforeRead: () => {},
    triggeredAgain: false,
    sinceTrigger: undefined,
    blockReads: [],
    sample: () => 0,
    get armings() {
      return armings;
    },
    get polls() {
      return polls;
    },
    get wordsSinceArming() {
      return words() - wordsBefore;
    },
    finish() {
      over = true;
    },

    async read(address) {
      bus.beforeRead(address);
      if (address === CONTROL) {
        polls++;
        if (bus.failPolls > 0) {
          bus.failPolls--;
          throw new Error('bus error (test)');
        }
        if (bus.lasts !== undefined && performance.now() >= armedAt + bus.lasts) over = true;
        registers.preset(CONTROL, over ? (bus.triggeredAgain ? 4 : 0) : bus.sinceTrigger === undefined ? 1 : 5);
        if (over && bus.triggeredAgain) registers.preset(POINTER_AT_TRIGGER, present(POINTER));
        if (over) registers.preset(SOURCE, 0);
      }
      if (address === POINTER && bus.sinceTrigger !== undefined) {
        registers.preset(POINTER, (present(POINTER_AT_TRIGGER) + bus.sinceTrigger) % SAMPLES);
      }
      return registers.read(address);
    },

    async write(address, value) {
      if (bus.writeMs > 0 && address !== CONTROL) await new Promise((resolve) => setTimeout(resolve, bus.writeMs));
      if (address === CONTROL && value & 2) over = true;
      if (address === CONTROL && value & 1) {
        over = false;
        armings++;
        polls = 0;
        wordsBefore = words();
        armedAt = performance.now();
      }
      return registers.write(address, value);
    },

    async readBlock(address, words, into = new Uint32Array(words)) {
      bus.blockReads.push({ address, words });
      blockWords += words;
      const taken = armings;
      if (bus.blockMs > 0) await new Promise((resolve) => setTimeout(resolve, bus.blockMs));
      const channel = address >= RINGS[1] ? 1 : 0;
      const first = (address - RINGS[channel]) / 4;
      if (first + words > SAMPLES) throw new Error('a block read beyond the ring');
      for (let k = 0; k < words; k++) into[k] = bus.sample(channel, first + k, taken) & 0x3fff;
      return into;
    },

    writeBlock: (address, values) => registers.writeBlock(address, values),
    close: () => registers.close(),
  };
  registers.preset(POINTER_AT_TRIGGER, 0);
  return bus;
}
