/**
 * The FPGA's registers as plain memory: reset values, widths, constants, the one shared sync register, and a log of
 * what was asked. Nothing moves by itself: the scope stays armed for ever. Facts from PyRPL's Verilog.
 */
import type { RegisterBus } from '../../src/fpga/bus/bus.ts';

const [HK, SCOPE, ASG, DSP] = [0x4000_0000, 0x4010_0000, 0x4020_0000, 0x4030_0000];
const window = (n: number): number => DSP + n * 0x1_0000;
const SYNC = 0x4030_000c;

/** Words after reset, and the bits that a word keeps, where these are not 0 and all. */
const RESET: ReadonlyMap<number, number> = new Map([
  [SCOPE + 0x10, 0x2000],
  [SCOPE + 0x14, 0x2000],
  [SCOPE + 0x20, 20],
  [SCOPE + 0x90, 62500],
  [ASG, 0x0200_0200],
  [ASG + 0x04, 0x2000],
  [ASG + 0x24, 0x2000],
  [ASG + 0x08, 0x3fff_ffff],
  [ASG + 0x28, 0x3fff_ffff],
  ...Array.from({ length: 16 }, (_, n): [number, number] => [window(n), n === 9 ? 11 : n === 10 || n === 11 ? 15 : 10]),
  ...[0, 1, 2].flatMap((n): [number, number][] => [
    [window(n) + 0x124, 0x2000],
    [window(n) + 0x128, 0x1fff],
    [window(n) + 0x12c, 7],
  ]),
  ...[5, 6, 7].map((n): [number, number] => [window(n) + 0x100, 2]),
  [SYNC, 0xff],
]);

/** Bit 0 of this word of an iq is its bit of the sync register; writing it does nothing. */
const iqWithControl = (address: number): number => [5, 6, 7].find((n) => address === window(n) + 0x100) ?? -1;

const KEPT_BITS: ReadonlyMap<number, number> = new Map([
  [HK + 0x0c, 1],
  ...[0x10, 0x14, 0x18, 0x1c, 0x30].map((offset): [number, number] => [HK + offset, 0xff]),
  [SCOPE + 0x04, 0xf],
  [SCOPE + 0x08, 0x3fff],
  [SCOPE + 0x14, 0x1_ffff],
  [SCOPE + 0x20, 0x3fff],
  [SCOPE + 0x28, 1],
  [SCOPE + 0x90, 0xf_ffff],
  [ASG, 0x1ff7_1ff7],
  ...[0, 0x20].flatMap((channel): [number, number][] => [
    [ASG + channel + 0x04, 0x3fff_3fff],
    [ASG + channel + 0x08, 0x3fff_ffff],
    [ASG + channel + 0x0c, 0x3fff_ffff],
    [ASG + channel + 0x10, 0x3fff_ffff],
    [ASG + channel + 0x1c, 0xffff],
  ]),
  ...Array.from({ length: 16 }, (_, n): [number, number] => [window(n), 0xf]),
  ...Array.from({ length: 16 }, (_, n): [number, number] => [window(n) + 4, 0x3]),
  [SYNC, 0xff],
  ...[5, 6, 7].map((n): [number, number] => [window(n) + 0x100, 0x3e]),
  ...[0, 1, 2].map((n): [number, number] => [window(n) + 0x100, 0xffff]),
]);

const CONSTANTS: ReadonlyMap<number, number> = new Map([
  [HK, 1],
  [HK + 0x04, 0x89ab_cde0],
  [HK + 0x08, 0x0012_3456],
]);

export interface RecordingBus extends RegisterBus {
  /** Single words written, in order. */
  readonly writes: [address: number, value: number][];
  /** Blocks written, in order. */
  readonly blocks: { readonly address: number; readonly values: Uint32Array }[];
  /** Sets a register from outside, as hardware or another process would; constants too. */
  preset(address: number, value: number): void;
  /** Every register's content, those at 0 left out. */
  content(): Map<number, number>;
  /** The next `count` accesses fail. */
  fail(count: number): void;
}

export function recordingBus(): RecordingBus {
  const memory = new Map(RESET);
  const constants = new Map(CONSTANTS);
  const traffic = { wordsRead: 0, wordsWritten: 0 };
  const writes: [number, number][] = [];
  const blocks: { address: number; values: Uint32Array }[] = [];
  let failures = 0;

  const place = (address: number): number => ((address & 0xfff0_ffff) >>> 0 === SYNC ? SYNC : address);
  const read = (address: number): number => {
    const word = constants.get(address) ?? memory.get(place(address)) ?? 0;
    const iq = iqWithControl(address);
    return iq < 0 ? word : (word & ~1) | (((memory.get(SYNC) ?? 0) >> iq) & 1);
  };
  const write = (address: number, value: number): void => {
    const word = value >>> 0;
    const at = place(address);
    if (at === SCOPE) {
      const armed = word & 1 ? 1 : word & 2 ? 0 : read(SCOPE) & 1;
      memory.set(at, (word & 8) | armed);
    } else if (!constants.has(at)) {
      memory.set(at, (word & (KEPT_BITS.get(at) ?? 0xffff_ffff)) >>> 0);
    }
  };
  const attempt = (): void => {
    if (failures === 0) return;
    failures -= 1;
    throw new Error('bus error (test)');
  };

  return {
    name: 'recording',
    traffic,
    writes,
    blocks,
    async read(address) {
      attempt();
      traffic.wordsRead += 1;
      return read(address);
    },
    async write(address, value) {
      attempt();
      traffic.wordsWritten += 1;
      writes.push([address, value]);
      write(address, value);
    },
    async readBlock(address, words, into = new Uint32Array(words)) {
      attempt();
      traffic.wordsRead += words;
      for (let k = 0; k < words; k++) into[k] = read(address + 4 * k);
      return into;
    },
    async writeBlock(address, values) {
      attempt();
      traffic.wordsWritten += values.length;
      blocks.push({ address, values: values.slice() });
      for (const [k, value] of values.entries()) write(address + 4 * k, value);
    },
    async close() {},
    preset(address, value) {
      if (constants.has(address)) constants.set(address, value);
      else memory.set(place(address), value);
    },
    content: () => new Map([...memory, ...constants].filter(([, word]) => word !== 0).sort(([a], [b]) => a - b)),
    fail(count) {
      failures = count;
    },
  };
}
