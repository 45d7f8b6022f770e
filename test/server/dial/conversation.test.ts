/** What the board says to a stock server besides the recorded conversations: refusals, news, signs of life, goodbyes. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { toFloats } from '../../../src/server/wire/dtype.ts';
import { bytes, dataActuator, path, type WireValue } from '../../../src/server/wire/values.ts';
import { client, eventually, pause } from '../../fpga/instrument/fixture.ts';
import { type Dialled, dialled, type Message } from './by-hand.ts';

const settings = (name: string, text: string): readonly (WireValue | string)[] => [
  'set_info',
  path(['settings_client', name]),
  bytes(`<${name} type="float">${text}</${name}>`),
];

const textOf = (value: WireValue | undefined): string => {
  assert.ok(value?.type === 'bytes' || value?.type === 'str');
  return value.type === 'bytes' ? Buffer.from(value.bytes).toString() : value.value;
};

const wordsOf = (messages: readonly Message[]): string[] => messages.map(({ word }) => word);

/** The numbers of each array. */
const numbersOf = (message: Message | undefined): (readonly number[])[] => {
  const [data] = message?.payload ?? [];
  const parts = data?.type === 'DataToExport' ? data.data : data && 'units' in data && 'data' in data ? [data] : [];
  return parts.flatMap(({ data: arrays }) => arrays.map((array) => [...(('bytes' in array && toFloats(array)) || [])]));
};

/** Ticks until nothing more is told. */
function tellAll(board: Dialled): Message[] {
  const before = board.said.length;
  for (let k = 0; k < 10; k++) board.conversation.tick();
  return board.said.slice(before);
}

test('it says what it is and its settings, at once; a move has its unit among them', async () => {
  for (const [device, word, has] of [
    ['scope', 'GRABBER', /^<scope type="group".*<decimation type="list"/],
    ['asg0.frequency', 'ACTUATOR', /^<asg0 type="group".*?><units type="str"[^>]*>Hz<\/units>/],
    ['asg1', 'ACTUATOR', /<units type="str"[^>]*>V<\/units>/],
    ['scope.threshold', 'ACTUATOR', /<units type="str"[^>]*>V<\/units>/],
  ] as const) {
    const board = await dialled(device);
    assert.deepEqual(wordsOf(board.said.slice(0, 1)), [word]);
    const [, infos] = await board.until(2);
    assert.equal(infos?.word, 'Infos');
    assert.match(textOf(infos?.payload[0]), has);
    await board.instrument.close();
  }
});

test('what is no device is refused with what there is', async () => {
  for (const [device, sentence] of [
    ['scop', /scope/],
    ['asg0.frequenzy', /frequency/],
    ['asg0.waveform', /no number, and cannot be moved/],
    ['hk', /name it: hk\.PARAMETER/],
  ] as const) {
    await assert.rejects(dialled(device), sentence);
  }
});

test('a move in kHz, and one without a unit', async () => {
  const board = await dialled('asg0.frequency');
  await board.until(2);
  board.hear('move_abs', dataActuator('x', 12.5, 'kHz', 0));
  await board.until(4);
  board.hear('move_rel', dataActuator('x', 500, '', 0));
  const said = (await board.until(6)).slice(2);
  assert.deepEqual(wordsOf(said), ['position_is', 'move_done', 'position_is', 'move_done']);
  assert.ok(Math.abs((numbersOf(said[1])[0]?.[0] ?? 0) - 12_500) < 0.1);
  assert.ok(Math.abs((numbersOf(said[3])[0]?.[0] ?? 0) - 13_000) < 0.1);
  await board.instrument.close();
});

test('home where there is one, and where there is none', async () => {
  for (const device of ['asg0.offset', 'asg0.frequency']) {
    const board = await dialled(device);
    await board.until(2);
    board.hear('move_home');
    assert.deepEqual(wordsOf((await board.until(4)).slice(2)), ['position_is', 'move_done']);
    const told = tellAll(board).filter(({ word }) => word === 'Info');
    assert.equal(told.length, device === 'asg0.frequency' ? 1 : 0);
    await board.instrument.close();
  }
});

test('a refused setting is answered by the value as it is, and the reason is told once', async () => {
  const board = await dialled('scope');
  await board.until(2);
  for (const told of [['Info'], []]) {
    board.hear(...settings('threshold', '7.0'));
    const echo = (await board.until(board.said.length + 1)).at(-1);
    assert.equal(echo?.word, 'Info_xml');
    assert.match(textOf(echo?.payload[1]), /^<threshold .*>0\.0<\/threshold>$/);
    const news = tellAll(board);
    assert.deepEqual(wordsOf(news), told);
    if (news[0]) assert.match(textOf(news[0].payload[1]), /threshold must be from -1 to 1 V, not 7/);
  }
  await board.instrument.close();
});

test('of a parameter that it has not told, nothing is echoed: a server drops a client for an unknown path', async () => {
  const board = await dialled('scope');
  await board.until(2);
  board.hear(...settings('Amp', '3'));
  board.hear('set_info', path([]), bytes('<decimation type="list">'));
  board.hear('set_info', path(['settings_client', 'units']), bytes('<units type="str">V</units>'));
  await pause(20);
  assert.deepEqual(wordsOf(board.said.slice(2)), []);
  assert.equal(board.left, undefined);
  await board.instrument.close();
});

test('changes of others are told one at a time, the newest of each; many by the whole tree', async () => {
  const board = await dialled('asg0');
  await board.until(2);
  for (const amplitude of [0.1, 0.2, 0.3]) await board.instrument.configure(client('x'), 'asg0', { amplitude });
  await board.instrument.configure(client('x'), 'asg0', { offset: 0.25 });
  await board.instrument.configure(client('x'), 'asg1', { offset: 0.25 });
  board.conversation.tick();
  assert.equal(board.said.length, 3);
  const told = [...board.said.slice(2), ...tellAll(board)];
  assert.deepEqual(wordsOf(told), ['Info_xml', 'Info_xml']);
  assert.match(textOf(told[0]?.payload[1]), /^<amplitude .*>0\.(3|29|30)\d*<\/amplitude>$/);
  assert.match(textOf(told[1]?.payload[1]), /^<offset .*>0\.25<\/offset>$/);

  const many = { amplitude: 0.5, offset: 0.125, frequency: 5000, waveform: 'ramp', start_phase: 90 };
  await board.instrument.configure(client('x'), 'asg0', many);
  tellAll(board);
  await eventually(() => board.said.length >= 5, 'the tree');
  assert.deepEqual(wordsOf(board.said.slice(4)), ['Infos']);
  assert.match(
    textOf(board.said.at(-1)?.payload[0]),
    /<waveform[^>]*>str\(&#39;ramp&#39;\)|<waveform[^>]*>str\('ramp'\)/,
  );
  await board.instrument.close();
});

test('while it waits for a trigger settings are set, and the trace comes after that', async () => {
  const board = await dialled('scope');
  await board.until(2);
  board.bus.lasts = undefined;
  board.hear('Send Data 1D');
  await pause(20);
  board.hear(...settings('threshold', '0.5'));
  await board.until(3);
  assert.deepEqual(wordsOf(board.said.slice(2)), ['Info_xml']);
  board.bus.lasts = 0;
  board.bus.finish();
  await board.until(4);
  assert.deepEqual(wordsOf(board.said.slice(2)), ['Info_xml', 'Done']);
  await board.instrument.close();
});

test('a grab that somebody stops is answered by NaN of the same shape, and the reason', async () => {
  const board = await dialled('scope');
  await board.until(2);
  board.hear('Send Data 1D');
  const whole = numbersOf((await board.until(3)).at(-1));
  board.bus.lasts = undefined;
  board.hear('Send Data 1D');
  await pause(20);
  await board.instrument.stop(client('somebody'), 'scope');
  const absent = numbersOf((await board.until(4)).at(-1));
  assert.deepEqual(
    absent.map(({ length }) => length),
    whole.map(({ length }) => length),
  );
  assert.ok(absent.flat().every(Number.isNaN));
  assert.match(textOf(tellAll(board)[0]?.payload[1]), /stopped by somebody/);
  await board.instrument.close();
});

test('0D is the mean of each channel', async () => {
  const board = await dialled('scope');
  await board.until(2);
  board.bus.sample = (channel, index) => (channel === 0 ? 819 : index % 2 === 0 ? 100 : 300);
  board.hear('Send Data 0D', 'Send Data 1D');
  const said = (await board.until(4)).slice(2);
  const [means, traces] = [numbersOf(said[0]), numbersOf(said[1])];
  assert.deepEqual(
    means.map(({ length }) => length),
    [1, 1],
  );
  for (const [k, values] of traces.entries()) {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(Math.abs(mean - (means[k]?.[0] ?? 0)) < 1e-9, `${mean} ${means[k]}`);
  }
  await board.instrument.close();
});

test('a quiet server is asked for a sign of life, and is silent if it gives none', async () => {
  const board = await dialled('scope');
  await board.until(2);
  assert.equal(board.conversation.tick(), 'lives');
  assert.equal(board.said.length, 2);
  board.time = 200;
  assert.equal(board.conversation.tick(), 'lives');
  assert.deepEqual(wordsOf(board.said.slice(2)), ['Status']);
  assert.equal(board.conversation.heard, false);
  board.hear('Status');
  assert.equal(board.conversation.heard, true);
  board.time = 5199;
  board.conversation.tick();
  assert.equal(board.said.length, 3);
  board.time = 5200;
  board.conversation.tick();
  board.time = 15_199;
  assert.equal(board.conversation.tick(), 'lives');
  assert.equal(board.said.length, 4, 'asked once');
  board.time = 15_200;
  assert.equal(board.conversation.tick(), 'silent');
  board.hear('Status');
  assert.equal(board.conversation.tick(), 'lives');
  await board.instrument.close();
});

test('the last word is Quit, whatever is under way', async () => {
  const board = await dialled('scope');
  await board.until(2);
  board.bus.lasts = undefined;
  board.hear('Send Data 1D', ...settings('threshold', '0.25'));
  board.conversation.quit();
  await pause(20);
  board.hear('Send Data 1D');
  await board.instrument.configure(client('x'), 'scope', { threshold: 0.5 });
  tellAll(board);
  board.conversation.quit();
  board.conversation.end();
  assert.equal(board.said.at(-1)?.word, 'Quit');
  assert.equal(wordsOf(board.said).filter((word) => word === 'Quit').length, 1);
  assert.ok(!wordsOf(board.said).includes('Done'));
  await board.instrument.close();
});

test('a server that floods, or is none, is left with Quit', async () => {
  const flooded = await dialled('scope');
  await flooded.until(2);
  flooded.bus.lasts = undefined;
  for (let k = 0; k < 65; k++) flooded.hear('Send Data 1D');
  assert.match(`${flooded.left}`, /again and again/);
  await flooded.instrument.close();

  const strange = await dialled('scope');
  await strange.until(2);
  strange.conversation.receive(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.match(`${strange.left}`, /not the protocol of a PyMoDAQ 4 server/);
  assert.equal(strange.said.at(-1)?.word, 'Quit');
  await strange.instrument.close();
});

test('whatever bytes come, it answers or leaves, and never throws', async () => {
  const words = ['Send Data 1D', 'set_info', 'move_abs', 'move_home', 'get_actuator_value', 'Hello', 'Quit', ''];
  const piece = fc.oneof(
    fc.constantFrom(...words).map((word) => Buffer.from([0, 0, 0, word.length, ...Buffer.from(word)])),
    fc.uint8Array({ maxLength: 60 }),
    fc.constant(Buffer.from('0000000c446174614163747561746f72000000033c663800000008', 'hex')),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('scope', 'asg0'), fc.array(piece, { maxLength: 8 }), async (device, pieces) => {
      const board = await dialled(device);
      await board.until(2);
      for (const each of pieces) board.conversation.receive(each);
      await pause(2);
      board.conversation.tick();
      assert.ok(board.left === undefined || board.said.at(-1)?.word === 'Quit');
      board.conversation.quit();
      assert.equal(board.said.at(-1)?.word, 'Quit');
      await board.instrument.close();
    }),
    { numRuns: 60 },
  );
});

test.run();
