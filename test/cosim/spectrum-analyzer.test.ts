/** The spectrum analyzer on the live Verilog: a known sine in every unit, in baseband and around a center. */
import assert from 'node:assert';
import { test } from 'uvu';
import type { Curve } from '../../src/fpga/instrument/instrument.ts';
import { DISPLAY_UNITS } from '../../src/fpga/modules/spectrum-analyzer.ts';
import { client } from '../fpga/instrument/fixture.ts';
import { GRAB_TIMEOUT, withInstrument } from './cosim.ts';

const me = client('analyst');
const AMPLITUDE = 0.5;

withInstrument('the spectrum analyzer on the live Verilog', (bench) => {
  async function generate(frequency: number): Promise<void> {
    await bench().instrument.configure(me, 'asg0', {
      waveform: 'sin',
      amplitude: AMPLITUDE,
      offset: 0,
      frequency,
      output_direct: 'out1',
      trigger_source: 'immediately',
    });
  }

  /** Frequency and height of the highest point, and the resolution. */
  async function highest(settings: Record<string, unknown>) {
    const { instrument } = bench();
    await instrument.configure(me, 'spectrumanalyzer', settings);
    const curve = (await instrument.grab(me, 'spectrumanalyzer', { timeout: GRAB_TIMEOUT }).result) as Curve;
    const line = curve.quantities[0]?.channels[0]?.values ?? new Float64Array();
    const at = line.reduce((best, one, k) => (one > (line[best] ?? Number.NEGATIVE_INFINITY) ? k : best), 0);
    return {
      frequency: curve.axis?.values[at] ?? Number.NaN,
      height: line[at] ?? Number.NaN,
      rbw: Number(curve.attributes.rbw),
      spectrum: line,
    };
  }

  test('a sine through out1 and in1, in every unit', async () => {
    await generate(1e6);
    const power = AMPLITUDE ** 2;
    for (const unit of DISPLAY_UNITS) {
      const { frequency, height, rbw } = await highest({
        baseband: true,
        span: 125e6 / 8,
        input1_baseband: 'in1',
        window: 'flattop',
        display_unit: unit,
      });
      assert.ok(Math.abs(frequency - 1e6) < rbw, `${unit}: at ${frequency} Hz`);
      const linear = unit.includes('rms') ? power / 2 : power;
      const dense = unit.includes('Hz') ? linear / rbw : linear;
      if (unit.startsWith('dB')) {
        const wanted = 10 * Math.log10(dense);
        assert.ok(Math.abs(height - wanted) < 0.05, `${unit}: ${height}, not ${wanted}`);
      } else {
        const wanted = unit.includes('^2') ? dense : Math.sqrt(dense);
        assert.ok(Math.abs(height / wanted - 1) < 0.01, `${unit}: ${height}, not ${wanted}`);
      }
    }
  });

  test('what the averaging of the scope takes away is given back', async () => {
    await generate(600e3);
    const { height, frequency } = await highest({ span: 125e6 / 64, display_unit: 'Vpk' });
    assert.ok(Math.abs(frequency - 600e3) < 1e3, `${frequency} Hz`);
    assert.ok(Math.abs(height / AMPLITUDE - 1) < 0.01, `${height} V`);
  });

  test('around a center: above, below, and its height', async () => {
    for (const offset of [40e3, -110e3]) {
      await generate(10e6 + offset);
      const { frequency, height, rbw, spectrum } = await highest({
        baseband: false,
        input: 'in1',
        center: 10e6,
        span: 125e6 / 256,
        display_unit: 'Vpk',
      });
      assert.ok(Math.abs(frequency - 10e6 - offset) < rbw, `${frequency} Hz, ${offset} from the center`);
      assert.ok(Math.abs(height / AMPLITUDE - 1) < 0.02, `${height} V`);
      // Nothing at the same distance on the other side.
      const mirrored = spectrum[Math.round(spectrum.length * (0.5 - offset / (125e6 / 256)))] ?? 1;
      assert.ok(mirrored < 0.01 * AMPLITUDE, `${mirrored} V mirrored`);
    }
    assert.deepEqual(await bench().instrument.get('iq2', ['frequency', 'output_signal']), {
      frequency: 0,
      output_signal: 'quadrature',
    });
  });
});

test.run();
