/** The loader's decisions, on the file systems of three generations of the OS. */
import assert from 'node:assert';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { ConfigurationError } from '../../../src/errors.ts';
import { LOADED, type LoadOptions, lastLoad, loadFpga } from '../../../src/fpga/bitstream/load.ts';
import { eventually, pause, silent } from '../instrument/fixture.ts';
import { bitstream, type FakeBoard, type FakeOptions, fakeBoard, IDCODES, type Os, sha256 } from './fake-board.ts';

const ALL: readonly Os[] = ['1.04', '2.x', '3.x'];
const IMAGE = bitstream(IDCODES.z7010);
const OVERLAY = Buffer.from('\xd0\x0d\xfe\xed firmware-name\0fpga.bit.bin\0 fclk', 'latin1');

const test = suite<{ boards: FakeBoard[] }>('loader');
test.before.each((context) => {
  context.boards = [];
});
test.after.each(({ boards }) => {
  for (const board of boards) board.end();
});

interface Bench {
  readonly board: FakeBoard;
  /** How often registers were asked. */
  asked(): number;
  load(more?: Partial<LoadOptions>): Promise<string>;
}

function bench(boards: FakeBoard[], options: FakeOptions, image = IMAGE): Bench {
  const board = fakeBoard(options);
  boards.push(board);
  board.write('images/red_pitaya.bin', image);
  board.write('images/red_pitaya.dtbo', OVERLAY);
  let asked = 0;
  const identified = async (): Promise<boolean> => {
    asked++;
    // Touching registers of an FPGA that does not run hangs a real board.
    const state =
      board.read('sys/class/fpga_manager/fpga0/state') ??
      board.read('sys/bus/platform/drivers/xdevcfg/f8007000.devcfg/prog_done');
    assert.ok(['operating', '1'].includes(state?.trim() ?? ''), 'registers were touched while the FPGA did not run');
    return board.configured()?.equals(IMAGE) ?? true;
  };
  return {
    board,
    asked: () => asked,
    load: (more) =>
      loadFpga({
        root: board.root,
        bitstream: join(board.root, 'images/red_pitaya.bin'),
        overlay: join(board.root, 'images/red_pitaya.dtbo'),
        sha256: sha256(image),
        log: silent,
        settleMs: 150,
        identified,
        unitState: async () => 'dead',
        ...more,
      }),
  };
}

const refused = (promise: Promise<unknown>, reason: RegExp): Promise<void> =>
  assert.rejects(promise, (error) => error instanceof ConfigurationError && reason.test(error.message));

for (const os of ALL) {
  test(`${os}: nothing runs: loaded, verified, said; a second time it was running`, async ({ boards }) => {
    const { board, load, asked } = bench(boards, { os });
    assert.equal(await load(), 'loaded');
    assert.ok(board.configured()?.equals(IMAGE));
    assert.equal(asked(), 1);
    assert.match(board.read(LOADED) ?? '', /pyrpl/);
    assert.equal(await load(), 'was running');
    assert.equal(board.loads(), 1);
    assert.equal(await load({ force: true }), 'loaded');
    await eventually(() => board.loads() === 2, 'a second load');
  });

  test(`${os}: another design was loaded meanwhile: ours is loaded again`, async ({ boards }) => {
    const { board, load } = bench(boards, { os });
    await load();
    await new Promise((resolve) => setTimeout(resolve, 20));
    board.write(LOADED, 'v0.94\n');
    assert.equal(await load(), 'loaded');
    await eventually(() => board.loads() === 2, 'a second load');
  });

  test(`${os}: after a reboot the marker of the boot before says nothing`, async ({ boards }) => {
    const { board, load } = bench(boards, { os });
    await load();
    board.write('proc/sys/kernel/random/boot_id', 'another\n');
    assert.equal(await load(), 'loaded');
    await eventually(() => board.loads() === 2, 'a second load');
  });

  test(`${os}: a load that fails silently is a failure, and no register is touched`, async ({ boards }) => {
    const { board, load, asked } = bench(boards, { os, failsSilently: true });
    await refused(load(), /was not configured: the kernel says (unknown|0)/);
    assert.equal(asked(), 0);
    assert.equal(board.read(LOADED), undefined);
  });

  test(`${os}: the wrong chip, file or board: refused by name, nothing loaded`, async ({ boards }) => {
    const cases: readonly (readonly [Bench, RegExp, Partial<LoadOptions>?])[] = [
      [
        bench(boards, { os, hwRev: 'STEM_125-14_Z7020_v1.0' }),
        /is for a z7010, and STEM_125-14_Z7020_v1\.0 has a z7020/,
      ],
      [bench(boards, { os }, bitstream(IDCODES.z7020)), /is for a z7020, and STEM_125-14_v1\.1 has a z7010/],
      [bench(boards, { os }, Buffer.alloc(200_000)), /no sync word/],
      [bench(boards, { os }), /not the bitstream that was configured/, { sha256: sha256(Buffer.from('other')) }],
      [bench(boards, { os, hwRev: 'STEM_122-16SDR_v1.0' }), /does not run on STEM_122-16SDR_v1\.0: its clock/],
      [bench(boards, { os, hwRev: 'TOASTER_v1' }), /calls itself TOASTER_v1/],
      [bench(boards, { os }), /cannot be read \(ENOENT\)/, { bitstream: '/nowhere/red_pitaya.bin' }],
      [
        bench(boards, { os }),
        /redpitaya_nginx\.service would load another design/,
        { unitState: async (unit) => (unit === 'redpitaya_nginx.service' ? 'running' : 'dead') },
      ],
      [
        bench(boards, { os }),
        /redpitaya_startup\.service is still running/,
        { unitState: async () => 'running', startupMs: 50 },
      ],
    ];
    for (const [{ board, load, asked }, reason, more] of cases) {
      await refused(load(more), reason);
      assert.equal(board.configured(), undefined, String(reason));
      assert.equal(asked(), 0);
    }
  });

  test(`${os}: configured, but with something else in it`, async ({ boards }) => {
    const { board, load } = bench(boards, { os });
    await refused(load({ identified: async () => false }), /does not answer as PyRPL/);
    assert.equal(board.read(LOADED), undefined, 'the daemon is told nothing');
  });

  test(`${os}: the system's own start is waited for`, async ({ boards }) => {
    const { load, board } = bench(boards, { os });
    let asked = 0;
    const unitState = async (unit: string): Promise<string> => {
      if (unit === 'redpitaya_startup.service' && asked++ < 3) {
        assert.equal(board.configured(), undefined);
        return 'running';
      }
      return 'dead';
    };
    assert.equal(await load({ unitState, startupMs: 2000 }), 'loaded');
    assert.equal(asked, 4);
  });
}

test('without configfs the image alone is loaded', async ({ boards }) => {
  const { load, board } = bench(boards, { os: '2.x', withoutOverlays: true });
  assert.equal(await load(), 'loaded');
  assert.equal(board.read('sys/class/fpga_manager/fpga0/flags'), '0');
});

test('an overlay for another image is not used', async ({ boards }) => {
  const { load, board } = bench(boards, { os: '3.x' });
  board.write('images/red_pitaya.dtbo', 'no firmware here');
  assert.equal(await load(), 'loaded');
});

test('without the right to write: says who may', async ({ boards }) => {
  if (process.getuid?.() === 0) return;
  const { load, board } = bench(boards, { os: '2.x' });
  chmodSync(join(board.root, 'sys/class/fpga_manager/fpga0/firmware'), 0o444);
  await refused(load(), /only root may load/);
});

test('a machine without an FPGA', async ({ boards }) => {
  const { load, board } = bench(boards, { os: '2.x' });
  rmSync(join(board.root, 'sys/class'), { recursive: true });
  await refused(load(), /shows no FPGA/);
});

test('each load has a name of its own, which a restart beside it finds again', async ({ boards }) => {
  const { board, load } = bench(boards, { os: '2.x' });
  assert.equal(lastLoad(board.root), undefined);
  await load();
  const first = lastLoad(board.root);
  assert.ok(first);
  assert.equal(await load(), 'was running');
  assert.equal(lastLoad(board.root), first);
  await pause(20);
  await load({ force: true });
  const second = lastLoad(board.root);
  assert.ok(second && second !== first);
  // Another program loads its design.
  await pause(20);
  board.write(LOADED, 'v0.94\n');
  assert.equal(lastLoad(board.root), undefined);
});

test.run();
