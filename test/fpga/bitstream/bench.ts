/** A loader on a fake board. */
import assert from 'node:assert';
import { join } from 'node:path';
import { ConfigurationError } from '../../../src/errors.ts';
import { type LoadOptions, loadFpga } from '../../../src/fpga/bitstream/load.ts';
import { keptLog } from '../instrument/fixture.ts';
import { bitstream, type FakeBoard, type FakeOptions, fakeBoard, IDCODES, sha256 } from './fake-board.ts';

export const IMAGE = bitstream(IDCODES.z7010);
const OVERLAY = Buffer.from('\xd0\x0d\xfe\xed firmware-name\0fpga.bit.bin\0 fclk', 'latin1');

export interface LoaderBench {
  readonly board: FakeBoard;
  /** Lines of the log. */
  readonly lines: Record<string, unknown>[];
  load(more?: Partial<LoadOptions>): Promise<string>;
}

export function loaderBench(boards: FakeBoard[], options: FakeOptions, image = IMAGE): LoaderBench {
  const board = fakeBoard(options);
  boards.push(board);
  board.write('images/red_pitaya.bin', image);
  board.write('images/red_pitaya.dtbo', OVERLAY);
  const { log, lines } = keptLog();
  return {
    board,
    lines,
    load: (more) =>
      loadFpga({
        root: board.root,
        bitstream: join(board.root, 'images/red_pitaya.bin'),
        overlay: join(board.root, 'images/red_pitaya.dtbo'),
        sha256: sha256(image),
        log,
        settleMs: 100,
        files: board.files,
        registers: board.registers,
        checkUnused: () => undefined,
        unitStates: async (units) => units.map(() => 'dead'),
        ...more,
      }),
  };
}

export const refused = (promise: Promise<unknown>, reason: RegExp): Promise<void> =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.match(error.message, reason);
    return true;
  });
