/** A listening door over a real instrument on plain registers, and peers that connect to it by TCP. */
import assert from 'node:assert';
import { connect, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Instrument } from '../../src/fpga/instrument/instrument.ts';
import type { OpenOptions } from '../../src/fpga/instrument/open.ts';
import { type Door, type ListenOptions, listen } from '../../src/server/listen.ts';
import type { Form } from '../../src/server/wire/values.ts';
import { silent, timed } from '../fpga/instrument/fixture.ts';
import type { TimedBus } from '../fpga/instrument/timed-bus.ts';
import { type Peer, peer } from './peer.ts';

const MiB = 2 ** 20;

export interface Connected extends Peer {
  readonly socket: Socket;
  /** All bytes that came, for who does not read them as answers. */
  readonly received: Buffer;
  /** How the connection ended: `end`, `reset`. */
  over(): Promise<string>;
}

export interface Served {
  readonly bus: TimedBus;
  readonly instrument: Instrument;
  readonly door: Door;
  /** Without a type word the connection is open, and no more. */
  dial(form: Form, typeWord?: string): Promise<Connected>;
  close(): Promise<void>;
}

export async function served(
  options: Partial<ListenOptions> = {},
  log: Logger = silent,
  of: Partial<OpenOptions> = {},
): Promise<Served> {
  const { bus, instrument } = await timed(of);
  const door = await listen(instrument, log, {
    listen: { host: '127.0.0.1', port: 0 },
    maxClients: 32,
    maxMessageBytes: 8 * MiB,
    maxQueuedBytes: 8 * MiB,
    allowedNetworks: [],
    ...options,
  });
  const sockets = new Set<Socket>();
  return {
    bus,
    instrument,
    door,
    async dial(form, typeWord = '') {
      const socket = connect({ host: '127.0.0.1', port: door.port, noDelay: true });
      sockets.add(socket);
      const one = connected(form, socket);
      // Who is refused may be reset before he knows that he was connected.
      await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
      if (typeWord !== '') one.say(typeWord);
      return one;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await door.close();
      await instrument.close();
    },
  };
}

export function connected(form: Form, socket: Socket): Connected {
  const pieces: Buffer[] = [];
  const one = peer(form, (bytes) => void socket.write(bytes));
  socket.on('data', (piece) => {
    pieces.push(Buffer.from(piece));
    try {
      one.take(piece);
    } catch (error) {
      one.closed(String(error));
    }
  });
  socket.on('end', () => one.closed('end'));
  socket.on('error', (error: NodeJS.ErrnoException) => one.closed(error.code === 'ECONNRESET' ? 'reset' : `${error}`));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  return Object.create(one, {
    socket: { value: socket },
    received: { get: () => Buffer.concat(pieces) },
    over: {
      value: async (): Promise<string> => {
        await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
        assert.ok(one.ended !== undefined, 'the connection still lives');
        return one.ended;
      },
    },
  });
}
