/** Identity, LEDs, pins of the expansion connector, digital loop (PyRPL red_pitaya_hk.v). */
import { type Block, plainRegisters, wordBlock } from './block.ts';
import type { Timeline } from './timeline.ts';

/** Offsets. */
const ID = 0x00;
const DNA_LOW = 0x04;
const DNA_HIGH = 0x08;
const LOOP = 0x0c;
const DIRECTION = { p: 0x10, n: 0x14 } as const;
const LEVEL_OUT = { p: 0x18, n: 0x1c } as const;
const LEVEL_IN = { p: 0x20, n: 0x24 } as const;
const LEDS = 0x30;

/** A made-up number of a chip: the sample value that PyRPL's source gives. It is shifted out bit by bit after reset. */
const DNA = { low: 0x789a_bcde, high: 0x82_3456, readyAfter: 470 } as const;

const TRIGGER_PIN = 1;

export type Bank = 'p' | 'n';

export interface HouseKeeping extends Block {
  /** Whether the inputs see the outputs inside the FPGA. It outlives a reset pulse. */
  readonly digitalLoop: boolean;
  readonly leds: number;
  /** Level of all pins of a bank, where the FPGA does not drive them: what is put on them from outside. */
  levels(bank: Bank): number;
  putOutside(bank: Bank, levels: number): void;
}

export interface HouseKeepingListener {
  /** Called before the digital loop is switched. */
  loopChanges(): void;
  /** The level of DIO0_P, which scope and generators can be triggered by, has changed a clock ago. */
  triggerPinChanged(high: boolean): void;
}

/** @param loop the digital loop before: a reset pulse does not change it. */
export function houseKeeping(timeline: Timeline, loop: boolean, listener: HouseKeepingListener): HouseKeeping {
  const registers = plainRegisters(
    new Map<number, readonly [number, number]>([
      [LOOP, [1, loop ? 1 : 0]],
      ...[DIRECTION.p, DIRECTION.n, LEVEL_OUT.p, LEVEL_OUT.n, LEDS].map((offset) => [offset, [0xff, 0]] as const),
    ]),
  );
  const outside: Record<Bank, number> = { p: 0, n: 0 };

  const levels = (bank: Bank): number => {
    const driven = registers.get(DIRECTION[bank]);
    return (registers.get(LEVEL_OUT[bank]) & driven) | (outside[bank] & ~driven & 0xff);
  };

  let pinHigh = false;
  /** Sees what the pin's register sees: its level at the next clock. */
  const lookAtPin = (): void => timeline.at(timeline.now + 1, seePin);
  const seePin = (): void => {
    const high = (levels('p') & TRIGGER_PIN) !== 0;
    if (high === pinHigh) return;
    pinHigh = high;
    listener.triggerPinChanged(high);
  };

  const block = wordBlock(
    (offset) => {
      if (offset === ID) return 1;
      if (offset === DNA_LOW) return timeline.now < DNA.readyAfter ? 0 : DNA.low;
      if (offset === DNA_HIGH) return timeline.now < DNA.readyAfter ? 0 : DNA.high;
      if (offset === LEVEL_IN.p) return levels('p');
      if (offset === LEVEL_IN.n) return levels('n');
      return registers.get(offset);
    },
    (offset, word) => {
      if (offset === LOOP) listener.loopChanges();
      registers.set(offset, word);
      lookAtPin();
    },
  );
  return {
    ...block,
    get digitalLoop() {
      return registers.get(LOOP) === 1;
    },
    get leds() {
      return registers.get(LEDS);
    },
    levels,
    putOutside(bank, word) {
      outside[bank] = word & 0xff;
      lookAtPin();
    },
  };
}
