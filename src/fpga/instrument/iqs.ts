/** Amplitude and phase of the lock-ins' inputs; see phasor.ts for the sums that are read. */
import { type Complex, magnitude, multiply, real } from '../complex.ts';
import type { TypedDriver } from '../module.ts';
import { iqFrequency, iqRegisters } from '../modules/iq.ts';
import { type IqsValues, type LockIn, lockInsOf } from '../modules/iqs.ts';
import { VOLTS_PER_COUNT } from '../volts.ts';
import type { Curve, Quantity } from './instrument.ts';
import { readPhasor } from './phasor.ts';
import type { Recorder, RecorderTools, Visit } from './recorder.ts';
import { type Run, runs } from './runs.ts';

/** What a lock-in was set to, where that matters to what it measures. */
const SETTINGS = ['input', 'frequency', 'phase', 'bandwidth', 'acbandwidth', 'demodulation_at_2f'] as const;

export function iqsRecorder(tools: RecorderTools, driver: TypedDriver<IqsValues>): Recorder {
  const { registers, clock } = tools;
  let number = 0;

  function settingsOf(name: LockIn): Record<string, unknown> {
    const values = tools.values(name);
    return Object.fromEntries(SETTINGS.map((parameter) => [parameter, values[parameter]]));
  }

  /** With the settings that it had all the time: when one changes meanwhile, it is measured anew. */
  async function read(
    visit: Visit,
    name: LockIn,
    averages: number,
    signal: AbortSignal,
  ): Promise<{ readonly found: Complex; readonly settings: Record<string, unknown> }> {
    const sums = iqRegisters(name);
    const cycles = { averages, sleep: 0 };
    for (;;) {
      signal.throwIfAborted();
      let settings: Record<string, unknown> = {};
      await visit.betweenWrites(name, async () => {
        settings = settingsOf(name);
        await registers.write([sums.naAverages, averages], [sums.naSleepcycles, cycles.sleep]);
        // Writing it, even the same, begins the sums anew; the oscillator runs on.
        const frequency = iqFrequency(name);
        await registers.bus.write(frequency.address, await registers.read(frequency));
      });
      const phasor = await readPhasor(registers, sums, cycles, signal);
      let same = false;
      await visit.betweenWrites(name, async () => {
        same = JSON.stringify(settingsOf(name)) === JSON.stringify(settings);
      });
      if (!same) continue;
      // Of the input's own volts, what a nominal one is.
      const volts = tools.scaleOf(String(settings.input)).gain / VOLTS_PER_COUNT;
      return { found: multiply(phasor, real(volts)), settings };
    }
  }

  async function measure({ signal, progress }: Run): Promise<Curve> {
    const { modules, duration } = driver.values;
    const names = lockInsOf(modules);
    const averages = Math.max(1, Math.round(duration / clock));
    const visit = await tools.visit(names, signal);
    const begun = performance.now();
    const telling = setInterval(() => {
      const done = (performance.now() - begun) / (duration * 1e3);
      progress(Math.min(1, done), `averaging ${modules} over ${duration} s`);
    }, 100);
    try {
      // Each has sums of its own: they are made at the same time.
      const all = await Promise.all(names.map((name) => read(visit, name, averages, signal)));
      const line = (name: string, unit: string, of: (one: Complex) => number): Quantity => ({
        name,
        unit,
        channels: names.map((label, k) => ({
          label,
          values: Float64Array.of(of(all[k]?.found ?? { re: Number.NaN, im: Number.NaN })),
        })),
      });
      const inputs = all.map(({ settings }) => String(settings.input));
      return {
        module: 'iqs',
        timestamp: Date.now() / 1e3,
        quantities: [
          line('I', 'V', ({ re }) => re),
          line('Q', 'V', ({ im }) => im),
          line('Amplitude', 'V', magnitude),
          line('Phase', 'deg', ({ re, im }) => (Math.atan2(im, re) * 180) / Math.PI),
        ],
        attributes: {
          number: ++number,
          board: tools.board,
          inputs: inputs.join(','),
          duration: averages * clock,
          calibrated: inputs.every(tools.isCalibrated),
          clock_synchronised: tools.clockSynchronised(),
          settings: JSON.stringify(Object.fromEntries(names.map((name, k) => [name, all[k]?.settings]))),
        },
      };
    } finally {
      clearInterval(telling);
      visit.leave();
    }
  }

  return runs({
    module: 'iqs',
    counters: tools.counters,
    tell: tools.progress,
    expected: () => driver.values.duration,
    measure,
  });
}
