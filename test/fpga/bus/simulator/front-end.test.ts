/** The notation of what the inputs are connected to, and the counts that come of it. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { ConfigurationError } from '../../../../src/errors.ts';
import { parseFrontEnd, parseInputModel } from '../../../../src/fpga/bus/simulator/front-end.ts';
import { openSimulator } from '../../../../src/fpga/bus/simulator/simulator.ts';

const IN1 = 0x403a_0010;
const OUT1_OF_ASG0 = 0x4038_0004;
const ASG = 0x4020_0000;

function refused(text: string, ...wanted: string[]): void {
  assert.throws(
    () => parseFrontEnd(text),
    (error: Error) => {
      assert.ok(error instanceof ConfigurationError, error.stack);
      for (const part of wanted) assert.ok(error.message.includes(part), `${error.message} does not say ${part}`);
      return true;
    },
  );
}

/** What in1 has after so many clocks, in counts. */
async function countsOf(spec: string, clocks = 100): Promise<number> {
  const simulator = openSimulator({ timing: { clock: 'stepped' }, frontEnd: parseFrontEnd(spec) });
  simulator.advance(clocks);
  return ((await simulator.read(IN1)) << 18) >> 18;
}

test('values in order, by name, or both; what is not given has a default', () => {
  const [one] = parseInputModel('sine:1e3,amp=0.25', 1);
  assert.deepEqual(one, { kind: 'sine', freq: 1000, amp: 0.25, offset: 0, phase: 0 });
  assert.deepEqual(parseInputModel('plant:gain=2,src=2', 1), [
    { kind: 'plant', gain: 2, corner: 1e5, delay: 8, offset: 0, src: 2 },
  ]);
});

test('models add up; a sign in an exponent does not separate them', () => {
  assert.equal(parseInputModel('const:1e+0+noise:1e-3 + loopback', 1).length, 3);
});

test('one text for both inputs, each with its own output and seed; or two texts', () => {
  const [first, second] = parseFrontEnd('loopback+noise');
  assert.deepEqual(
    [first[0], second[0]].map((one) => one?.kind === 'loopback' && one.src),
    [1, 2],
  );
  assert.notDeepEqual(first[1], second[1]);
  const [sine, square] = parseFrontEnd('sine:1e3;square');
  assert.deepEqual([sine[0]?.kind, square[0]?.kind], ['sine', 'square']);
});

test('what is not understood is refused in a sentence', () => {
  refused('sinus:1e3', 'sinus', 'sine');
  refused('sine:1e3,frequency=3', 'frequency', 'freq');
  refused('sine:1,2,3,4,5', 'sine');
  refused('sine:fast', 'freq', 'fast');
  refused('const:NaN', 'volts');
  refused('loopback:delay=-1', 'delay', '0');
  refused('loopback:src=3', 'src', '2');
  refused('loopback:delay=1e9', 'delay');
  refused('const:0;const:0;const:0', '3 parts');
  refused('', 'loopback');
  refused('constructor', 'const');
  refused(`const:${'1'.repeat(2000)}`);
});

test('any text is understood or refused', () => {
  const piece = fc.constantFrom(
    'const',
    'sine',
    'plant',
    'noise',
    ':',
    ',',
    '=',
    '+',
    ';',
    '1',
    '-',
    '.',
    'e9',
    'freq',
    ' ',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
      ),
      (text) => {
        try {
          for (const model of parseFrontEnd(text).flat()) {
            const { kind: _kind, ...values } = model;
            for (const value of Object.values(values)) assert.ok(Number.isFinite(value));
          }
        } catch (error) {
          assert.ok(error instanceof ConfigurationError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('volts become counts to the nearest, half up, within 14 bits', async () => {
  for (const [volts, counts] of [
    ['0', 0],
    ['0.3', 2458],
    ['1', 8191],
    ['-1', -8192],
    ['5', 8191],
    ['-5', -8192],
    [`${0.5 / 8192}`, 1],
    [`${-0.5 / 8192}`, 0],
    [`${-0.51 / 8192}`, -1],
  ] as const) {
    assert.equal(await countsOf(`const:${volts}`), counts, volts);
  }
});

test('a step comes at its clock, a sine has its phase', async () => {
  assert.equal(await countsOf('step:0.1,0.2,101', 100), 819);
  assert.equal(await countsOf('step:0.1,0.2,100', 100), 1638);
  assert.equal(await countsOf('sine:1e6,0.5,0.1,90', 0), 4915);
  assert.equal(await countsOf('const:0.1+const:0.2'), 2458);
});

test('noise has the rms that was asked for, is the same again with the same seed, and another with another', async () => {
  const record = async (spec: string): Promise<number[]> => {
    const simulator = openSimulator({ timing: { clock: 'stepped' }, frontEnd: parseFrontEnd(spec) });
    for (const [address, value] of [
      [0x4038_0000, 10],
      [0x4010_0014, 1],
      [0x4010_0000, 2],
      [0x4010_0010, 16384],
      [0x4010_0000, 1],
      [0x4010_0004, 1],
    ] as const) {
      await simulator.write(address, value);
    }
    simulator.advance(20_000);
    return Array.from(await simulator.readBlock(0x4011_0000, 16_384), (word) => (word << 18) >> 18);
  };
  const noise = await record('noise:0.1,0.02,7');
  const mean = noise.reduce((sum, one) => sum + one, 0) / noise.length;
  const rms = Math.sqrt(noise.reduce((sum, one) => sum + (one - mean) ** 2, 0) / noise.length);
  assert.ok(Math.abs(mean - 0.02 * 8192) < 5 * (819.2 / 128), `mean ${mean}`);
  assert.ok(Math.abs(rms / 819.2 - 1) < 0.03, `rms ${rms}`);
  const neighbours = noise.slice(1).reduce((sum, one, k) => sum + (one - mean) * ((noise[k] ?? 0) - mean), 0);
  assert.ok(Math.abs(neighbours / noise.length / rms ** 2) < 0.04, 'neighbours have nothing in common');
  assert.deepEqual(await record('noise:0.1,0.02,7'), noise);
  assert.notDeepEqual(await record('noise:0.1,0.02,8'), noise);
});

test('a plant comes to its gain, with its time constant', async () => {
  const run = async (clocks: number): Promise<number> => {
    const simulator = openSimulator({ timing: { clock: 'stepped' }, frontEnd: parseFrontEnd('plant:0.5,50e3,8,0.1') });
    await simulator.write(OUT1_OF_ASG0, 1);
    await simulator.write(ASG + 4, 4000 << 16);
    simulator.advance(clocks);
    return ((await simulator.read(IN1)) << 18) >> 18;
  };
  assert.equal(await run(20_000), 2819);
  const constant = 125e6 / (2 * Math.PI * 50e3);
  // 17 clocks before and 15 on the way from the offset to the input.
  const after = await run(Math.round(constant));
  const share = 1 - Math.exp(-(Math.round(constant) + 3) / constant);
  assert.ok(Math.abs(after - (819.2 + 2000 * share)) < 2000 * 0.02, `${after}`);
});

test.run();
