import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import { ConfigurationError } from '../../../src/errors.ts';
import { checkOperating } from '../../../src/fpga/bus/operating.ts';

const MANAGER = 'sys/class/fpga_manager/fpga0/state';
const XDEVCFG = 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done';
const LOADED = 'tmp/loaded_fpga.inf';

function onBoard(files: Record<string, string>, body: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-board-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function refused(files: Record<string, string>, sentence: RegExp): void {
  onBoard(files, (root) =>
    assert.throws(
      () => checkOperating(root),
      (error: Error) => error instanceof ConfigurationError && sentence.test(error.message),
    ),
  );
}

test('a configured FPGA with the PyRPL design passes, on both kinds of kernel', () => {
  onBoard({ [MANAGER]: 'operating\n', [LOADED]: 'pyrpl\n' }, checkOperating);
  onBoard({ [XDEVCFG]: '1\n', [LOADED]: '/opt/redpitaya/fpga/z10_125/pyrpl/fpga.bit.bin' }, checkOperating);
});

test('a clock that stands, where the kernel tells it, is refused', () => {
  const CLOCK = 'sys/kernel/debug/clk/fclk0/clk_enable_count';
  onBoard({ [MANAGER]: 'operating\n', [LOADED]: 'pyrpl\n', [CLOCK]: '2\n' }, checkOperating);
  refused({ [MANAGER]: 'operating\n', [LOADED]: 'pyrpl\n', [CLOCK]: '0\n' }, /clock of the FPGA stands/);
});

test('anything else is refused, with what was found', () => {
  refused({}, /shows no FPGA/);
  refused({ [MANAGER]: 'write error\n', [LOADED]: 'pyrpl' }, /not configured \(.*says write error\)/);
  refused({ [XDEVCFG]: '0\n', [LOADED]: 'pyrpl' }, /not configured/);
  refused({ [MANAGER]: 'operating\n' }, /loaded_fpga\.inf is missing/);
  refused({ [MANAGER]: 'operating\n', [LOADED]: 'v0.94\n' }, /says v0\.94/);
});

test.run();
