import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { BusError } from '../../../src/errors.ts';
import { checkAccess } from '../../../src/fpga/bus/access.ts';

/** What red_pitaya_dsp.v acknowledges, said the long way round: one address at a time. */
function acknowledged(address: number): boolean {
  if (address < 0x4030_0000 || address >= 0x4040_0000) return true;
  const slot = (address >> 16) & 0xf;
  const offset = address & 0xffff;
  return slot < 8 || [0x00, 0x04, 0x08, 0x0c, 0x10].includes(offset);
}

test('every address of the DSP region passes exactly when the design acknowledges it', () => {
  for (let slot = 0; slot < 16; slot++) {
    for (const offset of [0, 4, 8, 0xc, 0x10, 0x14, 0x18, 0x100, 0x104, 0x8000, 0xfffc]) {
      const address = 0x4030_0000 + slot * 0x1_0000 + offset;
      if (acknowledged(address)) checkAccess(address, 1);
      else assert.throws(() => checkAccess(address, 1), BusError, address.toString(16));
    }
  }
});

test('a block passes exactly when each of its words does', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x20_0000 / 4 }), fc.integer({ min: 0, max: 5000 }), (word, words) => {
      const address = 0x4028_0000 + 4 * word;
      const allowed = Array.from({ length: words }, (_, i) => acknowledged(address + 4 * i)).every(Boolean);
      if (allowed) checkAccess(address, words);
      else assert.throws(() => checkAccess(address, words), BusError);
    }),
    { numRuns: 200 },
  );
});

test('what is not aligned or not inside is refused, and the sentence says so', () => {
  assert.throws(() => checkAccess(0x4000_0002, 1), /0x40000002 is no multiple of 4; nothing was accessed/);
  assert.throws(() => checkAccess((0x4000_0000).valueOf() + 0.5, 1), /no multiple of 4/);
  assert.throws(() => checkAccess(Number.NaN, 1), /NaN is no multiple of 4/);
  assert.throws(() => checkAccess(0x3fff_fffc, 1), /0x3ffffffc is outside 0x40000000 … 0x407ffffc/);
  assert.throws(() => checkAccess(0x4080_0000, 1), BusError);
  assert.throws(() => checkAccess(0x407f_fffc, 2), /2 words from address 0x407ffffc is outside/);
  assert.throws(() => checkAccess(0x4000_0000, -1), BusError);
  assert.throws(() => checkAccess(0x4000_0000, 1.5), BusError);
  checkAccess(0x4000_0000, 0);
  checkAccess(0x407f_fffc, 1);
});

test('the window may be another', () => {
  const window = { base: 0x5fff_0000, bytes: 0x2000 };
  checkAccess(0x5fff_1000, 64, window);
  assert.throws(() => checkAccess(0x4000_0000, 1, window), BusError);
});

test.run();
