/** The registers themselves: is it the right image, does every word arrive, how long does one take? */
import { CLOCK_HZ } from '../../bus/bus.ts';
import { wrongConstants } from '../../identity.ts';
import type { Check } from './bench.ts';
import { around, atMost, type Figure } from './figures.ts';

const identity: Check = {
  name: 'identity of the FPGA image',
  async *run({ registers: { bus } }) {
    yield atMost(
      'wrong constants',
      await wrongConstants(bus),
      '',
      0,
      'another FPGA image is loaded: reload that of PyRPL',
    );
    yield around('house keeping id', (await bus.read(0x4000_0000)) & 0xf, '', 1, 0);
  },
};

/** Registers that do nothing while the outputs are off, and their width: p and setpoint of pid2, phase of iq2. */
const SCRATCH: readonly (readonly [address: number, bits: number])[] = [
  [0x4032_0104, 14],
  [0x4032_0108, 24],
  [0x4037_0104, 32],
];

const words: Check = {
  name: 'word access',
  async *run({ registers: { bus } }) {
    let wrong = 0;
    for (const [address, bits] of SCRATCH) {
      const before = await bus.read(address);
      for (let k = 0; k < bits; k++) {
        for (const pattern of [2 ** k, 2 ** bits - 1 - 2 ** k]) {
          await bus.write(address, pattern);
          if ((await bus.read(address)) !== pattern) wrong++;
        }
      }
      await bus.write(address, before);
    }
    yield atMost('bits that did not come back', wrong, '', 0, 'words are lost on the bus, or not written whole');
    const memory = 0x4011_0000;
    const block = await bus.readBlock(memory, 64);
    let differing = 0;
    for (const [k, word] of block.entries()) if ((await bus.read(memory + 4 * k)) !== word) differing++;
    yield atMost('words that a block has otherwise', differing, '', 0);
  },
};

/** Longest time of a word in a block over the AXI bus, in s. */
const SLOWEST_WORD = 400e-9;
const BLOCK = 16384;
/** Over a network, or simulated, it says nothing of the board, and may take seconds. */
const BLOCKS = { devmem: 8, other: 1 };

const speed: Check = {
  name: 'speed of the bus',
  async *run({ registers: { bus } }) {
    const onBoard = bus.name === 'devmem';
    let shortest = Number.POSITIVE_INFINITY;
    for (let k = 0; k < (onBoard ? BLOCKS.devmem : BLOCKS.other); k++) {
      const begin = performance.now();
      await bus.readBlock(0x4011_0000, BLOCK);
      shortest = Math.min(shortest, (performance.now() - begin) / 1e3);
    }
    const value = shortest / BLOCK;
    const what = 'time of a word in a block';
    if (onBoard) yield atMost(what, value, 's', SLOWEST_WORD, 'the processor is busy, or slowed down');
    else yield { what, value, unit: 's' };
  },
};

/** The counter of clock cycles since the image was loaded: low and high word, not latched together. */
const CYCLES = 0x4010_015c;
const WATCHED_MS = 300;

const clock: Check = {
  name: 'clock of the FPGA',
  async *run({ registers: { bus } }) {
    const cycles = async (): Promise<{ count: number; at: number }> => {
      for (;;) {
        const high = await bus.read(CYCLES + 4);
        const begin = performance.now();
        const low = await bus.read(CYCLES);
        const at = (begin + performance.now()) / 2e3;
        if ((await bus.read(CYCLES + 4)) === high) return { count: high * 2 ** 32 + low, at };
      }
    };
    const before = await cycles();
    await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
    const after = await cycles();
    const rate = (after.count - before.count) / (after.at - before.at);
    const figure: Figure = { what: 'rate, by this computer’s clock', value: rate, unit: 'Hz' };
    if (bus.name === 'devmem') yield { ...figure, min: 0.999 * CLOCK_HZ, max: 1.001 * CLOCK_HZ };
    else yield figure;
  },
};

export const busChecks: readonly Check[] = [identity, words, speed, clock];
