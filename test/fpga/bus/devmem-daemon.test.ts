/**
 * Loader and daemon with the real add-ons, on a file system of the test's own in which /dev/mem is a plain file: nothing is
 * mapped before the FPGA is known to be ours, and nothing is touched once it is not.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import { connectBoard } from '../../../src/server/client.ts';
import { PROGRAM } from '../../command.ts';
import { IDENTITY, sha256 } from '../bitstream/fake-board.ts';
import { type BoardTree, boardTree } from './board-tree.ts';

interface Context {
  tree: BoardTree;
  started: ChildProcess[];
}

const test = suite<Context>('the daemon and /dev/mem');

test.before.each((context) => {
  context.tree = boardTree();
  context.started = [];
});
test.after.each(({ tree, started }) => {
  for (const child of started) child.kill('SIGKILL');
  tree.end();
});

interface Command {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly status: number; readonly said: string }>;
}

function command({ started }: Context, ...args: string[]): Command {
  const child = spawn(process.execPath, [...PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      said += data;
    });
  }
  return { child, ended: once(child, 'close').then(([status]) => ({ status: status as number, said })) };
}

function serve(context: Context): Command {
  const { root } = context.tree;
  const options = ['--bus', 'devmem', '--root', root, '--listen', '127.0.0.1:0', '--leco', 'off', '--no-discovery'];
  const files = ['--state', join(root, 'state.json'), '--config', '/dev/null', '--log-format', 'json'];
  return command(context, 'serve', ...options, ...files);
}

/** What a daemon says of itself, as soon as it serves. */
async function serving({ child }: Command): Promise<{ pymodaq: { port: number }; bitstream: string }> {
  assert.ok(child.stdout);
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text);
    if (line.msg !== 'serving') continue;
    child.stdout.resume();
    return line;
  }
  throw new Error('it ended before it served');
}

async function refused(context: Context, sentence: RegExp): Promise<void> {
  const { status, said } = await serve(context).ended;
  assert.equal(status, 2, said);
  assert.match(said, sentence);
  assert.ok(!said.includes('"serving"'));
}

test('an FPGA that is not configured, or with another design: /dev/mem is not even opened', async (context) => {
  // It is not there: opening it would be another error.
  context.tree.state('write error');
  await refused(context, /the FPGA is not configured \(.*says write error\)/);
  context.tree.state('operating');
  context.tree.loaded('v0.94');
  await refused(context, /does not run the PyRPL design \(.*says v0\.94\)/);
});

test('registers of another design: it does not serve, and has written nothing', async (context) => {
  context.tree.registers(IDENTITY.slice(1));
  const before = context.tree.hash();
  await refused(context, /what answers at devmem is not PyRPL’s design/);
  assert.equal(context.tree.hash(), before);
});

test('from an empty FPGA to a board that serves, by the commands themselves', async (context) => {
  const { tree } = context;
  tree.state('unknown');
  tree.registers([]);
  const load = () => command(context, 'load-fpga', ...tree.design).ended;
  const first = await load();
  assert.equal(first.status, 0, first.said);
  assert.match(first.said, /the FPGA is loaded/);
  assert.match((await load()).said, /the FPGA was running: nothing was touched/);
  assert.equal(tree.loads(), 1);
  const daemon = serve(context);
  const { bitstream } = await serving(daemon);
  assert.equal(bitstream, sha256(tree.image).slice(0, 8), 'the design that was loaded, not PyRPL’s own');
  const whileServing = await command(context, 'load-fpga', '--force', ...tree.design).ended;
  assert.equal(whileServing.status, 2);
  assert.match(whileServing.said, /is in use by process \d+ .*only one process may own the FPGA/);
  assert.equal(tree.loads(), 1);
  daemon.child.kill('SIGTERM');
  assert.equal((await daemon.ended).status, 0);
});

test('another program loads its design: clients read why, and no register is written any more', async (context) => {
  const { tree } = context;
  tree.registers(IDENTITY);
  const daemon = serve(context);
  const board = await connectBoard({ host: '127.0.0.1', port: (await serving(daemon)).pymodaq.port });
  const set = (offset: number) => board.reply('configure', { module: 'asg0', config: { offset } });
  const before = tree.hash();
  await set(0.25);
  const ours = tree.hash();
  assert.notEqual(ours, before);

  tree.loaded('v0.94');
  const lost = /not pitayad’s any more: .*says v0\.94.*sudo pitayad reload/;
  const end = performance.now() + 15_000;
  let sentence = '';
  while (!lost.test(sentence) && performance.now() < end) {
    sentence = await board.reply('get', { module: 'asg0' }).then(String, (error: Error) => error.message);
  }
  assert.match(sentence, lost);
  await assert.rejects(set(0.5), lost);
  await assert.rejects(board.reply('off', {}), lost);
  daemon.child.kill('SIGTERM');
  assert.equal((await daemon.ended).status, 0);
  assert.equal(tree.hash(), ours);
});

test.run();
