/**
 * The board's half of a conversation with a TCPServer plug-in of PyMoDAQ 4, in which the board is the client: it says
 * what it is and which settings it has, and then does what it is asked. Knows no socket and has no timers.
 *
 * The words, and what a stock server does with them, are those of PyMoDAQ 4.4's tcp_server_client.py. A server has no
 * time-outs and no word for errors, so nothing that it asks stays without an answer: what cannot be done is answered by
 * the position as it is, the value as it is, or data of NaN, and the reason is shown among the server's settings (`Info`).
 */
import type { Logger } from 'pino';
import { ProtocolError, Refusal } from '../../errors.ts';
import { LONGEST_TIMEOUT } from '../../fpga/instrument/grab-options.ts';
import type { Client, Instrument } from '../../fpga/instrument/instrument.ts';
import type { ClientJournal } from '../../log.ts';
import type { TraceEncoder } from '../data.ts';
import { isAnswerable, openDealings } from '../dealings.ts';
import { fromWord, type Request } from '../requests.ts';
import { sentenceOf } from '../sentence.ts';
import { parameterXml } from '../settings.ts';
import { createDecoder } from '../wire/decode.ts';
import { encodeV4 } from '../wire/encode.ts';
import { bytes, path, str, type WireValue } from '../wire/values.ts';
import type { Word } from '../words.ts';
import { openViewed } from './data.ts';
import { openNews } from './news.ts';
import { namesOf, payloadOf, serverWord } from './server-words.ts';
import { openSigns } from './signs.ts';
import type { Device } from './target.ts';

/** A server sends positions, settings and words of a few hundred bytes. */
const LIMITS = { messageBytes: 2 ** 20, waitingBytes: 2 ** 21 };

/** Grabs that may wait; a stock server asks for the next when it has the one before. */
const MAX_WAITING = 64;

export interface DialOutlet {
  /** To be sent, in this order, in one piece. `sent` is called when the bytes are not needed any more. */
  send(parts: readonly Uint8Array[], sent?: () => void): void;
  /** Nothing more will be said; `Quit` was. */
  leave(why: string): void;
}

export interface ConversationOptions {
  readonly instrument: Instrument;
  readonly device: Device;
  /** `pc.lab:6341` */
  readonly server: string;
  readonly outlet: DialOutlet;
  readonly log: Logger;
  readonly journal: ClientJournal;
  readonly encodeTrace: TraceEncoder;
  readonly turn?: () => Promise<void>;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** What a server that says nothing is like. */
export type Life = 'lives' | 'silent';

export interface Conversation {
  receive(chunk: Uint8Array): void;
  /** To be called four times a second: tells news, looks whether the server lives. */
  tick(): Life;
  /** The server has said something: it has read the type word, and a reset does it no harm. */
  readonly heard: boolean;
  /** Says goodbye. */
  quit(): void;
  /** The connection is gone. */
  end(): void;
}

export function openConversation(options: ConversationOptions): Conversation {
  const { instrument, device, server, outlet, log, journal } = options;
  const { module, typeWord } = device;
  const client: Client = { peer: server, owner: `dial-out to ${server}` };
  const decoder = createDecoder('v4', LIMITS);
  const news = openNews();
  let begun: { readonly word: Word; readonly payload: WireValue[] } | undefined;
  let over = false;
  const signs = openSigns(options.now ?? (() => performance.now()));
  const viewed = openViewed(module, options.encodeTrace);
  let lastGrab: Word = 'Send Data 1D';
  /** Grabs that wait or are under way. */
  let grabs = 0;

  const dealings = openDealings({
    instrument,
    client,
    form: 'v4',
    typeWord,
    log,
    encodeTrace: viewed.encode,
    ...(options.turn ? { turn: options.turn } : {}),
    withdraw: () => 0,
    tell,
  });

  /** Settings and moves in their order; a grab begins after those before it, and holds up none that come later. */
  let settings: Promise<unknown> = hello();
  let data: Promise<unknown> = settings;

  // ---------------------------------------------------------------- what is said

  function say(word: string, ...payload: readonly WireValue[]): void {
    if (!over) outlet.send([encodeV4(str(word), ...payload)]);
  }

  async function hello(): Promise<void> {
    say(typeWord);
    try {
      const parameter = device.parameter ? { parameter: device.parameter.name } : {};
      await ask('attach', { module: module.name, ...parameter });
      if (over) return;
      await ask('subscribe', {});
      await tellTree();
    } catch (error) {
      leave(`its settings cannot be told: ${sentenceOf(error, 'Infos', log)}`);
    }
  }

  async function tellTree(): Promise<void> {
    const { word, payload } = await ask('Send Infos', {});
    say(word, ...payload);
  }

  function tell(word: string, payload: readonly WireValue[]): void {
    const [name, parameter] = namesOf(payload[0]);
    if (word === 'Changed' && name === module.name && parameter !== undefined) news.changed(parameter, payload);
  }

  function ask(command: 'attach' | 'subscribe' | 'Send Infos' | 'grab' | 'check_position', fields: Request['fields']) {
    return dealings.carryOut({ command, fields });
  }

  // ---------------------------------------------------------------- what is asked

  function receive(chunk: Uint8Array): void {
    if (over) return;
    signs.heard();
    try {
      decoder.push(chunk);
      for (;;) {
        const kind = begun ? payloadOf(begun.word)[begun.payload.length] : 'string';
        const object = decoder.next(kind ?? 'string');
        if (object === undefined || over) return;
        take(object);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      leave(`what it sends is not the protocol of a PyMoDAQ 4 server: ${error.message}`);
    }
  }

  function take(object: WireValue): void {
    if (begun) {
      begun.payload.push(object);
    } else {
      const word = object.type === 'str' ? serverWord(object.value, typeWord, lastGrab) : undefined;
      if (word === undefined) return;
      begun = { word, payload: [] };
    }
    const { word, payload } = begun;
    if (payload.length < payloadOf(word).length) return;
    begun = undefined;
    if (word.startsWith('Send Data')) enqueueGrab(word);
    else settings = settings.then(() => settle(word, payload));
  }

  async function settle(word: Word, payload: readonly WireValue[]): Promise<void> {
    if (over) return;
    if (word !== 'set_info' && typeWord === 'GRABBER') return;
    const request = fromWord(word, payload);
    try {
      if ('refusal' in request) throw new Refusal(request.refusal);
      if (!isAnswerable(request)) return;
      const answer = await dealings.carryOut(request);
      journal.answered(request.command);
      if (word === 'set_info') {
        echo(answer.payload);
      } else {
        if (answer.word === 'move_done') say('position_is', ...answer.payload);
        say(answer.word, ...answer.payload);
      }
    } catch (error) {
      refused(word, error);
      await (word === 'set_info' ? tellPresent(payload[0]) : tellPosition(word));
    }
  }

  function echo(payload: readonly WireValue[]): void {
    const name = namesOf(payload[0]).at(-1);
    if (name !== undefined) news.told(name);
    say('Info_xml', ...payload);
  }

  /** The value as it is, after a refused one. Of a parameter that is not ours the server has no other value. */
  async function tellPresent(where: WireValue | undefined): Promise<void> {
    const name = namesOf(where).at(-1);
    const parameter = module.parameters.find((known) => known.name === name);
    if (!parameter) return;
    try {
      const value = (await instrument.get(module.name, [parameter.name]))[parameter.name];
      if (value !== undefined) {
        echo([path([module.name, parameter.name]), bytes(parameterXml(parameter, value))]);
      }
    } catch (error) {
      refused('get', error);
    }
  }

  /** Where it is, after a move that was refused: the server waits for the end of it. */
  async function tellPosition(word: Word): Promise<void> {
    try {
      const { payload } = await ask('check_position', {});
      say('position_is', ...payload);
      if (word.startsWith('move_')) say('move_done', ...payload);
    } catch (error) {
      refused('check_position', error);
    }
  }

  function refused(command: string, error: unknown): void {
    const sentence = sentenceOf(error, command, log);
    journal.refused(command, sentence);
    news.reason(sentence);
  }

  // ---------------------------------------------------------------- grabs

  function enqueueGrab(word: Word): void {
    if (grabs >= MAX_WAITING) {
      leave('it asks for data again and again without waiting for them');
      return;
    }
    grabs++;
    lastGrab = word;
    const before = settings;
    data = Promise.all([data, before])
      .then(() => grab(word))
      .finally(() => grabs--);
  }

  async function grab(word: Word): Promise<void> {
    if (over) return;
    viewed.means = word === 'Send Data 0D';
    try {
      // A trigger may be long in coming: as with the server itself, there is no time-out.
      const { ready } = await ask('grab', { timeout: LONGEST_TIMEOUT });
      journal.answered('grab');
      if (over || !ready) ready?.sent();
      else outlet.send(ready.parts, ready.sent);
    } catch (error) {
      if (over) return;
      refused('grab', error);
      say('Done', viewed.absence(Date.now() / 1e3));
    }
  }

  // ---------------------------------------------------------------- what nobody asked

  function tick(): Life {
    journal.tick();
    if (over) return 'lives';
    const due = news.next();
    if (due?.what === 'reason') say('Info', str('last_refusal'), str(due.sentence));
    else if (due?.what === 'change') say('Info_xml', ...due.payload);
    else if (due?.what === 'tree') settings = settings.then(() => tellTree()).catch((error) => refused('Infos', error));
    const sign = signs.look();
    // A server hands a word that is no answer on to its client, which is this one: it comes back.
    if (sign === 'ask') say('Status');
    return sign === 'silent' ? 'silent' : 'lives';
  }

  // ---------------------------------------------------------------- the end

  function leave(why: string): void {
    if (over) return;
    say('Quit');
    close(true);
    outlet.leave(why);
  }

  function close(forGood: boolean): void {
    over = true;
    dealings.end();
    instrument.leave(client, forGood);
  }

  return {
    receive,
    tick,
    get heard() {
      return signs.ever;
    },
    quit() {
      if (over) return;
      say('Quit');
      close(true);
    },
    end() {
      if (!over) close(false);
    },
  };
}
