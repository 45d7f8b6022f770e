/**
 * The listening door: TCP connections, each with a session of its own. A thin transport: it judges who may connect, how
 * long a message may take and how much may be queued, never what is said. One client's fault does not reach another.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Address } from '../address.ts';
import type { Instrument } from '../fpga/instrument/instrument.ts';
import { clientJournal } from '../log.ts';
import { type AdmissionOptions, bind, type Caller, openAdmission } from './admission.ts';
import { type TraceEncoder, traceEncoder } from './data.ts';
import type { Dialling } from './dial/dialling.ts';
import { messageDeadline } from './message-deadline.ts';
import { openSession } from './session.ts';
import { turns } from './turns.ts';
import { writeParts } from './write-parts.ts';

/** A message that has begun must be whole within this time, in ms; so must the type word after connecting. */
const MESSAGE_MS = 30_000;

/** How often clients are summed up in the log, if their minute is over, in ms. */
const TICK_MS = 1000;

/** How long a closing connection may still take what was sent to it, in ms. */
const LINGER_MS = 1000;

export interface ListenOptions extends AdmissionOptions {
  /** Default: this port of every interface, over IPv6 and IPv4. */
  readonly listen: Address | undefined;
  readonly maxMessageBytes: number;
  readonly maxQueuedBytes: number;
  /** Of a message, in ms; for tests. */
  readonly messageMs?: number;
  /** Makes bytes of traces, also for other doors; by default for this one alone. */
  readonly traces?: SharedTraces;
  /** Servers that the board connects to. */
  readonly dialling?: Dialling;
  /** Further facts for `status`. */
  readonly facts?: () => Readonly<Record<string, unknown>>;
}

/** What doors that send the same traces have in common. */
export interface SharedTraces {
  readonly encodeTrace: TraceEncoder;
  readonly turn: () => Promise<void>;
}

export function sharedTraces(): SharedTraces {
  return { encodeTrace: traceEncoder(), turn: turns() };
}

export interface Door {
  /** Where it really listens. */
  readonly address: string;
  readonly port: number;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** PyMoDAQ's port. */
export const PYMODAQ_PORT = 6341;

/**
 * @throws PitayadError if the port is in use or the address is not of this machine
 */
export async function listen(instrument: Instrument, log: Logger, options: ListenOptions): Promise<Door> {
  const { maxMessageBytes, maxQueuedBytes } = options;
  const { messageMs = MESSAGE_MS } = options;
  const { encodeTrace, turn } = options.traces ?? sharedTraces();
  const clients = new Set<{ readonly socket: Socket; readonly host: string; tick(): void }>();
  const judge = openAdmission(options, () => [...clients].map(({ host }) => host), log);

  function accept(socket: Socket): void {
    const caller = judge(socket);
    if (caller) serve(socket, caller);
  }

  function serve(socket: Socket, { peer, host }: Caller): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const clientLog = log.child({ client: peer });
    const journal = clientJournal(clientLog);
    const deadline = messageDeadline(messageMs, () =>
      session.fail(
        `A message that was begun did not come whole within ${messageMs / 1000} s, and the connection is closed; nothing was changed.`,
      ),
    );
    const session = openSession({
      instrument,
      peer,
      owner: host,
      log: clientLog,
      journal,
      encodeTrace,
      turn,
      limits: { messageBytes: maxMessageBytes, waitingBytes: maxMessageBytes + 2 ** 20 },
      facts: () => ({ clients: clients.size, ...options.facts?.() }),
      ...(options.dialling ? { dialling: options.dialling } : {}),
      outlet: { send, close },
    });

    function send(parts: readonly Uint8Array[], sent?: () => void): void {
      if (socket.destroyed || socket.writableEnded) {
        sent?.();
        return;
      }
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      if (socket.writableLength > 0 && socket.writableLength + bytes > maxQueuedBytes) {
        clientLog.warn({ queued: socket.writableLength }, 'does not read what it is sent; dropped');
        sent?.();
        socket.resetAndDestroy();
        return;
      }
      writeParts(socket, parts, sent);
    }

    function close(how: 'end' | 'reset'): void {
      deadline.end();
      if (how === 'reset') {
        socket.resetAndDestroy();
        return;
      }
      socket.end();
      // What still comes is not read; a peer that does not close in turn is cut off.
      socket.removeAllListeners('data').resume();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    }

    session.onRelief(() => {
      if (socket.isPaused() && !session.full) socket.resume();
      deadline.watch(session.unfinished);
    });
    socket.on('data', (chunk: Buffer) => {
      session.receive(chunk);
      if (session.full) socket.pause();
      deadline.watch(session.unfinished);
    });
    socket.on('end', () => socket.end());
    socket.once('close', () => {
      deadline.end();
      clients.delete(entry);
      session.end();
      journal.close();
    });
    const entry = { socket, host, tick: () => journal.tick() };
    clients.add(entry);
    deadline.watch(session.unfinished);
  }

  const server = createServer({ allowHalfOpen: true }, accept);
  await bind(server, options.listen, { port: PYMODAQ_PORT, option: '--listen' });
  server.on('error', (error) => log.error({ err: error }, 'the listening door has a fault'));
  const ticking = setInterval(() => {
    for (const client of clients) client.tick();
  }, TICK_MS).unref();

  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    async close() {
      clearInterval(ticking);
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of clients) socket.resetAndDestroy();
      await closed;
    },
  };
}
