/** What is read while the rest is recorded: whatever the moments of looking, never a sample that is not there yet. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import type { RegisterBus } from '../../../src/fpga/bus/bus.ts';
import { reading } from '../../../src/fpga/instrument/reading.ts';
import { oldestIndex, staleElements, tracePoints } from '../../../src/fpga/instrument/trace.ts';
import { SAMPLES } from '../../../src/fpga/modules/scope.ts';
import { registerFile } from '../../../src/fpga/registers.ts';
import { recordingBus } from '../recording-bus.ts';

const [POINTER, POINTER_AT_TRIGGER] = [0x4010_0018, 0x4010_001c];
const RING = 0x4011_0000;
/** In places where nothing was recorded yet. */
const OLD = 8191;

/** A scope that was triggered and has written `written` samples since. A sample is its place, folded into its range. */
function recordingScope(atTrigger: number, delay: number, decimation: number) {
  const registers = recordingBus();
  const state = { written: 0, atTrigger, words: 0, reads: 0 };
  const extra = decimation === 1 ? 2 : 0;
  const valueAt = (index: number): number => (index % 8000) - 4000;
  const bus: RegisterBus = {
    ...registers,
    async read(address) {
      state.reads++;
      if (address === POINTER) return (atTrigger + state.written) % SAMPLES;
      if (address === POINTER_AT_TRIGGER) return state.atTrigger;
      throw new Error(`${address.toString(16)} was read`);
    },
    async readBlock(address, words, into = new Uint32Array(words)) {
      state.words += words;
      const channel = address >= RING + 0x1_0000 ? 1 : 0;
      const first = (address - RING - channel * 0x1_0000) / 4;
      assert.ok(first + words <= SAMPLES);
      for (let k = 0; k < words; k++) {
        const index = first + k;
        const afterTrigger = (index - atTrigger - 1 + SAMPLES) % SAMPLES;
        const there = afterTrigger < state.written || afterTrigger >= Math.min(delay + extra, SAMPLES);
        into[k] = (there ? valueAt(index) + channel : OLD) & 0x3fff;
      }
      return into;
    },
  };
  const finish = (): void => {
    state.written = delay + extra;
  };
  return { bus, state, finish, valueAt };
}

const scenario = fc.record({
  atTrigger: fc.nat(SAMPLES - 1),
  delay: fc.integer({ min: 1, max: SAMPLES }),
  decimation: fc.constantFrom(1, 2, 64),
  looks: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('whenever it looks, it reads what was recorded by then and nothing else, and nothing twice', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ atTrigger, delay, decimation, looks, from, to }) => {
      const { bus, state, finish, valueAt } = recordingScope(atTrigger, delay, decimation);
      const total = tracePoints(decimation);
      const [start, end] = [from, to].sort((a, b) => a - b).map((share) => Math.floor(share * total)) as [
        number,
        number,
      ];
      const part = { start, points: end - start };
      const trace = reading(registerFile(bus), { values: { decimation }, delay }, ['ch1', 'ch2'], () => part);
      for (const share of looks.sort((a, b) => a - b)) {
        state.written = Math.floor(share * delay);
        await trace.ahead();
      }
      finish();
      const channels = await trace.rest('done');
      const oldest = oldestIndex(atTrigger, delay) + staleElements(decimation) + start;
      for (const [channel, { counts, clipped }] of channels.entries()) {
        assert.equal(clipped, false, 'a sample from before');
        const wanted = Array.from({ length: part.points }, (_, k) => valueAt((oldest + k) % SAMPLES) + channel);
        assert.deepEqual([...counts], wanted);
      }
      assert.equal(state.words, 2 * part.points);
      assert.equal(state.reads, looks.length + 1);
    }),
    { numRuns: 60 },
  );
});

test('most of a trace is read ahead when it is looked for late', async () => {
  const { bus, state, finish } = recordingScope(5000, SAMPLES, 8);
  const part = () => ({ start: 0, points: SAMPLES });
  const trace = reading(registerFile(bus), { values: { decimation: 8 }, delay: SAMPLES }, ['ch1'], part);
  state.written = 16_000;
  await trace.ahead();
  assert.ok(state.words >= 15_990 && state.words <= 16_000);
  finish();
  await trace.rest('done');
  assert.equal(state.words, SAMPLES);
});

test('with a delay longer than the ring nothing is read before the end', async () => {
  const { bus, state } = recordingScope(5000, SAMPLES + 1, 8);
  const part = () => ({ start: 0, points: SAMPLES });
  const trace = reading(registerFile(bus), { values: { decimation: 8 }, delay: SAMPLES + 1 }, ['ch1'], part);
  state.written = 9000;
  await trace.ahead();
  assert.deepEqual([state.reads, state.words], [0, 0]);
});

test('what was read ahead from a pointer that a second trigger had overwritten is read again', async () => {
  const delay = 8192;
  const { bus, state, finish, valueAt } = recordingScope(5000, delay, 8);
  const part = () => ({ start: 0, points: SAMPLES });
  const trace = reading(registerFile(bus), { values: { decimation: 8 }, delay }, ['ch1'], part);
  finish();
  // As after `retriggered`: the pointer at the trigger is that of the last sample.
  state.atTrigger = (5000 + delay) % SAMPLES;
  await trace.ahead();
  const [channel] = await trace.rest('retriggered');
  const oldest = oldestIndex(5000, delay);
  const wanted = Array.from({ length: SAMPLES }, (_, k) => valueAt((oldest + k) % SAMPLES));
  assert.deepEqual([...(channel?.counts ?? [])], wanted);
});

test.run();
