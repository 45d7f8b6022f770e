/** What the recorded conversations do not show of the Coordinator. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { newConversation } from '../../../src/server/leco/message.ts';
import { lecoBench } from './by-hand.ts';

test('directors find the board’s actors under their names, and whatever else is signed in', async () => {
  const { director, coordinator, instrument } = await lecoBench();
  const one = director('one');
  const { result } = await one.ask('COORDINATOR', 'send_local_components');
  assert.ok(Array.isArray(result));
  for (const name of ['scope', 'sampler', 'asg0', 'asg0_frequency', 'pid0_p', 'one'])
    assert.ok(result.includes(name), name);
  assert.deepEqual((await one.ask('COORDINATOR', 'send_nodes')).result, { 'rp-test': 'rp-test:12300' });
  assert.deepEqual(Object.keys((await one.ask('COORDINATOR', 'send_global_components')).result as object), ['rp-test']);
  for (const receiver of ['scope', 'rp-test.scope']) assert.equal((await one.ask(receiver, 'pong')).result, null);
  assert.equal(coordinator.names.length, result.length);
  await instrument.close();
});

test('it is not shut down from outside, and nobody takes a name of the board’s', async () => {
  const { director, instrument } = await lecoBench();
  const one = director('one');
  for (const method of [
    'shut_down',
    'coordinator_sign_in',
    'add_nodes',
    'remove_expired_addresses',
    '__proto__',
    'constructor',
  ]) {
    assert.equal((await one.ask('COORDINATOR', method)).error?.code, -32601, method);
  }
  for (const name of ['scope', 'COORDINATOR']) {
    assert.equal((await director(name, false).ask('COORDINATOR', 'sign_in')).error?.code, -32091);
    assert.equal((await director(name, false).ask('COORDINATOR', 'sign_out')).error?.code, -32091);
    assert.equal((await director(name, false).ask('asg0', 'move_home')).error?.code, -32091);
  }
  await instrument.close();
});

test('who is silent is asked after 15 s and forgotten after 45 s; the board’s own names stay', async () => {
  const bench = await lecoBench();
  const quiet = bench.director('quiet');
  const lively = bench.director('lively');
  quiet.acknowledges = false;
  await bench.pass(21_000);
  assert.ok(quiet.methods.includes('pong') && lively.methods.includes('pong'));
  await bench.pass(30_000);
  assert.ok(!bench.coordinator.names.includes('quiet'));
  assert.ok(bench.coordinator.names.includes('lively') && bench.coordinator.names.includes('scope'));
  assert.equal((await quiet.ask('scope', 'pong')).error?.code, -32090);
  await bench.instrument.close();
});

test('with its connection a peer’s names are gone, and free for others', async () => {
  const { director, coordinator, instrument } = await lecoBench();
  const first = director('first');
  coordinator.leave(first.peer);
  assert.ok(!coordinator.names.includes('first'));
  assert.equal((await director('first', false).ask('COORDINATOR', 'sign_in')).result, null);
  await instrument.close();
});

test('a connection has so many names and no more', async () => {
  const { director, coordinator, instrument } = await lecoBench();
  const greedy = director('greedy');
  const signIn = (name: string) =>
    greedy.say({
      receiver: 'COORDINATOR',
      sender: name,
      conversation: newConversation(),
      messageId: 0,
      type: 1,
      payload: [Buffer.from('{"id":1,"method":"sign_in","jsonrpc":"2.0"}')],
    });
  for (let k = 0; k < 600; k++) signIn(`name${k}`);
  assert.equal(coordinator.names.filter((name) => name.startsWith('name')).length, 511);
  const last = greedy.heard.at(-1)?.item;
  assert.ok(last?.what === 'answer' && last.error?.code === -32000);
  await instrument.close();
});

test('any messages at all: the registers stay as they were, and the next request is answered', async () => {
  const bench = await lecoBench();
  const one = bench.director('one');
  const before = bench.bus.registers.traffic.wordsWritten;
  const names = fc.constantFrom('COORDINATOR', 'scope', 'asg0', 'rp-test.asg0_frequency', 'one', 'other', 'mars.x');
  const methods = fc.constantFrom(
    'move_abs',
    'move_rel',
    'set_info',
    'set_remote_name',
    'get_settings',
    'pong',
    'x',
    'rpc.discover',
  );
  const params = fc.oneof(
    fc.constant({}),
    fc.constant({ position: null }),
    fc.constant({ parameter: null }),
    fc.dictionary(fc.string(), fc.jsonValue()),
  );
  const json = fc.record({ id: fc.integer(), method: methods, params }).map((each) => JSON.stringify(each));
  const payload = fc.array(
    fc.oneof(json, fc.string(), fc.json()).map((text) => Buffer.from(text)),
    { maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(names, names, fc.integer({ min: 0, max: 3 }), payload, async (receiver, sender, type, frames) => {
      one.say({ receiver, sender, conversation: newConversation(), messageId: 0, type, payload: frames });
      await new Promise((resolve) => setImmediate(resolve));
    }),
    { numRuns: 1500 },
  );
  assert.equal((await one.ask('asg0', 'pong')).result, null);
  assert.equal(bench.bus.registers.traffic.wordsWritten, before);
  await bench.station.close();
  await bench.instrument.close();
});

test.run();
