/**
 * ZMTP 3.1 with the NULL mechanism (rfc.zeromq.org/spec/37), as far as DEALER and ROUTER need it: greeting, READY,
 * messages of several frames, PING and PONG. Bytes in, events out; knows no socket and has no timers.
 *
 * What a peer can make it hold is bounded: every length is compared with a limit before anything is allocated.
 */
import { ProtocolError } from '../../errors.ts';
import {
  checkGreeting,
  decodeCommand,
  decodeProperties,
  encodeCommand,
  encodeGreeting,
  encodeReady,
  flag,
  GREETING_BYTES,
  latin1,
  longLength,
  openInput,
  type SocketType,
} from './zmtp-bytes.ts';

/** What each may be joined to, of those that send no empty frame before a message. */
const partners: Readonly<Record<SocketType, readonly string[]>> = {
  DEALER: ['ROUTER', 'DEALER'],
  ROUTER: ['DEALER', 'ROUTER'],
};

export interface ZmtpLimits {
  /** Bytes of one message, all its frames together. */
  readonly messageBytes: number;
  /** Frames of one message: a LECO message has 4, and one for each payload. */
  readonly frames: number;
  /** Bytes of a command: READY with an identity of 255 bytes is below 400. */
  readonly commandBytes: number;
}

export const zmtpLimits: ZmtpLimits = { messageBytes: 8 * 2 ** 20, frames: 64, commandBytes: 4096 };

export type ZmtpEvent =
  /** To be written to the peer. */
  | { readonly what: 'send'; readonly bytes: Uint8Array }
  /** The handshake is done: messages may be sent. */
  | { readonly what: 'ready'; readonly socketType: string; readonly identity: Uint8Array }
  /** Frames that share no memory with what came in. */
  | { readonly what: 'message'; readonly frames: readonly Uint8Array[] };

export interface ZmtpOptions {
  readonly socketType: SocketType;
  /** Of a DEALER, at most 255 bytes, the first not 0; the ROUTER takes it for the peer's. Default: empty. */
  readonly identity?: Uint8Array;
  readonly limits?: Partial<ZmtpLimits>;
}

export interface Zmtp {
  /** The first bytes to be sent. */
  readonly greeting: Uint8Array;
  readonly ready: boolean;
  /** Part of a greeting, a handshake or a message has come, and the rest is due. */
  readonly unfinished: boolean;
  /** @throws ProtocolError: the connection cannot go on */
  receive(chunk: Uint8Array): ZmtpEvent[];
}

/** One connection's state. */
export function openZmtp({ socketType, identity = new Uint8Array(0), ...options }: ZmtpOptions): Zmtp {
  const limits = { ...zmtpLimits, ...options.limits };
  const input = openInput();
  let greeted = false;
  let ready = false;
  let parts: Uint8Array[] = [];
  let partBytes = 0;

  function receive(chunk: Uint8Array): ZmtpEvent[] {
    input.push(chunk);
    const events: ZmtpEvent[] = [];
    if (!greeted) {
      checkGreeting(input.peek(GREETING_BYTES));
      if (input.length < GREETING_BYTES) return events;
      input.skip(GREETING_BYTES);
      greeted = true;
      events.push({ what: 'send', bytes: encodeReady(socketType, identity) });
    }
    while (takeFrame(events));
    return events;
  }

  /** Whether there was a whole one. */
  function takeFrame(events: ZmtpEvent[]): boolean {
    const head = input.peek(9);
    const [flags] = head;
    if (flags === undefined) return false;
    if (flags > 7) throw new ProtocolError(`a frame with flags 0x${flags.toString(16)}, which ZMTP 3 has not`);
    const isCommand = (flags & flag.command) !== 0;
    const isLong = (flags & flag.long) !== 0;
    if (isCommand && (flags & flag.more) !== 0) throw new ProtocolError('a command of several frames');
    const headBytes = isLong ? 9 : 2;
    if (head.length < headBytes) return false;
    const length = isLong ? longLength(head) : (head[1] ?? 0);
    const allowed = isCommand ? limits.commandBytes : limits.messageBytes - partBytes;
    if (length > allowed) {
      const what = isCommand ? 'a command' : 'a message';
      const most = isCommand ? limits.commandBytes : limits.messageBytes;
      throw new ProtocolError(`${what} of ${length + (isCommand ? 0 : partBytes)} bytes; at most ${most} are allowed`);
    }
    if (!isCommand && !ready) throw new ProtocolError('a message before READY');
    if (!isCommand && parts.length >= limits.frames) {
      throw new ProtocolError(`a message of more than ${limits.frames} frames`);
    }
    if (input.length < headBytes + length) return false;
    input.skip(headBytes);
    const body = input.take(length);
    if (isCommand) {
      obey(body, events);
      return true;
    }
    parts.push(body);
    partBytes += length;
    if ((flags & flag.more) !== 0) return true;
    events.push({ what: 'message', frames: parts });
    parts = [];
    partBytes = 0;
    return true;
  }

  function obey(body: Uint8Array, events: ZmtpEvent[]): void {
    const { name, data } = decodeCommand(body);
    if (name === 'READY') {
      if (ready) throw new ProtocolError('a second READY');
      const properties = decodeProperties(data);
      const theirs = latin1(properties.get('socket-type') ?? new Uint8Array(0));
      if (!partners[socketType].includes(theirs)) {
        throw new ProtocolError(`a socket of type ${JSON.stringify(theirs.slice(0, 20))} to a ${socketType}`);
      }
      ready = true;
      events.push({
        what: 'ready',
        socketType: theirs,
        identity: properties.get('identity') ?? new Uint8Array(0),
      });
    } else if (name === 'ERROR') {
      const [length = 0] = data;
      throw new ProtocolError(
        `the peer says ERROR ${JSON.stringify(latin1(data.subarray(1, 1 + length)).slice(0, 100))}`,
      );
    } else if (!ready) {
      throw new ProtocolError(`${JSON.stringify(name.slice(0, 20))} in place of READY`);
    } else if (name === 'PING') {
      // Two bytes of time-to-live; what follows comes back.
      if (data.length < 2) throw new ProtocolError('a PING without time-to-live');
      events.push({ what: 'send', bytes: encodeCommand('PONG', data.subarray(2)) });
    }
    // PONG, and what later versions have: nothing to do.
  }

  return {
    greeting: encodeGreeting(),
    get ready() {
      return ready;
    },
    get unfinished() {
      return !ready || input.length > 0 || parts.length > 0;
    },
    receive,
  };
}
