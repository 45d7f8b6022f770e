/** Loader, daemon and doctor as they are on the board: the bundle and its add-ons on an emulated ARM processor, with `--root`. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import { connectBoard } from '../../src/server/client.ts';
import { type BoardTree, boardTree } from '../fpga/bus/board-tree.ts';
import { boardNode, ROOT } from './board.ts';

const BUNDLE = `${ROOT}/dist/pitayad.cjs`;

const test = suite<{ tree: BoardTree }>('loader on the board’s processor');

test.before((context) => {
  context.tree = boardTree();
});
test.after(({ tree }) => tree.end());

function pitayad(...args: string[]): Promise<{ status: number; said: string }> {
  const node = boardNode(BUNDLE, ...args);
  return new Promise((resolve) => {
    execFile(node.program, node.args, { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, said: stdout + stderr });
    });
  });
}

test('the FPGA is loaded, and served from /dev/mem', async ({ tree }) => {
  tree.state('unknown');
  tree.registers([]);
  const first = await pitayad('load-fpga', ...tree.design);
  assert.equal(first.status, 0, first.said);
  assert.match(first.said, /the FPGA is loaded/);
  assert.equal(tree.loads(), 1);

  const options = [
    '--bus',
    'devmem',
    '--root',
    tree.root,
    '--listen',
    '127.0.0.1:0',
    '--leco',
    'off',
    '--no-discovery',
  ];
  const files = ['--state', `${tree.root}/state.json`, '--config', '/dev/null', '--log-format', 'json'];
  const node = boardNode(BUNDLE, 'serve', ...options, ...files);
  const daemon = spawn(node.program, node.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let port = 0;
    for await (const text of createInterface(daemon.stdout)) {
      const line = JSON.parse(text);
      if (line.msg === 'serving') {
        port = line.pymodaq.port;
        break;
      }
    }
    daemon.stdout.resume();
    const board = await connectBoard({ host: '127.0.0.1', port, answerMs: 60_000 });
    const before = tree.hash();
    await board.reply('configure', { module: 'asg0', config: { offset: 0.25 } });
    assert.notEqual(tree.hash(), before, 'the registers were written');
    board.close();
    daemon.kill('SIGTERM');
    assert.deepEqual(await once(daemon, 'exit'), [0, null]);
  } finally {
    daemon.kill('SIGKILL');
  }
});

test('the doctor knows the board, and its load', async ({ tree }) => {
  const { said } = await pitayad('doctor', '--root', tree.root);
  assert.match(said, /^ok +model +STEM_125-14_v1\.1, z7010$/m);
  assert.match(said, /^ok +FPGA +runs the design that pitayad loaded/m);
});

test.run();
