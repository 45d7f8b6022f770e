import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import {
  fitSine,
  frequencyNear,
  meanAndDeviation,
  slope,
  upwardCrossingNearZero,
} from '../../../../src/fpga/instrument/selftest/signals.ts';

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected} ± ${tolerance}`);

function sampled(of: (time: number) => number, length = 16384, t0 = -60e-6, dt = 8e-9) {
  return { t0, dt, values: Float64Array.from({ length }, (_, k) => of(t0 + k * dt)) };
}

test('a sine is found again, whatever its phase, level and place on the time axis', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.double({ min: -3.1, max: 3.1, noNaN: true }),
      fc.double({ min: -0.5, max: 0.5, noNaN: true }),
      fc.double({ min: 12e3, max: 5e6, noNaN: true }),
      (amplitude, phase, offset, frequency) => {
        const found = fitSine(
          sampled((t) => offset + amplitude * Math.cos(2 * Math.PI * frequency * t + phase), 4096),
          frequency,
        );
        near(found.amplitude, amplitude, 1e-6);
        near(Math.cos(found.phase - phase), 1, 1e-6);
        near(found.offset, offset, 1e-6);
      },
    ),
    { numRuns: 20 },
  );
});

test('the frequency is found from a supposition that is a little off', () => {
  const signal = sampled((t) => 0.1 + 0.3 * Math.sin(2 * Math.PI * 100_321 * t));
  near(frequencyNear(signal, 100e3), 100_321, 20);
});

test('a crossing between two points; none is not a number', () => {
  const signal = sampled((t) => Math.sin(2 * Math.PI * 100e3 * (t - 3e-9)));
  near(upwardCrossingNearZero(signal, 0), 3e-9, 1e-11);
  assert.ok(Number.isNaN(upwardCrossingNearZero(signal, 2)));
});

test('slope, mean and deviation', () => {
  near(
    slope(
      sampled((t) => 7 + 250 * t),
      100,
      900,
    ),
    250,
    1e-6,
  );
  const { mean, deviation } = meanAndDeviation(Float64Array.from([1, 3, 1, 3]));
  assert.equal(mean, 2);
  assert.equal(deviation, 1);
});

test.run();
