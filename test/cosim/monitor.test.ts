/** The monitor client against the reference Verilog, which speaks monitor_server's protocol with all its corners. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import { BusError } from '../../src/errors.ts';
import { openMonitor } from '../../src/fpga/bus/monitor.ts';
import { cosimulation, shared, withProgram } from './cosim.ts';

/** Of the co-simulation's own. */
const MARK = 0x5fff_003c;
const BUS_ERRORS = 0x5fff_001c;

const ASG_TABLE = 0x4021_0000;
const SCOPE_DECIMATION = 0x4010_0014;
const SCOPE_CHANNEL_1 = 0x4011_0000;
const PID0_SETPOINT = 0x4030_0104;

withProgram('the monitor client on the live Verilog', (program) => {
  const cosim = shared(() => cosimulation(program, '--stepped'));

  test('it is the co-simulation, and registers keep what they are given', async () => {
    const { bus } = cosim();
    assert.equal(await bus.read(MARK), 0x4c50_5231);
    await bus.write(SCOPE_DECIMATION, 1024);
    await bus.write(PID0_SETPOINT, 0x3fff);
    assert.equal(await bus.read(SCOPE_DECIMATION), 1024);
    assert.equal(await bus.read(PID0_SETPOINT), 0x3fff);
  });

  test('a whole waveform in one block, a whole memory back, and more than a page', async () => {
    const { bus } = cosim();
    await bus.writeBlock(ASG_TABLE, new Uint32Array(16384).fill(0x1fff));
    assert.equal((await bus.readBlock(SCOPE_CHANNEL_1, 16384)).length, 16384);
    // From the scope's first memory into its second and beyond: two boundaries of 128 KiB.
    assert.equal((await bus.readBlock(SCOPE_CHANNEL_1, 40_000)).length, 40_000);
    assert.equal(await bus.read(BUS_ERRORS), 0);
  });

  test('many requests at once are answered in order', async () => {
    const { bus } = cosim();
    const answers = await Promise.all(
      Array.from({ length: 500 }, async (_, i) => {
        await bus.write(PID0_SETPOINT, i);
        return i;
      }),
    );
    assert.equal(answers.length, 500);
    assert.equal(await bus.read(PID0_SETPOINT), 499);
  });

  test('an access that the design does not acknowledge is refused before it ends the server', async () => {
    const { bus } = cosim();
    await assert.rejects(bus.read(0x403a_0100), BusError);
    await assert.rejects(bus.write(0x4038_0014, 1), BusError);
    assert.equal(await bus.read(MARK), 0x4c50_5231);
    assert.equal(await bus.read(BUS_ERRORS), 0);
  });

  test('a connection that the server drops comes back, with the registers as they were', async () => {
    const { port } = cosim();
    const states: boolean[] = [];
    const options = { host: '127.0.0.1', port, window: { base: 0, bytes: 2 ** 32 } };
    const bus = await openMonitor({ ...options, onConnection: (connected) => states.push(connected) });
    try {
      await bus.write(PID0_SETPOINT, 77);
      await assert.rejects(bus.read(0x1000_0000), BusError, 'outside what the server answers: it drops the connection');
      while (states.length < 2) await sleep(10);
      assert.deepEqual(states, [false, true]);
      assert.equal(await bus.read(PID0_SETPOINT), 77);
    } finally {
      await bus.close();
    }
  });
});

test.run();
