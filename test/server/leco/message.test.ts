import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { ProtocolError } from '../../../src/errors.ts';
import { decodeMessage, encodeLeco, newConversation, splitName } from '../../../src/server/leco/message.ts';
import { decodeRpc, encodeRpc } from '../../../src/server/leco/rpc.ts';
import { framesOf, recordings } from './recordings.ts';

test('every recorded message, decoded and encoded again, is equal; so is its JSON', () => {
  const counts = { messages: 0, refused: 0, json: 0, otherJson: 0 };
  for (const { messages } of recordings()) {
    for (const message of messages) {
      const frames = framesOf(message);
      if (!frames) continue;
      if (frames.length < 4 || frames[3]?.length !== 20) {
        assert.throws(() => decodeMessage(frames), ProtocolError);
        counts.refused++;
        continue;
      }
      const decoded = decodeMessage(frames);
      assert.deepEqual(
        encodeLeco(decoded).map((frame) => Buffer.from(frame)),
        frames,
      );
      counts.messages++;
      const [json] = decoded.payload;
      if (!json || decoded.type !== 1) continue;
      const text = Buffer.from(json).toString();
      if (text === '{oops') {
        assert.throws(() => decodeRpc(json), ProtocolError);
        continue;
      }
      const again = Buffer.from(encodeRpc(decodeRpc(json))).toString();
      // Python writes 10.0 for what is 10 here, and one probe put blanks between.
      if (again === text) counts.json++;
      else {
        assert.deepEqual(JSON.parse(again), JSON.parse(text));
        counts.otherJson++;
      }
    }
  }
  assert.equal(counts.refused, 2);
  assert.ok(counts.messages > 600, JSON.stringify(counts));
  assert.ok(counts.json > 500 && counts.otherJson < 30, JSON.stringify(counts));
});

test('names', () => {
  assert.deepEqual(splitName('scope'), { namespace: '', name: 'scope' });
  assert.deepEqual(splitName('rp-f0abcd.scope'), { namespace: 'rp-f0abcd', name: 'scope' });
  const header = Buffer.alloc(20);
  const frames = (receiver: string | Uint8Array) => [Buffer.of(0), Buffer.from(receiver), Buffer.from('a.b'), header];
  for (const name of ['scope', 'a.b', 'Laser 1 (µm)', '探']) assert.equal(decodeMessage(frames(name)).receiver, name);
  for (const name of ['', '.', 'a.', '.b', 'a.b.c', 'a\nb', 'x'.repeat(201), Uint8Array.of(0xff)]) {
    assert.throws(() => decodeMessage(frames(name)), /receiver/);
  }
});

test('conversations differ, and look like a UUIDv7', () => {
  const ids = Array.from({ length: 100 }, newConversation);
  assert.equal(new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size, 100);
  for (const id of ids) assert.equal((id[6] ?? 0) >> 4, 7);
});

test('JSON-RPC that is none', () => {
  const text = (json: string) => () => decodeRpc(Buffer.from(json));
  for (const json of [
    ...['', '{', '[]', '1', '"x"', 'null', '[1]', '{}', '{"id":{},"method":"x"}', '{"method":5}'],
    ...['{"method":"x","params":5}', `${'['.repeat(100_000)}`, `{"method":"${'x'.repeat(300)}"}`],
    ...[`[${'{"method":"x"},'.repeat(70)}{"method":"x"}]`, `{"method":"x","params":{"a":"${' '.repeat(2 ** 20)}"}}`],
  ]) {
    assert.throws(text(json), ProtocolError, json.slice(0, 60));
  }
  assert.deepEqual(decodeRpc(Buffer.from('{"id":1,"error":5}')).items, [
    { what: 'answer', id: 1, error: { code: 0, message: '' } },
  ]);
  assert.deepEqual(decodeRpc(Buffer.from('{"method":"a","params":null}')).items, [
    { what: 'request', method: 'a', params: {} },
  ]);
  const nested = `{"method":"x","params":{"a":"${'['.repeat(500)}\\"["}}`;
  assert.equal(decodeRpc(Buffer.from(nested)).items.length, 1);
});

test('any frames: a message, or a ProtocolError', () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.uint8Array({ minLength: 20, maxLength: 20 }),
    fc.constant(Buffer.from('a.b')),
  );
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 7 }), (frames) => {
      try {
        const message = decodeMessage(frames);
        assert.deepEqual(
          encodeLeco(message).map((each) => Buffer.from(each)),
          frames.map((each) => Buffer.from(each)),
        );
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test('any JSON: JSON-RPC, or a ProtocolError', () => {
  const member = fc.record(
    {
      id: fc.jsonValue(),
      method: fc.jsonValue(),
      params: fc.jsonValue(),
      result: fc.jsonValue(),
      error: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    member.map((each) => JSON.stringify(each)),
    fc.array(member, { maxLength: 4 }).map((each) => JSON.stringify(each)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const content = decodeRpc(Buffer.from(text));
        assert.deepEqual(decodeRpc(encodeRpc(content)), content);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test.run();
