import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { ProtocolError } from '../../../src/errors.ts';
import { openZmtp, type Zmtp, type ZmtpEvent } from '../../../src/server/leco/zmtp.ts';
import { encodeGreeting, encodeMessage, encodeReady } from '../../../src/server/leco/zmtp-bytes.ts';
import { framesOf, paddedFramesOf, recordings, zmtpBytes } from './recordings.ts';

const none = new Uint8Array(0);
const whole = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces);
const shaken = (): { readonly router: Zmtp; readonly events: ZmtpEvent[] } => {
  const router = openZmtp({ socketType: 'ROUTER' });
  const events = router.receive(whole([encodeGreeting(), encodeReady('DEALER', none)]));
  return { router, events };
};
const messagesIn = (events: readonly ZmtpEvent[]) =>
  events.flatMap((event) => (event.what === 'message' ? [event.frames] : []));

test('the recorded connection, byte for byte: both sides would have sent the same', () => {
  for (const side of ['dealer', 'router'] as const) {
    const socketType = side === 'dealer' ? 'DEALER' : 'ROUTER';
    const ours = openZmtp({ socketType });
    const sent: Uint8Array[] = [ours.greeting];
    const heard: (readonly Uint8Array[])[] = [];
    for (const { from, bytes } of zmtpBytes()) {
      if (from === side) continue;
      for (const event of ours.receive(bytes)) {
        if (event.what === 'send') sent.push(event.bytes);
        if (event.what === 'message') heard.push(event.frames);
      }
    }
    assert.ok(ours.ready);
    assert.ok(!ours.unfinished);
    assert.ok(heard.length >= 3, `${heard.length}`);
    // What the other side said, once more: its greeting, its READY, its messages.
    const theirs = zmtpBytes().filter(({ from }) => from !== side);
    const again = whole([
      encodeGreeting(),
      encodeReady(side === 'dealer' ? 'ROUTER' : 'DEALER', none),
      ...heard.flatMap(encodeMessage),
    ]);
    assert.equal(again.toString('hex'), whole(theirs.map(({ bytes }) => bytes)).toString('hex'));
    // And what this side said first.
    const own = whole(
      zmtpBytes()
        .filter(({ from }) => from === side)
        .map(({ bytes }) => bytes),
    );
    assert.equal(whole(sent).toString('hex'), own.subarray(0, whole(sent).length).toString('hex'));
  }
});

test('every recorded message comes back as it was, whatever the pieces', () => {
  let count = 0;
  for (const { messages } of recordings()) {
    const bytes = whole(messages.flatMap((message) => encodeMessage(paddedFramesOf(message))));
    for (const size of [13, 1 << 16]) {
      const { router } = shaken();
      const heard: (readonly Uint8Array[])[] = [];
      for (let k = 0; k < bytes.length; k += size)
        heard.push(...messagesIn(router.receive(bytes.subarray(k, k + size))));
      assert.equal(heard.length, messages.length);
      for (const [k, message] of messages.entries()) {
        assert.deepEqual(
          heard[k]?.map((frame) => Buffer.from(frame)),
          paddedFramesOf(message),
        );
        if (framesOf(message)) count++;
      }
    }
  }
  assert.ok(count > 500, `${count}`);
});

test('a frame of 255 bytes has a short length, one of 256 a long one', () => {
  assert.deepEqual([...whole(encodeMessage([Buffer.alloc(255)])).subarray(0, 2)], [0, 255]);
  assert.deepEqual([...whole(encodeMessage([Buffer.alloc(256)])).subarray(0, 9)], [2, 0, 0, 0, 0, 0, 0, 1, 0]);
});

test('large frames are not copied', () => {
  const large = Buffer.alloc(1e6);
  assert.ok(encodeMessage([Buffer.from('a'), large]).includes(large));
});

test('PING is answered with its context', () => {
  const { router } = shaken();
  const ping = Buffer.from('\x04\x0a\x04PING\x00\x0actx', 'latin1');
  assert.deepEqual(router.receive(ping), [{ what: 'send', bytes: Buffer.from('\x04\x08\x04PONGctx', 'latin1') }]);
  assert.deepEqual(router.receive(Buffer.from('\x04\x05\x04PONG', 'latin1')), []);
});

test('an identity is given and taken', () => {
  const router = openZmtp({ socketType: 'ROUTER' });
  const dealer = openZmtp({ socketType: 'DEALER', identity: Buffer.from('board') });
  const [ready] = dealer.receive(router.greeting);
  assert.ok(ready?.what === 'send');
  const events = router.receive(whole([dealer.greeting, ready.bytes]));
  assert.deepEqual(events.at(-1), {
    what: 'ready',
    socketType: 'DEALER',
    identity: Uint8Array.from(Buffer.from('board')),
  });
});

const broken: readonly [what: string, bytes: Uint8Array, sentence: RegExp][] = [
  ['another protocol', Buffer.from('GET / HTTP/1.1\r\n'), /not the first bytes of ZeroMQ/],
  ['its tenth byte', Buffer.from('ff000000000000000100', 'hex'), /not the first bytes/],
  ['an old version', Buffer.from('ff00000000000000017f01', 'hex'), /ZMTP 1; 3.0 or later/],
  [
    'another mechanism',
    whole([encodeGreeting().subarray(0, 12), Buffer.from('CURVE'), Buffer.alloc(47)]),
    /"CURVE"; NULL/,
  ],
  ['a message first', whole([encodeGreeting(), encodeMessage([Buffer.from('x')])[0] ?? none]), /before READY/],
  ['another socket', whole([encodeGreeting(), encodeReady('SUB' as 'DEALER', none)]), /"SUB" to a ROUTER/],
  [
    'a long READY',
    whole([encodeGreeting(), Buffer.from('0600000000000f0000', 'hex')]),
    /a command of 983040 bytes; at most 4096/,
  ],
  ['a cut property', whole([encodeGreeting(), Buffer.from('04080552454144590141', 'hex')]), /cut off/],
  ['a command without name', whole([encodeGreeting(), Buffer.from('0400', 'hex')]), /without a name/],
];
for (const [what, bytes, sentence] of broken) {
  test(`the connection cannot go on after ${what}`, () => {
    assert.throws(
      () => openZmtp({ socketType: 'ROUTER' }).receive(bytes),
      (error) => {
        assert.ok(error instanceof ProtocolError);
        assert.match(error.message, sentence);
        return true;
      },
    );
  });
}

for (const [what, bytes, sentence] of [
  ['a second READY', encodeReady('DEALER', none), /second READY/],
  ['ERROR', Buffer.from('\x04\x0b\x05ERROR\x04nope', 'latin1'), /ERROR "nope"/],
  ['unknown flags', Buffer.from('0801', 'hex'), /flags 0x8/],
  ['a command of several frames', Buffer.from('0501', 'hex'), /several frames/],
  ['a length of 2^63', Buffer.from('027fffffffffffffff', 'hex'), /at most 1000 are allowed/],
  [
    'many bytes in many frames',
    whole(encodeMessage([Buffer.alloc(600), Buffer.alloc(600)])),
    /1200 bytes; at most 1000/,
  ],
  ['many frames', whole(encodeMessage(Array.from({ length: 10 }, () => none))), /more than 8 frames/],
  ['a short PING', Buffer.from('\x04\x06\x04PINGx', 'latin1'), /without time-to-live/],
] as const) {
  test(`nor after ${what}`, () => {
    const router = openZmtp({ socketType: 'ROUTER', limits: { messageBytes: 1000, frames: 8 } });
    router.receive(whole([encodeGreeting(), encodeReady('DEALER', none)]));
    assert.throws(() => router.receive(bytes), sentence);
  });
}

test('any bytes: an event, more to come, or a ProtocolError, and no more kept than came', () => {
  const junk = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 });
  fc.assert(
    fc.property(fc.boolean(), junk, (afterHandshake, pieces) => {
      const zmtp = afterHandshake ? shaken().router : openZmtp({ socketType: 'ROUTER' });
      try {
        for (const piece of pieces) zmtp.receive(piece);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test('any message comes back, whatever the pieces', () => {
  const messages = fc.array(fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 6 }), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 300 }), (all, size) => {
      const { router } = shaken();
      const bytes = whole(all.flatMap(encodeMessage));
      const heard: (readonly Uint8Array[])[] = [];
      for (let k = 0; k < bytes.length; k += size)
        heard.push(...messagesIn(router.receive(bytes.subarray(k, k + size))));
      assert.deepEqual(heard, all);
    }),
    { numRuns: 300 },
  );
});

test.run();
