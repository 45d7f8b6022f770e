/**
 * A daemon that ends, or is killed, and comes back while a PID of the live Verilog holds a plant: nobody at the experiment
 * notices. Every access of the daemon goes through a recorder, and after each one the outputs are looked at.
 */
import assert from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import type { RegisterBus } from '../../src/fpga/bus/bus.ts';
import { serveMonitor } from '../../src/fpga/bus/monitor-server.ts';
import { type BoardClient, connectBoard } from '../../src/server/client.ts';
import { PROGRAM } from '../command.ts';
import { cosimulation, withProgram } from './cosim.ts';

/** The co-simulation's own addresses: advance by so many clocks; then out1, out2, in1, in2 in counts. */
const ADVANCE = 0x5fff_0008;
const PINS = 0x5fff_0020;
/** Clocks that pass after each access of the daemon, so that whatever it did shows. */
const CLOCKS = 300;
/** Until the loop has settled, or would have left its place: 4 ms, in pieces between which the daemon is answered. */
const PIECES = 50;
const PIECE = 10_000;

/** out1 to in1 is a low-pass with a disturbance; in2 sees what the generator makes. */
const PLANT = ['--stepped', '--adc1', 'plant:0.8,2e4,8,0.1,1', '--adc2', 'loopback:8,1,0,2'];

interface Access {
  readonly write: boolean;
  readonly address: number;
  /** In counts, after it. */
  readonly pins: readonly number[];
}

/** A bus that passes everything on, writes it down, and looks at the pins each time. */
function recorder(bus: RegisterBus, log: Access[]): RegisterBus {
  async function look(write: boolean, address: number): Promise<void> {
    await bus.write(ADVANCE, CLOCKS);
    log.push({ write, address, pins: await pinsOf(bus) });
  }
  return {
    ...bus,
    async readBlock(address, words, into) {
      const values = await bus.readBlock(address, words, into);
      await look(false, address);
      return values;
    },
    async writeBlock(address, values) {
      await bus.writeBlock(address, values);
      await look(true, address);
    },
  };
}

async function settle(bus: RegisterBus): Promise<void> {
  for (let k = 0; k < PIECES; k++) await bus.write(ADVANCE, PIECE);
}

async function pinsOf(bus: RegisterBus): Promise<number[]> {
  return [...(await bus.readBlock(PINS, 4))].map((word) => word | 0);
}

interface Daemon {
  readonly board: BoardClient;
  end(signal: NodeJS.Signals): Promise<void>;
}

async function daemon(started: Set<ChildProcess>, place: string, statePath: string): Promise<Daemon> {
  const options = ['--bus', place, '--listen', '127.0.0.1:0', '--state', statePath, '--log-format', 'json'];
  const args = [...PROGRAM, 'serve', ...options, '--no-discovery', '--config', '/dev/null'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  const exit = once(child, 'exit');
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text);
    if (line.msg !== 'serving') continue;
    child.stdout.resume();
    const board = await connectBoard({ host: '127.0.0.1', port: line.pymodaq.port, answerMs: 60_000 });
    return {
      board,
      async end(signal) {
        child.kill(signal);
        await exit;
        started.delete(child);
      },
    };
  }
  throw new Error('the daemon ended before it served');
}

async function settingsOf(board: BoardClient): Promise<Record<string, unknown>> {
  const names = ['pid0', 'asg1', 'scope', 'iq0'];
  const values = await Promise.all(names.map((module) => board.reply('get', { module })));
  // What moves by itself, or is a measurement.
  const moving = /^(current_|ival$|.*_saturated$)/;
  return Object.fromEntries(
    values.map((all, k) => [names[k], Object.fromEntries(Object.entries(all).filter(([name]) => !moving.test(name)))]),
  );
}

withProgram('a daemon that comes back while a PID holds a plant', (program) => {
  test('ended or killed and back while a PID holds a plant: no step, and not one write', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pitayad-restart-'));
    const started = new Set<ChildProcess>();
    const cosim = await cosimulation(program, ...PLANT);
    const { bus } = cosim;
    const log: Access[] = [];
    const proxy = await serveMonitor(recorder(bus, log), { host: '127.0.0.1', port: 0, maxClients: 2 });
    const start = () => daemon(started, `monitor:127.0.0.1:${proxy.port}`, join(folder, 'state.json'));
    try {
      let running = await start();
      const set = (module: string, config: Readonly<Record<string, unknown>>) =>
        running.board.reply('configure', { module, config });
      await set('pid0', { input: 'in1', setpoint: 0.3, p: -0.1, i: -5e3, output_direct: 'out1' });
      await set('asg1', { waveform: 'dc', offset: 0.4, trigger_source: 'immediately', output_direct: 'out2' });
      await settle(bus);
      const held = await pinsOf(bus);
      const [out1 = 0, out2, in1 = 0] = held;
      assert.ok(Math.abs(in1 - 0.3 * 8192) <= 1, `the loop holds its setpoint: ${in1}`);
      assert.ok(Math.abs(out1 - ((0.3 - 0.1) / 0.8) * 8192) <= 8, `by its output: ${out1}`);
      assert.equal(out2, Math.round(0.4 * 8192));
      const before = await settingsOf(running.board);

      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const from = log.length;
        await running.end(signal);
        await settle(bus);
        running = await start();
        assert.deepEqual(await settingsOf(running.board), before, signal);
        await settle(bus);

        const accesses = log.slice(from);
        const steps = [...accesses.map(({ pins }) => pins), await pinsOf(bus)].map((pins) =>
          Math.max(...pins.map((pin, k) => Math.abs(pin - (held[k] ?? 0)))),
        );
        const writes = accesses.filter(({ write }) => write);
        console.log(
          `${signal}: ${accesses.length} requests, ${writes.length} of them writes; ` +
            `largest step of any output or input: ${Math.max(...steps)} counts`,
        );
        assert.ok(accesses.length > 50, 'it reads its registers back');
        assert.deepEqual(writes, [], signal);
        assert.ok(Math.max(...steps) <= 1, signal);
      }

      // The one that came back is in command.
      await set('pid0', { setpoint: 0.25 });
      await settle(bus);
      assert.ok(Math.abs(((await pinsOf(bus))[2] ?? 0) - 0.25 * 8192) <= 1);
      await running.end('SIGTERM');
    } finally {
      for (const child of started) child.kill('SIGKILL');
      await proxy.close();
      await cosim.end();
      rmSync(folder, { recursive: true });
    }
  });
});

test.run();
