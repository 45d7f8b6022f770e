/** The iir filter on the live Verilog: a notch, low-passes and a bypass, measured with a lock-in, against theory. */
import assert from 'node:assert';
import { test } from 'uvu';
import { type Complex, divide, magnitude } from '../../src/fpga/complex.ts';
import { readPhasor } from '../../src/fpga/instrument/phasor.ts';
import { iqRegisters } from '../../src/fpga/modules/iq.ts';
import { registerFile } from '../../src/fpga/registers.ts';
import { client } from '../fpga/instrument/fixture.ts';
import { withInstrument } from './cosim.ts';

const me = client('filter');
const FREQUENCY = 0x4035_0108;
const CYCLES = { averages: 125_000, sleep: 25_000 };

withInstrument('the iir filter on the live Verilog', (bench) => {
  /** Complex gain of the filter at frequencies that have whole periods in the sums: iq0 drives it and listens to it. */
  async function measured(frequencies: readonly number[]): Promise<readonly Complex[]> {
    const { bus, instrument } = bench();
    const registers = registerFile(bus);
    const sums = iqRegisters('iq0');
    const iq = {
      output_direct: 'off',
      output_signal: 'output_direct',
      gain: 0,
      amplitude: 0.5,
      phase: 0,
      bandwidth: [0],
    };
    await registers.write([sums.naAverages, CYCLES.averages], [sums.naSleepcycles, CYCLES.sleep]);
    const through = async (input: string, frequency: number): Promise<Complex> => {
      await instrument.configure(me, 'iq0', { ...iq, input, frequency });
      await bus.write(FREQUENCY, Math.round((frequency / 125e6) * 2 ** 32));
      return readPhasor(registers, sums, CYCLES);
    };
    await instrument.configure(me, 'iir', { input: 'iq0' });
    const found = [];
    for (const frequency of frequencies) {
      found.push(divide(await through('iir', frequency), await through('iq0', frequency)));
    }
    return found;
  }

  /** The model, and what is measured, over the frequencies. Phases within what `clocks` make. */
  async function compare(settings: Record<string, unknown>, frequencies: readonly number[], floor = 1e-3) {
    const { instrument } = bench();
    await instrument.configure(me, 'iir', { on: true, bypass: false, inputfilter: 0, ...settings });
    const model = await instrument.transferFunction('iir', frequencies);
    const found = await measured(frequencies);
    for (const [k, frequency] of frequencies.entries()) {
      const [wanted, seen] = [model[k], found[k]];
      assert.ok(wanted && seen);
      const off = Math.abs(magnitude(seen) - magnitude(wanted));
      assert.ok(
        off < 0.01 * magnitude(wanted) + floor,
        `${frequency} Hz: ${magnitude(seen)}, not ${magnitude(wanted)}`,
      );
      if (magnitude(wanted) < 0.05) continue;
      const { re, im } = divide(seen, wanted);
      const late = -Math.atan2(im, re) / (2 * Math.PI * frequency * 8e-9);
      const tolerance = 3 + 0.01 / (2 * Math.PI * frequency * 8e-9);
      assert.ok(Math.abs(late) < tolerance, `${frequency} Hz: ${late} clocks later than the model`);
    }
    return found;
  }

  test('a low-pass: 1 for slow signals, −3 dB at its corner, a tenth a decade above', async () => {
    const found = await compare({ zeros: '', poles: '-1e4', gain: 1, loops: 10 }, [1e3, 1e4, 1e5]);
    const [slow, corner, fast] = found.map(magnitude);
    assert.ok(Math.abs((slow ?? 0) - 0.9951) < 2e-3, `${slow}`);
    assert.ok(Math.abs((corner ?? 0) - Math.SQRT1_2) < 2e-3, `${corner}`);
    assert.ok(Math.abs((fast ?? 0) - 0.0995) < 3e-3, `${fast}`);
  });

  test('a notch at 40 kHz', async () => {
    const settings = { zeros: '-100+40000j', poles: '-20000+40000j', gain: 0.8, loops: 20 };
    const found = await compare(settings, [5e3, 2e4, 4e4, 8e4, 2e5]);
    const [, , bottom] = found.map(magnitude);
    // |H| there = gain · 100/20000 · (1 + (40/20)²)/… : what is left is of the zero's real part.
    assert.ok((bottom ?? 1) < 0.02, `${bottom}`);
    const { overflow } = await bench().instrument.get('iir', ['overflow']);
    assert.equal(overflow, 'no overflow');
  });

  test('two poles that coincide, and an input filter', async () => {
    await compare({ zeros: '', poles: '-2e4, -2e4', gain: -0.5, loops: 20 }, [1e3, 2e4, 6e4]);
    await compare({ zeros: '', poles: '-2e4, -2e4', inputfilter: 9716 }, [1e3, 1e4], 4e-3);
  });

  test('bypass, and off', async () => {
    await compare({ bypass: true }, [1e4, 1e6]);
    await bench().instrument.configure(me, 'iir', { on: false, bypass: false });
    const [off] = await measured([1e4]);
    assert.ok(magnitude(off ?? { re: 1, im: 0 }) < 1e-3);
  });

  test('what does not fit is told by the hardware, and cleared', async () => {
    const { instrument } = bench();
    await instrument.configure(me, 'iir', { on: true, zeros: '', poles: '', gain: 3.9, loops: 3, input: 'asg0' });
    await instrument.configure(me, 'asg0', {
      waveform: 'sin',
      amplitude: 1,
      offset: 0,
      frequency: 1e6,
      trigger_source: 'immediately',
    });
    let overflow: unknown;
    // A period of the sine, in the time of the FPGA.
    for (let k = 0; k < 10_000 && !/output/.test(String(overflow)); k++) {
      ({ overflow } = await instrument.get('iir', ['overflow']));
    }
    assert.match(String(overflow), /output/);
    await instrument.configure(me, 'asg0', { amplitude: 0 });
    await instrument.configure(me, 'iir', { on: false });
    await instrument.configure(me, 'iir', { on: true });
    assert.deepEqual(await instrument.get('iir', ['overflow']), { overflow: 'no overflow' });
  });
});

test.run();
