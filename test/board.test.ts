import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { isRedPitaya, readWiring } from '../src/board.ts';
import { keptLog } from './fpga/instrument/fixture.ts';

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

test('the calibration is read where there is one; what is wrong with it is logged, and volts are nominal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-eeprom-'));
  const path = join(folder, 'eeprom');
  const asked = (bytes: Uint8Array | undefined, calibration: 'on' | 'off' = 'on') => {
    const { log, lines } = keptLog();
    if (bytes) writeFileSync(path, bytes);
    const wiring = readWiring({ in1: 'HV', in2: 'LV', calibration }, bytes ? path : join(folder, 'none'), log);
    return { wiring, said: lines.map(({ msg }) => msg).join('; ') };
  };
  const eeprom = new Uint8Array(8192);
  eeprom[0] = 1;
  const found = asked(eeprom);
  // All gains are 0.
  assert.match(found.said, /gain of in1 HV is 0.*calibration of the board/);
  assert.deepEqual(found.wiring.corrections?.of['in1 HV'], { gain: 1, offset: 0 });
  assert.match(asked(new Uint8Array(8192).fill(0xff)).said, /no calibration of a known layout/);
  assert.match(asked(undefined).said, /cannot be read, volts are nominal/);
  assert.deepEqual(asked(eeprom, 'off'), { wiring: { in1: 'HV', in2: 'LV' }, said: '' });
  rmSync(folder, { recursive: true });
});

test.run();
