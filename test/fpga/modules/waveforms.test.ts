import assert from 'node:assert';
import { test } from 'uvu';
import { tableWord, WAVEFORMS, waveformTable } from '../../../src/fpga/modules/waveforms.ts';
import { signedCounts } from '../../../src/fpga/volts.ts';

const counts = (table: Uint32Array): number[] => [...table].map(signedCounts);

test('what is beyond −1 … 1 is held at the ends, and turns over nowhere', () => {
  const cases: [number, number][] = [
    [1, 8191],
    [-1, -8191],
    [1.5, 8191],
    [-1.0001, -8192],
    [-1.01, -8192],
    [-2.5, -8192],
    [0, 0],
  ];
  for (const [value, expected] of cases) assert.equal(signedCounts(tableWord(value)), expected, `${value}`);
});

test('shapes: where they begin, how far they go, what their mean is', () => {
  const first: Record<string, number> = { sin: 0, cos: 8191, ramp: -8191, halframp: -8191, square: 8191, dc: 0 };
  for (const waveform of WAVEFORMS.filter((one) => one !== 'noise')) {
    const table = counts(waveformTable(waveform, 1));
    assert.equal(table.length, 16384);
    assert.equal(table[0], first[waveform], waveform);
    const top = waveform === 'dc' ? 0 : waveform === 'halframp' ? 8190 : 8191;
    assert.equal(Math.max(...table), top, waveform);
    const mean = table.reduce((sum, one) => sum + one, 0) / table.length;
    assert.ok(Math.abs(mean) <= 0.51, `${waveform}: mean ${mean}`);
  }
});

test('noise has the wanted rms, no mean, and is held where it would not fit', () => {
  for (const rms of [0, 0.01, 0.1, 0.25]) {
    const table = counts(waveformTable('noise', rms));
    const mean = table.reduce((sum, one) => sum + one, 0) / table.length;
    const found = Math.sqrt(table.reduce((sum, one) => sum + (one - mean) ** 2, 0) / table.length);
    // Five standard deviations of either estimate: one failure in a million runs.
    assert.ok(Math.abs(mean) <= (5 * rms * 8191) / 128 + 1e-9, `mean ${mean}`);
    assert.ok(Math.abs(found - rms * 8191) <= (5 * rms * 8191) / Math.sqrt(2 * 16384) + 0.5, `rms ${found}`);
  }
  const loud = counts(waveformTable('noise', 1));
  assert.ok(Math.min(...loud) === -8192 && Math.max(...loud) === 8191);
  const share = loud.filter((one) => one > 0).length / loud.length;
  assert.ok(share > 0.45 && share < 0.55, 'nothing turned over');
});

test.run();
