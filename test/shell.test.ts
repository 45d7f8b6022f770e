/** The shell's commands against a door over a simulated board. */
import assert from 'node:assert';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { suite } from 'uvu';
import { ConfigurationError, PitayadError } from '../src/errors.ts';
import { openSimulator } from '../src/fpga/bus/simulator/simulator.ts';
import type { ParameterDescription } from '../src/fpga/description.ts';
import type { Instrument } from '../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../src/fpga/instrument/open.ts';
import { type Door, listen } from '../src/server/listen.ts';
import { shellCommands, valueOfWord } from '../src/shell.ts';
import { type Ended, pitayad } from './command.ts';
import { identity, silent } from './fpga/instrument/fixture.ts';

const test = suite<{ instrument: Instrument; door: Door; close: () => Promise<void> }>('shell');

test.before(async (context) => {
  const bus = openSimulator();
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-shell-'));
  const instrument = await openInstrument({ bus, identity, log: silent, statePath: join(folder, 'state.json') });
  const door = await listen(instrument, silent, {
    listen: { host: '127.0.0.1', port: 0 },
    maxClients: 8,
    maxMessageBytes: 1e6,
    maxQueuedBytes: 8e6,
    allowedNetworks: [],
  });
  Object.assign(context, { instrument, door });
  context.close = async () => {
    await door.close();
    await instrument.close();
    await bus.close();
    rmSync(folder, { recursive: true });
  };
});

test.after(({ close }) => close());

/** The command in this process; as main.ts does it, but for what is printed. */
async function run(port: number, ...args: string[]): Promise<Ended> {
  const ended = { out: '', err: '' };
  const program = new Command().exitOverride();
  shellCommands(program, (text) => {
    ended.out += `${text}\n`;
  });
  for (const each of [program, ...program.commands]) {
    each.exitOverride().configureOutput({
      writeErr: (text) => {
        ended.err += text;
      },
    });
  }
  try {
    await program.parseAsync([...args, '--port', String(port)], { from: 'user' });
    return { ...ended, status: 0 };
  } catch (error) {
    if (error instanceof CommanderError) return { ...ended, status: 2 };
    if (!(error instanceof PitayadError)) throw error;
    return { ...ended, err: error.message, status: error instanceof ConfigurationError ? 2 : 1 };
  }
}

async function json(port: number, ...args: string[]): Promise<Record<string, unknown>> {
  const { status, out, err } = await run(port, ...args, '--json');
  assert.equal(status, 0, err);
  return JSON.parse(out);
}

const SINE = ['waveform=sin', 'frequency=1e5', 'amplitude=0.5', 'output_direct=out1', 'trigger_source=immediately'];

test('set, get and grab: a generator’s sine comes back as CSV and as JSON', async ({ door: { port } }) => {
  const taken = await json(port, 'set', 'asg0', ...SINE, 'on=true');
  assert.equal(taken.waveform, 'sin');
  assert.equal(taken.on, true);
  assert.ok(Math.abs(Number(taken.frequency) - 1e5) < 0.12 && taken.frequency !== 1e5, 'what the hardware took');
  const text = await run(port, 'set', 'scope', 'input1=in1', 'decimation=8', 'ch2_active=off');
  assert.equal(text.out, 'input1     = in1\ndecimation = 8\nch2_active = false\n');
  const got = await run(port, 'get', 'asg0', 'amplitude', 'frequency');
  assert.match(got.out, /^amplitude = 0\.5 V\nfrequency = 99999\.\d+ Hz\n$/);
  assert.equal(Object.keys(await json(port, 'get', 'asg0')).length > 15, true);

  const [csv, trace] = await Promise.all([
    run(port, 'grab', '--points', '200', '--start', '5'),
    json(port, 'grab', 'scope'),
  ]);
  assert.equal(csv.status, 0, csv.err);
  const [head, ...lines] = csv.out.trimEnd().split('\n');
  assert.equal(head, 'Time (s),ch1 (V)');
  assert.equal(lines.length, 200);
  const rows = lines.map((line) => line.split(',').map(Number));
  assert.ok(rows.every((row) => row.length === 2 && row.every(Number.isFinite)));
  const times = rows.map(([time = 0]) => time);
  assert.ok(times.every((time, k) => Math.abs(time - (times[0] ?? 0) - k * 64e-9) < 1e-15));
  assert.ok(Math.max(...rows.map(([, volts = 0]) => volts)) > 0.49, 'a period has 156 points');

  const { labels, data, axis, attributes, units } = trace as {
    labels: string[];
    data: number[][];
    axis: { label: string; units: string; values: number[] };
    attributes: Record<string, unknown>;
    units: string;
  };
  assert.deepEqual([labels, units, axis.label, axis.units], [['ch1'], 'V', 'Time', 's']);
  assert.deepEqual([data[0]?.length, axis.values.length], [16384, 16384]);
  assert.ok(Math.abs(Math.max(...(data[0] ?? [])) - 0.5) < 0.002);
  assert.equal(attributes.decimation, 8);
  assert.equal(attributes.inputs, 'in1');
});

test('list is a table with limits, choices and help', async ({ door: { port }, instrument }) => {
  const { out } = await run(port, 'list', 'asg0');
  assert.match(out, /^asg0 \(/);
  assert.match(out, /\n {2}amplitude +\S+ V +0 … 1 +Half of peak to peak/);
  assert.match(out, /\n {2}waveform +\w+ +sin\|cos\|ramp/);
  assert.doesNotMatch(out, /\nscope/);
  const all = await json(port, 'list');
  assert.deepEqual(
    (all.modules as { name: string }[]).map(({ name }) => name),
    instrument.modules.map(({ name }) => name),
  );
});

test('setups: saved, listed, loaded, deleted', async ({ door: { port }, instrument }) => {
  assert.match((await run(port, 'setups')).out, /there are no setups/);
  await run(port, 'set', 'pid2', 'p=3');
  assert.match((await run(port, 'save', 'night')).out, /^night is saved: .*pid2/);
  await run(port, 'set', 'pid2', 'p=0');
  assert.match((await run(port, 'setups')).out, / {2}night\n$/);
  assert.match((await run(port, 'load', 'night')).out, /^night is loaded: .*pid2/);
  assert.deepEqual(await instrument.get('pid2', ['p']), { p: 3 });
  await run(port, 'delete', 'night');
  const { status, err } = await run(port, 'load', 'night');
  assert.equal(status, 1);
  assert.match(err, /no setup/);
});

test('status is the board’s own dictionary', async ({ door: { port }, instrument }) => {
  const status = await json(port, 'status');
  const { counters, bus } = status as { counters: { acquisitions: number }; bus: { wordsRead: number; name: string } };
  assert.ok(Number.isInteger(counters.acquisitions) && bus.wordsRead > 0 && bus.name === 'simulator');
  assert.deepEqual(
    Object.keys(await instrument.status()).every((key) => key in status),
    true,
  );
  const { out } = await run(port, 'status');
  assert.match(out, /^counters:\n {2}grabs: \d+$/m);
});

test('what other modules measure comes as CSV and as JSON, too', async ({ door: { port } }) => {
  await run(port, 'set', 'sampler', 'signals=in1,asg1', 'duration=0.001');
  const [head, line, ...more] = (await run(port, 'grab', 'sampler')).out.trim().split('\n');
  const quantities = ['Mean', 'Standard deviation', 'Minimum', 'Maximum'];
  assert.equal(head, quantities.flatMap((name) => [`${name} in1 (V)`, `${name} asg1 (V)`]).join(','));
  assert.ok(line?.split(',').length === 8 && line.split(',').every((value) => Math.abs(Number(value)) <= 1), line);
  assert.deepEqual(more, []);
  const all = (await json(port, 'grab', 'sampler')) as unknown as {
    name: string;
    labels: string[];
    data: number[][];
  }[];
  assert.deepEqual(
    all.map(({ name }) => name),
    quantities,
  );
  assert.ok(all.every(({ labels, data }) => labels.join() === 'in1,asg1' && data.every(({ length }) => length === 1)));
  const spectrum = (await run(port, 'grab', 'spectrumanalyzer')).out.trim().split('\n');
  assert.match(spectrum[0] ?? '', /^Frequency \(Hz\),/);
  assert.ok(spectrum.length > 100);
});

test('stop ends a grab that waits; off switches the generator off', async ({ door: { port }, instrument }) => {
  await json(port, 'set', 'scope', 'trigger_source=ext_positive_edge');
  const waiting = run(port, 'grab', '--timeout', '60');
  const armed = async (): Promise<boolean> => {
    const { acquisitions } = (await instrument.status()) as { acquisitions: { scope: unknown } };
    return acquisitions.scope !== null;
  };
  while (!(await armed())) await new Promise((resolve) => setTimeout(resolve, 5));
  const stopped = await run(port, 'stop');
  assert.deepEqual([stopped.status, stopped.out], [0, 'scope is stopped\n']);
  const { status, err, out } = await waiting;
  assert.equal(status, 1);
  assert.match(err, /stopped by/);
  assert.equal(out, '');
  await json(port, 'set', 'scope', 'trigger_source=immediately');
  assert.deepEqual(await json(port, 'off'), { off: true });
  assert.deepEqual(await instrument.get('asg0', ['output_direct']), { output_direct: 'off' });
});

test('what is refused is one sentence on standard error, with status 1; bad options have 2', async ({
  door: { port },
}) => {
  const cases: readonly (readonly [args: readonly string[], status: number, reason: RegExp])[] = [
    [['get', 'skope'], 1, /no module "skope" \(did you mean scope\?\)/],
    [['get', 'scope', 'decimatio'], 1, /did you mean decimation\?/],
    [['set', 'asg0', 'amplitude=2'], 1, /must be from 0 to 1 V, not 2; nothing was changed/],
    [['set', 'asg0', 'amplitude=much'], 1, /must be a number, not "much"/],
    [['set', 'asg0', 'amplitude=1_000'], 1, /must be a number/],
    [['set', 'asg0', 'waveform=sine'], 1, /must be one of.*did you mean sin\?/],
    [['set', 'asg0', 'on=yes'], 1, /must be true or false/],
    [['set', 'asg0', 'amplitude'], 2, /"amplitude" is no PARAMETER=VALUE/],
    [['grab', 'asg0'], 1, /asg0 measures nothing/],
    [['grab', '--points', 'all'], 2, /must be a whole number/],
    [['grab', '--nonsense'], 2, /unknown option/],
    [['set', 'asg0'], 2, /missing required argument/],
  ];
  const all = cases.map(async ([args, status, reason]) => {
    const ended = await run(port, ...args);
    assert.equal(ended.status, status, `${args.join(' ')}: ${ended.err}`);
    assert.match(ended.err, reason);
    assert.equal(ended.err.trimEnd().split('\n').length, 1, ended.err);
    assert.equal(ended.out, '');
  });
  await Promise.all(all);
});

test('as a process: what it prints, and its status', async ({ door }) => {
  const port = ['--port', String(door.port)];
  const [good, refused, wrong] = await Promise.all([
    pitayad('get', 'asg1', 'offset', '--json', ...port),
    pitayad('set', 'asg1', 'offset=5', ...port),
    pitayad('set', 'asg1', 'offset', ...port),
  ]);
  assert.deepEqual(good, { status: 0, out: '{"offset":0}\n', err: '' });
  const sentence = 'pitayad: asg1.offset must be from -1 to 1 V, not 5; nothing was changed.\n';
  assert.deepEqual(refused, { status: 1, out: '', err: sentence });
  assert.deepEqual([wrong.status, wrong.out], [2, '']);
});

test('no board, and what is no board, are told as such', async () => {
  const stranger = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const { port } = stranger.address() as AddressInfo;
  const wrong = await run(port, 'status');
  stranger.close();
  const nobody = await run(port, 'status');
  assert.deepEqual([wrong.status, nobody.status], [1, 1]);
  assert.match(wrong.err, /not the protocol of a board/);
  assert.match(nobody.err, new RegExp(`Nobody listens at 127\\.0\\.0\\.1:${port}: is pitayad running there\\?`));
});

test('a word of the command line becomes a value of the parameter’s kind', () => {
  const of = (
    kind: ParameterDescription['kind'],
    choices: readonly (string | number)[] = [],
  ): ParameterDescription => ({
    name: 'p',
    label: '',
    help: '',
    kind,
    unit: '',
    readonly: false,
    default: 0,
    choices,
  });
  for (const [parameter, word, value] of [
    [of('number'), '1e3', 1000],
    [of('number'), '-0.5', -0.5],
    [of('number'), '1k', '1k'],
    [of('number'), '', ''],
    [of('number'), 'NaN', 'NaN'],
    [of('integer'), '12', 12],
    [of('integer'), '1.5', 1.5],
    [of('bool'), 'on', true],
    [of('bool'), 'off', false],
    [of('bool'), 'true', true],
    [of('bool'), '1', '1'],
    [of('choice', ['off', 'on']), 'on', 'on'],
    [of('choice', ['off', 'out1']), 'out3', 'out3'],
    [of('choice', [1, 8, 64]), '8', 8],
    [of('choice', [1, 8, 64]), '6.4e1', 64],
    [of('choice', [1, 8, 64]), '9', 9],
    [of('numbers'), '1,2.5', [1, 2.5]],
    [of('numbers'), '[1, -2e3]', [1, -2000]],
    [of('numbers'), '', []],
    [of('numbers'), '1,x', '1,x'],
    [of('text'), '5', '5'],
    [undefined, '5', '5'],
  ] as const) {
    assert.deepEqual(valueOfWord(parameter, word), value, `${parameter?.kind} ${word}`);
  }
});

test.run();
