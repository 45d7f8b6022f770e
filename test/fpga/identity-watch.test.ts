/** Whether the FPGA is still ours: files first, registers only where those are as they were, and once lost, lost for good. */
import assert from 'node:assert';
import { suite } from 'uvu';
import { watchIdentity } from '../../src/fpga/identity-watch.ts';
import { openInstrument } from '../../src/fpga/instrument/open.ts';
import { guardRegisters, type Registers } from '../../src/open-bus.ts';
import { loaderBench } from './bitstream/bench.ts';
import type { FakeBoard, Os } from './bitstream/fake-board.ts';
import { client, eventually, identity, keptLog, pause, silent } from './instrument/fixture.ts';

const MANAGER = 'sys/class/fpga_manager/fpga0/state';
const PROG_DONE = 'sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done';
const LOADED = 'tmp/loaded_fpga.inf';

const test = suite<{ boards: FakeBoard[]; open: Registers[] }>('identity watch');
test.before.each((context) => {
  context.boards = [];
  context.open = [];
});
test.after.each(({ boards, open }) => {
  for (const { watch } of open) watch?.stop();
  for (const board of boards) board.end();
});

async function served(boards: FakeBoard[], open: Registers[], os: Os = '2.x') {
  const { board, load } = loaderBench(boards, { os });
  await load();
  const { log, lines } = keptLog();
  const registers = await guardRegisters(board.registers(), board.root, log);
  open.push(registers);
  assert.ok(registers.watch);
  const before = board.accesses.length;
  /** Accesses since it is served. */
  const accesses = () => board.accesses.length - before;
  return { board, log, lines, accesses, bus: registers.bus, lost: registers.lost, watch: registers.watch };
}

test('as long as nothing changes it is ours, whoever looks', async ({ boards, open }) => {
  const { watch, bus, lost: registersLost } = await served(boards, open);
  const first = watch.verdict();
  const [a, b] = await Promise.all([watch.look(), watch.look()]);
  assert.equal(a, b);
  assert.equal(a.lost, undefined);
  assert.ok(a.at >= first.at);
  assert.equal(registersLost(), undefined);
  assert.equal(await bus.read(0x4030_020c), 24);
});

/** What other programs do, and what is said of it. */
const TAKEN: readonly (readonly [what: string, os: Os, take: (board: FakeBoard) => void, says: RegExp])[] = [
  ['a web application loads its design', '2.x', (board) => board.write(LOADED, 'v0.94\n'), /says v0\.94/],
  ['the FPGA is being loaded', '3.x', (board) => board.write(MANAGER, 'write\n'), /not configured \(.*says write\)/],
  ['a load that failed', '1.04', (board) => board.write(PROG_DONE, '0\n'), /not configured \(.*says 0\)/],
  [
    'PyRPL loads the very same design',
    '2.x',
    (board) => board.write(LOADED, 'pyrpl\n'),
    /loaded again by another program/,
  ],
];
for (const [what, os, take, says] of TAKEN) {
  test(`${what}: no register is touched any more`, async ({ boards, open }) => {
    const { board, watch, bus, lines, accesses } = await served(boards, open, os);
    await pause(20);
    take(board);
    const { lost } = await watch.look();
    assert.match(lost ?? '', says);
    assert.match(lost ?? '', /^The FPGA is not pitayad’s any more: .*Nothing was accessed; .*sudo pitayad reload/);
    assert.equal(accesses(), 0);
    for (const access of [
      () => bus.read(0x4000_0000),
      () => bus.write(0x4010_0000, 1),
      () => bus.readBlock(0x4011_0000, 16),
      () => bus.writeBlock(0x4021_0000, new Uint32Array(4)),
    ]) {
      await assert.rejects(access, { name: 'BusError', message: lost });
    }
    assert.equal(accesses(), 0);
    assert.equal(lines.filter(({ level }) => level === 50).length, 1, 'said once');
  });
}

test('files as before, and registers of another design (OS 1.04, whose loaders leave no word)', async ({
  boards,
  open,
}) => {
  const { board } = await served(boards, open, '1.04');
  const bus = board.registers();
  let foreign = false;
  const registers = await guardRegisters(
    { ...bus, read: (at) => (foreign ? Promise.resolve(0) : bus.read(at)) },
    board.root,
    silent,
  );
  open.push(registers);
  assert.equal((await registers.watch?.look())?.lost, undefined);
  foreign = true;
  assert.match((await registers.watch?.look())?.lost ?? '', /do not answer as PyRPL/);
});

test('once lost it stays lost, also when the other design is gone again', async ({ boards, open }) => {
  const { board, watch, bus } = await served(boards, open);
  const before = board.read(LOADED) ?? '';
  board.write(LOADED, 'v0.94\n');
  await watch.look();
  board.write(LOADED, before);
  const { lost, at } = await watch.look();
  assert.match(lost ?? '', /says v0\.94/);
  await pause(2);
  assert.ok((await watch.look()).at > at, 'it still looks');
  await assert.rejects(bus.read(0x4030_020c), /not pitayad’s any more/);
});

test('the files are looked at more often than the registers', async ({ boards }) => {
  const { board, load } = loaderBench(boards, { os: '2.x' });
  await load();
  let lost = '';
  const watch = watchIdentity({
    bus: board.registers(),
    root: board.root,
    everyMs: 60_000,
    lost: (sentence) => {
      lost = sentence;
    },
  });
  const before = board.accesses.length;
  board.write(MANAGER, 'write init\n');
  await eventually(() => lost !== '', 'the verdict', 10_000);
  assert.match(lost, /says write init/);
  assert.match(watch.verdict().lost ?? '', /says write init/);
  assert.equal(board.accesses.length, before);
  watch.stop();
});

test('it looks by itself', async ({ boards, open }) => {
  const { board, lost } = await served(boards, open);
  board.write(LOADED, 'v0.94\n');
  await eventually(() => lost() !== undefined, 'the verdict', 5000);
});

test('no other register is touched before the identity is seen', async ({ boards }) => {
  const { board } = loaderBench(boards, { os: '2.x', foreign: true });
  await assert.rejects(guardRegisters(board.registers(), board.root, silent), /not PyRPL’s design: load it first/);
  assert.deepEqual(
    board.accesses.map(({ write, address }) => [write, address]),
    [0x4030_020c, 0x4030_0204, 0x4034_0204, 0x4035_0214, 0x4035_0208].map((address) => [false, address]),
  );
});

test('an instrument whose FPGA is lost answers nothing, not even from memory, and ends in peace', async ({
  boards,
  open,
}) => {
  const { board, watch, bus, lost: fpgaLost, accesses } = await served(boards, open);
  const { log, lines } = keptLog();
  const instrument = await openInstrument({ bus, identity, log, freshlyLoaded: false, onStop: 'zero', fpgaLost });
  const me = client('me');
  await instrument.configure(me, 'asg0', { frequency: 1e3 });
  assert.ok((await instrument.get('asg0', ['frequency'])).frequency);
  await pause(20);
  board.write(LOADED, 'v0.94\n');
  await watch.look();
  const before = accesses();
  const lost = /not pitayad’s any more/;
  await assert.rejects(instrument.get('asg0', ['frequency']), lost);
  await assert.rejects(instrument.configure(me, 'asg0', { frequency: 2e3 }), lost);
  await assert.rejects(instrument.grab(me, 'scope').result, lost);
  await assert.rejects(instrument.off(me), lost);
  await assert.rejects(instrument.status(), lost);
  await instrument.close();
  assert.equal(accesses(), before);
  assert.ok(lines.some(({ msg }) => /outputs are not set to zero/.test(String(msg))));
});

test.run();
