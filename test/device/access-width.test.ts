/**
 * The FPGA's bus answers aligned 32-bit accesses only. Here the board's processor is emulated and each instruction that
 * touches the mapping is caught: in the interpreter, in baseline code and in optimised code, and in the C word copy.
 * What the emulated processor does, the real one does; what the real bus makes of it is for a real board to show.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { suite } from 'uvu';
import type { Access } from './access-width.probe.ts';
import { NATIVE_FOLDER, ROOT, run, runOnBoard } from './board.ts';

const test = suite<{ folder: string; probe: string; trap: string }>('access width');

test.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-width-'));
  context.probe = join(context.folder, 'access-width.mjs');
  context.trap = join(context.folder, 'libtrap.so');
  await run('arm-linux-gnueabihf-gcc', [
    ...['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared'],
    ...['-o', context.trap, `${ROOT}/test/device/trap.c`],
  ]);
  await build({
    entryPoints: [`${ROOT}/test/device/access-width.probe.ts`],
    outfile: context.probe,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
});

test.after(({ folder }) => rmSync(folder, { recursive: true }));

/** What an instruction does to memory, by the encodings of the ARM Architecture Reference Manual (A5.3, A6.2, A6.3). */
function meaning({ instruction, thumb }: Access): string {
  const direction = (load: boolean) => (load ? 'load word' : 'store word');
  if (!thumb) {
    const loadOrStore = ((instruction >>> 26) & 3) === 1;
    const media = ((instruction >>> 25) & 1) === 1 && ((instruction >>> 4) & 1) === 1;
    if (loadOrStore && !media) {
      const byte = ((instruction >>> 22) & 1) === 1;
      const load = ((instruction >>> 20) & 1) === 1;
      return byte ? (load ? 'load byte' : 'store byte') : direction(load);
    }
    return `ARM ${instruction.toString(16)}`;
  }
  const half = instruction >>> 16;
  const immediate = half >>> 11; // STR, LDR with an offset of 5 bits
  if (immediate === 0b01100 || immediate === 0b01101) return direction(immediate === 0b01101);
  const register = half >>> 9;
  if (register === 0b0101000 || register === 0b0101100) return direction(register === 0b0101100);
  const wide = half >>> 4; // STR.W, LDR.W with an offset of 12 bits; with one of 8 bits, or a register
  if (wide === 0xf8c || wide === 0xf84) return direction(false);
  if (wide === 0xf8d || wide === 0xf85) return direction(true);
  return `Thumb ${instruction.toString(16)}`;
}

function meanings(accesses: readonly Access[] | undefined): string[] {
  return [...new Set((accesses ?? []).map(meaning))].sort();
}

const PAGE = 4096;
const BLOCK_STARTS = Array.from({ length: 36 }, (_, i) => i + 1);

/** Where accesses must be caught: the first in each page that is touched. */
const singles = Array.from({ length: 8 }, (_, page) => page * PAGE + 4 * page);
const blocks = BLOCK_STARTS.flatMap((k) => [3 * k * PAGE - 4 * k, 3 * k * PAGE]);

const tiers: Record<string, string[]> = {
  'as it comes': [],
  'the interpreter alone': ['--no-opt', '--no-sparkplug'],
  'baseline code': ['--always-sparkplug', '--no-opt'],
  'optimised code': ['--always-turbofan'],
};
for (const [tier, flags] of Object.entries(tiers)) {
  test(`one aligned word an access: ${tier}`, async ({ folder, probe, trap }) => {
    const output = await runOnBoard(...flags, probe, NATIVE_FOLDER, trap, join(folder, 'registers'));
    const { arch, found } = JSON.parse(output) as { arch: string; found: Record<string, Access[]> };
    assert.equal(arch, 'arm');
    for (const phase of ['first', 'later']) {
      for (const [way, expected, places] of [
        ['read', 'load word', singles],
        ['write', 'store word', singles],
        ['read short block', 'load word', blocks],
        ['write short block', 'store word', blocks],
        ['read long block', 'load word', blocks],
        ['write long block', 'store word', blocks],
      ] as const) {
        const accesses = found[`${phase} ${way}`];
        assert.deepEqual(meanings(accesses), [expected], `${phase} ${way}`);
        assert.deepEqual(
          accesses?.map(({ offset }) => offset),
          places,
          `${phase} ${way}`,
        );
      }
    }
    assert.deepEqual(meanings(found['control Buffer.readUInt32LE']), ['load byte'], 'the control is seen as bytes');
  });
}

test('the C word copy has no other access in it', async () => {
  const { stdout } = await run('arm-linux-gnueabihf-objdump', [
    ...['-d', '--no-show-raw-insn', `${NATIVE_FOLDER}/libpitayad.so`],
  ]);
  for (const name of ['pitayad_load_words', 'pitayad_store_words']) {
    const start = stdout.indexOf(`<${name}@@Base>:`);
    assert.ok(start > 0, name);
    const body = stdout.slice(start, stdout.indexOf('bx\tlr', start));
    const accesses = [...body.matchAll(/\t((?:ld|st|push|pop|v)\S*)/g)].map(([, mnemonic]) => mnemonic);
    assert.deepEqual(accesses, ['ldr.w', 'str.w'], `${name}\n${body}`);
  }
});

test.run();
