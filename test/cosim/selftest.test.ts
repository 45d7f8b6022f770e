/** `pitayad selftest` on the live Verilog: passes with its loops closed, and names the line of each fault put in. */
import assert from 'node:assert';
import { execFile } from 'node:child_process';
import { test } from 'uvu';
import { openInstrument } from '../../src/fpga/instrument/open.ts';
import type { Finding, SelftestReport } from '../../src/fpga/instrument/selftest/figures.ts';
import { PROGRAM } from '../command.ts';
import { allSettings, identity, silent } from '../fpga/instrument/fixture.ts';
import { GRAB_TIMEOUT, withInstrument } from './cosim.ts';

interface Run {
  readonly status: number;
  readonly report: SelftestReport;
}

function selftest(bus: string, ...options: readonly string[]): Promise<Run> {
  const all = ['selftest', '--bus', bus, '--timeout', String(GRAB_TIMEOUT), '--json', ...options];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...PROGRAM, ...all], (error, out, err) => {
      if (out === '') return reject(new Error(err));
      resolve({ status: Number(error?.code ?? 0), report: JSON.parse(out) as SelftestReport });
    });
  });
}

const failed = ({ findings }: SelftestReport): string[] =>
  findings
    .filter(({ passed }) => !passed)
    .map(({ check, figure, failure }: Finding) => figure?.what ?? failure ?? check);

withInstrument('the self-test on the live Verilog', (bench) => {
  for (const loop of ['cables', 'digital']) {
    test(`it passes by ${loop}, and leaves all settings as they were`, async () => {
      const { instrument, place } = bench();
      const me = { peer: 'test', owner: 'test' };
      await instrument.configure(me, 'asg0', { frequency: 12_345, offset: 0.125, output_direct: 'out2' });
      await instrument.configure(me, 'pid1', { p: 0.5, inputfilter: [1000] });
      await instrument.configure(me, 'scope', { decimation: 64, threshold: 0.25 });
      const before = await inRegisters();
      const { status, report } = await selftest(place, '--loop', loop);
      assert.deepEqual(failed(report), []);
      assert.equal(status, 0);
      assert.ok(report.passed && report.findings.length > 20);
      assert.deepEqual(await inRegisters(), before);
    });
  }

  /** All settings, as a process finds them that knows nothing but the registers. */
  async function inRegisters(): Promise<Record<string, unknown>> {
    const stranger = await openInstrument({ bus: bench().bus, identity, log: silent, freshlyLoaded: false });
    return allSettings(stranger);
  }

  const faults: readonly (readonly [what: string, commands: readonly string[], named: readonly RegExp[]])[] = [
    ['gain 0.5 from out1 to in1', ['adc 1 loopback:8,0.5,0,1'], [/amplitude at in1/]],
    [
      'inputs swapped',
      ['adc 1 loopback:8,1,0,2', 'adc 2 loopback:8,1,0,1'],
      [/amplitude at in1/, /other generator at in1/, /amplitude at in2/],
    ],
    ['output 2 dead', ['adc 2 const:0'], [/amplitude at in2/, /frequency at in2|of the other/]],
    [
      'noise on input 1, an offset on input 2',
      ['adc 1 loopback:8,1,0,1+noise:0.02,0,1', 'adc 2 loopback:8,1,0.2,2'],
      [/rms at in1/, /offset at in2/, /mean at in2/],
    ],
  ];
  for (const [what, commands, named] of faults) {
    test(`a fault is found: ${what}`, async () => {
      const { command, place } = bench();
      for (const each of commands) await command(each);
      try {
        const { status, report } = await selftest(place);
        assert.equal(status, 1);
        const lines = failed(report);
        for (const line of named)
          assert.ok(
            lines.some((one) => line.test(one)),
            `${line} is not among: ${lines.join('; ')}`,
          );
        const internal = report.findings.filter(({ check }) => /identity|word|PID|trigger/.test(check));
        assert.ok(
          internal.every(({ passed }) => passed),
          `what the fault does not touch passes: ${lines.join('; ')}`,
        );
      } finally {
        await command('adc 1 loopback:8,1,0,1');
        await command('adc 2 loopback:8,1,0,2');
      }
    });
  }
});

test.run();
