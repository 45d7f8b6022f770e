/** The registers of the two signal generators (PyRPL red_pitaya_asg.v). */
import { type Block, plainRegisters } from './block.ts';
import { type Generator, type GeneratorOptions, generator, type Setting } from './generator.ts';
import { toCounts } from './signal.ts';

/** The control word of both channels: bits that are stored, value after reset. */
const CONTROL = { stored: 0x1ff7_1ff7, reset: 0x0200_0200 } as const;

/** Offset of the second channel's registers from those of the first. */
const CHANNEL_SPAN = 0x20;

const TURN = 0x3fff_ffff;
const WORD = 0xffff_ffff;

/** Registers of the first channel: offset, bits that are stored, value after reset. */
const REGISTERS: readonly (readonly [
  name: Setting | 'level' | 'unused',
  offset: number,
  mask: number,
  reset: number,
])[] = [
  ['level', 0x04, 0x3fff_3fff, 0x2000],
  ['size', 0x08, TURN, TURN],
  ['start', 0x0c, TURN, 0],
  ['step', 0x10, TURN, 0],
  ['cycles', 0x18, WORD, 0],
  ['repeats', 0x1c, 0xffff, 0],
  ['pause', 0x20, WORD, 0],
  // Delay of the advanced trigger, which passes everything on as long as it is in reset.
  ['unused', 0x118, WORD, 0],
  ['unused', 0x11c, WORD, 0],
];

/** Read only: table index at the last trigger of the scope. */
const SCOPE_TRIGGER_PHASE = 0x114;

const TABLE_BYTES = 0x1_0000;

export interface Asg extends Block {
  readonly channels: readonly [Generator, Generator];
}

export function asg(options: GeneratorOptions): Asg {
  const channels = [generator(options), generator(options)] as const;
  const places = new Map(
    channels.flatMap((channel, k) =>
      REGISTERS.map(([name, offset]) => [offset + CHANNEL_SPAN * k, { channel, name }] as const),
    ),
  );
  const registers = plainRegisters(
    new Map(
      [0, CHANNEL_SPAN].flatMap((shift) =>
        REGISTERS.map(([, offset, mask, reset]) => [offset + shift, [mask, reset]] as const),
      ),
    ),
  );
  let control: number = CONTROL.reset;

  const write = (offset: number, word: number): void => {
    if (offset === 0) {
      control = word & CONTROL.stored;
      for (const [k, channel] of channels.entries()) channel.control((control >>> (16 * k)) & 0xffff);
    }
    const place = places.get(offset);
    if (!place) return;
    registers.set(offset, word);
    const value = registers.get(offset);
    const { channel, name } = place;
    if (name === 'level') {
      channel.set('amplitude', value & 0x3fff);
      channel.set('offset', toCounts(value >>> 16));
    } else if (name !== 'unused') channel.set(name, value);
  };

  const read = (offset: number): number => {
    if (offset === 0) return control;
    for (const [k, channel] of channels.entries()) {
      if (offset === SCOPE_TRIGGER_PHASE + CHANNEL_SPAN * k) return channel.scopeTriggerPhase;
    }
    return registers.get(offset);
  };

  return {
    channels,

    read(offset, out) {
      for (let k = 0; k < out.length; k++) out[k] = read(offset + 4 * k);
    },

    write(offset, words) {
      // Either all of it is in one table, or none: blocks do not cross into one.
      const table = Math.floor(offset / TABLE_BYTES) - 1;
      const channel = channels[table];
      if (channel) channel.fill((offset % TABLE_BYTES) / 4, words);
      else for (const [k, word] of words.entries()) write(offset + 4 * k, word);
    },
  };
}
