/** The simulated bus: what it refuses, its two clocks, and that both tell the same. */
import assert from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import { BusError } from '../../../../src/errors.ts';
import { parseFrontEnd } from '../../../../src/fpga/bus/simulator/front-end.ts';
import { openSimulator, type Simulator, type SimulatorOptions } from '../../../../src/fpga/bus/simulator/simulator.ts';

const SCOPE = 0x4010_0000;
const MEMORY = SCOPE + 0x1_0000;
const ASG = 0x4020_0000;
const TABLE = ASG + 0x1_0000;
const INPUT1 = 0x4038_0000;
const INPUT2 = 0x4039_0000;
const ASG0_TO_OUT = 0x4038_0004;
const CODES = { asg0: 8, in1: 10 } as const;

const SAMPLES = 16_384;
const SINE = Uint32Array.from(
  { length: SAMPLES },
  (_, k) => Math.round(8191 * Math.sin((2 * Math.PI * k) / SAMPLES)) & 0x3fff,
);

const STEPPED: SimulatorOptions = { timing: { clock: 'stepped' } };

function counts(words: Uint32Array): number[] {
  return Array.from(words, (word) => (word << 18) >> 18);
}

/** asg0 sine, amplitude 0.5, to out1. @param step of the pointer; a period has 2³⁰ / step clocks */
async function sine(bus: Simulator, step: number): Promise<void> {
  await bus.write(ASG, 0x0200_02d0);
  await bus.writeBlock(TABLE, SINE);
  await bus.write(ASG + 0x04, 4096);
  await bus.write(ASG + 0x10, step);
  await bus.write(ASG0_TO_OUT, 1);
  await bus.write(ASG, 0x0200_0211);
}

interface Acquisition {
  readonly decimation: number;
  readonly average: boolean;
  /** 1: at once; 2: rising edge of channel 1 through 0. */
  readonly source: 1 | 2;
}

/** A whole trace of both channels, oldest sample first. */
async function acquire(bus: Simulator, { decimation, average, source }: Acquisition): Promise<[number[], number[]]> {
  const delay = source === 1 ? SAMPLES : 8192;
  for (const [offset, value] of [
    [0x14, decimation],
    [0x28, average ? 1 : 0],
    [0x08, 0],
    [0x00, 2],
    [0x10, delay],
    [0x00, 1],
    [0x04, source],
  ] as const) {
    await bus.write(SCOPE + offset, value);
  }
  const deadline = performance.now() + 5000;
  while (((await bus.read(SCOPE)) & 5) !== 0) {
    assert.ok(performance.now() < deadline, 'the acquisition does not end');
    if (bus.timing.clock === 'stepped') bus.advance(1000 * decimation);
    else await sleep(0);
  }
  const start = (await bus.read(SCOPE + 0x1c)) + delay + 1;
  const unrolled = async (address: number): Promise<number[]> => {
    const ring = counts(await bus.readBlock(address, SAMPLES));
    return ring.map((_, k) => ring[(start + k) % SAMPLES] ?? 0);
  };
  return [await unrolled(MEMORY), await unrolled(MEMORY + 0x1_0000)];
}

test('refuses what the bus refuses, and nothing has happened', async () => {
  const bus = openSimulator(STEPPED);
  const refused: Promise<unknown>[] = [
    ...[0x4000_0031, 0x3fff_fffc, 0x4080_0000, 0x403a_0100, 0x403f_0014, -4, Number.NaN, 2 ** 32].flatMap((address) => [
      bus.read(address),
      bus.write(address, 1),
    ]),
    bus.readBlock(0x407f_fffc, 2),
    bus.readBlock(0x4038_0000, 6),
    bus.writeBlock(0x4038_0000, new Uint32Array(6)),
    bus.readBlock(SCOPE, -1),
    bus.readBlock(SCOPE, 0.5),
  ];
  for (const one of await Promise.allSettled(refused)) {
    assert.equal(one.status, 'rejected');
    assert.ok(one.status === 'rejected' && one.reason instanceof BusError, String(one));
  }
  assert.deepEqual(bus.traffic, { wordsRead: 0, wordsWritten: 0 });
  assert.equal(bus.clocks, 0);
  assert.equal(await bus.read(0x4038_0000), 10, 'the selector is as after reset');
});

test('a closed simulator refuses everything', async () => {
  const bus = openSimulator();
  await bus.close();
  await assert.rejects(bus.read(SCOPE), BusError);
  await assert.rejects(bus.writeBlock(SCOPE, Uint32Array.of(1)), BusError);
});

test('the window repeats only where that is asked for', async () => {
  const bus = openSimulator({ ...STEPPED, repeated: true });
  assert.equal(await bus.read(0x4080_0000), 1);
  assert.equal(await bus.read(0x7f80_0000), 1);
  await assert.rejects(bus.read(0x4080_0000 + 0x3a_0100), BusError);
  await assert.rejects(bus.read(0x8000_0000), BusError);
});

test('stepped time passes in transfers and on command only', async () => {
  const bus = openSimulator(STEPPED);
  await bus.read(SCOPE);
  await bus.readBlock(SCOPE, 10);
  await bus.writeBlock(TABLE, new Uint32Array(100));
  await sleep(5);
  assert.equal(bus.clocks, 111 * 19);
  bus.advance(1e10);
  const low = bus.clocks;
  assert.equal(await bus.read(SCOPE + 0x15c), (low + 1) % 2 ** 32);
  assert.equal(await bus.read(SCOPE + 0x160), Math.floor(low / 2 ** 32));
});

test('a wall clock follows real time, at the speed that is asked for', async () => {
  for (const speed of [1, 1e-3]) {
    const bus = openSimulator({ timing: { speed } });
    await bus.read(SCOPE);
    const [began, clocks] = [performance.now(), bus.clocks];
    await sleep(20);
    const passed = bus.clocks - clocks;
    const most = (performance.now() - began) * 125e3 * speed;
    assert.ok(passed <= most + 125e3 * speed && passed >= 19 * 125e3 * speed, `${passed} of ${most}`);
  }
});

test('the same registers give the same trace, word for word', async () => {
  const run = async (): Promise<[number[], number[]]> => {
    const bus = openSimulator({ ...STEPPED, frontEnd: parseFrontEnd('loopback+noise:0.01,0,3;noise:0.1') });
    await sine(bus, 1_234_567);
    await bus.write(INPUT1, CODES.in1);
    return acquire(bus, { decimation: 8, average: true, source: 2 });
  };
  assert.deepEqual(await run(), await run());
});

/**
 * A period of the generator is known from a stepped trace, sample by sample, so that a shift is all that may differ.
 * Slow: there are 64 clocks to each word of the table, and a period fills a trace of decimation 64.
 */
const SIGNALS = {
  quick: { step: 2 ** 17, period: 2 ** 13, knownAt: 1 },
  slow: { step: 2 ** 10, period: 2 ** 20, knownAt: 64 },
} as const;

for (const [signal, decimation, average, speed] of [
  ...[1, 2, 8, 32].flatMap((each) => [['quick', each, false, 1] as const, ['quick', each, true, 1] as const]),
  ['quick', 64, false, 1],
  ['slow', 65_536, false, 1000],
] as const) {
  test(`wall and stepped agree at decimation ${decimation}${average ? ', averaged' : ''}`, async () => {
    const { step, period, knownAt } = SIGNALS[signal];
    const setUp = async (bus: Simulator): Promise<void> => {
      await sine(bus, step);
      await bus.write(INPUT1, CODES.asg0);
      await bus.write(INPUT2, CODES.in1);
    };
    const stepped = openSimulator(STEPPED);
    await setUp(stepped);
    const plain = await acquire(stepped, { decimation: knownAt, average: false, source: 1 });
    const wall = openSimulator({ timing: { speed } });
    await setUp(wall);
    const seen = await acquire(wall, { decimation, average, source: 2 });

    const points = period / knownAt;
    for (const [k, channel] of seen.entries()) {
      const known = (plain[k] ?? []).slice(-points);
      const at = (point: number): number => known[((point % points) + points) % points] ?? 0;
      const sample = (point: number): number => {
        if (!average) return at(point);
        let sum = 0;
        for (let n = 0; n < decimation; n++) sum += at(point + n);
        return Math.floor(sum / decimation);
      };
      // At decimation 1 the first two samples are the newest.
      const agrees = (shift: number): boolean =>
        channel.every((value, n) => n < 2 || value === sample(shift + (n * decimation) / knownAt));
      assert.ok(
        Array.from({ length: points }).some((_, shift) => agrees(shift)),
        `channel ${k + 1} is no shifted copy`,
      );
    }
  });
}

test('means over many clocks are near the truth with a wall clock', async () => {
  const bus = openSimulator({ timing: { speed: 100 } });
  // 40 samples a period at this decimation.
  await sine(bus, Math.round(2 ** 30 / (40 * 1024)));
  await bus.write(INPUT1, CODES.in1);
  const [trace] = await acquire(bus, { decimation: 1024, average: true, source: 2 });
  const seen = Math.max(...trace);
  assert.ok(Math.abs(seen - 4095) < 0.01 * 4095, `${seen}`);
  assert.ok(Math.abs(trace.reduce((sum, one) => sum + one, 0) / SAMPLES) < 8);
});

test('what a table, an offset or a selector was before does not leak into what was recorded then', async () => {
  for (const options of [STEPPED, { timing: { speed: 1 } }] satisfies SimulatorOptions[]) {
    const bus = openSimulator(options);
    await bus.write(ASG + 0x04, 1000 << 16);
    await bus.write(INPUT1, CODES.asg0);
    await bus.write(INPUT2, CODES.asg0);
    const [before] = await acquire(bus, { decimation: 1, average: false, source: 1 });
    await bus.write(SCOPE + 0x04, 0);
    await bus.write(ASG + 0x04, 2000 << 16);
    await bus.write(INPUT1, CODES.in1);
    const after = counts(await bus.readBlock(MEMORY, SAMPLES));
    assert.ok(before.every((one) => one === 1000));
    assert.ok(after.every((one) => one === 1000));
  }
});

test('an hour without a look costs nothing, nor does a trigger that never comes', async () => {
  const bus = openSimulator({ timing: { speed: 1e6 } });
  await sine(bus, 8_589_935);
  await bus.write(INPUT1, CODES.in1);
  for (const [offset, value] of [
    [0x14, 1],
    [0x08, 6000],
    [0x00, 2],
    [0x10, 8192],
    [0x00, 1],
    [0x04, 2],
  ] as const) {
    await bus.write(SCOPE + offset, value);
  }
  await sleep(10);
  const began = performance.now();
  assert.equal(await bus.read(SCOPE), 1, 'still waiting');
  assert.ok(performance.now() - began < 500);
  assert.ok(bus.lag > 1, 'the time that could not be searched is told');
});

test('a reset pulse keeps memories and the digital loop; a load does not', async () => {
  const bus = openSimulator(STEPPED);
  await bus.write(0x4000_000c, 1);
  await bus.write(0x4000_0030, 0xff);
  await sine(bus, 8_589_935);
  await bus.write(INPUT1, CODES.asg0);
  const [trace] = await acquire(bus, { decimation: 1, average: false, source: 1 });
  const memory = await bus.readBlock(MEMORY, SAMPLES);
  assert.ok(Math.max(...trace) > 4000);
  bus.reset();
  assert.equal(bus.clocks, 0);
  assert.equal(await bus.read(0x4000_000c), 1);
  assert.equal(await bus.read(0x4000_0030), 0);
  assert.equal(await bus.read(ASG + 0x10), 0);
  assert.deepEqual(await bus.readBlock(MEMORY, SAMPLES), memory);
  bus.reload();
  assert.equal(await bus.read(0x4000_000c), 0);
  assert.ok((await bus.readBlock(MEMORY, SAMPLES)).every((word) => word === 0));
});

test('noise of the generators goes on where it was, however long nobody looked', async () => {
  const word = async (jump: boolean): Promise<number[]> => {
    const bus = openSimulator(STEPPED);
    await bus.writeBlock(
      TABLE,
      Uint32Array.from({ length: SAMPLES }, (_, k) => k),
    );
    await bus.write(ASG, 0x0200_1200);
    const seen: number[] = [];
    for (let k = 0; k < 20; k++) {
      bus.advance(100_000);
      // Looking in between must not matter.
      if (!jump) await bus.read(INPUT1 + 0x10);
      else bus.advance(19);
    }
    for (let k = 0; k < 5; k++) seen.push(await bus.read(INPUT1 + 0x10));
    return seen;
  };
  assert.deepEqual(await word(true), await word(false));
});

test('a trigger block that re-arms by itself needs no arming, and stays armed when it no longer does', async () => {
  const bus = openSimulator(STEPPED);
  const trig = 0x4033_0000;
  assert.equal(await bus.read(trig + 0x100), 0);
  await bus.write(trig + 0x104, 1);
  assert.equal(await bus.read(trig + 0x100), 1);
  await bus.write(trig + 0x104, 0);
  assert.equal(await bus.read(trig + 0x100), 1);
});

/** pid0 passes asg0 on: setpoint 0, p 1. */
async function followAsg0(bus: Simulator): Promise<void> {
  await bus.write(0x4030_0000, CODES.asg0);
  await bus.write(0x4030_0108, 4096);
}

test('the signal of a module that nobody listens to is there for who reads it', async () => {
  const bus = openSimulator();
  await followAsg0(bus);
  for (const level of [1000, -300]) {
    await bus.write(ASG + 0x04, (level & 0x3fff) << 16);
    await sleep(2);
    assert.deepEqual(counts(Uint32Array.of(await bus.read(0x4030_0010))), [level]);
  }
  // The integrator too, though nothing goes in.
  await bus.write(0x4030_0108, 0);
  await bus.write(0x4030_0100, 2048);
  await bus.write(INPUT1, 0);
  assert.deepEqual(counts(Uint32Array.of(await bus.read(SCOPE + 0x154))), [2048]);
  await bus.close();
});

for (const clock of ['wall', 'stepped'] as const) {
  test(`${clock}: a trace of a module that is stepped has no sample from elsewhere, however often it is looked at`, async () => {
    const bus = openSimulator({ timing: { clock } });
    await sine(bus, 20_000);
    await followAsg0(bus);
    await bus.write(INPUT1, 0);
    await bus.write(INPUT2, CODES.asg0);
    await bus.write(SCOPE + 0x14, 8);
    await bus.write(SCOPE, 2);
    await bus.write(SCOPE + 0x10, SAMPLES);
    await bus.write(SCOPE, 1);
    await bus.write(SCOPE + 0x04, 1);
    const end = performance.now() + 30_000;
    while (((await bus.read(SCOPE)) & 5) !== 0 && performance.now() < end) {
      if (clock === 'stepped') bus.advance(1000);
      else await sleep(1);
    }
    const [followed, source] = [
      counts(await bus.readBlock(MEMORY, SAMPLES)),
      counts(await bus.readBlock(MEMORY + 0x1_0000, SAMPLES)),
    ];
    // Some clocks later: the sine turns by half a count in each.
    for (const [k, one] of followed.entries()) {
      assert.ok(Math.abs(one - (source[k] ?? 0)) <= 8, `sample ${k}: ${one}, ${source[k]}`);
    }
    assert.ok(Math.max(...followed) > 4000);
    await bus.close();
  });
}

test.run();
