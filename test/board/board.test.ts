/**
 * An image that the SD-card builder made boots on an emulated Red Pitaya, and serves. Prepared and run by
 * `node build.mjs test board`: see build/board.mjs. What the emulator has instead of an FPGA: see fpga.ts.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { SAMPLES } from '../../src/fpga/modules/scope.ts';
import { type BoardClient, connectBoard } from '../../src/server/client.ts';
import { type PlayedScope, playScope, presetIdentity, samplesOf } from './fpga.ts';
import { type Machine, openRegisters, startMachine } from './machine.ts';

const environment = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error('run these tests by: node build.mjs test board');
  return value;
};

const PORT = 6341;
const CLIENTS = 8;
/** To all of them together. */
const TRACES = Number(process.env.PITAYAD_BOARD_TRACES ?? 1000);
/** In kB, as the kernel tells them. */
const MOST_RSS = 90 * 1024;
const MOST_GROWTH = 2 * 1024;
/** Each look takes the guest's time from what it waits for. */
const POLL_MS = 1000;
/** The kernel argument without which a load fails, since the emulator has no FPGA that would say that it is configured. */
const LOADS = 'zynq_fpga.qemu=1';

/** Volts at the end of each channel, by the jumpers that the card was given. */
const SCALES = ['1', '20'];

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Context {
  board: Machine;
  scope: PlayedScope;
  /** Real PyMoDAQ, which asks line by line. */
  ask(command: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  ends: (() => unknown)[];
}

const test = suite<Context>('an emulated Red Pitaya');

test.before((context) => {
  context.ends = [];
});

test.after(async ({ ends }) => {
  for (const end of ends.reverse()) await end();
});

function machineOptions(append: string, memory?: string) {
  const common = { kernel: environment('PITAYAD_BOARD_KERNEL'), deviceTree: environment('PITAYAD_BOARD_TREE') };
  const card = environment('PITAYAD_BOARD_CARD');
  return { ...common, card, append, port: PORT, ...(memory === undefined ? {} : { memory }) };
}

/** What a command prints. @throws AssertionError: its status is not 0 */
async function says(board: Machine, line: string, seconds = 300): Promise<string> {
  const { output, status } = await board.shell(line, seconds);
  assert.equal(status, 0, `${line}: status ${status}\n${output}`);
  return output.trim();
}

/** What each of several commands prints, asked together. @throws AssertionError: the status of one is not 0 */
async function answers<Name extends string>(
  board: Machine,
  commands: Readonly<Record<Name, string>>,
): Promise<Record<Name, string>> {
  const names = Object.keys(commands) as Name[];
  const all = names.map((name) => `( ${commands[name]} ); status=$?; echo; echo "---- $status"`).join('; ');
  const parts = (await says(board, all)).split(/^---- (\d+)$/m);
  return Object.fromEntries(
    names.map((name, k) => {
      const [output = '', status] = [parts[2 * k], parts[2 * k + 1]];
      assert.equal(status, '0', `${commands[name]}: status ${status}\n${output}`);
      return [name, output.trim()];
    }),
  ) as Record<Name, string>;
}

const MAIN_PID = 'systemctl show -p MainPID --value pitayad';

/** Of the daemon, from /proc. */
async function rss(board: Machine): Promise<number> {
  const text = await says(board, `grep VmRSS /proc/$(${MAIN_PID})/status`);
  return Number(/(\d+) kB/.exec(text)?.[1]);
}

const journal = 'journalctl -b --no-pager -o cat -t pitayad -t pitayad-fpga';

/** All that belongs to the boot has been started, or has failed. */
async function booted(board: Machine): Promise<void> {
  await board.shell('systemctl is-system-running --wait', 600);
}

/** The state of a unit, once it is settled. */
async function settled(board: Machine, unit: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    const { output } = await board.shell(`systemctl is-active ${unit}`, 300);
    const state = output.trim();
    if (!['activating', 'deactivating', 'reloading'].includes(state) || tries > 200) return state;
    await sleep(POLL_MS);
  }
}

function pymodaq(port: number, ends: (() => unknown)[]): Context['ask'] {
  const client: ChildProcess = spawn(environment('PITAYAD_PYMODAQ_4'), [here('client.py'), String(port), ...SCALES], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  ends.push(() => client.kill());
  const lines = createInterface({ input: client.stdout as NodeJS.ReadableStream });
  return async (command) => {
    client.stdin?.write(`${JSON.stringify(command)}\n`);
    const [line] = (await Promise.race([
      once(lines, 'line'),
      once(client, 'exit').then(([code]) => assert.fail(`PyMoDAQ’s client ended with ${code}`)),
    ])) as [string];
    return JSON.parse(line) as Record<string, unknown>;
  };
}

/** A test that says its seconds and, when it fails, what the board's log or else its console says last. */
function onBoard(name: string, body: (context: Context) => Promise<void>): void {
  test(name, async (context) => {
    const start = performance.now();
    try {
      await body(context);
      console.log(`${((performance.now() - start) / 1000).toFixed(0)} s: ${name}`);
    } catch (error) {
      const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
      const { board } = context;
      const last = await board
        ?.shell(`${journal} | tail -15 | cut -c1-300; dmesg | tail -5`, 120)
        .then(({ output }) => `the board's log:\n${output}`)
        .catch(() => `the board answers no more; its console:\n${board.console().slice(-2000)}`);
      const failure = new Error(`${message}\n${last ?? ''}`);
      failure.stack = `\n${stack
        .split('\n')
        .filter((line) => /^ +at /.test(line))
        .join('\n')}`;
      throw failure;
    }
  });
}

const hash = (samples: Int16Array): string =>
  createHash('sha256')
    .update(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength))
    .digest('hex');

onBoard('it boots from the card, loads the FPGA after the stock start, and serves as its own user', async (context) => {
  const memory = environment('PITAYAD_BOARD_MEMORY');
  context.ends.push(() => rmSync(memory, { force: true }));
  const registers = openRegisters(memory);
  await presetIdentity(registers);
  context.board = await startMachine(machineOptions(LOADS, memory), registers);
  context.ends.push(() => context.board.stop());
  context.scope = playScope(registers);
  context.ends.push(() => context.scope.stop());
  const { board } = context;
  await booted(board);

  assert.equal(await settled(board, 'pitayad'), 'active', await says(board, `${journal} || true`));
  const found = await answers(board, {
    log: journal,
    fpga: 'cat /sys/class/fpga_manager/fpga0/state',
    units: 'systemctl is-active redpitaya_nginx redpitaya_startup pitayad-fpga || true',
    stockEnded: 'systemctl show -p InactiveEnterTimestampMonotonic --value redpitaya_startup',
    loaded: 'systemctl show -p ActiveEnterTimestampMonotonic --value pitayad-fpga',
    who: `grep -E "^(Uid|CapEff):" /proc/$(${MAIN_PID})/status`,
    uid: 'id -u pitayad',
    files: `ls -l /proc/$(${MAIN_PID})/fd`,
  });
  assert.match(found.log, /the FPGA is loaded/);
  assert.match(found.log, /serving/);
  assert.equal(found.fpga, 'operating');
  assert.deepEqual(found.units.split('\n'), ['inactive', 'inactive', 'active'], 'nginx would load another design');
  const [stock, ours] = [Number(found.stockEnded), Number(found.loaded)];
  assert.ok(stock > 0 && ours > stock, `${stock} µs, ${ours} µs`);
  const { who, uid } = found;
  assert.equal(who.split('\n')[0], `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`);
  assert.match(who, /CapEff:\t0000000000020000/, 'CAP_SYS_RAWIO, and nothing else');
  assert.match(found.files, /-> \/dev\/mem$/m);
});

onBoard('what the card was given is there: settings, key, address', async ({ board }) => {
  const found = await answers(board, {
    onCard: 'cat /opt/redpitaya/pitayad.yaml',
    kept: 'grep ^in2 /var/lib/pitayad/pitayad.yaml',
    key: 'stat -c "%U %a %n" /root/.ssh /root/.ssh/*',
    address: 'ip -4 addr show dev eth0',
    dpkg: 'dpkg -l pitayad | grep -o ^ii; dpkg --verify pitayad',
  });
  assert.match(found.onCard, /^in2: HV$/m);
  assert.equal(found.kept, 'in2: HV');
  assert.equal(found.key, 'root 700 /root/.ssh\nroot 600 /root/.ssh/authorized_keys');
  assert.match(found.address, /inet 10\.0\.2\.15\/24/);
  assert.equal(found.dpkg, 'ii');
});

onBoard('PyMoDAQ grabs exactly the trace that is in the registers, and what it sets is seen there', async (context) => {
  const { board, scope } = context;
  context.ask = pymodaq(board.port, context.ends);
  const set = await context.ask({ command: 'configure', module: 'hk', config: { led: 0xa5 } });
  assert.equal(set.word, 'Reply', JSON.stringify(set));
  assert.equal(await board.registers?.read(0x4000_0030), 0xa5, 'the LEDs');

  for (const decimation of [8, 64]) {
    const config = { decimation, trigger_source: 'immediately', input1: 'in1', input2: 'in2' };
    const trace = await context.ask({ command: 'grab', module: 'scope', config });
    assert.equal(trace.word, 'Done', JSON.stringify(trace));
    assert.deepEqual(trace.points, [SAMPLES, SAMPLES]);
    assert.deepEqual(
      trace.counts,
      [0, 1].map((channel) => hash(samplesOf(channel, scope.traces))),
    );
    assert.ok(Number(trace.deviation) < 1e-9, `${trace.deviation} counts`);
    assert.equal(await board.registers?.read(0x4010_0014), decimation);
  }
});

onBoard(`${TRACES} dual traces to ${CLIENTS} clients leave its memory as it was`, async ({ board, scope }) => {
  // One after the other: the emulator's forwarded port listens with a queue of one, and of eight at once may reset one.
  const clients: BoardClient[] = [];
  for (let k = 0; k < CLIENTS; k++) {
    const client = await connectBoard({ host: '127.0.0.1', port: board.port, answerMs: 60_000 });
    await client.reply('status');
    clients.push(client);
  }
  const config = { decimation: 8, trigger_source: 'immediately', input1: 'in1', input2: 'in2' };
  await clients[0]?.ask('configure', { module: 'scope', config });
  scope.renew(false);
  const start = performance.now();
  let half = 0;
  for (let sent = 0; sent < TRACES; sent += CLIENTS) {
    if (half === 0 && sent + CLIENTS > TRACES / 2) half = await rss(board);
    // Whoever asks gets all of the trace that is taken for all.
    const grabs = clients.map((client) =>
      client.ask('grab', { module: 'scope', fresh: false, timeout: 60 }, { patient: true }),
    );
    for (const { word } of await Promise.all(grabs)) assert.equal(word, 'Done');
  }
  const full = await rss(board);
  const rate = (1000 * TRACES) / (performance.now() - start);
  console.log(`VmRSS ${half} kB after half of ${TRACES} traces, ${full} kB after all; ${rate.toFixed(1)} traces/s`);
  for (const client of clients) client.close();
  scope.renew(true);
  assert.ok(full <= MOST_RSS, `${full} kB`);
  assert.ok(full - half <= MOST_GROWTH, `${full - half} kB more`);
});

onBoard('killed, it comes back by itself, with the FPGA untouched', async ({ board }) => {
  const [before, registers] = [await says(board, 'cat /run/pitayad-fpga.json'), board.registers];
  await registers?.write(0x4010_0014, 1024);
  const pid = await says(board, MAIN_PID);
  await says(board, 'systemctl kill -s KILL pitayad; sleep 1');
  for (let tries = 0; tries < 120; tries++) {
    const now = await says(board, MAIN_PID);
    if (now !== pid && now !== '0' && (await settled(board, 'pitayad')) === 'active') break;
    await sleep(POLL_MS);
  }
  assert.notEqual(await says(board, MAIN_PID), pid);
  assert.equal(await settled(board, 'pitayad'), 'active');
  assert.equal(await says(board, 'cat /run/pitayad-fpga.json'), before);
  const client = await connectBoard({ host: '127.0.0.1', port: board.port, answerMs: 60_000 });
  const { decimation } = await client.reply('get', { module: 'scope', parameters: ['decimation'] });
  assert.equal(decimation, 1024, 'as the registers have it');
  client.close();
});

onBoard('a second version is installed, and the first one comes back: the FPGA goes on', async ({ board }) => {
  const version = (): Promise<string> => says(board, 'dpkg-query -W pitayad | cut -f2');
  const [first, load] = [await version(), await says(board, 'cat /run/pitayad-fpga.json')];
  await board.registers?.write(0x4010_0014, 2048);
  await says(board, 'dpkg -i /opt/redpitaya/second.deb', 900);
  assert.notEqual(await version(), first);
  assert.equal(await settled(board, 'pitayad'), 'active');
  await says(board, 'pitayad rollback', 900);
  assert.equal(await version(), first);
  assert.equal(await settled(board, 'pitayad'), 'active');
  assert.equal(await says(board, 'cat /run/pitayad-fpga.json'), load, 'nothing was loaded anew');
  assert.equal(await board.registers?.read(0x4010_0014), 2048);
  assert.equal(await says(board, 'cat /var/lib/pitayad/pitayad.yaml | grep ^in2'), 'in2: HV', 'state is kept');
});

onBoard('with another design in the FPGA it does not serve, and says why', async ({ board }) => {
  const { registers } = board;
  assert.ok(registers);
  await presetIdentity(registers, false);
  await board.shell('systemctl restart pitayad-fpga', 300);
  assert.equal(await settled(board, 'pitayad-fpga'), 'failed');
  assert.notEqual(await settled(board, 'pitayad'), 'active');
  assert.match(await says(board, `${journal} | tail -8`), /does not answer as PyRPL’s design does/);
  await assert.rejects(
    connectBoard({ host: '127.0.0.1', port: board.port, answerMs: 2000 }).then((client) => client.reply('status')),
  );
  await presetIdentity(registers);
});

onBoard('where the load fails it does not serve, and says why', async ({ board }) => {
  // The kernel looks here first; what it finds has no sync word.
  await says(board, 'mkdir /run/other; echo none >/run/other/pitayad.bin');
  await says(board, 'printf /run/other >/sys/module/firmware_class/parameters/path');
  const { status } = await board.shell('systemctl start pitayad', 300);
  assert.notEqual(status, 0);
  assert.equal(await settled(board, 'pitayad-fpga'), 'failed');
  assert.equal(await settled(board, 'pitayad'), 'inactive');
  assert.match(await says(board, 'cat /sys/class/fpga_manager/fpga0/state'), /error$/);
  assert.match(await says(board, `${journal} | tail -4`), /FPGA manager does not take the image/);
  await assert.rejects(
    connectBoard({ host: '127.0.0.1', port: board.port, answerMs: 2000 }).then((client) => client.reply('status')),
  );
});

test.run();
