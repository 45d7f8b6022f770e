/** Recorded conversations of PyMoDAQ 5.3.8: our Coordinator and our actors give the answers that the recorded ones gave. */
import assert from 'node:assert';
import { test } from 'uvu';
import { ProtocolError } from '../../../src/errors.ts';
import { type Coordinator, type LecoPeer, openCoordinator } from '../../../src/server/leco/coordinator.ts';
import type { LecoDevice } from '../../../src/server/leco/devices.ts';
import {
  decodeMessage,
  encodeLeco,
  type LecoMessage,
  newConversation,
  splitName,
} from '../../../src/server/leco/message.ts';
import { decodeRpc, type RpcAnswer, type RpcRequest } from '../../../src/server/leco/rpc.ts';
import { eventually, pause, silent } from '../../fpga/instrument/fixture.ts';
import { type Director, lecoBench } from './by-hand.ts';
import { framesOf, paddedFramesOf, type RecordedMessage, recording, recordings } from './recordings.ts';

/** undefined: what no Coordinator takes for a message. */
function messageOf(recorded: RecordedMessage): LecoMessage | undefined {
  try {
    return decodeMessage(paddedFramesOf(recorded));
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function itemsOf(message: LecoMessage | undefined): readonly (RpcRequest | RpcAnswer)[] {
  const [json] = message?.payload ?? [];
  return json && message?.type === 1 ? decodeRpc(json).items : [];
}

/** Peers by their recorded names, and what each was sent. */
function room(coordinator: () => Coordinator) {
  const sent: { readonly to: string; readonly message: LecoMessage }[] = [];
  const peers = new Map<string, LecoPeer>();
  const peerOf = (name: string): LecoPeer => {
    const known = peers.get(name) ?? {
      peer: name,
      send: (message: LecoMessage) => void sent.push({ to: name, message }),
    };
    peers.set(name, known);
    return known;
  };
  return { sent, say: (name: string, message: LecoMessage) => coordinator().receive(peerOf(name), message) };
}

for (const { name, messages } of recordings()) {
  test(`${name}: our Coordinator sends what the recorded one sent`, () => {
    const clock = { now: 0 };
    const coordinator = openCoordinator({
      namespace: 'labpc',
      address: () => 'labpc:12300',
      version: '0.1.0',
      log: silent,
      now: () => clock.now,
    });
    const { sent, say } = room(() => coordinator);
    const counts = { answers: 0, relayed: 0 };
    for (const recorded of messages) {
      const message = messageOf(recorded);
      if (recorded.from === 'peer') {
        assert.equal(sent.length, 0, 'nothing is said beyond what was recorded');
        if (!message) continue;
        say(recorded.peer, message);
        if (recorded.relayed_to === undefined) continue;
        const relayed = sent.shift();
        assert.equal(relayed?.to, recorded.relayed_to);
        assert.deepEqual(
          encodeLeco(relayed?.message as LecoMessage).map((frame) => Buffer.from(frame)),
          paddedFramesOf(recorded),
        );
        counts.relayed++;
        continue;
      }
      if (sent.length === 0) {
        // It asks by itself for signs of life, 15 s after the last.
        clock.now += 16_000;
        coordinator.tick();
      }
      const ours = sent.shift();
      assert.ok(ours && message, `nothing in place of ${JSON.stringify(itemsOf(message))}`);
      assert.equal(ours.to, recorded.peer);
      const [theirs] = itemsOf(message);
      const asked = theirs?.what === 'request';
      const discovery =
        theirs?.what === 'answer' &&
        typeof theirs.result === 'object' &&
        theirs.result !== null &&
        'openrpc' in theirs.result;
      assert.deepEqual([ours.message.receiver, ours.message.sender], [message.receiver, message.sender]);
      if (!asked) assert.deepEqual(Buffer.from(ours.message.conversation), Buffer.from(message.conversation));
      if (discovery) {
        const list = (items: readonly (RpcRequest | RpcAnswer)[]) =>
          JSON.stringify(items.map((item) => Object.keys(item)));
        assert.equal(list(itemsOf(ours.message)), list(itemsOf(message)));
      } else {
        // The same bytes, from the braces to the spelling of errors.
        assert.equal(
          Buffer.from(ours.message.payload[0] as Uint8Array).toString(),
          Buffer.from(message.payload[0] as Uint8Array).toString(),
        );
      }
      counts.answers++;
    }
    assert.ok(counts.answers + counts.relayed > 10, JSON.stringify(counts));
  });
}

/** What a recorded actor stands for here. */
const standIns: Readonly<Record<string, { readonly recorded: string; readonly ours: string }>> = {
  'stock-viewer-0d': { recorded: 'det0d', ours: 'sampler' },
  'stock-viewer-1d': { recorded: 'det1d', ours: 'scope' },
  'stock-viewer-2d': { recorded: 'det2d', ours: 'scope' },
  'foreign-viewer-0d-json': { recorded: 'iq', ours: 'sampler' },
  'foreign-viewer-1d': { recorded: 'scope', ours: 'scope' },
  'stock-move': { recorded: 'stage', ours: 'asg0' },
  'foreign-move-binary': { recorded: 'asg', ours: 'asg0' },
  'foreign-move-json': { recorded: 'pid', ours: 'asg0' },
};

/** What an actor calls, and which requests bring that about. */
const brings: Readonly<Record<string, readonly string[]>> = {
  set_director_settings: ['get_settings'],
  set_data: ['send_data_snap', 'send_data_grab'],
  send_position: ['get_actuator_value'],
  set_move_done: ['move_abs', 'move_rel', 'move_home', 'stop_motion'],
};

/** Methods that the recorded actor called at all. */
function calledBy(actor: string, messages: readonly RecordedMessage[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const message of messages.map(messageOf)) {
    if (!message || splitName(message.sender).name !== actor || message.receiver === 'COORDINATOR') continue;
    for (const item of itemsOf(message)) if (item.what === 'request') found.add(item.method);
  }
  return found;
}

for (const [name, { recorded, ours }] of Object.entries(standIns)) {
  test(`${name}: our actor answers every recorded request, and does what the recorded one did`, async () => {
    const { messages } = recording(name);
    const rename = (all: readonly LecoDevice[]) =>
      all.filter((device) => device.name === ours).map((device) => ({ ...device, name: recorded }));
    const bench = await lecoBench({}, rename);
    const expected = calledBy(recorded, messages);
    assert.ok(expected.has('set_director_settings') || name === 'foreign-viewer-0d-json', `${[...expected]}`);
    const directors = new Map<string, Director>();
    let answered = 0;
    for (const each of messages) {
      const message = messageOf(each);
      const [item] = itemsOf(message);
      if (!message || item?.what !== 'request' || splitName(message.receiver).name !== recorded) continue;
      const sender = splitName(message.sender).name;
      const director = directors.get(sender) ?? bench.director(sender);
      directors.set(sender, director);
      const before = { heard: director.heard.length, methods: director.methods.length };
      director.say({ ...message, sender: director.name, receiver: recorded });
      const answer = director.heard[before.heard];
      // At once, before anything that it brings about.
      assert.deepEqual(answer?.item, { what: 'answer', id: item.id, result: null }, item.method);
      assert.deepEqual(Buffer.from(answer?.message.conversation ?? []), Buffer.from(message.conversation));
      answered++;
      for (const method of expected) {
        if (!brings[method]?.includes(item.method)) continue;
        await eventually(
          () => director.methods.slice(before.methods).includes(method),
          `${method} after ${item.method}`,
        );
      }
    }
    assert.ok(answered >= 4, `${answered}`);
    await pause(20);
    await bench.station.close();
    await bench.instrument.close();
  });
}

test('foreign-move-binary: millivolts go to the generator', async () => {
  const moves = recording('foreign-move-binary').messages.filter((each) => {
    const [item] = itemsOf(messageOf(each));
    return item?.what === 'request' && item.method === 'move_abs' && framesOf(each);
  });
  const bench = await lecoBench();
  const director = bench.director('dir');
  const offsets: number[] = [];
  for (const [k, each] of moves.entries()) {
    const message = messageOf(each) as LecoMessage;
    director.say({ ...message, sender: director.name, receiver: 'asg0', conversation: newConversation() });
    await director.called('set_move_done', k + 1);
    offsets.push(Number((await bench.instrument.get('asg0', ['offset'])).offset));
  }
  assert.ok(offsets.length >= 2, `${offsets}`);
  assert.ok(Math.abs((offsets[0] ?? 0) - 0.1) < 1e-4, `${offsets}`);
  assert.ok(
    offsets.some((offset) => Math.abs(offset - 0.2505) < 1e-4),
    `${offsets}`,
  );
  await bench.instrument.close();
});

test.run();
