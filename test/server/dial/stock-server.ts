/**
 * A listening peer that judges connections as the TCPServer plug-in of PyMoDAQ 4.4 would suffer from them. It takes the
 * words of a client one by one and, like the plug-in, echoes `Status`, asks nothing by itself and closes after `Quit`.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeV4 } from '../../../src/server/wire/encode.ts';
import { str } from '../../../src/server/wire/values.ts';
import { clientWords, type Message, reader } from './by-hand.ts';

export interface StockConnection {
  readonly socket: Socket;
  readonly messages: Message[];
  /** Of the messages, without `Status`: for a sign of life it is asked at any time. */
  readonly words: string[];
  /** What the plug-in would not have survived. */
  readonly harm: string | undefined;
  readonly over: boolean;
}

export interface StockServer {
  readonly port: number;
  readonly connections: readonly StockConnection[];
  /** Reads nothing more, as one that hangs. */
  hang: boolean;
  /** Answers nothing more, as one that is switched off. */
  mute: boolean;
  close(): Promise<void>;
}

/** @param port 0: any free one */
export async function stockServer(port = 0): Promise<StockServer> {
  const connections: StockConnection[] = [];
  const server = createServer({ allowHalfOpen: true }, accept);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const self = { hang: false, mute: false };

  function accept(socket: Socket): void {
    const read = reader(clientWords);
    const messages: Message[] = [];
    const words: string[] = [];
    let harm: string | undefined;
    let over = false;
    connections.push({
      socket,
      messages,
      words,
      get harm() {
        return harm;
      },
      get over() {
        return over;
      },
    });
    if (self.hang) socket.pause();
    socket.on('data', (piece) => {
      for (const message of read(piece)) {
        messages.push(message);
        if (message.word !== 'Status') words.push(message.word);
        if (self.mute) continue;
        if (message.word === 'Status') socket.write(encodeV4(str('Status')));
        if (message.word === 'Quit') socket.end();
      }
    });
    socket.on('end', () => {
      if (words.at(-1) !== 'Quit') harm = `ended after ${words.join(' ') || 'nothing'}`;
      socket.end();
    });
    socket.on('error', () => {
      if (words.length === 0) harm = 'reset before the type word';
    });
    socket.on('close', () => {
      over = true;
    });
  }

  return Object.defineProperties(self, {
    port: { value: (server.address() as AddressInfo).port },
    connections: { value: connections },
    close: {
      async value() {
        const closed = once(server, 'close');
        server.close();
        for (const { socket } of connections) socket.destroy();
        await closed;
      },
    },
  }) as typeof self & StockServer;
}
