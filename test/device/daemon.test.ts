/** The very bundle that goes onto the board, on the board's processor (emulated), serving a client on this machine. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import { boardNode, ROOT, run } from './board.ts';

const BUNDLE = `${ROOT}/dist/pitayad.cjs`;

const test = suite<{ daemon: ChildProcess; port: number }>('daemon on the board’s processor');

test.before(async (context) => {
  const options = ['--bus', 'simulator', '--listen', '127.0.0.1:0', '--no-discovery', '--log-format', 'json'];
  const node = boardNode(BUNDLE, 'serve', ...options);
  context.daemon = spawn(node.program, node.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const { stdout } = context.daemon;
  assert.ok(stdout);
  for await (const line of createInterface({ input: stdout })) {
    const event = JSON.parse(line) as { msg: string; pymodaq?: { port: number } };
    if (event.msg !== 'serving') continue;
    context.port = event.pymodaq?.port ?? 0;
    break;
  }
  assert.ok(context.port > 0, 'it says where it serves');
  stdout.resume();
});

test.after(({ daemon }) => {
  daemon.kill('SIGKILL');
});

/** A command of pitayad, run on this machine against the daemon. */
async function pitayad(port: number, ...args: string[]): Promise<string> {
  const where = ['--host', '127.0.0.1', '--port', String(port)];
  return (await run(process.execPath, [BUNDLE, ...args, ...where], { maxBuffer: 1 << 26, timeout: 60_000 })).stdout;
}

interface Trace {
  readonly data: readonly (readonly number[])[];
}

test('a grab brings the sine that its own generator makes', async ({ port }) => {
  const sine = ['waveform=sin', 'frequency=1e5', 'amplitude=0.5', 'output_direct=out1', 'trigger_source=immediately'];
  await pitayad(port, 'set', 'asg0', ...sine);
  await pitayad(port, 'set', 'scope', 'input1=in1', 'input2=in2', 'decimation=8', 'trigger_source=immediately');
  const trace = JSON.parse(await pitayad(port, 'grab', 'scope', '--json')) as Trace;
  const [ch1 = [], ch2 = []] = trace.data;
  assert.ok(ch1.length > 16_000, `${ch1.length} points`);
  assert.ok(Math.abs(Math.max(...ch1) - 0.5) < 0.002 && Math.abs(Math.min(...ch1) + 0.5) < 0.002);
  assert.equal(Math.max(...ch2.map(Math.abs)), 0, 'nothing is wired to input 2');
  // 16384 samples of 64 ns hold 104.9 periods.
  const crossings = ch1.filter((value, i) => value >= 0 && (ch1[i - 1] ?? 0) < 0).length;
  assert.ok(Math.abs(crossings - 105) <= 1, `${crossings} periods`);
});

test('it ends cleanly when it is told to', async ({ daemon }) => {
  daemon.kill('SIGTERM');
  assert.deepEqual(await once(daemon, 'exit'), [0, null]);
});

test('devmem loads its add-ons, and refuses a machine that is no board', async () => {
  const node = boardNode(BUNDLE, 'serve', '--bus', 'devmem', '--listen', '127.0.0.1:0', '--no-discovery');
  await assert.rejects(
    run(node.program, node.args, { timeout: 60_000 }),
    (error: { code?: number; stderr?: string }) => {
      assert.equal(error.code, 2);
      assert.match(`${error.stderr}`, /shows no FPGA/);
      return true;
    },
  );
});

test.run();
