/** `pitayad import-pyrpl`: shown, kept beside a state, set on a board. */
import assert from 'node:assert';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { openSimulator } from '../src/fpga/bus/simulator/simulator.ts';
import type { Instrument } from '../src/fpga/instrument/instrument.ts';
import { openInstrument } from '../src/fpga/instrument/open.ts';
import { type Door, listen } from '../src/server/listen.ts';
import { pitayad } from './command.ts';
import { client, identity, silent } from './fpga/instrument/fixture.ts';

const LAB = fileURLToPath(new URL('import-pyrpl/lab.yml', import.meta.url));
const alice = client('alice');

const test = suite<{ folder: string; state: string; instrument: Instrument; door: Door; close: () => Promise<void> }>(
  'import-pyrpl',
);
test.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-import-'));
  context.state = join(context.folder, 'state.json');
  const bus = openSimulator();
  context.instrument = await openInstrument({ bus, identity, log: silent, statePath: context.state });
  const { instrument } = context;
  const door = await listen(instrument, silent, {
    listen: { host: '127.0.0.1', port: 0 },
    maxClients: 8,
    maxMessageBytes: 1e6,
    maxQueuedBytes: 8e6,
    allowedNetworks: [],
  });
  context.door = door;
  context.close = async () => {
    await door.close();
    await instrument.close();
    await bus.close();
  };
});
test.after(async ({ close, folder }) => {
  await close();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => pitayad('import-pyrpl', ...args);

test('by itself it shows what it would take, and changes nothing', async ({ folder }) => {
  const { status, out } = await run(LAB);
  assert.equal(status, 0);
  assert.match(out, /^modules:$/m);
  assert.match(out, /pid0: .*p -0\.10009765625/);
  assert.match(out, /^left out:$/m);
  assert.match(out, /only of the screen of PyRPL: .*scope_states\.view\.xy_mode/);
  assert.ok(!readdirSync(folder).includes('setups'));
});

test('it sets the modules on a board, and a module that another one owns is refused by name', async ({
  instrument,
  door,
}) => {
  await instrument.attach(alice, 'asg0', 'own');
  const { status, out } = await run(LAB, '--apply', '--port', String(door.port), '--json');
  instrument.leave(alice);
  assert.equal(status, 1);
  const { applied } = JSON.parse(out) as {
    applied: { modules: string[]; refused: { entry: string; reason: string }[] };
  };
  assert.ok(applied.modules.includes('pid0') && applied.modules.includes('scope'));
  assert.deepEqual(
    applied.refused.map(({ entry }) => entry),
    ['asg0'],
  );
  assert.match(applied.refused[0]?.reason ?? '', /held by alice/);
  const { p, inputfilter, output_direct } = await instrument.get('pid0');
  assert.equal(p, -0.10009765625);
  assert.deepEqual(inputfilter, [9716.419185321407, -9.486376108968424, 0, 0]);
  assert.equal(output_direct, 'out1');
});

test('it keeps them as setups, which the daemon loads', async ({ instrument, folder, state }) => {
  const { status, out } = await run(LAB, '--save', 'lab', '--state', state);
  assert.equal(status, 0);
  assert.match(out, /^saved as setups:\n {2}.*pid0-gentle, pid0-slow_lock/m);
  assert.ok(readdirSync(join(folder, 'setups')).includes('lab.json'));
  const names = (await instrument.setups.list()).map(({ name }) => name);
  assert.ok(names.includes('lab') && names.includes('pid1-slow_lock'));
  // Every one of them is something that the board takes.
  for (const name of names) await instrument.setups.load(alice, name);
  await instrument.setups.load(alice, 'pid1-slow_lock');
  const { p, input } = await instrument.get('pid1');
  assert.deepEqual([p, input], [-2.5, 'in1']);
});

test('what cannot be done ends with a sentence', async ({ folder, state }) => {
  const gone = await run(join(folder, 'missing.yml'));
  assert.deepEqual([gone.status, /cannot be read/.test(gone.err)], [2, true]);
  const name = await run(LAB, '--save', '../lab', '--state', state);
  assert.deepEqual([name.status, /A setup cannot be called/.test(name.err)], [1, true]);
  const place = await run(LAB, '--save', 'lab', '--state', join(folder, 'no', 'where', 'state.json'));
  assert.deepEqual([place.status, /The setups cannot be kept in/.test(place.err)], [1, true]);
});

test.run();
