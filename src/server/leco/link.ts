/**
 * One TCP connection that speaks ZMTP: bytes of a socket to LECO messages and back. A thin transport: it judges how long a
 * message may take and how much may be queued, never what is said.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { ProtocolError } from '../../errors.ts';
import { messageDeadline } from '../message-deadline.ts';
import { decodeMessage, encodeLeco, type LecoMessage } from './message.ts';
import { openZmtp } from './zmtp.ts';
import { encodeMessage, type SocketType } from './zmtp-bytes.ts';

/** A greeting, a handshake or a message that has begun must be whole within this time, in ms. */
const MESSAGE_MS = 30_000;

export interface LinkOptions {
  readonly socketType: SocketType;
  readonly identity?: Uint8Array;
  readonly maxMessageBytes: number;
  readonly maxQueuedBytes: number;
  /** Of a message, in ms; for tests. */
  readonly messageMs?: number;
  readonly log: Logger;
  /** The handshake is done. */
  ready(): void;
  receive(message: LecoMessage): void;
  /** `why`: this side ended it. */
  gone(why?: string): void;
}

export interface Link {
  send(message: LecoMessage): void;
  /** What was sent arrives first. */
  end(): void;
  /** At once. */
  reset(): void;
}

export function openLink(socket: Socket, options: LinkOptions): Link {
  const { log, messageMs = MESSAGE_MS, maxQueuedBytes } = options;
  const { socketType, identity } = options;
  const limits = { messageBytes: options.maxMessageBytes };
  const zmtp = openZmtp({ socketType, limits, ...(identity ? { identity } : {}) });
  let why: string | undefined;
  let messages = 0;
  const deadline = messageDeadline(messageMs, () => drop(`nothing whole came within ${messageMs / 1000} s`));
  let wrong = 0;

  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  socket.write(zmtp.greeting);
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const event of zmtp.receive(chunk)) {
        if (event.what === 'send') socket.write(event.bytes);
        else if (event.what === 'ready') options.ready();
        else take(event.frames);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      drop(`not the protocol: ${error.message}`);
    }
    watch();
  });
  socket.on('end', () => socket.end());
  socket.once('close', () => {
    deadline.end();
    options.gone(why);
  });
  watch();

  function take(frames: readonly Uint8Array[]): void {
    messages++;
    let message: LecoMessage;
    try {
      message = decodeMessage(frames);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // Who sends one such message may send millions.
      log[wrong++ === 0 ? 'warn' : 'debug']({ reason: error.message }, 'not a message of LECO; dropped');
      return;
    }
    options.receive(message);
  }

  function watch(): void {
    deadline.watch(zmtp.unfinished && !socket.destroyed ? messages : undefined);
  }

  function drop(reason: string): void {
    if (why !== undefined || socket.destroyed) return;
    why = reason;
    socket.resetAndDestroy();
  }

  return {
    send(message) {
      if (!zmtp.ready || socket.destroyed || socket.writableEnded) {
        message.sent?.();
        return;
      }
      const pieces = encodeMessage(encodeLeco(message));
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (socket.writableLength > 0 && socket.writableLength + bytes > maxQueuedBytes) {
        message.sent?.();
        drop('does not read what it is sent');
        return;
      }
      if (pieces.length > 1) socket.cork();
      // The callback comes too when the connection is lost.
      for (const [k, piece] of pieces.entries()) socket.write(piece, k + 1 < pieces.length ? undefined : message.sent);
      if (pieces.length > 1) socket.uncork();
    },
    end: () => socket.end(),
    reset: () => socket.resetAndDestroy(),
  };
}
