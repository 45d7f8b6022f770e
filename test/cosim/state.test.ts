/** A daemon that comes back to a running FPGA, on the live Verilog: what its registers tell, and what the state does. */
import assert from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { openInstrument } from '../../src/fpga/instrument/open.ts';
import { importPyrpl } from '../../src/import-pyrpl.ts';
import { allSettings, client, identity, silent } from '../fpga/instrument/fixture.ts';
import { onCosim, withProgram } from './cosim.ts';

const me = client('state');
const lab = importPyrpl(readFileSync(new URL('../import-pyrpl/lab.yml', import.meta.url), 'utf8'));

/** Settings of a laboratory, and of modules that it leaves alone. */
const WANTED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ...lab.modules,
  pid2: { input: 'iq2_2', p: 0.25, i: -300, paused: true, pause_gains: 'pi', min_voltage: 0.1 },
  iq1: { frequency: 1.5e6, phase: 120, bandwidth: [1000, 0], modulation_at_2f: 'on', on: false },
  pwm1: { input: 'out2' },
};

withProgram('a daemon that comes back to the live Verilog', (program) => {
  test('it finds everything as it was, and writes nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pitayad-back-'));
    const statePath = join(folder, 'state.json');
    const on = await onCosim(program);
    const { bus } = on;
    const start = (options: { statePath?: string } = {}) =>
      openInstrument({ bus, identity, log: silent, freshlyLoaded: false, ...options });
    try {
      const one = await start({ statePath });
      for (const [module, values] of Object.entries(WANTED)) await one.configure(me, module, values);
      const before = await allSettings(one);
      for (const [module, { input }] of Object.entries(WANTED)) {
        if (input !== undefined) assert.equal(before[module]?.input, input, module);
      }
      await one.close();

      const written = bus.traffic.wordsWritten;
      const back = await start({ statePath });
      assert.deepEqual(await allSettings(back), before);
      // Without the file the registers still tell whatever is in registers.
      const bare = await start();
      for (const [module, values] of Object.entries(await allSettings(bare))) {
        const inDriver = Object.keys(values).filter((name) => !same(values[name], before[module]?.[name]));
        for (const name of inDriver)
          assert.ok(SOFTWARE.includes(module) || UNTOLD.includes(`${module}.${name}`), `${module}.${name}`);
      }
      assert.equal(bus.traffic.wordsWritten, written);
      await bare.close();
      await back.close();
    } finally {
      await on.end();
      rmSync(folder, { recursive: true });
    }
  });
});

/** What no register tells. */
const UNTOLD = [
  'scope.trace_average',
  'scope.trigger_source',
  'asg0.waveform',
  'asg1.amplitude',
  'iir.zeros',
  'iir.poles',
  'iir.gain',
];
/** Made of software alone: no register belongs to them. */
const SOFTWARE = ['sampler', 'networkanalyzer', 'spectrumanalyzer'];

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

test.run();
