/**
 * What is in a bitstream file: configuration words for the chip, in whichever of its usual wrappings. Sources: Xilinx
 * UG470 (packets, IDCODE register), the Linux driver zynq-fpga.c (byte order, sync word).
 */
import { createHash } from 'node:crypto';
import { ConfigurationError } from '../../errors.ts';

export interface BitstreamImage {
  /** As the kernel's FPGA manager takes it: words in its byte order, from the padding before the sync word on. */
  readonly words: Buffer;
  /** Of the chip that it was made for, without the revision in the upper 4 bits. */
  readonly idcode: number;
  /** Of the file as it was given, 64 hex digits. */
  readonly sha256: string;
}

/** The sync word 0xAA995566 as bytes in the FPGA manager's order, and as Vivado writes it into a .bit file. */
const SYNC = Buffer.from([0x66, 0x55, 0x99, 0xaa]);
const SYNC_SWAPPED = Buffer.from([0xaa, 0x99, 0x55, 0x66]);

/** The sync word comes within this many bytes: a .bit file has some text before. */
const SYNC_WITHIN = 4096;
/** Padding and bus-width words that belong before the sync word. */
const PADDING_BYTES = 48;

/** Type 1 packet: write one word to the register IDCODE; within this many words after the sync word. */
const WRITE_IDCODE = 0x3001_8001;
const IDCODE_WITHIN = 64;
const WITHOUT_REVISION = 0x0fff_ffff;

/** Limits of what a Zynq 7000 takes. */
const SHORTEST = 100_000;
const LONGEST = 20_000_000;

/** @throws ConfigurationError that says what is wrong with the file */
export function readImage(file: Buffer, name: string): BitstreamImage {
  if (file.length < SHORTEST || file.length > LONGEST) {
    throw new ConfigurationError(`${name} has ${file.length} bytes, which is no bitstream for a Red Pitaya`);
  }
  const head = file.subarray(0, SYNC_WITHIN);
  const [right, swapped] = [head.indexOf(SYNC), head.indexOf(SYNC_SWAPPED)];
  const sync = right >= 0 ? right : swapped;
  if (sync < 0) throw new ConfigurationError(`${name} is no bitstream: there is no sync word at its beginning`);
  const begin = Math.max(sync % 4, sync - PADDING_BYTES);
  if ((file.length - begin) % 4 !== 0) {
    throw new ConfigurationError(`${name} is cut off: its configuration is no whole number of words`);
  }
  const words = Buffer.from(file.subarray(begin));
  if (right < 0) words.swap32();
  return { words, idcode: idcodeOf(words, name), sha256: createHash('sha256').update(file).digest('hex') };
}

function idcodeOf(words: Buffer, name: string): number {
  const from = words.indexOf(SYNC);
  for (let k = 1; k < IDCODE_WITHIN; k++) {
    if (words.readUInt32LE(from + 4 * k) !== WRITE_IDCODE) continue;
    return words.readUInt32LE(from + 4 * (k + 1)) & WITHOUT_REVISION;
  }
  throw new ConfigurationError(`${name} does not say for which chip it is`);
}
