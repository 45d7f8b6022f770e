import { ProtocolError } from '../../errors.ts';
import { TYPE_WORD_BYTES } from './limits.ts';
import type { Form } from './values.ts';

/** What other programs begin with, and what their users should be told. */
const strangers: readonly { readonly who: string; readonly begin: readonly string[] }[] = [
  { who: 'an HTTP request (a web browser?)', begin: ['GET ', 'HEAD ', 'POST ', 'PUT ', 'DELETE ', 'OPTIONS ', 'PRI '] },
  { who: 'a TLS handshake (https, or an encrypting proxy?)', begin: ['\x16\x03'] },
  { who: 'an SSH client', begin: ['SSH-'] },
  { who: 'a ZeroMQ client (LECO?)', begin: ['\xff\0\0\0'] },
];

/**
 * Which form a connecting peer speaks, from its first bytes (11 are always enough): its first object is a type word, `GRABBER`
 * or `ACTUATOR`. In v5 that is `u32 length, u32 3, "str" …`, in v4 `u32 length, text`. `more`: not enough bytes yet.
 * @throws ProtocolError, not in step, as soon as the bytes can be neither; it names the usual strangers.
 */
export function detectForm(first: Uint8Array): Form | 'more' {
  const head = Buffer.from(first.buffer, first.byteOffset, Math.min(first.byteLength, 16));
  // All lengths here are below 256, so the first three bytes are 0, and no stranger begins with a 0.
  for (let k = 0; k < Math.min(3, head.length); k++) {
    if (head[k] !== 0) throw notPymodaq(head);
  }
  const length = head[3];
  if (length === undefined) return 'more';
  if (length === 0 || length > TYPE_WORD_BYTES) {
    throw new ProtocolError(
      `the first message has ${length} bytes; it must be the type word, GRABBER or ACTUATOR, of at most ${TYPE_WORD_BYTES}`,
    );
  }
  const fifth = head[4];
  if (fifth === undefined) return 'more';
  // A letter, or whatever other text: the word itself is for the session to judge.
  if (fifth >= 0x20) return 'v4';
  const tag = [0, 0, 0, 3, 0x73, 0x74, 0x72];
  for (let k = 0; k < tag.length; k++) {
    const byte = head[4 + k];
    if (byte === undefined) return 'more';
    if (byte !== tag[k])
      throw new ProtocolError('the first message is no string; it must be the type word, GRABBER or ACTUATOR');
  }
  if (length < tag.length + 4) {
    throw new ProtocolError(
      'the first message is too short for a string; it must be the type word, GRABBER or ACTUATOR',
    );
  }
  return 'v5';
}

function notPymodaq(head: Buffer): ProtocolError {
  const text = head.toString('latin1');
  const who = strangers.find(({ begin }) => begin.some((each) => text.startsWith(each)))?.who;
  return new ProtocolError(
    who
      ? `this is the port for PyMoDAQ, but the first bytes are those of ${who}`
      : `the first bytes (${head.toString('hex')}) are not PyMoDAQ's: they must be the type word, GRABBER or ACTUATOR`,
  );
}
