/** Spectra of calculated samples: lines and noise in every unit, windows, cross spectra. */
import assert from 'node:assert';
import { test } from 'uvu';
import {
  addCross,
  addPower,
  averagingGain,
  type DisplayUnit,
  inUnit,
  transforms,
} from '../../../src/fpga/instrument/spectrum.ts';
import { DISPLAY_UNITS } from '../../../src/fpga/modules/spectrum-analyzer.ts';
import { equivalentNoiseBandwidth, WINDOWS, type Window } from '../../../src/fpga/modules/windows.ts';

const SAMPLES = 16384;
const PADDING = 4;
const SIZE = SAMPLES * PADDING;

const sine = (amplitude: number, periods: number, phase = 0) =>
  Float64Array.from({ length: SAMPLES }, (_, k) => amplitude * Math.sin((2 * Math.PI * periods * k) / SAMPLES + phase));

function power(samples: Float64Array, window: Window): Float64Array {
  const sum = new Float64Array(SIZE / 2 + 1);
  addPower(sum, transforms(SIZE, window).real(samples, 1, 0));
  return sum;
}

/** Deterministic, normally distributed with a standard deviation of 1. */
function noise(): Float64Array {
  let state = 1;
  const uniform = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return Float64Array.from(
    { length: SAMPLES },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

test('resolutions of the windows', () => {
  const wanted: Record<Window, number> = {
    blackman: 1.726863,
    flattop: 3.770512,
    boxcar: 1,
    hamming: 1.362886,
    gaussian: 2.820951,
  };
  for (const window of WINDOWS) {
    const found = equivalentNoiseBandwidth(window, SAMPLES) * SAMPLES;
    assert.ok(Math.abs(found - wanted[window]) < 1e-6, `${window}: ${found}`);
  }
});

test('a sine is a line of its amplitude, with every window and between two points', () => {
  for (const window of WINDOWS) {
    for (const periods of [1000, 1000.125, 1000.5]) {
      const peak = Math.max(...power(sine(0.5, periods), window));
      // Half a step off a point, of which there are four a resolution of the samples.
      const tolerance = window === 'boxcar' ? 0.06 : 0.03;
      assert.ok(Math.abs(peak / 0.25 - 1) < tolerance, `${window}, ${periods}: ${peak}`);
    }
  }
});

test('a line in every unit', () => {
  const rbw = 100;
  const wanted: Record<DisplayUnit, readonly [number, string]> = {
    'Vpk^2': [0.25, 'V**2'],
    'dB(Vpk^2)': [-6.0206, ''],
    Vpk: [0.5, 'V'],
    'Vrms^2': [0.125, 'V**2'],
    'dB(Vrms^2)': [-9.0309, ''],
    Vrms: [0.35355, 'V'],
    'Vrms^2/Hz': [0.00125, 'V**2/Hz'],
    'dB(Vrms^2/Hz)': [-29.0309, ''],
    'Vrms/sqrt(Hz)': [0.035355, 'V/Hz**0.5'],
  };
  for (const unit of DISPLAY_UNITS) {
    const found = inUnit(Float64Array.of(0.25), unit, rbw);
    const [value, name] = wanted[unit];
    assert.equal(found.unit, name);
    assert.ok(Math.abs((found.values[0] ?? 0) - value) < 1e-4, `${unit}: ${found.values[0]}`);
  }
  assert.ok(Number.isFinite(inUnit(Float64Array.of(0), 'dB(Vpk^2)', rbw).values[0]));
});

test('white noise has its density, whatever the window: that of its power over half the sample rate', () => {
  const rate = 1e6;
  for (const window of WINDOWS) {
    const { values } = inUnit(power(noise(), window), 'Vrms^2/Hz', equivalentNoiseBandwidth(window, SAMPLES) * rate);
    const middle = values.subarray(values.length / 10, -values.length / 10);
    const mean = middle.reduce((sum, one) => sum + one, 0) / middle.length;
    assert.ok(Math.abs(mean / (1 / (rate / 2)) - 1) < 0.05, `${window}: ${mean}`);
  }
});

test('two signals: their cross spectrum has their phase', () => {
  const made = transforms(SIZE, 'hamming');
  const a = made.real(sine(0.5, 1000), 1, 0);
  const b = made.real(sine(0.25, 1000, Math.PI / 3), 1, 0);
  const [re, im] = [new Float64Array(SIZE / 2 + 1), new Float64Array(SIZE / 2 + 1)];
  addCross(re, im, a, b);
  const at = 1000 * PADDING;
  assert.ok(Math.abs(Math.hypot(re[at] ?? 0, im[at] ?? 0) - 0.125) < 1e-6);
  assert.ok(Math.abs(Math.atan2(im[at] ?? 0, re[at] ?? 0) - Math.PI / 3) < 1e-6);
});

test('quadratures: above and below the middle are told apart', () => {
  const made = transforms(SIZE, 'blackman');
  for (const periods of [700, -700]) {
    const [i, q] = [0, 1].map((n) =>
      Float64Array.from({ length: SAMPLES }, (_, k) => {
        const phase = (2 * Math.PI * periods * k) / SAMPLES;
        return 0.25 * (n === 0 ? Math.cos(phase) : Math.sin(phase));
      }),
    );
    assert.ok(i && q);
    const sum = new Float64Array(SIZE);
    addPower(sum, made.complex(i, q, 1));
    const at = sum.indexOf(Math.max(...sum));
    assert.equal(at - SIZE / 2, periods * PADDING);
    // The window's sum is 2: a sine of 0.5 V, whose quadratures have 0.25 V.
    assert.ok(Math.abs((sum[at] ?? 0) - 0.25) < 1e-3);
  }
});

test('what averaging takes away', () => {
  assert.equal(averagingGain(1e6, 1, 8e-9), 1);
  assert.equal(averagingGain(0, 64, 8e-9), 1);
  const nyquist = 125e6 / 64 / 2;
  assert.ok(Math.abs(averagingGain(nyquist, 64, 8e-9) - (2 / Math.PI) ** 2) < 1e-12);
});

test.run();
