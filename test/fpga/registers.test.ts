import assert from 'node:assert';
import { test } from 'uvu';
import { block } from '../../src/fpga/fields.ts';
import { registerFile } from '../../src/fpga/registers.ts';
import { recordingBus } from './recording-bus.ts';

const ASG = 0x4020_0000;
const at = block(ASG);
const amplitude = at(0x04, { bits: 14 });
const offset = at(0x04, { bits: 14, shift: 16, signed: true });
const step = at(0x10, { bits: 30 });
const source = at(0x00, { bits: 3 });
const otherReset = at(0x00, { bits: 1, shift: 22 });

test('fields of one word go out in one write, without a read when the word is known', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  await registers.readBack([amplitude, offset, step]);
  assert.equal(bus.traffic.wordsRead, 2, 'two words hold three fields');
  await registers.write([amplitude, 4096], [step, 7], [offset, -1]);
  assert.deepEqual(bus.writes, [
    [ASG + 4, 0x3fff_1000],
    [ASG + 0x10, 7],
  ]);
  assert.equal(registers.peek(offset), -1);
  assert.equal(await registers.read(amplitude), 4096);
  assert.equal(bus.traffic.wordsRead, 2);
});

test('a word that has its value already is not written again', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  await registers.write([amplitude, 8192]);
  assert.deepEqual(bus.writes, []);
  await registers.write([amplitude, 1]);
  await registers.write([amplitude, 1]);
  assert.equal(bus.writes.length, 1);
});

test('an unknown word is read once before its first merge', async () => {
  const bus = recordingBus();
  bus.preset(ASG + 4, 0x0123_0000);
  const registers = registerFile(bus);
  await registers.write([amplitude, 5]);
  assert.deepEqual(bus.writes, [[ASG + 4, 0x0123_0005]]);
  assert.equal(bus.traffic.wordsRead, 1);
});

test('two writers of one unknown word do not lose each other’s bits', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  await Promise.all([registers.write([amplitude, 5]), registers.write([offset, 6])]);
  assert.equal(await bus.read(ASG + 4), 0x0006_0005);
});

test('commands always go out, alone and unread', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const arm = block(0x4010_0000)(0, { bits: 1, access: 'command' });
  const keep = block(0x4010_0000)(0, { bits: 1, shift: 3, access: 'command' });
  await registers.write([arm, 1]);
  await registers.write([arm, 1]);
  await registers.write([keep, 1], [arm, 0]);
  assert.deepEqual(bus.writes, [
    [0x4010_0000, 1],
    [0x4010_0000, 1],
    [0x4010_0000, 8],
  ]);
  assert.equal(bus.traffic.wordsRead, 0);
});

test('what the hardware sets is read each time, what only it may set is not written', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const pointer = block(0x4010_0000)(0x18, { bits: 14, access: 'r' });
  bus.preset(0x4010_0018, 5);
  assert.equal(await registers.read(pointer), 5);
  bus.preset(0x4010_0018, 6);
  assert.equal(await registers.read(pointer), 6);
  assert.equal(registers.peek(pointer), undefined);
  await assert.rejects(registers.write([pointer, 1]), /read only/);
});

test('a quiet field is 0 in writes for its neighbours, and itself when named', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  await registers.readBack([source]);
  await registers.write([source, 1]);
  registers.setQuiet(source, true);
  await registers.write([otherReset, 1]);
  assert.equal(registers.peek(source), 1);
  await registers.write([otherReset, 0], [source, 1]);
  registers.setQuiet(source, false);
  await registers.write([otherReset, 1]);
  assert.deepEqual(
    bus.writes.map(([, word]) => word),
    [0x0200_0201, 0x0240_0200, 0x0200_0201, 0x0240_0201],
  );
});

test('after a bus error the word is unknown, and read again', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  await registers.readBack([amplitude]);
  bus.fail(1);
  await assert.rejects(registers.write([amplitude, 3]));
  assert.equal(registers.peek(amplitude), undefined);
  await registers.write([amplitude, 3]);
  assert.equal((await bus.read(ASG + 4)) & 0x3fff, 3);
});

test('a word in doubt is still told, but read before it is merged or left unwritten', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  await registers.write([amplitude, 5], [step, 7]);
  bus.preset(ASG + 4, 0x0123_0000);
  bus.preset(ASG + 0x10, 0);
  registers.doubt();
  assert.equal(registers.peek(amplitude), 5);
  bus.writes.length = 0;
  await registers.write([amplitude, 5], [step, 7]);
  assert.deepEqual(bus.writes, [
    [ASG + 4, 0x0123_0005],
    [ASG + 0x10, 7],
  ]);
  const { wordsRead } = bus.traffic;
  await registers.write([amplitude, 5]);
  assert.equal(bus.traffic.wordsRead, wordsRead, 'it is known again');
});

test('a word that is written while it is read back is what was written', async () => {
  const bus = recordingBus();
  let late = false;
  let arrive = (): void => {};
  const registers = registerFile({
    ...bus,
    async read(address) {
      const present = await bus.read(address);
      if (late) {
        late = false;
        await new Promise<void>((resolve) => {
          arrive = resolve;
        });
      }
      return present;
    },
  });
  await registers.write([amplitude, 5]);
  bus.preset(ASG + 4, 0);
  registers.doubt();
  late = true;
  const reading = registers.readBack([amplitude]);
  await registers.write([amplitude, 5]);
  arrive();
  await reading;
  assert.equal(registers.peek(amplitude), 5);
  await registers.write([amplitude, 0]);
  assert.equal(await bus.read(ASG + 4), 0, 'the last write goes out');
});

test('a memory is filled once for each content, and again after an error or when forgotten', async () => {
  const bus = recordingBus();
  const registers = registerFile(bus);
  const table = { address: ASG + 0x1_0000, words: 16 };
  const words = () => new Uint32Array(16).fill(3);
  await registers.writeMemory(table, 'threes', words);
  await registers.writeMemory(table, 'threes', () => assert.fail('nobody needs the words'));
  assert.equal(bus.blocks.length, 1);
  bus.fail(1);
  await assert.rejects(registers.writeMemory(table, 'other', words));
  assert.equal(registers.memoryContent(table), undefined);
  await registers.writeMemory(table, 'threes', words);
  registers.forgetMemory(table);
  await registers.writeMemory(table, 'threes', words);
  assert.equal(bus.blocks.length, 3);
  await assert.rejects(
    registers.writeMemory(table, 'short', () => new Uint32Array(15)),
    /16 words/,
  );
});

test.run();
