/** Coarse steps of closed loops: how coarse they may be, and that they come to what the exact ones come to. */
import assert from 'node:assert';
import { test } from 'uvu';
import { longestLeap } from '../../../../../src/fpga/bus/simulator/clocked/leap.ts';
import { parseFrontEnd, parseInputModel } from '../../../../../src/fpga/bus/simulator/front-end.ts';
import { openSimulator, type Timing } from '../../../../../src/fpga/bus/simulator/simulator.ts';

const PID = 0x4030_0000;
const [INPUT, OUTPUT, SETPOINT, P, I, FILTER] = [0x00, 0x04, 0x104, 0x108, 0x10c, 0x120];
const IN1 = 10;

/** Time stands still but for `advance`. */
const COARSE: Partial<Timing> = { clock: 'wall', speed: 1e-12 };
const EXACT: Partial<Timing> = { clock: 'stepped' };

/** Of the unity-gain frequency, in Hz: 2³² parts a count, each clock. */
const iOf = (hertz: number): number => Math.round((hertz * 2 * Math.PI * 2 ** 32) / 125e6);

interface Loop {
  readonly frontEnd: string;
  readonly p: number;
  readonly i: number;
  readonly filter?: number;
}

/** What in1 is after the set point has gone from 0 to 3000 counts: each `every` clocks, 100 times. */
async function stepResponse({ frontEnd, p, i, filter = 0 }: Loop, timing: Partial<Timing>, every: number) {
  const bus = openSimulator({ timing, frontEnd: parseFrontEnd(frontEnd) });
  for (const [offset, word] of [
    [INPUT, IN1],
    [OUTPUT, 1],
    [P, (p * 4096) & 0xff_ffff],
    [I, iOf(i) & 0xff_ffff],
    [FILTER, filter],
    [SETPOINT, 3000],
  ] as const) {
    await bus.write(PID + offset, word >>> 0);
  }
  const found: number[] = [];
  for (let k = 0; k < 100; k++) {
    bus.advance(every);
    found.push(bus.present.in1);
  }
  return { found, step: bus.step ?? 1 };
}

async function compare(loop: Loop, every: number, leastStep: number): Promise<void> {
  const exact = await stepResponse(loop, EXACT, every);
  const coarse = await stepResponse(loop, COARSE, every);
  assert.equal(exact.step, 1);
  assert.ok(coarse.step >= leastStep, `in steps of ${coarse.step}`);
  const span = Math.max(...exact.found.map(Math.abs));
  assert.ok(span > 100, 'something happens');
  for (const [k, value] of exact.found.entries()) {
    const other = coarse.found[k] ?? Number.NaN;
    assert.ok(Math.abs(other - value) <= 0.05 * span + 2, `after ${(k + 1) * every} clocks ${other}, exactly ${value}`);
  }
  assert.ok(Math.abs((coarse.found.at(-1) ?? 0) - (exact.found.at(-1) ?? 0)) <= 2, 'both come to the same');
}

test('an integrator around a plant settles as clock by clock, in a hundredth of the steps', async () => {
  await compare({ frontEnd: 'plant:0.8,20e3', p: 0, i: -5e3 }, 2000, 20);
});

test('so does a PI controller, with a filter at its input', async () => {
  await compare({ frontEnd: 'plant:0.5,20e3', p: -0.5, i: -10e3 }, 1000, 20);
  await compare({ frontEnd: 'plant:0.5,20e3', p: -0.5, i: -10e3, filter: 0x80 | 14 }, 1000, 20);
});

test('an integrator around a wire is as quick as its unity-gain frequency', async () => {
  await compare({ frontEnd: 'loopback:8,0.7', p: 0, i: -20e3 }, 200, 20);
});

test('a loop that answers at once is taken clock by clock, and so is noise', () => {
  const gains = { p: -0.5, i: 0 };
  assert.equal(longestLeap(gains, parseInputModel('loopback', 1)), 1);
  assert.equal(longestLeap(gains, parseInputModel('plant+noise', 1)), 1);
  assert.equal(longestLeap({ p: 0, i: 0 }, parseInputModel('const:0.1', 1)), Number.POSITIVE_INFINITY);
});

test('the quickest of plant, gain and signal decides', () => {
  const plant = (p: number, i: number, model: string) => longestLeap({ p, i }, parseInputModel(model, 1));
  const slow = plant(0, 1, 'plant:1,1000');
  assert.ok(slow > 1000 && slow < 1300, `${slow}`);
  assert.ok(Math.abs(plant(9, 1, 'plant:1,1000') / slow - 0.1) < 1e-9);
  assert.ok(plant(0, 10e3, 'plant:1,1000') < slow / 9);
  assert.ok(plant(0, 1, 'plant:1,1000+sine:1e4,0.1') < slow);
});

test.run();
