/** The command as a process of its own: statuses, sentences, start and end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import { PROGRAM } from './command.ts';

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

type Line = Readonly<Record<string, unknown>>;

interface Daemon {
  readonly process: ChildProcess;
  /** Lines of its log so far. */
  readonly log: Line[];
  readonly serving: Line & { readonly pymodaq: { readonly host: string; readonly port: number } };
  end(signal: NodeJS.Signals): Promise<Ended & { readonly seconds: number }>;
}

const test = suite<{ folder: string; started: Set<ChildProcess>; config: string }>('pitayad');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-main-'));
  context.started = new Set();
  // Whatever this machine has in /etc is no part of the test.
  context.config = join(context.folder, 'config.yaml');
  writeFileSync(context.config, '');
});

test.after.each(({ folder, started }) => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Makes the process trip over itself on SIGUSR2. */
const FAULT = 'data:text/javascript,process.on("SIGUSR2",()=>{throw new Error("planted")})';

function start(started: Set<ChildProcess>, args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ['--import', FAULT, ...PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  let out = '';
  let err = '';
  child.stdout?.on('data', (data) => {
    out += data;
  });
  child.stderr?.on('data', (data) => {
    err += data;
  });
  const ended = once(child, 'close').then(([status]) => ({ status: status as number | null, out, err }));
  return { child, ended };
}

/** On the simulator, unless another bus is named. */
async function serve(started: Set<ChildProcess>, ...args: string[]): Promise<Daemon> {
  const { child, ended } = start(started, ['serve', '--bus', 'simulator', ...args]);
  const log: Line[] = [];
  assert.ok(child.stdout);
  const lines = createInterface(child.stdout);
  const serving = new Promise<Daemon['serving']>((resolve) => {
    lines.on('line', (text) => {
      const line = JSON.parse(text) as Daemon['serving'];
      log.push(line);
      if (line.msg === 'serving') resolve(line);
    });
  });
  const first = await Promise.race([serving, ended]);
  assert.ok('pymodaq' in first, JSON.stringify(first));
  return {
    process: child,
    log,
    serving: first,
    async end(signal) {
      const told = performance.now();
      child.kill(signal);
      return { ...(await ended), seconds: (performance.now() - told) / 1000 };
    },
  };
}

/** What is wrong on the command line or in the configuration: status 2, a sentence, and nothing on standard output. */
const WRONG: readonly (readonly [args: readonly string[], sentence: RegExp])[] = [
  [['serve', '--lisen', 'x'], /unknown option '--lisen'.*--listen/s],
  [['serve', '--listen', '6341'], /--listen must be HOST:PORT.*not "6341"/],
  [['serve', '--bus', 'usb'], /--bus must be devmem, simulator or monitor:HOST:PORT, not "usb"/],
  [['serve', '--config', '/nowhere/config.yaml'], /cannot read the configuration.*\/nowhere\/config\.yaml/],
  [['serve', 'now'], /too many arguments/],
  [['serv'], /unknown command 'serv'.*serve/s],
];

test('what is wrong on the command line: status 2 and a sentence', async ({ started }) => {
  const ends = await Promise.all(WRONG.map(([args]) => start(started, args).ended));
  for (const [k, { status, out, err }] of ends.entries()) {
    const [args, sentence] = WRONG[k] ?? [];
    assert.equal(status, 2, args?.join(' '));
    assert.match(err, sentence ?? /^$/);
    assert.equal(out, '');
  }
});

test('status 2 for a configuration with an unknown key, which is named with the nearest', async ({
  started,
  config,
}) => {
  writeFileSync(config, 'log_level: info\nbuss: simulator\n');
  const { status, err } = await start(started, ['serve', '--config', config]).ended;
  assert.equal(status, 2);
  assert.ok(err.includes(`${config}, line 2: buss is not a setting; did you mean bus?`), err);
});

test('hardware that is not there is an error; no simulator takes its place', async ({ started, config }) => {
  const { status, out, err } = await start(started, ['serve', '--bus', 'devmem', '--config', config]).ended;
  assert.equal(status, 2);
  assert.match(err, /^pitayad: .+\n$/);
  assert.ok(!out.includes('serving'));
});

test('a monitor_server that is not there: status 1', async ({ started, config }) => {
  const port = await freePort();
  const args = ['serve', '--bus', `monitor:127.0.0.1:${port}`, '--listen', '127.0.0.1:0', '--config', config];
  const { status, out } = await start(started, args).ended;
  assert.equal(status, 1);
  assert.match(out, /cannot connect to monitor:127\.0\.0\.1/);
});

test('help and version: status 0', async ({ started }) => {
  const help = await start(started, ['serve', '--help']).ended;
  assert.equal(help.status, 0);
  for (const option of [
    '--bus',
    '--listen',
    '--config',
    '--state',
    '--no-discovery',
    '--log-level',
    '--log-format',
    '--front-end',
  ]) {
    assert.ok(help.out.includes(option), option);
  }
  const version = await start(started, ['--version']).ended;
  const { version: wanted } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.deepEqual([version.status, version.out], [0, `${wanted}\n`]);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`serves, says where, and ends with status 0 on ${signal} while clients are connected`, async ({
    started,
    config,
  }) => {
    const daemon = await serve(started, '--listen', '127.0.0.1:0', '--config', config);
    const { host, port } = daemon.serving.pymodaq;
    assert.equal(host, '127.0.0.1');
    assert.ok(port > 0);
    assert.equal(daemon.serving.bus, 'simulator');
    assert.equal(daemon.serving.simulated, true);
    const client = connect(port, host);
    client.on('error', () => undefined);
    await once(client, 'connect');
    const { status, seconds, err } = await daemon.end(signal);
    assert.equal(status, 0);
    assert.ok(seconds < 2, `${seconds} s`);
    assert.equal(err, '');
    assert.deepEqual(
      daemon.log.filter(({ msg }) => msg === 'stopping' || msg === 'stopped').map(({ msg }) => msg),
      ['stopping', 'stopped'],
    );
    client.destroy();
  });
}

test('a signal that comes twice, as from a terminal with npm in between, does no more', async ({ started, config }) => {
  const daemon = await serve(started, '--listen', '127.0.0.1:0', '--config', config);
  daemon.process.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 1));
  const { status } = await daemon.end('SIGINT');
  assert.equal(status, 0);
  assert.equal(daemon.log.filter(({ msg }) => msg === 'stopping').length, 1);
});

test('outputs stay when the daemon ends and comes back, or are zeroed, as configured', async ({ started, config }) => {
  const { child } = start(started, ['simulate', '--port', '0']);
  assert.ok(child.stdout);
  const [listening] = (await once(createInterface(child.stdout), 'line')) as [string];
  const bus = `monitor:127.0.0.1:${/\d+$/.exec(listening)?.[0]}`;
  const options = ['--bus', bus, '--listen', '127.0.0.1:0', '--config', config];

  const first = await serve(started, ...options);
  const on = ['amplitude=0.25', 'output_direct=out2', 'trigger_source=immediately'];
  assert.equal((await start(started, ['set', 'asg1', ...on, ...at(first)]).ended).status, 0);
  assert.equal((await first.end('SIGTERM')).status, 0);

  const second = await serve(started, ...options, '--outputs-on-stop', 'zero');
  // One that cannot serve takes nothing away from the one that does.
  const taken = ['--listen', `127.0.0.1:${second.serving.pymodaq.port}`, '--no-discovery'];
  const rival = start(started, ['serve', ...options, ...taken, '--outputs-on-stop', 'zero']);
  assert.equal((await rival.ended).status, 1);
  const { out } = await start(started, ['get', 'asg1', 'amplitude', 'output_direct', '--json', ...at(second)]).ended;
  assert.deepEqual(JSON.parse(out), { amplitude: 0.25, output_direct: 'out2' });
  assert.equal((await second.end('SIGTERM')).status, 0);

  const third = await serve(started, ...options);
  const after = await start(started, ['get', 'asg1', 'output_direct', '--json', ...at(third)]).ended;
  assert.deepEqual(JSON.parse(after.out), { output_direct: 'off' });
  await third.end('SIGTERM');
});

/** Options of the commands that talk to a daemon. */
function at({ serving }: Daemon): string[] {
  return ['--host', serving.pymodaq.host, '--port', String(serving.pymodaq.port)];
}

test('a fault of its own ends it with status 1, and the log says which', async ({ started, config }) => {
  const daemon = await serve(started, '--listen', '127.0.0.1:0', '--config', config);
  const { status, seconds } = await daemon.end('SIGUSR2');
  assert.equal(status, 1);
  assert.ok(seconds < 2, `${seconds} s`);
  const fatal = daemon.log.find(({ level }) => level === 60);
  assert.match(JSON.stringify(fatal), /planted/);
  assert.equal(daemon.log.at(-1)?.msg, 'stopped');
});

test('a port in use: status 1, and a sentence that says so', async ({ started, config }) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const args = ['serve', '--bus', 'simulator', '--listen', `127.0.0.1:${port}`, '--config', config, '--no-discovery'];
  const { status, out } = await start(started, args).ended;
  other.close();
  assert.equal(status, 1);
  assert.match(out, new RegExp(`ort ${port} is in use`));
});

test('the log is JSON where it goes to no terminal, readable when asked for', async ({ started, config }) => {
  const args = ['serve', '--bus', 'simulator', '--listen', '127.0.0.1:0', '--config', config, '--log-format', 'pretty'];
  const { child, ended } = start(started, args);
  assert.ok(child.stdout);
  for await (const line of createInterface(child.stdout)) {
    if (!line.includes('serving')) continue;
    assert.match(
      line,
      /^\[\d\d:\d\d:\d\d\] INFO: serving \{"pymodaq":\{"host":"127\.0\.0\.1","port":\d+\},"bus":"simulator"/,
    );
    break;
  }
  child.kill('SIGTERM');
  assert.equal((await ended).status, 0);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test.run();
