/**
 * One client's conversation: bytes in, calls to the instrument, bytes out. Knows no socket and has no timers of its own.
 *
 * Promises: every request gets exactly one answer, in the order of the requests of this connection, except for the
 * immediate ones (see words.ts), which overtake. What cannot be done is answered `Error` with a sentence and has changed
 * nothing. After bytes that are not the protocol the session goes on if the next message can be found, else it says so
 * and closes.
 */
import type { Logger } from 'pino';
import { BusError, ProtocolError, Refusal } from '../errors.ts';
import type { Client, Instrument } from '../fpga/instrument/instrument.ts';
import type { ClientJournal } from '../log.ts';
import { nearest } from '../nearest.ts';
import type { Answer } from './answer.ts';
import type { TraceEncoder } from './data.ts';
import { type Dealings, isAnswerable, openDealings } from './dealings.ts';
import type { Dialling } from './dial/dialling.ts';
import { type BadRequest, dictionary, fromWord, openings, payloadOf, type Request } from './requests.ts';
import { sentenceOf } from './sentence.ts';
import { createDecoder, type Decoder } from './wire/decode.ts';
import { detectForm } from './wire/detect.ts';
import { encode } from './wire/encode.ts';
import type { WireLimits } from './wire/limits.ts';
import { type Kind, none, str, type WireValue } from './wire/values.ts';
import { commands, typeWords, type Word } from './words.ts';

/** Requests that wait or are under way; beyond, nothing more is read from the peer until some are done. */
const MAX_WAITING = 64;

/** Bytes looked at to tell the form, at most. */
const HEAD = 16;

/** How the session speaks to its peer. */
export interface Outlet {
  /** To be sent, in this order, in one piece. `sent` is called when the bytes are not needed any more. */
  send(parts: readonly Uint8Array[], sent?: () => void): void;
  /** `end`: what was sent arrives first. `reset`: at once, so that a stock PyMoDAQ notices it. */
  close(how: 'end' | 'reset'): void;
}

export interface SessionOptions {
  readonly instrument: Instrument;
  /** `192.0.2.7:51234`, and the name under which it owns modules until it gives another. */
  readonly peer: string;
  readonly owner: string;
  readonly outlet: Outlet;
  readonly log: Logger;
  readonly journal: ClientJournal;
  readonly encodeTrace: TraceEncoder;
  /** Waited for before a trace is sent: the door's way to let others get a word in between large answers. */
  readonly turn?: () => Promise<void>;
  readonly limits?: Partial<WireLimits>;
  /** Further facts for `status`. */
  readonly facts?: () => Record<string, unknown>;
  /** Servers that the board connects to. */
  readonly dialling?: Dialling;
}

export interface Session {
  receive(chunk: Uint8Array): void;
  /** Part of a message has come, and the rest is due: its number in this connection. Undefined: none is due. */
  readonly unfinished: number | undefined;
  /** Many requests wait: read no more for now. `onRelief` is called when that is over. */
  readonly full: boolean;
  onRelief(call: () => void): void;
  /** Says `Error` with this sentence, and closes. */
  fail(sentence: string): void;
  /** The connection is gone. */
  end(): void;
}

export function openSession(options: SessionOptions): Session {
  const { outlet, log, journal } = options;
  const client: Client = { peer: options.peer, owner: options.owner };
  let head: Uint8Array = new Uint8Array(0);
  let decoder: Decoder | undefined;
  const opening = openings();
  /** A word whose payload is not complete, and why it will be refused, if that is known already. */
  let begun: { readonly word: Word; readonly payload: WireValue[]; refusal?: string } | undefined;
  /** Requests that came whole. */
  let requests = 0;
  const queue: (Request | BadRequest)[] = [];
  let working = false;
  /** Immediate requests under way. */
  let acting = 0;
  let closed = false;
  let relief: (() => void) | undefined;
  /** Carries requests out, from the type word on. */
  let dealings: Dealings | undefined;

  // ---------------------------------------------------------------- bytes in

  function receive(chunk: Uint8Array): void {
    if (closed) return;
    try {
      if (decoder) decoder.push(chunk);
      else if (!began(chunk)) return;
    } catch (error) {
      broken(error);
      return;
    }
    read();
  }

  /** Whether the form is known by now. */
  function began(chunk: Uint8Array): boolean {
    head = Buffer.concat([head, chunk]);
    const form = detectForm(head.subarray(0, HEAD));
    if (form === 'more') return false;
    decoder = createDecoder(form, options.limits);
    decoder.push(head);
    head = new Uint8Array(0);
    return true;
  }

  /** Takes complete objects until there are none, or too many requests wait. */
  function read(): void {
    while (!closed && decoder && !isFull()) {
      let object: WireValue | undefined;
      try {
        object = decoder.next(expected());
      } catch (error) {
        broken(error);
        continue;
      }
      if (object === undefined) return;
      take(object);
    }
  }

  function expected(): Kind {
    const next = begun && payloadOf(begun.word)[begun.payload.length];
    return next?.kind ?? 'string';
  }

  function take(object: WireValue): void {
    if (dealings === undefined) {
      introduce(object);
      return;
    }
    if (begun) {
      begun.payload.push(object);
    } else {
      const first = opening(object);
      if (first.what === 'offer' && requests === 0) {
        offered();
        return;
      }
      if (first.what === 'offer') {
        enqueue({ refusal: `${first.word} is a word of an instrument, and this is one; nothing was changed.` });
        return;
      }
      if (first.what === 'request') {
        enqueue(first.request);
        return;
      }
      begun = { word: first.word, payload: [] };
    }
    complete();
  }

  /** Once all that belongs to the word has come. */
  function complete(): void {
    if (!begun || begun.payload.length < payloadOf(begun.word).length) return;
    const { word, payload, refusal } = begun;
    begun = undefined;
    enqueue(refusal === undefined ? fromWord(word, payload) : { refusal });
  }

  function introduce(object: WireValue): void {
    const word = object.type === 'str' ? object.value : object.type;
    if (word !== 'GRABBER' && word !== 'ACTUATOR') {
      const near = nearest(word, Object.keys(typeWords));
      fail(
        `The first word must be GRABBER or ACTUATOR, not ${JSON.stringify(word.slice(0, 40))}` +
          `${near === undefined ? '' : ` (did you mean ${near}?)`}; nothing was changed.`,
      );
      return;
    }
    const form = decoder?.form ?? 'v5';
    dealings = openDealings({ ...options, client, form, typeWord: word, withdraw, tell });
    log.info({ as: word, form }, 'connected');
  }

  /** A stock PyMoDAQ module offers itself to be commanded: a FIN would make it spin for ever, so it is reset. */
  function offered(): void {
    log.warn(
      'a stock PyMoDAQ module connected here by its "TCP/IP options", which offer that module as an instrument; the board ' +
        'is an instrument itself. To use the board, choose the PitayadScope or PitayadASG plug-in; the connection is reset',
    );
    closed = true;
    leave();
    outlet.close('reset');
  }

  function broken(error: unknown): void {
    const sentence = error instanceof Error ? error.message : String(error);
    if (!(error instanceof ProtocolError)) log.error({ err: error }, 'a fault of pitayad itself while reading');
    if (error instanceof ProtocolError && error.inStep && dealings !== undefined) {
      const refusal = `The message was not understood: ${sentence}; nothing was changed.`;
      if (begun) {
        // The rest of the payload is no request of its own.
        begun.refusal ??= refusal;
        begun.payload.push(none);
        complete();
      } else {
        enqueue({ refusal });
      }
      return;
    }
    log.warn({ reason: sentence }, 'not the protocol');
    fail(`The connection cannot go on: ${sentence}; nothing was changed.`);
  }

  // ---------------------------------------------------------------- requests, in turn

  function enqueue(request: Request | BadRequest): void {
    requests++;
    if ('command' in request && isImmediate(request)) {
      void act(request);
      return;
    }
    queue.push(request);
    if (!working) void work();
  }

  function isFull(): boolean {
    return queue.length + acting >= MAX_WAITING;
  }

  /** Reads on, once there is room again. */
  function relieve(): void {
    if (queue.length + acting >= MAX_WAITING / 2) return;
    read();
    relief?.();
  }

  async function act(request: Request): Promise<void> {
    acting++;
    await perform(request);
    acting--;
    relieve();
  }

  async function work(): Promise<void> {
    working = true;
    for (let request = queue.shift(); request && !closed; request = queue.shift()) {
      await perform(request);
      relieve();
    }
    working = false;
  }

  async function perform(request: Request | BadRequest): Promise<void> {
    const { id } = request;
    const name = 'command' in request ? request.command : 'request';
    try {
      if ('refusal' in request) throw new Refusal(request.refusal);
      if (!isAnswerable(request)) {
        quit();
        return;
      }
      const answer = await dealings?.carryOut(request);
      journal.answered(name);
      if (answer) reply(answer, id);
    } catch (error) {
      const sentence = sentenceOf(error, name, log);
      if (error instanceof BusError) log.warn({ reason: sentence }, 'the registers do not answer');
      journal.refused(name, sentence);
      reply({ word: 'Error', payload: [str(sentence)] }, id);
    }
  }

  function reply({ word, payload, ready }: Answer, id?: string | number): void {
    if (closed || !decoder) {
      ready?.sent();
      return;
    }
    const { form } = decoder;
    const tail = id === undefined ? [] : [dictionary(form, id)];
    if (!ready) {
      outlet.send([encode(form, [str(word), ...payload, ...tail])]);
      return;
    }
    outlet.send(tail.length > 0 ? [...ready.parts, encode(form, tail)] : ready.parts, ready.sent);
  }

  /** Requests that have not begun will be refused when their turn comes. Gives how many. */
  function withdraw(what: string, which: (request: Request) => boolean, by: string = client.owner): number {
    let count = 0;
    for (const [k, request] of queue.entries()) {
      if ('refusal' in request || !which(request)) continue;
      const { id } = request;
      const refusal = `The ${what} was stopped by ${by}; nothing was changed.`;
      queue[k] = { refusal, ...(id === undefined ? {} : { id }) };
      count++;
    }
    return count;
  }

  function tell(word: string, payload: readonly WireValue[]): void {
    if (!closed && decoder) outlet.send([encode(decoder.form, [str(word), ...payload])]);
  }

  // ---------------------------------------------------------------- the end

  function fail(sentence: string): void {
    if (closed) return;
    // Whoever speaks neither form reads plain text best.
    if (decoder) {
      journal.refused('request', sentence);
      outlet.send([encode(decoder.form, [str('Error'), str(sentence)])]);
    } else {
      outlet.send([Buffer.from(`${sentence}\n`)]);
    }
    closed = true;
    leave();
    outlet.close('end');
  }

  function quit(): void {
    log.info('quits');
    closed = true;
    leave(true);
    outlet.close('end');
  }

  /** @param forGood the client said goodbye: it is not expected back */
  function leave(forGood = false): void {
    dealings?.end();
    queue.length = 0;
    options.instrument.leave(client, forGood);
  }

  return {
    receive,
    get unfinished() {
      const due = dealings === undefined || begun !== undefined || (decoder?.waiting ?? 0) > 0;
      if (closed || !due || this.full) return undefined;
      return dealings === undefined ? 0 : requests + 1;
    },
    get full() {
      return isFull();
    },
    onRelief(call) {
      relief = call;
    },
    fail,
    end() {
      if (closed) return;
      closed = true;
      leave();
    },
  };
}

function isImmediate({ command }: Request): boolean {
  return 'immediate' in commands[command];
}
