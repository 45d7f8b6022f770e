/**
 * A monitor_server that is lost and comes back, with the same FPGA or with one that was loaded anew, which is a new
 * simulator here: what the daemon then says of the registers is what they hold.
 */
import assert from 'node:assert/strict';
import { Command } from 'commander';
import { suite } from 'uvu';
import { addOptions, readConfig } from '../src/config/command-line.ts';
import type { RegisterBus } from '../src/fpga/bus/bus.ts';
import { type MonitorServer, serveMonitor } from '../src/fpga/bus/monitor-server.ts';
import { openSimulator } from '../src/fpga/bus/simulator/simulator.ts';
import type { Change, Instrument } from '../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../src/fpga/instrument/open.ts';
import { openRegisters, type Registers } from '../src/open-bus.ts';
import { allSettings, client, eventually, identity, keptLog } from './fpga/instrument/fixture.ts';

/** Setpoint and gain of pid0, table size of iq0's sums: the last is no parameter's. */
const PID0_SETPOINT = 0x4030_0104;
const PID0_P = 0x4030_0108;
const IQ0_AVERAGES = 0x4035_0130;

const SETTINGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  asg0: { waveform: 'square', frequency: 1000, amplitude: 0.5, output_direct: 'out1', trigger_source: 'immediately' },
  asg1: { waveform: 'noise', amplitude: 0.25, trigger_source: 'immediately' },
  pid0: { input: 'in1', p: 0.5, i: -100, setpoint: 0.25, inputfilter: [1000], min_voltage: -0.5 },
  iq0: { frequency: 1e6, bandwidth: [1000], gain: 2, amplitude: 0.1, output_direct: 'out2' },
  iir: { input: 'in2', zeros: '', poles: '-1e4', gain: 2, loops: 10, on: true },
  scope: { decimation: 64, threshold: 0.1, trace_average: 3, trigger_source: 'ch1_positive_edge' },
  hk: { led: 5 },
};

interface Context {
  board: RegisterBus;
  registers: Registers;
  instrument: Instrument;
  changes: Change[];
  lines: Record<string, unknown>[];
  /** The connection is lost; then it is this board that answers. @returns the log's line of what came of that */
  interrupt(board: RegisterBus): Promise<Record<string, unknown>>;
  end(): Promise<void>;
}

const me = client('reconnect');
const test = suite<Context>('registers after an interruption');

test.before.each(async (context) => {
  context.board = openSimulator();
  const listen = (port: number) => serveMonitor(context.board, { host: '127.0.0.1', port });
  let server: MonitorServer = await listen(0);
  const { port } = server;
  const { log, lines } = keptLog();
  const config = readConfig(addOptions(new Command()).parse(['--config', '/dev/null'], { from: 'user' }));
  const registers = await openRegisters({ kind: 'monitor', host: '127.0.0.1', port }, config, log);
  const { bus, lost, onReturn } = registers;
  const instrument = await openInstrument({ bus, identity, log, fpgaLost: lost, onReturn });
  for (const [module, settings] of Object.entries(SETTINGS)) await instrument.configure(me, module, settings);
  context.registers = registers;
  context.instrument = instrument;
  context.lines = lines;
  context.changes = [];
  instrument.onChange((change) => context.changes.push(change));
  context.interrupt = async (board) => {
    const told = () => lines.filter(({ msg }) => /^the registers were read again|not pitayad’s/.test(String(msg)));
    const before = told().length;
    await server.close();
    context.board = board;
    server = await listen(port);
    await eventually(() => told().length > before, 'the registers are read again', 20_000);
    return told().at(-1) ?? {};
  };
  context.end = async () => {
    registers.watch?.stop();
    await instrument.close();
    await bus.close();
    await server.close();
  };
});

test.after.each(({ end }) => end());

test('the same FPGA: all is as it was, nothing is told and nothing written', async (context) => {
  const { board, instrument, changes, interrupt } = context;
  const before = await allSettings(instrument);
  const { wordsWritten } = board.traffic;
  const line = await interrupt(board);
  assert.equal(line.msg, 'the registers were read again: the FPGA is as it was');
  assert.deepEqual(await allSettings(instrument), before);
  assert.deepEqual(changes, []);
  assert.equal(board.traffic.wordsWritten, wordsWritten);
});

test('loaded anew: every value is that of a process that knows nothing but the registers, and told', async (context) => {
  const { instrument, changes, interrupt } = context;
  const before = await allSettings(instrument);
  const line = await interrupt(openSimulator());
  assert.equal(line.msg, 'the registers were read again: others have written them, or loaded the FPGA anew');
  assert.equal(line.changes, changes.length);
  const now = await allSettings(instrument);
  const stranger = await openInstrument({
    bus: context.board,
    identity,
    log: keptLog().log,
    freshlyLoaded: false,
  });
  const found = await allSettings(stranger);
  // What the daemon alone keeps, and no memory of the FPGA, is as it was.
  for (const name of ['trace_average', 'trigger_source']) {
    assert.notEqual(before.scope?.[name], found.scope?.[name], name);
    if (found.scope) found.scope[name] = before.scope?.[name];
  }
  assert.deepEqual(now, found);
  for (const [module, settings] of Object.entries(now)) {
    const wanted = Object.keys(settings).filter((name) => String(settings[name]) !== String(before[module]?.[name]));
    const told = changes.filter((change) => change.module === module && wanted.includes(change.parameter));
    assert.deepEqual(told.map(({ parameter }) => parameter).sort(), wanted.sort(), module);
    for (const { parameter, from, to, by } of told) {
      assert.deepEqual([from, to, by], [before[module]?.[parameter], settings[parameter], 'others'], parameter);
    }
  }
  await stranger.close();
});

test('loaded anew: what is set again as it was gets there', async (context) => {
  const { instrument, interrupt, registers } = context;
  const p = await registers.bus.read(PID0_P);
  const loaded = openSimulator();
  await interrupt(loaded);
  assert.equal(await loaded.read(PID0_P), 0);
  for (const [module, settings] of Object.entries(SETTINGS)) await instrument.configure(me, module, settings);
  assert.equal(await loaded.read(PID0_P), p);
  // The generator's table too: a square is ±1 wherever it is looked at.
  const wanted = { input1: 'out1', decimation: 1, trigger_source: 'immediately', trace_average: 1 };
  const trace = await instrument.grab(me, 'scope', { config: wanted, timeout: 20 }).result;
  assert.ok('channels' in trace);
  assert.ok(trace.channels[0]?.counts.every((count) => Math.abs(count) >= 4095));
});

test('a write in the moment of the return is not taken for one that is there already', async (context) => {
  const { instrument, interrupt, registers } = context;
  const { bus } = registers;
  // Known to the shadow of the registers, and to no module.
  await instrument.grab(me, 'iqs', { timeout: 20 }).result;
  const averages = await bus.read(IQ0_AVERAGES);
  assert.notEqual(averages, 0);
  const loaded = openSimulator();
  const written: Promise<unknown>[] = [];
  registers.onReturn(() => written.push(instrument.configure(me, 'pid0', { setpoint: 0.25 })));
  await interrupt(loaded);
  assert.deepEqual(await Promise.all(written), [{ setpoint: 0.25 }]);
  assert.equal(await loaded.read(PID0_SETPOINT), 0.25 * 8192);
  await instrument.grab(me, 'iqs', { timeout: 20 }).result;
  assert.equal(await loaded.read(IQ0_AVERAGES), averages);
});

test('another design comes back: that is told, and none of its registers is taken for a setting', async (context) => {
  const { instrument, registers, changes } = context;
  const other = openSimulator();
  const foreign: RegisterBus = { ...other, read: async () => 0, readBlock: async (_, words) => new Uint32Array(words) };
  const { msg } = await context.interrupt(foreign);
  assert.match(String(msg), /do not answer as PyRPL’s design does/);
  assert.equal(registers.lost(), msg);
  assert.deepEqual(changes, []);
  await assert.rejects(instrument.get('pid0'), /not pitayad’s any more/);
});

test.run();
