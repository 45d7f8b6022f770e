import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'uvu';
import { ProtocolError } from '../../../src/errors.ts';
import { detectForm } from '../../../src/server/wire/detect.ts';
import { encodeV4, encodeV5 } from '../../../src/server/wire/encode.ts';
import { dict, int, str } from '../../../src/server/wire/values.ts';

/** The answer for 1, 2, 3 … bytes: `more` until it is final. */
function growing(bytes: Uint8Array): { readonly form: string; readonly after: number } {
  for (let length = 0; length <= bytes.length; length++) {
    const form = detectForm(bytes.subarray(0, length));
    if (form !== 'more') {
      // Further bytes change nothing.
      assert.equal(detectForm(bytes), form);
      return { form, after: length };
    }
  }
  return { form: 'more', after: bytes.length };
}

test('type words of both forms, known or not', () => {
  for (const word of ['GRABBER', 'ACTUATOR', 'FOO', 'grabber', 'Température']) {
    assert.deepEqual(growing(encodeV4(str(word))), { form: 'v4', after: 5 }, word);
    assert.deepEqual(growing(encodeV5(str(word))), { form: 'v5', after: 11 }, word);
  }
});

test('what follows the word does not matter', () => {
  assert.equal(detectForm(encodeV4(str('GRABBER'), str('Infos'), str('<xml/>'))), 'v4');
  assert.equal(detectForm(encodeV5(str('GRABBER'), str('Infos'), str('<xml/>'))), 'v5');
});

test('strangers are named', () => {
  for (const [bytes, who] of [
    ['GET / HTTP/1.1\r\n', /HTTP/],
    ['POST /x HTTP/1.1\r\n', /HTTP/],
    ['PRI * HTTP/2.0\r\n', /HTTP/],
    ['\x16\x03\x01\x02\x00\x01\x00\x01', /TLS/],
    ['SSH-2.0-OpenSSH_9.6\r\n', /SSH/],
    ['\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03', /ZeroMQ/],
    ['*IDN?\n', /2a49444e3f0a.*GRABBER or ACTUATOR/],
  ] as const) {
    assert.throws(() => detectForm(Buffer.from(bytes, 'latin1')), who);
  }
});

test('a first message that is no type word is refused', () => {
  for (const bytes of [
    encodeV5(dict({ command: str('list') })),
    encodeV5(int(1)),
    encodeV4(str('')),
    encodeV4(str('x'.repeat(65))),
    encodeV5(str('x'.repeat(65))),
    Buffer.from('0000000400000003737472', 'hex'),
    Buffer.from('ffffffff', 'hex'),
  ]) {
    assert.throws(
      () => detectForm(bytes),
      (error) => error instanceof ProtocolError && !error.inStep && /type word|not PyMoDAQ/.test(error.message),
    );
  }
});

test('any bytes: a form, more, or a ProtocolError; never more than 11 bytes are asked for', () => {
  const bytes = fc
    .tuple(fc.subarray([0, 0, 0]), fc.uint8Array({ maxLength: 20 }))
    .map(([zeros, rest]) => [...zeros, ...rest]);
  fc.assert(
    fc.property(bytes, (all) => {
      try {
        if (detectForm(Uint8Array.from(all)) === 'more') assert.ok(all.length < 11);
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
    { numRuns: 1000 },
  );
});

test.run();
