import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { ConfigurationError } from '../../../src/errors.ts';
import { boardModel, hwRevOf } from '../../../src/fpga/bitstream/boards.ts';
import { readImage } from '../../../src/fpga/bitstream/image.ts';
import { bitstream, IDCODES } from './fake-board.ts';

test('a file in the order of the FPGA manager is taken as it is', () => {
  const file = bitstream(IDCODES.z7010);
  const { words, idcode } = readImage(file, 'red_pitaya.bin');
  assert.deepEqual(words, file);
  assert.equal(idcode, IDCODES.z7010);
});

test('one of Vivado, with its header and its byte order, becomes the same words', () => {
  for (const header of ['', 'a header of 31 bytes, as in .bit', 'red_pitaya_top;UserID=0XFFFFFFFF\0b\0e']) {
    const file = bitstream(IDCODES.z7020, { swapped: true, header });
    const { words, idcode } = readImage(file, 'red_pitaya.bit');
    assert.deepEqual(words, bitstream(IDCODES.z7020));
    assert.equal(idcode, IDCODES.z7020);
  }
});

test('what is no bitstream is refused with a reason', () => {
  const file = bitstream(IDCODES.z7010);
  const refused = (content: Buffer, reason: RegExp): void =>
    assert.throws(
      () => readImage(content, 'x.bin'),
      (error) => error instanceof ConfigurationError && reason.test(error.message),
    );
  refused(Buffer.alloc(0), /0 bytes/);
  refused(file.subarray(0, 5000), /5000 bytes/);
  refused(Buffer.alloc(200_000), /no sync word/);
  refused(file.subarray(0, file.length - 1), /cut off/);
  refused(bitstream(IDCODES.z7010).fill(0, 52, 300), /for which chip/);
});

test('any file is an image or is refused, never a fault', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 40 }), (changes) => {
      const file = bitstream(IDCODES.z7010);
      for (const [at, value] of changes) file[at] = value;
      try {
        readImage(file, 'x.bin');
      } catch (error) {
        assert.ok(error instanceof ConfigurationError, String(error));
      }
    }),
  );
});

test('boards by the name in their EEPROM', () => {
  const eeprom = Buffer.alloc(8192);
  eeprom.write('\0\0\0\0serial=1\0hw_rev=STEM_125-14_LN_v1.1\0\0', 0x1800, 'latin1');
  assert.equal(hwRevOf(eeprom), 'STEM_125-14_LN_v1.1');
  assert.equal(hwRevOf(Buffer.alloc(8192, 0xff)), undefined);
  assert.equal(hwRevOf(Buffer.alloc(3)), undefined);
  assert.deepEqual(boardModel('STEM_125-14_LN_v1.1'), { hwRev: 'STEM_125-14_LN_v1.1', chip: 'z7010' });
  assert.equal(boardModel('STEM_125-14_Z7020_v1.0')?.chip, 'z7020');
  assert.equal(boardModel('STEM_125-14_Z7020_v1.0')?.unsupported, undefined);
  assert.match(boardModel('STEM_122-16SDR_v1.0')?.unsupported ?? '', /122\.88/);
  assert.match(boardModel('STEM_125-14_Z7020_4IN_v1.0')?.unsupported ?? '', /four inputs/);
  assert.equal(boardModel('STEM_999_v1'), undefined);
});

test.run();
