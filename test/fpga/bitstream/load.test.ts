/** The loader's steps, on the file systems of three generations of the OS. Its decisions: decisions.test.ts. */
import assert from 'node:assert';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { ConfigurationError } from '../../../src/errors.ts';
import { lastLoad, loadedImage } from '../../../src/fpga/bitstream/loaded.ts';
import { LOADED } from '../../../src/fpga/bus/operating.ts';
import { pause } from '../instrument/fixture.ts';
import { IMAGE, loaderBench, refused } from './bench.ts';
import { bitstream, type FakeBoard, IDCODES, type Os, sha256 } from './fake-board.ts';

const ALL: readonly Os[] = ['1.04', '2.x', '3.x'];

const test = suite<{ boards: FakeBoard[] }>('loader');
test.before.each((context) => {
  context.boards = [];
});
test.after.each(({ boards }) => {
  for (const board of boards) board.end();
});

for (const os of ALL) {
  test(`${os}: loaded, verified, said; a second time it was running; loaded anew by force`, async ({ boards }) => {
    const { board, load } = loaderBench(boards, { os });
    assert.equal(await load(), 'loaded');
    assert.ok(board.configured()?.equals(IMAGE));
    assert.match(board.read(LOADED) ?? '', /pyrpl/);
    assert.equal(loadedImage(board.root), sha256(IMAGE));
    assert.equal(await load(), 'was running');
    assert.equal(board.loads(), 1);
    assert.equal(await load({ force: true }), 'loaded');
    assert.equal(board.loads(), 2);
  });

  test(`${os}: another design was loaded meanwhile: ours is loaded again`, async ({ boards }) => {
    const { board, load } = loaderBench(boards, { os });
    await load();
    await pause(20);
    board.write(LOADED, 'v0.94\n');
    assert.equal(loadedImage(board.root), undefined);
    assert.equal(await load(), 'loaded');
    assert.equal(board.loads(), 2);
  });

  test(`${os}: after a reboot the marker of the boot before says nothing`, async ({ boards }) => {
    const { board, load } = loaderBench(boards, { os });
    await load();
    board.write('proc/sys/kernel/random/boot_id', 'another\n');
    assert.equal(await load(), 'loaded');
    assert.equal(board.loads(), 2);
  });

  test(`${os}: a forced load that fails leaves no word that PyRPL’s design is loaded`, async ({ boards }) => {
    const { board, load } = loaderBench(boards, { os });
    await load();
    const bus = board.registers();
    const registers = () => ({ ...bus, read: async () => 0 });
    await refused(load({ force: true, registers }), /configured, but does not answer as PyRPL/);
    assert.equal(board.read(LOADED), undefined);
    assert.equal(lastLoad(board.root), undefined);
  });

  test(`${os}: the system's own start is waited for, and not for ever`, async ({ boards }) => {
    const { load, board } = loaderBench(boards, { os });
    await refused(
      load({ unitStates: async () => ['running'], startupMs: 50 }),
      /redpitaya_startup\.service is still running after 0\.05 s; nothing was loaded/,
    );
    let asked = 0;
    const unitStates = async (units: readonly string[]): Promise<string[]> =>
      units.map((unit) => {
        if (unit === 'redpitaya_startup.service' && asked++ < 3) {
          assert.equal(board.configured(), undefined);
          return 'running';
        }
        return 'dead';
      });
    assert.equal(await load({ unitStates, startupMs: 2000 }), 'loaded');
    assert.equal(asked, 4);
  });

  test(`${os}: who else uses the FPGA keeps it from being loaded, and is named`, async ({ boards }) => {
    for (const state of ['running', 'start-pre']) {
      const { load, board } = loaderBench(boards, { os });
      const unitStates = async (units: readonly string[]) =>
        units.map((unit) => (unit === 'redpitaya_nginx.service' ? state : 'dead'));
      await refused(load({ unitStates }), /redpitaya_nginx\.service would load another design: stop it first/);
      assert.equal(board.loads(), 0);
    }
    const { load, board } = loaderBench(boards, { os });
    board.write('proc/812/comm', 'monitor_server\n');
    board.write('proc/813/comm', 'bash\n');
    await refused(load(), /monitor_server \(process 812\) uses the FPGA for PyRPL on a PC: end that first/);
    assert.equal(board.loads(), 0);
  });

  test(`${os}: no load while another process has the registers`, async ({ boards }) => {
    const { load, board } = loaderBench(boards, { os });
    const checkUnused = () => {
      throw new ConfigurationError('/dev/mem is in use by process 7');
    };
    await refused(load({ checkUnused }), /in use by process 7/);
    assert.deepEqual([board.loads(), board.accesses.length], [0, 0]);
  });

  test(`${os}: boards that are none, or cannot`, async ({ boards }) => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['STEM_122-16SDR_v1.0', /does not run on STEM_122-16SDR_v1\.0: its clock/],
      ['TOASTER_v1', /calls itself TOASTER_v1, which is no known Red Pitaya; nothing was loaded/],
    ];
    for (const [hwRev, reason] of cases) {
      const { load, board } = loaderBench(boards, { os, hwRev });
      await refused(load(), reason);
      assert.equal(board.loads(), 0);
    }
    const { load } = loaderBench(boards, { os, hwRev: 'TOASTER_v1' });
    assert.equal(await load({ board: 'STEM_125-14_v1.0' }), 'loaded');
  });
}

test('a design for the Z7020, on a board that has one', async ({ boards }) => {
  const image = bitstream(IDCODES.z7020);
  const { load } = loaderBench(boards, { os: '2.x', hwRev: 'STEM_125-14_Z7020_v1.0', socId: '0x7' }, image);
  assert.equal(await load(), 'loaded');
});

test('the image is written where the kernel looks for it once, and again when it was damaged', async ({ boards }) => {
  const { load, board } = loaderBench(boards, { os: '2.x' });
  await load();
  board.write('lib/firmware/pitayad.bin', IMAGE.subarray(0, 1000));
  await load({ force: true });
  assert.ok(board.configured()?.equals(IMAGE));
});

test('overlays of other designs go, that of the LEDs stays', async ({ boards }) => {
  const { load, board } = loaderBench(boards, { os: '3.x', foreign: true });
  await load();
  assert.deepEqual([...board.overlays], ['Led', 'pitayad']);
  await load({ force: true });
  assert.deepEqual([...board.overlays], ['Led', 'pitayad']);
});

test('an overlay for another image is not used', async ({ boards }) => {
  const { load, board } = loaderBench(boards, { os: '3.x' });
  board.write('images/red_pitaya.dtbo', 'no firmware here');
  assert.equal(await load(), 'loaded');
  assert.deepEqual([...board.overlays], ['Led']);
});

test('a kernel that takes images with overlays only, and not this one', async ({ boards }) => {
  const { load, board } = loaderBench(boards, { os: '3.x', refusesOverlays: true });
  rmSync(join(board.root, 'sys/class/fpga_manager/fpga0/firmware'));
  await refused(load(), /takes an image with an overlay only, and none came up/);
});

test('a machine without an FPGA', async ({ boards }) => {
  const { load, board } = loaderBench(boards, { os: '2.x' });
  rmSync(join(board.root, 'sys/class'), { recursive: true });
  await refused(load(), /shows no FPGA/);
});

test('each load has a name of its own, which a restart beside it finds again', async ({ boards }) => {
  const { board, load } = loaderBench(boards, { os: '2.x' });
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
