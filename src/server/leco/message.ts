/**
 * A message of LECO (Laboratory Experiment COntrol protocol), `version | receiver | sender | header | payload …`, one
 * ZeroMQ frame each, as pyleco 0.6 sends it. Pure functions.
 */
import { randomFillSync } from 'node:crypto';
import { ProtocolError } from '../../errors.ts';

/** Types of messages. */
export const messageType = { undefined: 0, json: 1 } as const;

const VERSION = Uint8Array.of(0);
const CONVERSATION_BYTES = 16;
const HEADER_BYTES = 20;

/** Bytes of a name, with its namespace. */
const MAX_NAME = 200;

export interface LecoMessage {
  /** `name` or `namespace.name`, as it stands there. */
  readonly receiver: string;
  readonly sender: string;
  /** 16 bytes; an answer has those of its request. */
  readonly conversation: Uint8Array;
  /** pyleco always has 0 here. */
  readonly messageId: number;
  readonly type: number;
  /** The first is JSON-RPC where `type` says so; none at all is a sign of life. */
  readonly payload: readonly Uint8Array[];
  /** pyleco sends 0, and does not look at it. */
  readonly version?: number;
  /** Called once the bytes of `payload` are not needed any more, whether they left or not. */
  readonly sent?: () => void;
}

/** A name in its two parts. */
export interface FullName {
  /** '' where there is none. */
  readonly namespace: string;
  readonly name: string;
}

/** @throws ProtocolError, in step: the message is to be dropped */
export function decodeMessage(frames: readonly Uint8Array[]): LecoMessage {
  const [version, receiver, sender, header, ...payload] = frames;
  if (!version || !receiver || !sender || !header) {
    throw new ProtocolError(`a message of ${frames.length} frames; LECO has 4 at least`, true);
  }
  if (version.length !== 1) throw new ProtocolError(`a version of ${version.length} bytes in place of one`, true);
  if (header.length !== HEADER_BYTES) {
    throw new ProtocolError(`a header of ${header.length} bytes in place of ${HEADER_BYTES}`, true);
  }
  const tail = new DataView(header.buffer, header.byteOffset + CONVERSATION_BYTES, 4).getUint32(0);
  return {
    version: version[0] ?? 0,
    receiver: decodeName(receiver, 'receiver'),
    sender: decodeName(sender, 'sender'),
    conversation: header.slice(0, CONVERSATION_BYTES),
    messageId: tail >>> 8,
    type: tail & 0xff,
    payload,
  };
}

export function encodeLeco(message: LecoMessage): Uint8Array[] {
  const { version = 0, receiver, sender, conversation, messageId, type, payload } = message;
  const header = new Uint8Array(HEADER_BYTES);
  header.set(conversation);
  new DataView(header.buffer).setUint32(CONVERSATION_BYTES, ((messageId << 8) | type) >>> 0);
  const first = version === 0 ? VERSION : Uint8Array.of(version);
  return [first, Buffer.from(receiver), Buffer.from(sender), header, ...payload];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeName(bytes: Uint8Array, what: string): string {
  if (bytes.length === 0 || bytes.length > MAX_NAME) {
    throw new ProtocolError(`a ${what} of ${bytes.length} bytes; a name has 1 to ${MAX_NAME}`, true);
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new ProtocolError(`a ${what} that is no UTF-8`, true);
  }
  if (!/^[^.\p{C}]+(?:\.[^.\p{C}]+)?$/u.test(text)) {
    throw new ProtocolError(`a ${what} that is no name: ${JSON.stringify(text.slice(0, 60))}`, true);
  }
  return text;
}

export function splitName(text: string): FullName {
  const dot = text.lastIndexOf('.');
  return { namespace: text.slice(0, Math.max(dot, 0)), name: text.slice(dot + 1) };
}

/** 16 bytes that nobody else has: laid out as a UUIDv7, as pyleco's are. */
export function newConversation(): Uint8Array {
  const bytes = Buffer.alloc(CONVERSATION_BYTES);
  randomFillSync(bytes, 6);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes;
}
