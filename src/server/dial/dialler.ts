/**
 * One server that is dialled, for as long as it is wanted: connects, joins the connection to a conversation, and tries
 * again when it ends or nobody listens.
 *
 * What a TCPServer plug-in of PyMoDAQ 4.4 does not survive, by its tcp_server_client.py: a connection that ends (FIN)
 * before `Quit` was said makes it spin for ever, one without a byte too, and a reset before it has read the type word
 * keeps it from serving anybody again. So every connection that comes about says its type word and, whatever happens
 * then, `Quit`; the connection is reset only if the server is known to have read the type word.
 */
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Instrument } from '../../fpga/instrument/instrument.ts';
import { clientJournal } from '../../log.ts';
import { backOff, type Pauses } from '../back-off.ts';
import type { TraceEncoder } from '../data.ts';
import { whyLost } from '../why-lost.ts';
import { encodeV4 } from '../wire/encode.ts';
import { str } from '../wire/values.ts';
import { writeParts } from '../write-parts.ts';
import { type Conversation, openConversation } from './conversation.ts';
import { type Device, type DialTarget, serverName } from './target.ts';

/** News are told at this pace, in ms: a stock server takes five messages a second, and some are answers. */
const TICK_MS = 250;

/** How long a server may take to close after `Quit`, in ms. It reads a message in 0.2 s. */
const GOODBYE_MS = 700;

/** How long a connection that ended on this side may last, in ms. */
const LINGER_MS = 200;

const WHY_LOST = {
  refused: 'nobody listens there: press Init in its TCPServer plug-in',
  reset: 'the server reset the connection',
};

export interface DiallerOptions {
  readonly instrument: Instrument;
  readonly target: DialTarget;
  readonly device: Device;
  readonly log: Logger;
  readonly encodeTrace: TraceEncoder;
  readonly turn?: () => Promise<void>;
  readonly maxQueuedBytes: number;
  /** From now on the connection is reset if the process dies, where the system lets us. */
  readonly resetOnDeath?: (socket: Socket) => void;
  /** Why this address may not be dialled; undefined: it may. Asked before each try. */
  readonly refuse?: (address: string, self: Dialler) => string | undefined;
  /** In place of 1 s and 15 s, for tests; in ms. */
  readonly pauses?: Pauses;
}

export interface Dialler {
  readonly target: DialTarget;
  /** What goes on, in words, for `status`. */
  readonly state: string;
  /** Where it is connected, or about to be. */
  readonly address: string | undefined;
  /** Says goodbye and tries no more. */
  hangUp(): Promise<void>;
}

export function startDialler(options: DiallerOptions): Dialler {
  const { target, device, refuse } = options;
  const log = options.log.child({ dialled: serverName(target), device: device.name });
  const tries = backOff(log, attempt, options.pauses);
  let state = 'not tried yet';
  let address: string | undefined;
  let wanted = true;
  let socket: Socket | undefined;
  let call: Call | undefined;
  /** Resolved when there is no connection, and none in the making. */
  let gone: Promise<void> = Promise.resolve();

  function attempt(): void {
    gone = converse().then((reason) => {
      socket = undefined;
      call = undefined;
      address = undefined;
      if (wanted) state = tries.again(reason);
    });
  }

  /** One connection from beginning to end; gives why there is none any more. */
  async function converse(): Promise<string> {
    try {
      // Stock servers listen on IPv4 alone.
      ({ address } = await lookup(target.host, { family: isIP(target.host) || 4 }));
    } catch {
      return `there is no host ${target.host}`;
    }
    const refusal = refuse?.(address, self);
    if (refusal !== undefined) return refusal;
    return wanted ? connection(address) : 'hung up';
  }

  function connection(host: string): Promise<string> {
    state = 'connecting';
    // No time-out of our own: a connection given up in the moment in which it comes about would be one without a byte.
    const open = connect({ host, port: target.port, noDelay: true, allowHalfOpen: true, keepAlive: true });
    socket = open;
    let why = 'the connection ended';
    open.on('error', (error: NodeJS.ErrnoException) => {
      why = whyLost(error, WHY_LOST);
    });
    open.once('connect', () => {
      if (!wanted) {
        open.write(encodeV4(str(device.typeWord), str('Quit')));
        endSoon(open, true);
        return;
      }
      tries.connected();
      log.info('connected');
      call = openCall({ ...options, log }, open);
      open.once('close', () => {
        why = call?.why ?? why;
        if (call?.talked && call.why === undefined) tries.proved();
      });
    });
    return new Promise((resolve) => open.once('close', () => resolve(why)));
  }

  async function hangUp(): Promise<void> {
    wanted = false;
    tries.stop();
    const late = sleep(GOODBYE_MS + LINGER_MS, undefined, { ref: false });
    if (call) call.quit();
    await Promise.race([gone, late]);
    // Still connecting: nobody is there.
    if (!call) socket?.destroy();
  }

  const self: Dialler = {
    target,
    get state() {
      return call ? call.state : state;
    },
    get address() {
      return address;
    },
    hangUp,
  };
  attempt();
  return self;
}

interface Call {
  /** Why this side ended it. */
  readonly why: string | undefined;
  /** The server has said something. */
  readonly talked: boolean;
  readonly state: string;
  quit(): void;
}

/** Joins an open connection to a conversation. */
function openCall(options: DiallerOptions, socket: Socket): Call {
  const { instrument, target, device, log, encodeTrace, turn, maxQueuedBytes, resetOnDeath } = options;
  const journal = clientJournal(log);
  let why: string | undefined;
  let warned = false;

  const conversation: Conversation = openConversation({
    instrument,
    device,
    server: serverName(target),
    log,
    journal,
    encodeTrace,
    ...(turn ? { turn } : {}),
    outlet: { send, leave },
  });
  // By its first word it has read ours: from now on a reset is less harm than the end of a daemon that is killed. Not
  // every harm: a server that sends before it reads takes the reset for that alone, and then spins like the others.
  socket.once('data', () => resetOnDeath?.(socket));
  socket.on('data', (chunk: Buffer) => conversation.receive(chunk));
  socket.on('end', () => socket.end());
  const ticking = setInterval(look, TICK_MS).unref();
  socket.once('close', () => {
    clearInterval(ticking);
    conversation.end();
    journal.close();
  });

  function send(parts: readonly Uint8Array[], sent?: () => void): void {
    if (socket.destroyed || socket.writableEnded) {
      sent?.();
      return;
    }
    if (socket.writableLength > maxQueuedBytes) {
      sent?.();
      drop('it does not read what it is sent');
      return;
    }
    writeParts(socket, parts, sent);
  }

  function leave(reason: string): void {
    why = reason;
    endSoon(socket, conversation.heard);
  }

  /** Without goodbye, which a server that does not read would never hear. */
  function drop(reason: string): void {
    why = reason;
    if (conversation.heard) socket.resetAndDestroy();
    else endSoon(socket, false);
  }

  function look(): void {
    if (conversation.tick() === 'lives') return;
    if (conversation.heard) {
      drop('it does not answer any more: its plug-in is switched off, or the computer is');
    } else if (!warned) {
      warned = true;
      log.warn(
        'connected, but the server has answered nothing yet; a TCPServer plug-in that a connection without Quit has hung answers nobody until PyMoDAQ is started again',
      );
    }
  }

  return {
    get why() {
      return why;
    },
    get talked() {
      return conversation.heard;
    },
    get state() {
      return conversation.heard ? 'connected' : 'connected, without an answer yet';
    },
    quit() {
      conversation.quit();
      endSoon(socket, conversation.heard);
    },
  };
}

/** After `Quit` the server closes; one that does not is left without it. */
function endSoon(socket: Socket, mayReset: boolean): void {
  const ending = setTimeout(() => {
    socket.end();
    cutting = setTimeout(() => {
      if (mayReset && socket.writableLength > 0) socket.resetAndDestroy();
      else socket.destroy();
    }, LINGER_MS);
  }, GOODBYE_MS);
  let cutting: NodeJS.Timeout | undefined;
  socket.once('close', () => {
    clearTimeout(ending);
    clearTimeout(cutting);
  });
}
