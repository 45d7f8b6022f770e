/** The lock-ins on the live Verilog: a known sine, its amplitude and phase over frequency, and what is put out. */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Complex } from '../../src/fpga/complex.ts';
import type { Curve } from '../../src/fpga/instrument/instrument.ts';
import { readPhasor } from '../../src/fpga/instrument/phasor.ts';
import { iqRegisters } from '../../src/fpga/modules/iq.ts';
import { registerFile } from '../../src/fpga/registers.ts';
import { client } from '../fpga/instrument/fixture.ts';
import { GRAB_TIMEOUT, withInstrument } from './cosim.ts';

const me = client('lock-in');
const COUNTS = 8192;
const CLOCK = 8e-9;

const IDLE = {
  input: 'off',
  output_direct: 'off',
  output_signal: 'output_direct',
  acbandwidth: 0,
  bandwidth: [0],
  quadrature_factor: 1,
  gain: 0,
  amplitude: 0,
  phase: 0,
  modulation_at_2f: 'off',
  demodulation_at_2f: 'off',
};

const FREQUENCY = 0x4035_0108;

/** Clocks that are summed up, and that pass before: whole periods of all frequencies below. */
const CYCLES = { averages: 125_000, sleep: 2000 };

withInstrument('the lock-ins on the live Verilog', (bench) => {
  /** Amplitude and phase that iq0 sees at frequencies, each over its own amplitude; and the frequencies taken. */
  async function transfer(
    settings: Record<string, unknown>,
    frequencies: readonly number[],
  ): Promise<readonly (Complex & { readonly frequency: number })[]> {
    const { bus, instrument } = bench();
    await instrument.configure(me, 'iq0', { ...IDLE, ...settings });
    const { amplitude } = (await instrument.get('iq0', ['amplitude'])) as { amplitude: number };
    const registers = registerFile(bus);
    const sums = iqRegisters('iq0');
    await registers.write([sums.naAverages, CYCLES.averages], [sums.naSleepcycles, CYCLES.sleep]);
    const found = [];
    for (const frequency of frequencies) {
      const step = Math.round((frequency / 125e6) * 2 ** 32);
      // Writing it begins the sums, also where it is the frequency that was.
      await bus.write(FREQUENCY, step);
      const { re, im } = await readPhasor(registers, sums, CYCLES);
      found.push({ re: re / amplitude, im: im / amplitude, frequency: (step * 125e6) / 2 ** 32 });
    }
    return found;
  }

  const FREQUENCIES = [1e4, 1e5, 1e6, 3e6, 1e7];

  test('its own output, fed back: amplitude 1, three clocks late, at every frequency', async () => {
    for (const { re, im, frequency } of await transfer({ input: 'iq0', amplitude: 0.5 }, FREQUENCIES)) {
      assert.ok(Math.abs(Math.hypot(re, im) - 1) < 5e-4, `${frequency} Hz: amplitude ${Math.hypot(re, im)}`);
      const clocks = -Math.atan2(im, re) / (2 * Math.PI * frequency * CLOCK);
      assert.ok(Math.abs(clocks - 3) < 0.02 + 50 / frequency, `${frequency} Hz: ${clocks} clocks`);
    }
  });

  test('through out1 and in1: amplitude 1, and one delay for all frequencies', async () => {
    const found = await transfer({ input: 'in1', output_direct: 'out1', amplitude: 0.3 }, [1e5, 5e5, 1e6, 2e6]);
    const delays = found.map(({ re, im, frequency }) => -Math.atan2(im, re) / (2 * Math.PI * frequency * CLOCK));
    for (const { re, im, frequency } of found) {
      assert.ok(Math.abs(Math.hypot(re, im) - 1) < 1e-3, `${frequency} Hz: amplitude ${Math.hypot(re, im)}`);
    }
    // 5 clocks to out1, 8 of the loop and 2 of its pins' registers, 1 to in1, 3 of the lock-in itself; in all 17 to 20.
    for (const delay of delays) assert.ok(Math.abs(delay - (delays[3] ?? 0)) < 0.05, `delays ${delays.join(' ')}`);
    assert.ok((delays[3] ?? 0) > 15 && (delays[3] ?? 0) < 22, `${delays[3]} clocks`);
  });

  test('phase turns the measured phasor by as much', async () => {
    const [reference] = await transfer({ input: 'iq0', amplitude: 0.5 }, [1e6]);
    for (const phase of [30, 90, 180, -120]) {
      const [turned] = await transfer({ input: 'iq0', amplitude: 0.5, phase }, [1e6]);
      assert.ok(reference && turned);
      const by = ((Math.atan2(turned.im, turned.re) - Math.atan2(reference.im, reference.re)) * 180) / Math.PI;
      const off = ((((by - phase + 180) % 360) + 360) % 360) - 180;
      assert.ok(Math.abs(off) < 0.05, `${phase}° turns by ${by}°`);
    }
  });

  test('the quadrature is half the amplitude times its factor', async () => {
    const { instrument } = bench();
    // Its own sine as the input: another lock-in puts it out, synchronised.
    await instrument.configure(me, 'iq1', { ...IDLE, frequency: 1e6, amplitude: 0.5 });
    await instrument.configure(me, 'iq0', {
      ...IDLE,
      input: 'iq1',
      frequency: 1e6,
      output_signal: 'quadrature',
      bandwidth: [20e3, 20e3],
      // Three clocks of 8 ns from iq1's output to the demodulation.
      phase: 360 * 3 * 8e-9 * 1e6,
    });
    for (const factor of [1, 3, -2]) {
      await instrument.configure(me, 'iq0', { quadrature_factor: factor });
      await instrument.configure(me, 'iq1', { synchronize_iqs: true });
      for (let k = 0; k < 2000; k++) await bench().bus.read(0x4000_0000);
      const { current_output_signal: out } = (await instrument.get('iq0', ['current_output_signal'])) as {
        current_output_signal: number;
      };
      assert.ok(Math.abs(out - 0.25 * factor) < 0.01, `${out} V, not ${0.25 * factor} V`);
    }
  });

  test('a sine at its frequency comes out with gain times its amplitude', async () => {
    const { instrument } = bench();
    const frequency = 1e6;
    await instrument.configure(me, 'asg0', {
      ...{ waveform: 'sin', trigger_source: 'immediately', cycles_per_burst: 0, offset: 0, output_direct: 'off' },
      ...{ frequency, amplitude: 0.4 },
    });
    await instrument.configure(me, 'iq0', {
      ...IDLE,
      ...{ input: 'asg0', frequency, gain: 1.5, bandwidth: [20e3, 20e3] },
    });
    for (let k = 0; k < 3000; k++) await bench().bus.read(0x4000_0000);
    const config = { input1: 'iq0', ch1_active: true, ch2_active: false, decimation: 1, trigger_source: 'immediately' };
    const { channels } = await instrument.grab(me, 'scope', { config, timeout: GRAB_TIMEOUT }).result;
    const counts = [...(channels[0]?.counts ?? [])];
    const amplitude = (Math.max(...counts) - Math.min(...counts)) / 2 / COUNTS;
    assert.ok(Math.abs(amplitude - 0.6) < 0.01, `${amplitude} V, not 0.6 V`);
  });

  test('as a detector: amplitude and phase of a sine at the input, over whole periods', async () => {
    const { instrument, command } = bench();
    // 125 clocks a period, so that its phase against the oscillator stays.
    await command('adc 1 sine:1e6,0.3,0,0');
    try {
      await instrument.configure(me, 'iq1', { ...IDLE, input: 'in1', frequency: 1e6 });
      await instrument.configure(me, 'iqs', { modules: 'iq1', duration: 1e-4 });
      const measured = async (): Promise<{ amplitude: number; phase: number }> => {
        const curve = (await instrument.grab(me, 'iqs', { timeout: GRAB_TIMEOUT }).result) as Curve;
        const value = (name: string): number =>
          curve.quantities.find((one) => one.name === name)?.channels[0]?.values[0] ?? Number.NaN;
        return { amplitude: value('Amplitude'), phase: value('Phase') };
      };
      const first = await measured();
      assert.ok(Math.abs(first.amplitude - 0.3) < 1e-3, `${first.amplitude} V`);
      await instrument.configure(me, 'iq1', { phase: 90 });
      const turned = await measured();
      assert.ok(Math.abs(turned.amplitude - 0.3) < 1e-3, `${turned.amplitude} V`);
      const by = (turned.phase - first.phase + 720) % 360;
      assert.ok(Math.abs(by - 90) < 1, `turned by ${by} degrees`);
    } finally {
      await command('adc 1 loopback:8,1,0,1');
    }
  });
});

test.run();
