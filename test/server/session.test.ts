/** The conversation of one client, bytes in and bytes out, over the real instrument on plain registers. */
import assert from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { encode } from '../../src/server/wire/encode.ts';
import {
  bytes,
  dataActuator,
  type Form,
  floats,
  fromPlain,
  list,
  path,
  str,
  type WireValue,
} from '../../src/server/wire/values.ts';
import { commands } from '../../src/server/words.ts';
import { eventually, pause } from '../fpga/instrument/fixture.ts';
import { type Bench, bench, type Joined } from './by-hand.ts';
import { dictionaryOf, forms, type Peer, plainOf, positionOf, sentence } from './peer.ts';

const SCOPE_DELAY = 0x4010_0010;

/** A test in both forms, each with an instrument of its own. */
function inBothForms(what: string, run: (bench: Bench, form: Form) => Promise<void>): void {
  for (const form of forms) {
    test(`${form}: ${what}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'pitayad-session-'));
      const all = await bench({ statePath: join(folder, 'state.json') });
      await run(all, form);
      await all.instrument.close();
      rmSync(folder, { recursive: true });
    });
  }
}

/** `units` as the sender means it. */
const at = (value: number, units = ''): WireValue => dataActuator('axis', value, units, 0);

const xmlOf = (value: WireValue | undefined): string => {
  assert.ok(value?.type === 'bytes' || value?.type === 'str');
  return value.type === 'bytes' ? Buffer.from(value.bytes).toString() : value.value;
};

inBothForms('every command has the answer that the table says, and one only', async ({ join }, form) => {
  const { peer } = join(form);
  const fields: Partial<Record<keyof typeof commands, Record<string, unknown>>> = {
    attach: { module: 'asg0', mode: 'own' },
    configure: { config: { amplitude: 0.25 } },
    grab: { module: 'scope' },
    move_abs: { value: 0.5 },
    move_rel: { value: -0.25 },
    set_info: { path: ['asg0', 'offset'], xml: '<offset type="float">0.5</offset>' },
    subscribe: { on: false },
    save: { name: 'night' },
    load: { name: 'night' },
    delete: { name: 'night' },
    dial: { server: '192.0.2.1:6342', device: 'asg0.frequency' },
    'hang-up': { server: '192.0.2.1:6342' },
    transfer_function: { module: 'pid0', frequencies: [1e3, 1e6] },
    // The scope of these registers never ends by itself.
    selftest: { timeout: 0.01 },
  };
  for (const [command, { answer }] of Object.entries(commands)) {
    if (answer === 'none') continue;
    const { word, payload } = await peer.ask({ command, ...fields[command as keyof typeof commands] });
    assert.equal(word, answer, `${command}: ${sentence(payload)}`);
    assert.equal(peer.unread, 0, command);
  }
});

inBothForms('every word has the answer of its command', async ({ join }, form) => {
  const { peer } = join(form, 'ACTUATOR');
  const conversation: readonly [say: readonly (WireValue | string)[], answer: string][] = [
    [['move_abs', at(0.25)], 'move_done'],
    [['move_rel', at(0.25)], 'move_done'],
    [['check_position'], 'position_is'],
    [['get_actuator_value'], 'position_is'],
    [['move_home'], 'move_done'],
    [['stop_motion'], 'move_done'],
    [['Send Infos'], 'Infos'],
    [['set_info', path(['asg0', 'amplitude']), bytes('<amplitude type="float">0.5</amplitude>')], 'Info_xml'],
    [['ping'], 'pong'],
  ];
  const positions: number[] = [];
  for (const [say, answer] of conversation) {
    peer.say(...say);
    const told = await peer.told();
    assert.equal(told.word, answer, `${say[0]}: ${sentence(told.payload)}`);
    assert.equal(peer.unread, 0);
    if (answer === 'move_done' || answer === 'position_is') positions.push(positionOf(told).value);
  }
  assert.deepEqual(positions, [0.25, 0.5, 0.5, 0.5, 0, 0]);
  peer.command({ command: 'attach', module: 'scope' });
  assert.equal((await peer.told()).word, 'Reply');
  for (const dims of ['0D', '1D', '2D', 'ND']) {
    peer.say(`Send Data ${dims}`);
    assert.equal((await peer.told()).word, 'Done');
  }
  peer.say('Quit');
  assert.equal(peer.ended, 'end');
  assert.equal(peer.unread, 0);
});

inBothForms('a trace is one DataRaw in volts over a time axis, with its facts', async ({ bus, join }, form) => {
  bus.sample = (channel, index) => (channel === 0 ? (index % 100) * 8 : -4096);
  const { peer } = join(form);
  await peer.ask({ command: 'configure', config: { decimation: 64, input2: 'asg0' } });
  peer.say('Send Data 1D');
  const {
    payload: [dte],
  } = await peer.told();
  assert.ok(dte?.type === 'DataToExport');
  assert.equal(dte.data.length, 1);
  const [raw] = dte.data;
  assert.ok(raw);
  assert.deepEqual([raw.type, raw.name, raw.units, raw.dim], ['DataRaw', 'Scope', 'V', 'Data1D']);
  assert.deepEqual(raw.labels, ['ch1', 'ch2']);
  const [ch1, ch2] = raw.data.map((array) => {
    assert.ok('bytes' in array && array.dtype === '<f8');
    assert.deepEqual(array.shape, [16384]);
    return new Float64Array(new Uint8Array(array.bytes).buffer);
  });
  assert.ok(ch1?.every((value) => Number.isInteger(value * 1024) && value >= 0 && value <= 99 / 1024));
  assert.equal(Math.max(...(ch1 ?? [])), 99 / 1024);
  assert.ok(ch2?.every((value) => value === -0.5));
  const [time] = raw.axes;
  assert.deepEqual([raw.axes.length, time?.label, time?.units, time?.index], [1, 'Time', 's', 0]);
  assert.ok(time && 'bytes' in time.values);
  const times = new Float64Array(new Uint8Array(time.values.bytes).buffer);
  assert.equal(times.length, 16384);
  assert.ok(Math.abs((times[16383] ?? 0) - 16383 * 512e-9) < 1e-12);
  const facts = Object.fromEntries(raw.extra);
  for (const name of ['board', 'module', 'inputs', 'settings', 'number', 'decimation', 'clipped', 'calibrated']) {
    assert.ok(facts[name], `no attribute ${name}`);
  }
  assert.equal(facts.inputs?.type === 'str' && facts.inputs.value, 'in1,asg0');
  const settings = facts.settings?.type === 'str' ? JSON.parse(facts.settings.value) : {};
  assert.deepEqual([settings.decimation, settings.input2], [64, 'asg0']);
});

inBothForms('options of a grab: part of the trace, settings first', async ({ bus, join }, form) => {
  const { peer } = join(form);
  const { payload } = await peer.ask({ command: 'grab', start: 10, points: 7, config: { ch2_active: false } });
  const [dte] = payload;
  assert.ok(dte?.type === 'DataToExport');
  assert.deepEqual(
    dte.data[0]?.data.map(({ shape }) => shape),
    [[7]],
  );
  assert.equal(bus.blockReads.at(-1)?.words, 7);
  assert.match(await peer.refused({ command: 'grab', points: 0 }), /points.*1 to 16384.*nothing was changed/);
  assert.match(await peer.refused({ command: 'grab', config: { decimation: 3 } }), /decimation.*one of 1, 2, 4/);
  assert.match(
    await peer.refused({ command: 'grab', module: 'asg0' }),
    /asg0 measures nothing; what can be grabbed: scope/,
  );
});

inBothForms('the id comes back with every answer, texts and numbers alike', async ({ join }, form) => {
  const { peer } = join(form);
  for (const id of [0, 7, -3, 2.5, '', 'grab 12', 'ü']) {
    for (const [fields, answer] of [
      [{ command: 'ping' }, 'pong'],
      [{ command: 'grabb' }, 'Error'],
      [{ command: 'get', parameters: ['decimation'] }, 'Reply'],
      [{ command: 'grab' }, 'Done'],
    ] as const) {
      peer.command({ ...fields, id });
      assert.equal((await peer.told()).word, answer);
      assert.equal(plainOf(form, await peer.object('string')), id);
    }
  }
  peer.command({ command: 'ping', id: 'x'.repeat(101) });
  const { word, payload } = await peer.told();
  assert.equal(word, 'Error');
  assert.match(sentence(payload), /id must be/);
  assert.equal(peer.unread, 0, 'no id that is not one');
});

inBothForms('requests are answered in order, immediate ones at once', async ({ bus, join }, form) => {
  bus.lasts = undefined;
  const { peer } = join(form);
  peer.command({ command: 'grab', id: 1 });
  peer.command({ command: 'get', parameters: ['decimation'], id: 2 });
  peer.command({ command: 'ping', id: 3 });
  peer.command({ command: 'status', id: 4 });
  peer.command({ command: 'stop_motion', module: 'asg0', id: 5 });
  const order: unknown[] = [];
  const next = async (): Promise<void> => {
    const { word } = await peer.told();
    order.push([word, plainOf(form, await peer.object('string'))]);
  };
  for (let k = 0; k < 3; k++) await next();
  assert.deepEqual(
    order.map((each) => (each as [string, number])[1]).sort(),
    [3, 4, 5],
    'the grab still runs, and what comes after it waits',
  );
  await pause(20);
  assert.equal(peer.unread, 0);
  bus.finish();
  await next();
  await next();
  assert.deepEqual(order.slice(3), [
    ['Done', 1],
    ['Reply', 2],
  ]);
});

inBothForms('a stopped grab is answered Error, with who stopped it', async ({ bus, join }, form) => {
  bus.lasts = undefined;
  const { peer } = join(form);
  peer.command({ command: 'attach', mode: 'share', owner: 'alice' });
  await peer.told();
  peer.command({ command: 'grab', id: 'g' });
  await eventually(() => bus.armings > 0, 'armed');
  peer.command({ command: 'stop', id: 's' });
  const answers = new Map<unknown, string>();
  for (let k = 0; k < 2; k++) {
    const { word, payload } = await peer.told();
    answers.set(plainOf(form, await peer.object('string')), `${word} ${sentence(payload)}`);
  }
  assert.match(answers.get('g') ?? '', /^Error .*stopped by alice/);
  assert.match(answers.get('s') ?? '', /^Reply/);
});

inBothForms('stop withdraws the grabs that wait for their turn, too', async ({ bus, join }, form) => {
  bus.lasts = undefined;
  const { peer } = join(form);
  for (const id of [1, 2]) peer.command({ command: 'grab', id });
  peer.command({ command: 'get', module: 'asg0', parameters: ['offset'], id: 3 });
  peer.command({ command: 'grab', module: 'scope', id: 4 });
  await eventually(() => bus.armings > 0, 'armed');
  assert.equal((await peer.reply({ command: 'stop' })).withdrawn, 3);
  for (const [id, answer] of [
    [1, /^Error .*stopped by 192\.0\.2\.1/],
    [2, /^Error .*stopped by 192\.0\.2\.1/],
    [3, /^Reply/],
    [4, /^Error .*stopped by 192\.0\.2\.1/],
  ] as const) {
    const { word, payload } = await peer.told();
    assert.match(`${word} ${sentence(payload)}`, answer);
    assert.equal(plainOf(form, await peer.object('string')), id);
  }
  await pause(10);
  assert.equal(bus.armings, 1, 'none of them is begun');
  bus.lasts = 0;
  peer.say('Send Data 1D');
  assert.equal((await peer.told()).word, 'Done', 'a later one is');
});

inBothForms('after off nothing is switched on by what was sent before', async ({ bus, join, instrument }, form) => {
  bus.lasts = undefined;
  const { peer } = join(form);
  await peer.reply({ command: 'configure', module: 'asg0', config: { amplitude: 0.5, output_direct: 'out1' } });
  peer.command({ command: 'grab', id: 1 });
  await eventually(() => bus.armings > 0, 'armed');
  const before = [
    { command: 'configure', module: 'asg0', config: { amplitude: 1, output_direct: 'both' } },
    { command: 'move_abs', module: 'asg0', value: 0.75 },
    { command: 'move_rel', module: 'asg1', value: 0.75 },
    { command: 'set_info', path: ['asg0', 'output_direct'], xml: "<output_direct type='list'>out1</output_direct>" },
    { command: 'grab', config: { input1: 'asg0' } },
  ];
  for (const [k, fields] of before.entries()) peer.command({ ...fields, id: 2 + k });
  peer.command({ command: 'get', module: 'asg0', parameters: ['output_direct'], id: 90 });
  assert.deepEqual(await peer.reply({ command: 'off' }), { off: true });
  const off = await instrument.get('asg0');
  const written = bus.traffic.wordsWritten;
  bus.finish();
  assert.equal((await peer.told()).word, 'Done');
  assert.equal(plainOf(form, await peer.object('string')), 1);
  for (const [k, { command }] of before.entries()) {
    const { word, payload } = await peer.told();
    assert.equal(word, 'Error', command);
    assert.match(sentence(payload), /was stopped by 192\.0\.2\.1, who switched all outputs off; nothing was changed/);
    assert.equal(plainOf(form, await peer.object('string')), 2 + k);
  }
  assert.deepEqual(dictionaryOf(form, (await peer.told()).payload[0]), { output_direct: off.output_direct });
  assert.equal(plainOf(form, await peer.object('string')), 90);
  assert.equal(off.output_direct, 'off');
  assert.deepEqual(await instrument.get('asg0'), off);
  assert.equal(bus.traffic.wordsWritten, written);
  // What is sent afterwards counts again.
  assert.equal((await peer.ask({ command: 'move_abs', module: 'asg0', value: 0.5 })).word, 'move_done');
});

inBothForms('stop_motion withdraws moves that wait', async ({ bus, join, instrument }, form) => {
  bus.lasts = undefined;
  const { peer } = join(form, 'ACTUATOR');
  peer.command({ command: 'grab', module: 'scope' });
  await eventually(() => bus.armings > 0, 'armed');
  peer.say('move_abs', at(0.5));
  peer.command({ command: 'move_abs', module: 'asg1', value: 0.25 });
  peer.say('stop_motion');
  const stopped = await peer.told();
  assert.deepEqual([stopped.word, positionOf(stopped).value], ['move_done', 0]);
  bus.finish();
  assert.equal((await peer.told()).word, 'Done');
  const { word, payload } = await peer.told();
  assert.match(`${word} ${sentence(payload)}`, /^Error The move was stopped by 192\.0\.2\.1; nothing was changed/);
  assert.equal(positionOf(await peer.told()).value, 0.25, 'of the other module');
  assert.equal((await instrument.get('asg0', ['offset'])).offset, 0);
});

inBothForms('stop withdraws the own grab only; another waits on', async ({ bus, join }, form) => {
  bus.lasts = undefined;
  const [one, other] = [join(form).peer, join(form).peer];
  one.say('Send Data 1D');
  other.say('Send Data 1D');
  await eventually(() => bus.armings > 0, 'armed');
  one.command({ command: 'stop' });
  const words = [(await one.told()).word, (await one.told()).word];
  assert.deepEqual(words.sort(), ['Error', 'Reply']);
  await pause(10);
  assert.equal(other.unread, 0);
  // Who came second shares the next acquisition.
  bus.lasts = 0;
  bus.finish();
  assert.equal((await other.told()).word, 'Done');
});

inBothForms('stop without a grab of its own, or with all, ends it for everybody', async ({ bus, join }, form) => {
  const [one, other] = [join(form).peer, join(form).peer];
  for (const fields of [{}, { all: true }]) {
    bus.lasts = undefined;
    const before = bus.armings;
    other.say('Send Data 1D');
    await eventually(() => bus.armings > before, 'armed');
    assert.equal((await one.reply({ command: 'stop', ...fields })).all, true);
    const { word, payload } = await other.told();
    assert.equal(word, 'Error');
    assert.match(sentence(payload), /stopped by 192\.0\.2\.1/);
  }
});

inBothForms('who leaves takes his grab along', async ({ bus, join, instrument }, form) => {
  bus.lasts = undefined;
  const { peer, session } = join(form);
  peer.say('Send Data 1D');
  await eventually(() => bus.armings > 0, 'armed');
  session.end();
  for (let k = 0; k < 50; k++) await pause(2);
  const { acquisitions } = (await instrument.status()) as { acquisitions: { scope: unknown } };
  assert.equal(acquisitions.scope, null);
  assert.equal(peer.unread, 0);
});

inBothForms('subscribers are told of changes and of progress, others are not', async ({ bus, join }, form) => {
  const [watcher, other, actor] = [join(form).peer, join(form).peer, join(form).peer];
  assert.deepEqual(await watcher.reply({ command: 'subscribe' }), { subscribed: true });
  await actor.ask({ command: 'configure', module: 'asg1', config: { offset: 0.25 } });
  const changed = await watcher.told();
  assert.equal(changed.word, 'Changed');
  const [where, xml] = changed.payload;
  assert.ok(where?.type === 'list');
  assert.deepEqual(
    where.items.map((item) => item.type === 'str' && item.value),
    ['asg1', 'offset'],
  );
  assert.match(xmlOf(xml), /^<offset type="float".*>0\.25<\/offset>$/);
  await actor.ask({ command: 'configure', module: 'asg1', config: { offset: 0.25 } });
  assert.equal(watcher.unread, 0, 'nothing changed, nothing is told');

  bus.lasts = undefined;
  await actor.ask({ command: 'configure', config: { trigger_source: 'ch1_positive_edge', decimation: 8192 } });
  while (watcher.unread > 0) await watcher.told();
  actor.say('Send Data 1D');
  const progress = await watcher.told();
  assert.equal(progress.word, 'Progress');
  const facts = dictionaryOf(form, progress.payload[0]);
  assert.equal(facts.module, 'scope');
  assert.ok(typeof facts.text === 'string' && facts.text.length > 0);
  actor.command({ command: 'stop' });
  await actor.told();
  await actor.told();
  assert.equal(other.unread, 0);

  watcher.command({ command: 'subscribe', on: false });
  for (let told = await watcher.told(); told.word !== 'Reply'; told = await watcher.told());
  await actor.ask({ command: 'configure', module: 'asg1', config: { offset: 0 } });
  assert.equal(watcher.unread, 0);
});

inBothForms('own and share; who is refused learns the name of the holder', async ({ bus, join }, form) => {
  const [alice, bob] = [join(form).peer, join(form)];
  assert.deepEqual(await alice.reply({ command: 'attach', module: 'asg0', mode: 'own', owner: 'alice' }), {
    module: 'asg0',
    mode: 'own',
    owner: 'alice',
    parameter: 'offset',
  });
  const written = bus.traffic.wordsWritten;
  for (const fields of [
    { command: 'attach', module: 'asg0', mode: 'own', owner: 'bob' },
    { command: 'configure', module: 'asg0', config: { offset: 0.5 } },
    { command: 'move_abs', module: 'asg0', value: 0.5 },
    { command: 'move_home', module: 'asg0' },
    { command: 'set_info', path: ['asg0', 'offset'], xml: '<offset type="float">0.5</offset>' },
  ]) {
    const sentence = await bob.peer.refused(fields);
    assert.match(sentence, /asg0 is held by alice since .* UTC/);
    assert.match(sentence, /nothing was changed/);
  }
  assert.equal(bus.traffic.wordsWritten, written);
  const status = await bob.peer.reply({ command: 'status' });
  assert.equal((status.you as { owner: string }).owner, '192.0.2.2', 'a refused attach leaves the name as it was');
  assert.equal((status.holders as { asg0: { owner: string } }).asg0.owner, 'alice');
  // To share is to read, and to grab; and off works for everybody.
  assert.equal((await bob.peer.reply({ command: 'attach', module: 'asg0', mode: 'share' })).mode, 'share');
  assert.equal((await bob.peer.reply({ command: 'get', parameters: ['offset'] })).offset, 0);
  assert.deepEqual(await bob.peer.reply({ command: 'off' }), { off: true });
  // A second connection of the same name owns too.
  const second = join(form).peer;
  await second.reply({ command: 'attach', module: 'asg0', mode: 'own', owner: 'alice' });
  assert.deepEqual(await second.reply({ command: 'configure', config: { offset: 0.125 } }), { offset: 0.125 });
  await alice.reply({ command: 'detach', module: 'asg0' });
  assert.match(await bob.peer.refused({ command: 'move_abs', value: 0 }), /held by alice/);
  await second.reply({ command: 'detach', module: 'asg0' });
  assert.equal((await bob.peer.ask({ command: 'move_abs', value: 0 })).word, 'move_done');
});

inBothForms('what a lost connection owned is free', async ({ join }, form) => {
  const [alice, bob] = [join(form), join(form).peer];
  await alice.peer.reply({ command: 'attach', module: 'asg0', mode: 'own', owner: 'alice' });
  assert.match(await bob.refused({ command: 'move_abs', module: 'asg0', value: 0.5 }), /held by alice/);
  alice.session.end();
  assert.equal((await bob.ask({ command: 'move_abs', module: 'asg0', value: 0.5 })).word, 'move_done');
});

test('attach refuses what is no mode, no name, no time, no module, no number to move', async () => {
  const { join, bus } = await bench();
  const { peer } = join('v5');
  const written = bus.traffic.wordsWritten;
  for (const [fields, reason] of [
    [{ mode: 'steal' }, /mode must be own or share/],
    [{ owner: '' }, /owner must be a name/],
    [{ owner: 'x'.repeat(101) }, /owner must be a name of 1 to 100/],
    [{ owner: 'a\nb' }, /printing/],
    [{ owner: 3 }, /owner must be a text/],
    [{ owner_timeout: -1 }, /owner_timeout must be a number of seconds/],
    [{ module: 'asg7' }, /no module "asg7" \(did you mean asg0\?\); there are scope, asg0, asg1, /],
    [{ module: 3 }, /module must be a text/],
    [{ module: 'asg0', parameter: 'waveform' }, /asg0\.waveform is no number, and cannot be moved/],
    [{ module: 'scope', parameter: 'voltage_in1' }, /scope\.voltage_in1 is read only/],
    [{ module: 'asg0', parameter: 'ofset' }, /no parameter "ofset" \(did you mean offset\?\)/],
    [{ who: 'me' }, /attach has no field "who"/],
  ] as const) {
    assert.match(await peer.refused({ command: 'attach', ...fields }), reason);
  }
  assert.equal((await peer.reply({ command: 'status' })).attached, undefined);
  assert.deepEqual((await peer.reply({ command: 'status' })).you, { owner: '192.0.2.1', attached: 'scope' });
  assert.equal(bus.traffic.wordsWritten, written);
});

inBothForms('positions carry units: prefixes are converted, others refused', async ({ join, bus }, form) => {
  const { peer } = join(form, 'ACTUATOR');
  for (const [parameter, value, units, expected] of [
    ['offset', 250, 'mV', 0.25],
    ['offset', 125_000, 'µV', 0.125],
    ['offset', 0.5, '', 0.5],
    ['offset', 0.5, 'V', 0.5],
    ['frequency', 62_500, 'kHz', 62.5e6],
    ['frequency', 31.25, 'MHz', 31.25e6],
    ['start_phase', 90, '°', 90],
    ['start_phase', 180, 'deg', 180],
  ] as const) {
    await peer.reply({ command: 'attach', module: 'asg0', parameter });
    peer.say('move_abs', at(value, units));
    const told = await peer.told();
    assert.equal(told.word, 'move_done', sentence(told.payload));
    const position = positionOf(told);
    assert.ok(Math.abs(position.value / expected - 1) < 1e-9, `${value} ${units} became ${position.value}`);
    assert.deepEqual(position.units, { offset: 'V', frequency: 'Hz', start_phase: 'deg' }[parameter]);
  }
  const written = bus.traffic.wordsWritten;
  for (const [parameter, units] of [
    ['offset', 'Hz'],
    ['offset', 'mm'],
    ['offset', 'mv'],
    ['frequency', 'V'],
    ['start_phase', 'rad'],
  ] as const) {
    await peer.reply({ command: 'attach', module: 'asg0', parameter });
    peer.say('move_rel', at(0.001, units));
    const { word, payload } = await peer.told();
    assert.equal(word, 'Error');
    assert.match(sentence(payload), new RegExp(`The unit "${units}" does not fit; allowed are .*nothing was changed`));
  }
  assert.equal(bus.traffic.wordsWritten, written);
});

inBothForms('move_home goes to the declared home, and is refused where there is none', async ({ join }, form) => {
  const { peer } = join(form, 'ACTUATOR');
  await peer.ask({ command: 'move_abs', value: 0.5 });
  assert.equal(positionOf(await peer.ask({ command: 'move_home' })).value, 0);
  await peer.reply({ command: 'attach', parameter: 'frequency' });
  await peer.ask({ command: 'move_abs', value: 1e6 });
  assert.match(await peer.refused({ command: 'move_home' }), /asg0\.frequency has no home; nothing was changed/);
  assert.match(
    await peer.refused({ command: 'move_home', module: 'scope' }),
    /scope has nothing that is moved unless a parameter is named/,
  );
});

inBothForms('set_info answers with the value that the hardware took', async ({ join }, form) => {
  const { peer } = join(form, 'ACTUATOR');
  // A stock module's path begins with its own root.
  for (const names of [
    ['asg0', 'frequency'],
    ['move_settings', 'frequency'],
    ['frequency'],
    ['a', 'b', 'asg0', 'frequency'],
  ]) {
    peer.say('set_info', path(names), bytes('<frequency type="float" title="Frequency">1000.07</frequency>'));
    const { word, payload } = await peer.told();
    assert.equal(word, 'Info_xml', sentence(payload));
    const [where, xml] = payload;
    assert.deepEqual(where, path(['asg0', 'frequency']));
    const value = Number(/>([^<]*)<\/frequency>$/.exec(xmlOf(xml))?.[1]);
    const step = 125e6 / 2 ** 30;
    assert.ok(value !== 1000.07 && Math.abs(value / step - Math.round(value / step)) < 1e-6, `${value}`);
    assert.ok(Math.abs(value - 1000.07) <= step / 2);
  }
  for (const [names, xml, reason] of [
    [['asg0', 'offset'], '<frequency type="float">5</frequency>', /path ends with offset, and the XML is of frequency/],
    [['asg0', 'offset'], '<offset type="float">1.5</offset>', /asg0\.offset must be from -1 to 1 V, not 1\.5/],
    [['asg0', 'offset'], '<offset type="float">nan</offset>', /finite/],
    [['asg0', 'offset'], '<offset type="float">half</offset>', /must be a number/],
    [['asg0', 'ofset'], '<ofset type="float">0</ofset>', /no parameter "ofset" \(did you mean offset/],
    [['asg0', 'out1_saturated'], '<out1_saturated type="led">1</out1_saturated>', /read only/],
    [['asg0', 'offset'], '<offset>', /cannot be read|XML/],
  ] as const) {
    peer.say('set_info', path(names), bytes(xml));
    const { word, payload } = await peer.told();
    assert.equal(word, 'Error');
    assert.match(sentence(payload), reason);
    assert.match(sentence(payload), /nothing was changed/);
  }
});

inBothForms('configure writes all or nothing, and answers what was taken', async ({ join, bus }, form) => {
  const { peer } = join(form);
  const taken = await peer.reply({
    command: 'configure',
    config: { duration: 0.001, trigger_source: 'ch1_positive_edge' },
  });
  assert.deepEqual(taken, { duration: 0.001048576, trigger_source: 'ch1_positive_edge' });
  const written = bus.traffic.wordsWritten;
  const before = await peer.reply({ command: 'get' });
  for (const [config, reason] of [
    [{ decimation: 64, input1: 'in7' }, /scope\.input1 must be one of/],
    [{ decimation: 64, hysteresis: -1 }, /scope\.hysteresis must be from 0 to 1 V/],
    [{ threshold: 0.9, hysteresis: 0.5 }, /threshold ± hysteresis/],
    [{ decimation: 64, nonsense: 1 }, /scope has no parameter "nonsense"/],
    [{ voltage_in1: 1 }, /read only/],
  ] as const) {
    assert.match(await peer.refused({ command: 'configure', config }), reason);
  }
  assert.match(await peer.refused({ command: 'configure' }), /needs config/);
  assert.match(await peer.refused({ command: 'configure', config: [1] }), /config must be a dictionary/);
  assert.equal(bus.traffic.wordsWritten, written);
  assert.deepEqual(await peer.reply({ command: 'get' }), before);
});

inBothForms('list tells modules with their parameters, get the values', async ({ join, instrument }, form) => {
  const { peer } = join(form);
  const all = await peer.reply({ command: 'list' });
  assert.equal(all.model, 'test');
  assert.deepEqual(
    (all.modules as { name: string }[]).map(({ name }) => name),
    instrument.modules.map(({ name }) => name),
  );
  const one = await peer.reply({ command: 'list', module: 'asg1' });
  assert.deepEqual(one.modules, JSON.parse(JSON.stringify([instrument.describe('asg1')])));
  const values = await peer.reply({ command: 'get', module: 'asg1' });
  assert.deepEqual(
    Object.keys(values),
    instrument.describe('asg1').parameters.map(({ name }) => name),
  );
  assert.match(await peer.refused({ command: 'get', module: 'asg1', parameters: ['offst'] }), /did you mean offset/);
  assert.match(await peer.refused({ command: 'get', parameters: 'offset' }), /parameters must be a list of texts/);
});

inBothForms('Send Infos is a tree in XML; an actuator’s begins with its unit', async ({ join, instrument }, form) => {
  for (const [typeWord, module, units] of [
    ['GRABBER', 'scope', false],
    ['ACTUATOR', 'asg0', true],
  ] as const) {
    const { peer } = join(form, typeWord);
    peer.say('Send Infos');
    const { payload } = await peer.told();
    const xml = xmlOf(payload[0]);
    assert.ok(xml.startsWith(`<${module} type="group"`), xml.slice(0, 80));
    assert.equal(xml.includes('<units '), units);
    for (const { name } of instrument.describe(module).parameters) assert.ok(xml.includes(`<${name} type=`), name);
  }
});

inBothForms('64 requests at once are answered one by one, in order', async ({ bus, join }, form) => {
  bus.lasts = undefined;
  const { peer, session } = join(form);
  let relieved = 0;
  session.onRelief(() => {
    relieved++;
  });
  peer.say('Send Data 1D');
  await eventually(() => bus.armings > 0, 'armed');
  const requests = Array.from({ length: 200 }, (_, k) => {
    const fields = { command: 'get', module: 'asg0', parameters: ['offset'], id: k };
    return encode(form, [form === 'v5' ? fromPlain(fields) : str(JSON.stringify(fields))]);
  });
  assert.equal(session.full, false);
  peer.raw(Buffer.concat(requests.slice(0, 63)));
  assert.equal(session.full, false);
  peer.raw(Buffer.concat(requests.slice(63)));
  assert.equal(session.full, true, 'nothing more is wanted while so many wait');
  assert.equal(session.unfinished, undefined, 'the peer is not to blame for what is not read');
  bus.finish();
  assert.equal((await peer.told()).word, 'Done');
  for (let k = 0; k < 200; k++) {
    assert.equal((await peer.told()).word, 'Reply');
    assert.equal(plainOf(form, await peer.object('string')), k);
  }
  assert.equal(session.full, false);
  assert.ok(relieved > 0);
});

inBothForms('what acts at once is limited in number as well', async ({ instrument, join }, form) => {
  const held: (() => void)[] = [];
  const slow = {
    ...instrument,
    // Registers that take their time.
    status: async () => {
      await new Promise<void>((resolve) => held.push(resolve));
      return instrument.status();
    },
  };
  const { peer, session } = join(form, 'GRABBER', { instrument: slow });
  const request = { command: 'status' };
  const one = encode(form, [form === 'v5' ? fromPlain(request) : str(JSON.stringify(request))]);
  peer.raw(Buffer.concat(Array.from({ length: 1000 }, () => one)));
  assert.equal(held.length, 64);
  assert.equal(session.full, true);
  for (let answered = 0; answered < 1000; ) {
    for (const release of held.splice(0)) {
      release();
      assert.equal((await peer.told()).word, 'Reply');
      answered++;
    }
    assert.ok(held.length <= 64);
  }
  assert.equal(session.full, false);
  assert.equal(peer.unread, 0);
});

inBothForms('bytes may come in any pieces', async ({ join }, form) => {
  const conversation = encode(form, [
    str('ACTUATOR'),
    str('move_abs'),
    at(0.5, 'V'),
    form === 'v5' ? fromPlain({ command: 'check_position', id: 1 }) : str('{"command": "check_position", "id": 1}'),
    str('set_info'),
    path(['asg0', 'amplitude']),
    bytes('<amplitude type="float">0.25</amplitude>'),
    str('nonsense'),
    str('Quit'),
  ]);
  const say = async (peer: Peer): Promise<string[]> => {
    const words: string[] = [];
    await eventually(() => peer.ended !== undefined, 'quit');
    while (peer.unread > 0) {
      const { word } = await peer.told();
      words.push(word);
      if (word === 'position_is') assert.equal(plainOf(form, await peer.object('string')), 1);
    }
    return words;
  };
  const expected = ['move_done', 'position_is', 'Info_xml', 'Error'];
  for (const size of [1, 2, 3, 5, 7, 11, 64, conversation.length]) {
    const { peer } = join(form, '');
    for (let k = 0; k < conversation.length; k += size) peer.raw(conversation.subarray(k, k + size));
    assert.deepEqual(await say(peer), expected, `in pieces of ${size}`);
  }
  for (let cut = 1; cut < conversation.length; cut += 3) {
    const { peer } = join(form, '');
    peer.raw(conversation.subarray(0, cut));
    peer.raw(conversation.subarray(cut));
    assert.deepEqual(await say(peer), expected, `cut at ${cut}`);
  }
});

inBothForms('a message that has begun is unfinished until it is whole', async ({ join }, form) => {
  const { peer, session } = join(form, '');
  assert.equal(session.unfinished, 0, 'the type word is due');
  peer.say('ACTUATOR');
  assert.equal(session.unfinished, undefined);
  peer.say('move_abs');
  assert.equal(session.unfinished, 1, 'the position is due');
  const position = encode(form, [at(0)]);
  peer.raw(position.subarray(0, 20));
  assert.equal(session.unfinished, 1);
  peer.raw(position.subarray(20));
  assert.equal(session.unfinished, undefined);
  assert.equal((await peer.told()).word, 'move_done');
  peer.raw(position.subarray(0, 3));
  assert.equal(session.unfinished, 2);
  session.fail('Too late.');
  assert.equal(sentence((await peer.told()).payload), 'Too late.');
  assert.equal(peer.ended, 'end');
  assert.equal(session.unfinished, undefined);
});

inBothForms('a stock module that offers itself is reset', async ({ join }, form) => {
  for (const word of ['Infos', 'Info_xml']) {
    const { peer } = join(form);
    peer.say(word, bytes('<settings/>'));
    assert.equal(peer.ended, 'reset');
    assert.equal(peer.unread, 0);
  }
  // Later in a conversation it is a mistake like any other.
  const { peer } = join(form);
  peer.say('ping');
  await peer.told();
  peer.say('Done');
  assert.match(sentence((await peer.told()).payload), /Done is a word of an instrument/);
  assert.equal(peer.ended, undefined);
});

inBothForms(
  'a word with the wrong thing after it is refused, and the next request is served',
  async ({ join }, form) => {
    const { peer } = join(form, 'ACTUATOR');
    const wrong: readonly (readonly WireValue[])[] =
      form === 'v5' ? [[str('0.5')], [list([])], [at(Number.NaN)]] : [[at(Number.NaN)]];
    const two: WireValue = { ...dataActuator('a', 0, 'V', 0), data: [floats([0, 1])] } as WireValue;
    for (const payload of [...wrong, [two]]) {
      peer.say('move_abs', ...payload);
      const { word, payload: answer } = await peer.told();
      assert.equal(word, 'Error');
      assert.match(sentence(answer), /followed by a DataActuator with one value|finite/);
      peer.say('ping');
      assert.equal((await peer.told()).word, 'pong');
    }
  },
);

inBothForms('a path that is no UTF-8 is one mistake, not two', async ({ join }, form) => {
  const { peer } = join(form);
  peer.say('set_info');
  const names = Buffer.from(encode(form, [path(['scope', 'Ü'])]));
  names[names.lastIndexOf('Ü')] = 0xff;
  peer.raw(names);
  assert.equal(peer.unread, 0, 'the XML is still due');
  peer.say(bytes('<scope/>'), 'ping');
  const words: string[] = [];
  while (words.at(-1) !== 'pong') {
    const { word, payload } = await peer.told();
    words.push(word);
    if (word === 'Error') assert.match(sentence(payload), /not valid UTF-8/);
  }
  await pause(5);
  assert.deepEqual([...words].sort(), ['Error', 'pong']);
  assert.equal(peer.unread, 0);
});

test('a fault of pitayad itself is told as such, without its inside, and the connection goes on', async () => {
  const { instrument, join } = await bench();
  const { peer }: Joined = join('v5', 'GRABBER', {
    instrument: { ...instrument, get: () => Promise.reject(new TypeError('secret.inside is undefined')) },
  });
  const sentence = await peer.refused({ command: 'get' });
  assert.match(sentence, /The board failed at this/);
  assert.doesNotMatch(sentence, /secret/);
  assert.equal((await peer.ask({ command: 'ping' })).word, 'pong');
});

test('what waits for its turn in the registers does not wait for a grab of another connection', async () => {
  const { bus, join } = await bench();
  bus.registers.preset(SCOPE_DELAY, 8192);
  bus.lasts = undefined;
  const [viewer, mover] = [join('v5').peer, join('v4', 'ACTUATOR').peer];
  viewer.say('Send Data 1D');
  await eventually(() => bus.armings > 0, 'armed');
  for (let k = 0; k < 5; k++) {
    mover.say('move_abs', at(k / 8));
    assert.equal(positionOf(await mover.told()).value, k / 8);
  }
  assert.equal(viewer.unread, 0);
  bus.finish();
  assert.equal((await viewer.told()).word, 'Done');
});

inBothForms(
  'a setup is kept, listed, loaded as a whole, and forgotten',
  async ({ join: connect, instrument }, form) => {
    const { peer } = connect(form);
    await peer.reply({ command: 'configure', module: 'pid0', config: { p: 2, setpoint: 0.5 } });
    await peer.reply({ command: 'save', name: 'night' });
    await peer.reply({ command: 'configure', module: 'pid0', config: { p: 0, setpoint: 0 } });
    const { setups } = await peer.reply({ command: 'setups' });
    assert.deepEqual(
      (setups as { name: string }[]).map(({ name }) => name),
      ['night'],
    );
    await peer.reply({ command: 'load', name: 'night' });
    assert.deepEqual(await instrument.get('pid0', ['p', 'setpoint']), { p: 2, setpoint: 0.5 });
    await peer.reply({ command: 'delete', name: 'night' });
    const { word, payload } = await peer.ask({ command: 'load', name: 'night' });
    assert.equal(word, 'Error');
    assert.match(sentence(payload), /no setup/);
  },
);

inBothForms('the model of what is set: of modules that have one, at frequencies that there are', async (all, form) => {
  const { peer } = all.join(form);
  await peer.reply({ command: 'configure', module: 'pid0', config: { p: 0.5, i: 0 } });
  const found = await peer.reply({ command: 'transfer_function', module: 'pid0', frequencies: [1e3, 1e6] });
  const { re, im } = found as { re: number[]; im: number[] };
  // Three clocks of delay.
  assert.deepEqual([Math.hypot(re[0] ?? 0, im[0] ?? 0), re.length, im.length], [0.5, 2, 2]);
  assert.ok(Math.abs(Math.atan2(im[1] ?? 0, re[1] ?? 0) + 2 * Math.PI * 1e6 * 24e-9) < 1e-9);
  const asked = (fields: Record<string, unknown>) => peer.refused({ command: 'transfer_function', ...fields });
  assert.match(await asked({ module: 'asg0', frequencies: [1] }), /no model of asg0; there are models of pid0/);
  assert.match(await asked({ module: 'pid0' }), /needs frequencies/);
  assert.match(await asked({ module: 'pid0', frequencies: [0] }), /above 0/);
  assert.match(await asked({ module: 'pid0', frequencies: 'all' }), /list of at most/);
  assert.match(await asked({ module: 'pid0', frequencies: [1], extradelay: '1' }), /number of seconds/);
});

inBothForms(
  'a wait for a module ends with it, by stop, or in time; meanwhile status is answered',
  async ({ join: connect }, form) => {
    const { peer: alice } = connect(form);
    const { peer: bob } = connect(form);
    await alice.ask({ command: 'attach', module: 'pid0', mode: 'own', owner: 'alice' });
    const attach = { command: 'attach', module: 'pid0', mode: 'own', owner: 'bob' };
    const refused = await bob.ask({ ...attach, owner_timeout: 0.01 });
    assert.match(sentence(refused.payload), /held by alice.*not free within 0\.01 s/);

    bob.command({ ...attach, owner_timeout: 60 });
    const { holders } = (await bob.reply({ command: 'status' })) as {
      holders: Record<string, { waiting?: string[] }>;
    };
    assert.deepEqual(holders.pid0?.waiting, ['bob']);
    bob.command({ command: 'stop', module: 'pid0' });
    const answers = [await bob.told(), await bob.told()].map(({ word, payload }) => `${word} ${sentence(payload)}`);
    assert.ok(
      answers.some((text) => /^Error .*was stopped/.test(text)),
      answers.join('; '),
    );

    bob.command({ ...attach, owner_timeout: 60 });
    await alice.ask({ command: 'detach', module: 'pid0' });
    assert.equal((await bob.told()).word, 'Reply');
    const { word, payload } = await alice.ask({ command: 'configure', module: 'pid0', config: { p: 1 } });
    assert.equal(word, 'Error');
    assert.match(sentence(payload), /held by bob/);
    await alice.ask({ ...attach, owner: 'alice', take_over: true });
    assert.equal((await alice.ask({ command: 'configure', module: 'pid0', config: { p: 1 } })).word, 'Reply');
  },
);

test.run();
