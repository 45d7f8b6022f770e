/**
 * What is on a raw SD-card image: the two partitions that a Red Pitaya has, FAT for the boot files and ext4 for the
 * system. Told by what is in them, since the table's type bytes are what `parted` happened to write.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ConfigurationError } from '../../../src/errors.ts';

/** In bytes from the image's beginning. */
export interface Partition {
  readonly start: number;
  readonly size: number;
}

export interface Card {
  /** With it the board starts; it is where `pitayad.yaml` is. */
  readonly fat: Partition;
  readonly ext4: Partition;
}

const SECTOR = 512;
const ENTRIES = 446;
const GPT = 0xee;
/** Where an ext2, ext3 or ext4 file system has its magic number, and what that is. */
const EXT_MAGIC_AT = 1024 + 56;
const EXT_MAGIC = 0xef53;

/** @throws ConfigurationError: no image of a Red Pitaya's card, or not all of it */
export function readCard(path: string): Card {
  const fd = openSync(path, 'r');
  try {
    return partitionsOf((offset, length) => {
      const bytes = Buffer.alloc(length);
      readSync(fd, bytes, 0, length, offset);
      return bytes;
    }, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** @param read Bytes from an offset on; zeros beyond the end. */
function partitionsOf(read: (offset: number, length: number) => Buffer, size: number): Card {
  const table = read(0, SECTOR);
  if (size < SECTOR || table.readUInt16LE(SECTOR - 2) !== 0xaa55) {
    throw new ConfigurationError('this is no image of an SD card: it has no partition table');
  }
  const entries = [0, 1, 2, 3].map((k) => {
    const at = ENTRIES + 16 * k;
    const [start, sectors] = [table.readUInt32LE(at + 8), table.readUInt32LE(at + 12)];
    return { number: k + 1, type: table[at + 4], start: start * SECTOR, size: sectors * SECTOR };
  });
  const used = entries.filter(({ size }) => size > 0);
  if (used.some(({ type }) => type === GPT)) {
    throw new ConfigurationError('this image has a GPT; those of the Red Pitaya OS have an MBR');
  }
  for (const { number, start, size: bytes } of used) {
    if (start + bytes <= size) continue;
    throw new ConfigurationError(
      `this image is cut off: its partition ${number} ends at ${start + bytes} bytes, and there are ${size}`,
    );
  }
  const ext4 = used.find(({ start }) => read(start + EXT_MAGIC_AT, 2).readUInt16LE(0) === EXT_MAGIC);
  if (!ext4) throw new ConfigurationError('this is no image of a Red Pitaya’s card: it has no ext4 partition');
  const fat = used.find(({ start }) => isFat(read(start, SECTOR)));
  if (!fat) throw new ConfigurationError('this is no image of a Red Pitaya’s card: it has no FAT partition');
  return { fat: { start: fat.start, size: fat.size }, ext4: { start: ext4.start, size: ext4.size } };
}

/** By its BIOS parameter block: what a FAT of any width has, and no other first sector. */
function isFat(sector: Buffer): boolean {
  const bytesPerSector = sector.readUInt16LE(11);
  const sectorsPerCluster = sector[13] ?? 0;
  const reserved = sector.readUInt16LE(14);
  const copies = sector[16] ?? 0;
  const media = sector[21] ?? 0;
  return (
    sector.readUInt16LE(SECTOR - 2) === 0xaa55 &&
    [512, 1024, 2048, 4096].includes(bytesPerSector) &&
    sectorsPerCluster > 0 &&
    (sectorsPerCluster & (sectorsPerCluster - 1)) === 0 &&
    reserved > 0 &&
    (copies === 1 || copies === 2) &&
    (media === 0xf0 || media >= 0xf8)
  );
}
