/**
 * The drivers drive the real thing: the same loopback battery that runs on the simulator, on PyRPL's Verilog run by
 * Verilator. PITAYAD_COSIM names the co-simulation's program.
 */
import { test } from 'uvu';
import { client } from '../fpga/instrument/fixture.ts';
import { type Bench, checks, freshness } from '../fpga/instrument/loopback-battery.ts';
import { GRAB_TIMEOUT, withInstrument } from './cosim.ts';

withInstrument('the loopback battery on the live Verilog', (on) => {
  const bench = (): Bench => {
    const { instrument, bus } = on();
    return { instrument, bus, client: client('battery'), timeout: GRAB_TIMEOUT };
  };
  for (const { name, run } of checks) test(name, () => run(bench()));

  test('no trace from before a move', () => freshness(bench(), 25, 1000));
});

test.run();
