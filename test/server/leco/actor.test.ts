/** What directors ask of actors, and what they are told unasked. */
import assert from 'node:assert';
import { test } from 'uvu';
import { decodeFrame } from '../../../src/server/leco/position.ts';
import { toFloats } from '../../../src/server/wire/dtype.ts';
import type { Data, DataToExport, ParameterWithPath } from '../../../src/server/wire/values.ts';
import { client, eventually, pause } from '../../fpga/instrument/fixture.ts';
import { type Director, edited, type Heard, lecoBench, target } from './by-hand.ts';

const frameIn = ({ message }: Heard) => decodeFrame(message.payload[1] as Uint8Array);
const dataIn = (heard: Heard): Data => (frameIn(heard) as DataToExport).data[0] as Data;
const valuesIn = (data: Data, k = 0): Float64Array => {
  const array = data.data[k];
  assert.ok(array && 'bytes' in array);
  return toFloats(array) as Float64Array;
};
const positionIn = (heard: Heard) => {
  const data = frameIn(heard) as Data;
  return { value: valuesIn(data)[0], units: data.units };
};
const toldTo = (director: Director) =>
  director.heard.flatMap((heard) => {
    if (heard.item.what !== 'request' || heard.item.method !== 'set_director_info') return [];
    const { path, xml } = frameIn(heard) as ParameterWithPath;
    return [{ path, text: /<[^>]*>([^<]*)/.exec(xml)?.[1] }];
  });

/** As a director does when Init is pressed. */
async function init(director: Director, actor: string): Promise<void> {
  await director.ask(actor, 'set_remote_name', { name: director.name });
  const before = director.methods.filter((method) => method === 'set_director_settings').length;
  await director.ask(actor, 'get_settings');
  await director.called('set_director_settings', before + 1);
}

test('settings: all of the module, with the door’s own and an actuator’s unit first', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await init(director, 'scope');
  await init(director, 'asg0_frequency');
  const [scope, asg] = director.heard
    .flatMap(({ item }) => (item.what === 'request' ? [item] : []))
    .filter(({ method }) => method === 'set_director_settings')
    .map(({ params }) => String((params as Record<string, unknown>).settings));
  assert.match(
    scope ?? '',
    /^<scope type="group"[^>]*><last_refusal type="str".*<points type="int".*<input1 type="list"/,
  );
  assert.match(asg ?? '', /^<asg0 type="group"[^>]*><units type="str"[^>]*readonly="1"[^>]*>mHz<\/units><last_refusal/);
  assert.ok(!asg?.includes('<points'));
  await bench.instrument.close();
});

test('rpc.discover tells what each can', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  const methods = async (actor: string) => {
    const { result } = await director.ask(actor, 'rpc.discover');
    const {
      openrpc,
      info,
      methods: list,
    } = result as { openrpc: string; info: { title: string }; methods: { name: string }[] };
    assert.equal(openrpc, '1.2.6');
    assert.equal(info.title, `rp-test.${actor}`);
    return list.map(({ name }) => name);
  };
  const common = ['pong', 'set_log_level', 'set_remote_name', 'get_settings', 'set_info'];
  assert.deepEqual(await methods('scope'), [...common, 'send_data_snap', 'send_data_grab', 'stop_grab']);
  const moves = ['move_abs', 'move_rel', 'move_home', 'stop_motion', 'get_actuator_value'];
  assert.deepEqual(await methods('pid0_p'), [...common, ...moves]);
  const { error } = await director.ask('pid0_p', 'send_data_snap');
  assert.deepEqual(error, { code: -32601, message: 'Method not found', data: 'send_data_snap' });
  await bench.instrument.close();
});

test('a snap brings one trace, of so many points as the director has set', async () => {
  const bench = await lecoBench();
  bench.bus.sample = (channel, index) => (channel === 0 ? index % 8000 : -100);
  const director = bench.director('dir');
  assert.equal((await director.ask('scope', 'send_data_snap')).result, null);
  const whole = dataIn(await director.called('set_data'));
  assert.deepEqual([whole.dim, whole.units, whole.labels], ['Data1D', 'V', ['ch1', 'ch2']]);
  assert.ok(valuesIn(whole).length >= 16382);
  assert.ok(Math.abs((valuesIn(whole, 1)[0] ?? 0) + 100 / 8192) < 1e-9);
  await director.ask('scope', 'set_info', { parameter: null }, edited('points', 'int', '512'));
  await director.ask('scope', 'send_data_snap');
  const part = dataIn(await director.called('set_data', 2));
  assert.deepEqual([valuesIn(part, 0).length, valuesIn(part, 1).length], [512, 512]);
  assert.deepEqual(valuesIn(part), valuesIn(whole).slice(0, 512));
  // Of this director alone.
  const other = bench.director('other');
  await other.ask('scope', 'send_data_snap');
  assert.ok(valuesIn(dataIn(await other.called('set_data'))).length >= 16382);
  await bench.instrument.close();
});

test('a grab: two frames may be on their way, the next comes after an acknowledgement, none after the end', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  director.acknowledges = false;
  await director.ask('scope', 'send_data_grab');
  await director.ask('scope', 'send_data_grab');
  const first = await director.called('set_data');
  const frames = () => director.methods.filter((method) => method === 'set_data').length;
  await pause(80);
  assert.equal(frames(), 2);
  const { message, item } = first;
  assert.ok(item.what === 'request');
  const acknowledgement = { ...message, receiver: message.sender, sender: director.name };
  director.say({ ...acknowledgement, payload: [Buffer.from(`{"id":${item.id},"result":null,"jsonrpc":"2.0"}`)] });
  await director.called('set_data', 3);
  await pause(80);
  assert.equal(frames(), 3);
  director.acknowledges = true;
  const { message: second, item: request } = await director.called('set_data', 2);
  assert.ok(request.what === 'request');
  director.say({
    ...second,
    receiver: second.sender,
    sender: director.name,
    payload: [Buffer.from(`{"id":${request.id},"result":null,"jsonrpc":"2.0"}`)],
  });
  await director.called('set_data', 20);
  await director.ask('scope', 'stop_grab');
  const count = frames();
  await pause(80);
  assert.equal(frames(), count);
  // Also sent when nothing runs.
  assert.equal((await director.ask('scope', 'stop_grab')).result, null);
  await bench.instrument.close();
});

test('while a grab waits for its trigger everything else is answered; stopped, it sends nothing', async () => {
  const bench = await lecoBench();
  bench.bus.lasts = undefined;
  const director = bench.director('dir');
  await director.ask('scope', 'send_data_grab');
  await pause(20);
  assert.equal((await director.ask('scope', 'pong')).result, null);
  await director.ask('asg0', 'move_abs', { position: null }, target(0.25, 'V'));
  await director.called('set_move_done');
  await director.ask('scope', 'stop_grab');
  await pause(20);
  bench.bus.finish();
  await pause(20);
  assert.ok(!director.methods.includes('set_data'));
  await bench.instrument.close();
});

test('a snap that is stopped by somebody brings NaN, and the reason', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await director.ask('scope', 'send_data_snap');
  const length = valuesIn(dataIn(await director.called('set_data'))).length;
  bench.bus.lasts = undefined;
  await director.ask('scope', 'send_data_snap');
  await pause(20);
  await bench.instrument.stop(client('somebody'), 'scope');
  const absent = valuesIn(dataIn(await director.called('set_data', 2)));
  assert.equal(absent.length, length);
  assert.ok(absent.every(Number.isNaN));
  await eventually(
    () => toldTo(director).some(({ text }) => text?.includes('stopped by somebody') ?? false),
    'the reason',
  );
  await bench.instrument.close();
});

test('several directors: data to who asked, the end of a move to all', async () => {
  const bench = await lecoBench();
  const [one, two] = [bench.director('one'), bench.director('two')];
  for (const director of [one, two]) await init(director, 'scope');
  await one.ask('scope', 'send_data_grab');
  await two.ask('scope', 'send_data_snap');
  await one.called('set_data', 5);
  await two.called('set_data');
  await one.ask('scope', 'stop_grab');
  assert.equal(two.methods.filter((method) => method === 'set_data').length, 1);
  for (const director of [one, two]) await init(director, 'asg1');
  await one.ask('asg1', 'move_abs', { position: null }, target(100, 'mV'));
  for (const director of [one, two]) {
    const { value, units } = positionIn(await director.called('set_move_done'));
    assert.equal(units, 'uV');
    assert.ok(Math.abs((value ?? 0) - 1e5) < 61, `${value}`);
  }
  await bench.instrument.close();
});

test('a move: in any unit that fits, relative, home, in plain JSON; its end comes once', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  const offset = async () => Number((await bench.instrument.get('asg0', ['offset'])).offset);
  const move = async (method: string, count: number, position?: ReturnType<typeof target> | number) => {
    const plain = typeof position === 'number';
    const params = position === undefined ? undefined : { position: plain ? position : null };
    assert.equal((await director.ask('asg0', method, params, ...(position && !plain ? [position] : []))).result, null);
    await director.called('set_move_done', count);
    return offset();
  };
  assert.ok(Math.abs((await move('move_abs', 1, target(0.5, 'V'))) - 0.5) < 1e-4);
  assert.ok(Math.abs((await move('move_rel', 2, target(-100, 'mV'))) - 0.4) < 2e-4);
  assert.equal(await move('move_home', 3), 0);
  assert.ok(Math.abs((await move('move_abs', 4, target(250_000, ''))) - 0.25) < 1e-4);
  await move('stop_motion', 5);
  assert.ok(Math.abs((await move('move_abs', 6, 125_000)) - 0.125) < 1e-4);
  const last = (await director.called('set_move_done', 6)).item;
  assert.deepEqual(last.what === 'request' && last.params, { data: { position: 125_000 } });
  await pause(20);
  assert.equal(director.methods.filter((method) => method === 'set_move_done').length, 6);
  await bench.instrument.close();
});

test('whole numbers are moved in percent', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await director.ask('scope_trace_average', 'move_abs', { position: null }, target(500, '%'));
  await director.called('set_move_done');
  assert.equal((await bench.instrument.get('scope', ['trace_average'])).trace_average, 5);
  await director.ask('scope_trace_average', 'move_rel', { position: null }, target(200, 'percent'));
  assert.deepEqual(positionIn(await director.called('set_move_done', 2)), { value: 700, units: 'percent' });
  await bench.instrument.close();
});

test('a move that cannot be ends where it was, with the reason, whatever is wrong with it', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await init(director, 'asg0');
  const before = bench.bus.registers.traffic.wordsWritten;
  let count = 0;
  for (const [params, frames, sentence] of [
    [{ position: null }, [target(7, 'V')], /from -1 to 1 V/],
    [{ position: null }, [target(1, 'Hz')], /does not fit/],
    [{ position: null }, [target(Number.NaN, 'V')], /finite/],
    [{ position: null }, [], /needs a position/],
    [{ position: null }, [edited('a', 'float', '1')], /A position is one number/],
    [{ position: [1, 2] }, [], /A position is one number/],
    [{ position: 'up' }, [], /A position is one number/],
    [undefined, [], /needs a position/],
  ] as const) {
    for (const method of ['move_abs', 'move_rel']) {
      if (method === 'move_rel' && frames[0]?.type === 'DataActuator') continue;
      assert.equal((await director.ask('asg0', method, params, ...frames)).result, null);
      assert.equal(positionIn(await director.called('set_move_done', ++count)).value, 0);
    }
    await eventually(() => sentence.test(toldTo(director).at(-1)?.text ?? ''), `${sentence}`);
  }
  const { error } = await director.ask('asg0_frequency', 'set_info', { parameter: null });
  assert.equal(error?.code, -32602);
  await director.ask('asg0_frequency', 'move_home');
  await director.called('set_move_done', ++count);
  assert.equal(bench.bus.registers.traffic.wordsWritten, before);
  await bench.instrument.close();
});

test('a setting that is edited takes effect, others are told, a refused one jumps back', async () => {
  const bench = await lecoBench();
  const [one, two] = [bench.director('one'), bench.director('two')];
  for (const director of [one, two]) await init(director, 'scope');
  await one.ask('scope', 'set_info', { parameter: null }, edited('threshold', 'float', '0.1'));
  await eventually(() => toldTo(two).length > 0 && toldTo(one).length > 0, 'both are told what was taken');
  const taken = (await bench.instrument.get('scope', ['threshold'])).threshold;
  for (const director of [one, two]) {
    assert.deepEqual(toldTo(director), [{ path: ['scope', 'threshold'], text: `${taken}` }]);
  }
  // A value that is taken as it is needs no word to its director.
  await one.ask('scope', 'set_info', { parameter: null }, edited('decimation', 'list', '64'));
  await eventually(() => toldTo(two).some(({ path }) => path[1] === 'decimation'), 'the other is told');
  assert.ok(!toldTo(one).some(({ path }) => path[1] === 'decimation'));
  await one.ask('scope', 'set_info', { parameter: null }, edited('threshold', 'float', '7.0'));
  await eventually(() => toldTo(one).some(({ path }) => path[1] === 'last_refusal'), 'the reason is told');
  await eventually(() => toldTo(one).at(-1)?.text === `${taken}`, 'it jumps back');
  assert.match(toldTo(one).find(({ path }) => path[1] === 'last_refusal')?.text ?? '', /from -1 to 1/);
  await bench.instrument.close();
});

test('what a director sends back of what it was told is no order', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await init(director, 'asg0');
  await bench.instrument.configure(client('somebody'), 'asg0', { amplitude: 0.25 });
  await eventually(() => toldTo(director).some(({ path }) => path[1] === 'amplitude'), 'it is told');
  await bench.instrument.configure(client('somebody'), 'asg0', { amplitude: 0.5 });
  await director.ask('asg0', 'set_info', { parameter: null }, edited('amplitude', 'float', '0.25'));
  await pause(20);
  // It was too late for the first; the second stays.
  assert.equal((await bench.instrument.get('asg0', ['amplitude'])).amplitude, 0.5);
  await bench.instrument.close();
});

test('a director from before a restart is answered without Init, and told all values', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await director.ask('asg0', 'pong');
  await eventually(() => toldTo(director).some(({ path }) => path[1] === 'frequency'), 'values are told');
  await director.ask('asg0', 'get_actuator_value');
  await director.called('send_position');
  await director.ask('scope', 'send_data_snap');
  await director.called('set_data');
  await bench.instrument.close();
});

test('changes by others move the position that is shown', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await init(director, 'asg0_frequency');
  await bench.instrument.configure(client('somebody'), 'asg0', { frequency: 1000 });
  const { value, units } = positionIn(await director.called('send_position'));
  assert.equal(units, 'mHz');
  assert.ok(Math.abs((value ?? 0) - 1e6) < 100);
  await bench.instrument.close();
});

test('a director that does not acknowledge any more is forgotten', async () => {
  const bench = await lecoBench();
  const director = bench.director('dir');
  await director.ask('scope', 'send_data_grab');
  await director.called('set_data', 3);
  bench.coordinator.leave(director.peer);
  const seconds = async (count: number) => {
    for (let k = 0; k < count; k++) {
      await bench.pass(1000);
      await pause(5);
    }
  };
  await seconds(20);
  const armings = bench.bus.armings;
  await seconds(10);
  assert.equal(bench.bus.armings, armings);
  await bench.instrument.close();
});

test('a script that knows nothing of settings is told of none', async () => {
  const bench = await lecoBench();
  const script = bench.director('script');
  script.refuses.set('set_director_info', -32601);
  await script.ask('asg0', 'get_actuator_value');
  await script.called('set_director_info');
  await pause(20);
  assert.equal(toldTo(script).length, 1);
  await bench.instrument.close();
});

test('modules of others: refused with the holder’s name, as at every door', async () => {
  const bench = await lecoBench();
  const owner = client('lock');
  await bench.instrument.attach(owner, 'asg0', 'own');
  const director = bench.director('dir');
  await init(director, 'asg0');
  await director.ask('asg0', 'move_abs', { position: null }, target(0.1, 'V'));
  assert.equal(positionIn(await director.called('set_move_done')).value, 0);
  await eventually(() => /lock/.test(toldTo(director).at(-1)?.text ?? ''), 'the holder is told');
  await bench.instrument.close();
});

test.run();
