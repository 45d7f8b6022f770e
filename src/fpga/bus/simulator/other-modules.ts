/**
 * Registers of the modules that are not modelled: they keep what is written to them and have the right values after
 * reset; their signals are 0. Sources: PyRPL red_pitaya_pid_block.v, red_pitaya_iir_block.v,
 * red_pitaya_iq_block.v.
 */
import { type Block, plainRegisters, wordBlock } from './block.ts';

/** Offset: [bits that are stored, value after reset]. Constants store none. */
type Registers = readonly (readonly [offset: number, mask: number, reset: number])[];

const WORD = 0xffff_ffff;

const PID: Registers = [
  [0x100, 0xffff, 0],
  [0x104, 0x3fff, 0],
  [0x108, 0xff_ffff, 0],
  [0x10c, 0xff_ffff, 0],
  [0x110, 0xff_ffff, 0],
  [0x120, WORD, 0],
  [0x124, 0x3fff, 0x2000],
  [0x128, 0x3fff, 0x1fff],
  [0x12c, 0xf, 7],
  [0x200, 0, 12],
  [0x204, 0, 32],
  [0x208, 0, 10],
  [0x20c, 0, 24],
  [0x220, 0, 4],
  [0x224, 0, 5],
  [0x228, 0, 10],
];

const IIR: Registers = [
  [0x100, 0x3ff, 0],
  [0x104, 0b11, 0],
  [0x120, WORD, 0],
  [0x200, 0, 32],
  [0x204, 0, 29],
  [0x208, 0, 14],
  [0x220, 0, 1],
  [0x224, 0, 3],
  [0x228, 0, 1000],
];

const IQ: Registers = [
  [0x100, 0b11_1110, 0b10],
  [0x104, WORD, 0],
  [0x108, WORD, 0],
  [0x10c, 0xf, 0],
  [0x110, 0x3_ffff, 0],
  [0x114, 0x3_ffff, 0],
  [0x118, 0x3_ffff, 0],
  [0x11c, 0x3_ffff, 0],
  [0x120, WORD, 0],
  [0x124, WORD, 0],
  [0x130, WORD, 0],
  [0x134, WORD, 0],
  [0x200, 0, 11],
  [0x204, 0, 17],
  [0x208, 0, 32],
  [0x20c, 0, 18],
  [0x210, 0, 14],
  [0x214, 0, 24],
  [0x218, 0, 8],
  [0x220, 0, 1],
  [0x224, 0, 5],
  [0x228, 0, 50],
  [0x230, 0, 2],
  [0x234, 0, 5],
  [0x238, 0, 10],
];

/** iq2 has twice as many filter stages. */
const IQ2: Registers = IQ.map(([offset, mask, reset]) => [offset, mask, offset === 0x230 ? 4 : reset]);

const IVAL = 0x100;
const SYNC_BIT = 0x100;

function keeping(
  registers: Registers,
  read: (offset: number, word: number) => number = (_offset, word) => word,
): Block {
  const kept = plainRegisters(new Map(registers.map(([offset, mask, reset]) => [offset, [mask, reset]])));
  return wordBlock((offset) => read(offset, kept.get(offset)), kept.set);
}

function pid(): Block {
  // The integrator reads with its sign.
  return keeping(PID, (offset, word) => (offset === IVAL ? ((word << 16) >> 16) >>> 0 : word));
}

function iq(registers: Registers, slot: number, sync: () => number): Block {
  return keeping(registers, (offset, word) => (offset === SYNC_BIT ? word | ((sync() >>> slot) & 1) : word));
}

/**
 * By slot, without the routing's registers.
 * @param sync the sync bits, one a slot.
 */
export function otherModules(sync: () => number): ReadonlyMap<number, Block> {
  return new Map([
    ...[0, 1, 2].map((slot) => [slot, pid()] as const),
    [4, keeping(IIR)],
    ...[5, 6, 7].map((slot) => [slot, iq(slot === 7 ? IQ2 : IQ, slot, sync)] as const),
  ]);
}
