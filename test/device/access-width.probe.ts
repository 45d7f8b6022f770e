/**
 * Runs on the board's processor (or its emulation), bundled to one file: opens devmem on a plain file and prints, for
 * each way of access, the machine instructions that touched the mapping and where. See access-width.test.ts.
 *
 *     node access-width.mjs FOLDER_OF_ADD_ONS TRAP_LIBRARY FILE
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { openDevmem } from '../../src/fpga/bus/devmem.ts';
import { loadNative } from '../../src/fpga/bus/native.ts';

const [nativeFolder = '', trapLibrary = '', path = ''] = process.argv.slice(2);

const PAGE = 4096;
const BASE = 0x4000_0000;
const BYTES = 0x10_0000;
/** A short block is copied by JavaScript, a long one by C. */
const SHORT = 40;
const LONG = 600;

interface Ffi {
  Library(path: string, functions: Record<string, [string, string[]]>): unknown;
}
interface Trap {
  trap_watch(path: string): number;
  trap_arm(): number;
  trap_take(to: Buffer): number;
}

const { ffi } = createRequire(`${nativeFolder}/`)('./addons.cjs') as { ffi: Ffi };
const trap = ffi.Library(trapLibrary, {
  trap_watch: ['uint32', ['string']],
  trap_arm: ['int', []],
  trap_take: ['uint32', ['pointer']],
}) as Trap;

export interface Access {
  readonly instruction: number;
  readonly thumb: boolean;
  readonly offset: number;
}

/** What touched the mapping while `body` ran. */
async function watched(body: () => Promise<void>): Promise<Access[]> {
  if (trap.trap_arm() !== 0) throw new Error('the mapping cannot be protected');
  const room = Buffer.alloc(16384 * 12);
  let noted = 0;
  try {
    await body();
  } finally {
    noted = trap.trap_take(room);
  }
  const words = new Uint32Array(room.buffer, room.byteOffset, 3 * noted);
  return Array.from({ length: noted }, (_, i) => ({
    instruction: words[3 * i] ?? 0,
    thumb: words[3 * i + 1] === 1,
    offset: words[3 * i + 2] ?? 0,
  }));
}

writeFileSync(path, new Uint8Array(BYTES));
const bus = openDevmem({ path, offset: 0, bytes: BYTES, nativeFolder });
if (trap.trap_watch(path) !== BYTES) throw new Error('the mapping is not found');

const found: Record<string, Access[]> = {};

async function everyWay(phase: string): Promise<void> {
  found[`${phase} read`] = await watched(async () => {
    for (let page = 0; page < 8; page++) await bus.read(BASE + page * PAGE + 4 * page);
  });
  found[`${phase} write`] = await watched(async () => {
    for (let page = 0; page < 8; page++) await bus.write(BASE + page * PAGE + 4 * page, 0xdead_beef);
  });
  // A block that crosses into a new page with each of its words in turn: an unrolled loop has no place to hide.
  for (const [name, words] of [
    ['short', SHORT],
    ['long', LONG],
  ] as const) {
    found[`${phase} read ${name} block`] = await watched(async () => {
      for (let k = 1; k <= 36; k++) await bus.readBlock(BASE + 3 * k * PAGE - 4 * k, words);
    });
    found[`${phase} write ${name} block`] = await watched(async () => {
      for (let k = 1; k <= 36; k++) await bus.writeBlock(BASE + 3 * k * PAGE - 4 * k, new Uint32Array(words));
    });
  }
}

await everyWay('first');
for (let i = 0; i < 30_000; i++) {
  await bus.write(BASE + 4 * (i % 1024), i);
  await bus.read(BASE + 4 * (i % 1024));
}
for (let i = 0; i < 3000; i++) {
  await bus.readBlock(BASE + 4 * (i % 1024), SHORT);
  await bus.writeBlock(BASE + 4 * (i % 1024), new Uint32Array(SHORT));
}
await everyWay('later');
await bus.close();

// The control: what must never be used on registers has to look different.
const controlPath = `${path}.control`;
writeFileSync(controlPath, new Uint8Array(BYTES));
const fd = openSync(controlPath, 'r+');
const control = loadNative(nativeFolder).map(BYTES, fd, 0);
closeSync(fd);
if (trap.trap_watch(controlPath) !== BYTES) throw new Error('the control is not mapped');
found['control Buffer.readUInt32LE'] = await watched(async () => {
  control.readUInt32LE(12);
});
console.log(JSON.stringify({ version: process.version, arch: process.arch, found }));
