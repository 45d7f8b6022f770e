/**
 * The simulator by itself: whole grabs (arm, wait, read two channels of 16384 samples) on the bare bus, a generator's
 * sine through the loop. Time is sped up, so that what is measured is work, not waiting. Benches of the daemon run on
 * it: it must not be what limits them.
 *
 *     node --import tsx bench/simulator.ts [--quick]
 */
import assert from 'node:assert/strict';
import { parseFrontEnd } from '../src/fpga/bus/simulator/front-end.ts';
import { openSimulator, type Simulator } from '../src/fpga/bus/simulator/simulator.ts';
import { benchmark, judge, median, quick } from './lib/rig.ts';

const SECONDS = quick ? 0.3 : 1.5;
const SCOPE = 0x4010_0000;
const ASG = 0x4020_0000;
const SAMPLES = 16_384;
const SINE = Uint32Array.from(
  { length: SAMPLES },
  (_, k) => Math.round(8191 * Math.sin((2 * Math.PI * k) / SAMPLES)) & 0x3fff,
);

/** @param speed simulated seconds a second */
async function board(frontEnd: string, speed: number): Promise<Simulator> {
  const bus = openSimulator({ frontEnd: parseFrontEnd(frontEnd), timing: { speed } });
  await bus.write(ASG, 0x0200_02d0);
  await bus.writeBlock(ASG + 0x1_0000, SINE);
  await bus.write(ASG + 0x04, 4096);
  await bus.write(ASG + 0x10, 8_589_935);
  await bus.write(0x4038_0004, 1);
  await bus.write(ASG, 0x0200_0211);
  await bus.write(0x4038_0000, 10);
  await bus.write(0x4039_0000, 8);
  return bus;
}

async function grab(bus: Simulator, source: number): Promise<void> {
  await bus.write(SCOPE, 2);
  await bus.write(SCOPE + 0x10, source === 1 ? SAMPLES : SAMPLES / 2);
  await bus.write(SCOPE, 1);
  await bus.write(SCOPE + 0x04, source);
  while (((await bus.read(SCOPE)) & 5) !== 0) await new Promise((resolve) => setImmediate(resolve));
  const traces = await Promise.all([
    bus.readBlock(SCOPE + 0x1_0000, SAMPLES),
    bus.readBlock(SCOPE + 0x2_0000, SAMPLES),
  ]);
  assert.ok(traces.every((trace) => trace.length === SAMPLES));
}

/** Grabs a second. */
async function rate(frontEnd: string, decimation: number, average: boolean, source: number): Promise<number> {
  const bus = await board(frontEnd, 1000 * decimation);
  await bus.write(SCOPE + 0x14, decimation);
  await bus.write(SCOPE + 0x28, average ? 1 : 0);
  for (let k = 0; k < 3; k++) await grab(bus, source);
  const began = performance.now();
  let grabs = 0;
  for (; performance.now() - began < SECONDS * 1000; grabs++) await grab(bus, source);
  return grabs / ((performance.now() - began) / 1000);
}

/** Of each sample its place in a table, its value there, and that as a word of the memory. */
function lookUp(table: Int32Array, out: Uint32Array): void {
  let place = 0;
  for (let k = 0; k < SAMPLES; k++) {
    out[k] = (table[place >> 16] as number) & 0x3fff;
    place = (place + 8_589_935) & 0x3fff_ffff;
  }
}

/** The least that a grab of two channels costs in this language, in ms. */
function leastWork(): number {
  const table = Int32Array.from(SINE);
  const words = [new Uint32Array(SAMPLES), new Uint32Array(SAMPLES)];
  const began = performance.now();
  let grabs = 0;
  for (; performance.now() - began < SECONDS * 200; grabs++) for (const out of words) lookUp(table, out);
  return (performance.now() - began) / grabs;
}

/** In turn, so that a machine whose speed drifts does not tell lies. */
async function againstLeast(): Promise<void> {
  const ratios: number[] = [];
  for (let round = 0; round < 5; round++) {
    const least = leastWork();
    ratios.push(1000 / (await rate('loopback', 1, false, 1)) / least);
  }
  const ratio = median(ratios);
  judge(
    `a grab at decimation 1 takes ${ratio.toFixed(1)} times as long as the least of loops over its samples`,
    ratio,
    6,
    1,
  );
}

async function main(): Promise<void> {
  const reference = await rate('loopback', 1, false, 1);
  console.log(`grabs a second of 2 × ${SAMPLES} samples; in brackets, the share of the first line`);
  for (const [name, frontEnd, decimation, average, source] of [
    ['loopback, decimation 1, at once', 'loopback', 1, false, 1],
    ['loopback, decimation 1, rising edge', 'loopback', 1, false, 2],
    ['loopback, decimation 64, at once', 'loopback', 64, false, 1],
    ['loopback, decimation 65536, at once', 'loopback', 65_536, false, 1],
    ['loopback, decimation 8, averaged', 'loopback', 8, true, 1],
    ['loopback, decimation 65536, averaged', 'loopback', 65_536, true, 1],
    ['loopback with noise, decimation 1', 'loopback+noise', 1, false, 1],
    ['plant, decimation 1', 'plant:0.5,50e3', 1, false, 1],
    ['sine, decimation 1', 'sine:1e6', 1, false, 1],
  ] as const) {
    const seen = await rate(frontEnd, decimation, average, source);
    console.log(`${seen.toFixed(0).padStart(7)} (${(seen / reference).toFixed(2)})  ${name}`);
  }
  await againstLeast();
  // What has no feedback costs the same at every decimation: it is worked out at the samples only.
  const share = (await rate('loopback', 1, false, 1)) / (await rate('loopback', 65_536, false, 1));
  judge(`a grab at decimation 65536 takes ${share.toFixed(2)} times as long as one at decimation 1`, share, 4, 1);
}

await benchmark(main);
