import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { isRedPitaya } from '../src/board.ts';

/** Whether an ARM processor with this text in /proc/device-tree/compatible is taken for a Red Pitaya. */
function judged(compatible: string, arch = 'arm'): boolean {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-board-'));
  try {
    mkdirSync(join(root, 'proc/device-tree'), { recursive: true });
    writeFileSync(join(root, 'proc/device-tree/compatible'), compatible);
    return isRedPitaya(arch, root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('registers are here on an ARM processor in a Zynq 7000, and nowhere else', () => {
  assert.equal(judged('xlnx,zynq-7000\0'), true);
  assert.equal(judged('redpitaya,stemlab\0xlnx,zynq-7000\0'), true);
  assert.equal(judged('raspberrypi,4-model-b\0brcm,bcm2711\0'), false);
  assert.equal(judged('xlnx,zynq-7000\0', 'x64'), false);
  assert.equal(judged('xlnx,zynqmp\0'), false);
});

test('an ARM computer without a device tree is none', () => {
  assert.equal(isRedPitaya('arm', '/nowhere'), false);
});

test.run();
