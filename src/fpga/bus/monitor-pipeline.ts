/**
 * One connection to a monitor_server: requests go out as they are called, answers come in that order, and each must
 * repeat its request's header. The first thing that is wrong ends the connection for good.
 */
import type { Socket } from 'node:net';
import { BusError } from '../../errors.ts';
import { encodeHeader, HEADER_BYTES, type Header, WRITE } from './monitor-protocol.ts';

export interface Pipeline {
  /**
   * Sends a request; resolves when it is answered, with the answer's words in `payload`.
   * @throws BusError when the connection is lost before.
   */
  send(header: Header, data: Uint8Array | undefined, payload: Uint8Array): Promise<void>;
  /** Resolves when nothing is owed any more. */
  drained(): Promise<void>;
  /** Ends the connection; what is owed is refused. */
  end(reason: string): void;
}

interface Owed {
  readonly header: Uint8Array;
  /** What follows the header in the answer. */
  readonly payload: Uint8Array;
  readonly effect: string;
  readonly resolve: () => void;
  readonly reject: (error: BusError) => void;
}

/**
 * Takes over a connected socket.
 * @param name The bus, for error messages.
 * @param timeout Seconds without a byte, while an answer is owed, after which the connection counts as lost.
 * @param onAnswer Called for each answer.
 * @param onEnd Called once, with the reason, when the connection ends.
 */
export function openPipeline(
  socket: Socket,
  name: string,
  timeout: number,
  onAnswer: () => void,
  onEnd: (reason: string) => void,
): Pipeline {
  /** Sent and not answered yet, oldest first. */
  const owed: Owed[] = [];
  /** Bytes of the oldest request's answer that have come. */
  let received = 0;
  let ended: string | undefined;
  let whenDrained: (() => void)[] = [];
  const silence = setTimeout(() => {
    if (owed.length > 0) end(`no answer within ${timeout} s; a monitor_server takes one client at a time`);
  }, timeout * 1000);
  silence.unref();

  function end(reason: string): void {
    if (ended !== undefined) return;
    ended = reason;
    clearTimeout(silence);
    socket.destroy();
    for (const { effect, reject } of owed.splice(0)) {
      reject(new BusError(`the connection to ${name} was lost (${reason}); ${effect}`));
    }
    tellDrained();
    onEnd(reason);
  }

  function tellDrained(): void {
    for (const resolve of whenDrained) resolve();
    whenDrained = [];
  }

  function receive(chunk: Uint8Array): void {
    silence.refresh();
    let at = 0;
    while (at < chunk.length && ended === undefined) {
      const oldest = owed[0];
      if (oldest === undefined) {
        end('it sent what nobody asked for');
      } else if (received < HEADER_BYTES) {
        if (chunk[at] !== oldest.header[received]) end('its answer does not repeat the request: out of step');
        at += 1;
        received += 1;
      } else {
        const done = received - HEADER_BYTES;
        const part = chunk.subarray(at, at + oldest.payload.length - done);
        oldest.payload.set(part, done);
        at += part.length;
        received += part.length;
      }
      if (oldest !== undefined && ended === undefined && received === HEADER_BYTES + oldest.payload.length) {
        owed.shift();
        received = 0;
        oldest.resolve();
        onAnswer();
        if (owed.length === 0) tellDrained();
      }
    }
  }

  socket.on('data', receive);
  socket.on('error', (error) => end(error.message));
  socket.on('close', () => end('closed by the server'));

  return {
    send: (header, data, payload) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined)
          return reject(new BusError(`no connection to ${name} (${ended}); nothing was accessed`));
        const bytes = encodeHeader(header);
        const effect = header.command === WRITE ? 'whether the write took effect is not known' : 'nothing was read';
        if (owed.length === 0) silence.refresh();
        owed.push({ header: bytes, payload, effect, resolve, reject });
        if (data !== undefined) socket.cork();
        socket.write(bytes);
        if (data !== undefined) {
          socket.write(data);
          socket.uncork();
        }
      }),
    drained: () =>
      new Promise((resolve) => {
        if (owed.length === 0) resolve();
        else whenDrained.push(resolve);
      }),
    end,
  };
}
