/**
 * The drivers drive the real thing: the same loopback battery that runs on the simulator, on PyRPL's Verilog run by
 * Verilator. PITAYAD_COSIM names the co-simulation's program. Its time runs slower than real time, by 73 or more.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import type { RegisterBus } from '../../src/fpga/bus/bus.ts';
import { openMonitor } from '../../src/fpga/bus/monitor.ts';
import type { Instrument } from '../../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../../src/fpga/instrument/open.ts';
import { client, identity, silent } from '../fpga/instrument/fixture.ts';
import { type Bench, checks, freshness } from '../fpga/instrument/loopback-battery.ts';

const program = process.env.PITAYAD_COSIM;

/** In s; generous, since the machine may be busy with other things. */
const GRAB_TIMEOUT = 120;
const ANSWER_TIMEOUT = 60;

interface Cosim {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startCosim(path: string): Promise<Cosim> {
  const child = spawn(path, ['--loopback', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const failed = once(child, 'error').then(([error]) => {
    throw error;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port) return { child, port: Number(port) };
  }
  await failed;
  throw new Error(`${path} ended before it listened`);
}

if (program === undefined) {
  console.log('skipped: the live Verilog; PITAYAD_COSIM does not name the co-simulation (npm test builds it)');
  test.skip('the loopback battery on the live Verilog');
} else {
  let cosim: Cosim | undefined;
  let bus: RegisterBus | undefined;
  let instrument: Instrument | undefined;

  test.before(async () => {
    cosim = await startCosim(program);
    bus = await openMonitor({ host: '127.0.0.1', port: cosim.port, timeout: ANSWER_TIMEOUT });
    instrument = await openInstrument({ bus, identity, log: silent, freshlyLoaded: true });
  });

  test.after(async () => {
    await instrument?.close();
    await bus?.close();
    if (!cosim) return;
    const ended = once(cosim.child, 'exit');
    cosim.child.kill();
    await ended;
  });

  const bench = (): Bench => {
    if (!instrument || !bus) throw new Error('The co-simulation did not start.');
    return { instrument, bus, client: client('battery'), timeout: GRAB_TIMEOUT };
  };
  for (const { name, run } of checks) test(name, () => run(bench()));

  test('no trace from before a move', () => freshness(bench(), 25));
}

test.run();
