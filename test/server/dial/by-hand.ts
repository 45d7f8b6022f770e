/** A conversation over a real instrument on plain registers, with the server's part spoken by the test: no network. */
import { clientJournal } from '../../../src/log.ts';
import { type Conversation, openConversation } from '../../../src/server/dial/conversation.ts';
import { findDevice } from '../../../src/server/dial/target.ts';
import { createDecoder } from '../../../src/server/wire/decode.ts';
import { encodeV4 } from '../../../src/server/wire/encode.ts';
import { type Kind, str, type WireValue } from '../../../src/server/wire/values.ts';
import { eventually, silent } from '../../fpga/instrument/fixture.ts';
import { type Bench, bench } from '../by-hand.ts';

export interface Message {
  readonly word: string;
  readonly payload: readonly WireValue[];
}

/** What a client of a stock server says, and what follows each word. */
export const clientWords: Readonly<Record<string, readonly Kind[]>> = {
  GRABBER: [],
  ACTUATOR: [],
  Infos: ['bytes'],
  Info_xml: ['list', 'bytes'],
  Info: ['string', 'string'],
  Done: ['dte'],
  position_is: ['dwa'],
  move_done: ['dwa'],
  Status: [],
  Quit: [],
};

/** What a server says. */
export const serverWords: Readonly<Record<string, readonly Kind[]>> = {
  set_info: ['list', 'bytes'],
  move_abs: ['dwa'],
  move_rel: ['dwa'],
};

/** Reads messages of one side, in whatever pieces they come. */
export function reader(words: Readonly<Record<string, readonly Kind[]>>): (piece: Uint8Array) => Message[] {
  const decoder = createDecoder('v4');
  let begun: { readonly word: string; readonly payload: WireValue[] } | undefined;
  return (piece) => {
    const messages: Message[] = [];
    decoder.push(piece);
    for (;;) {
      const kinds: readonly Kind[] = begun ? (words[begun.word] ?? []) : [];
      const object = decoder.next(begun ? (kinds[begun.payload.length] ?? 'string') : 'string');
      if (!object) return messages;
      if (begun) begun.payload.push(object);
      else begun = { word: object.type === 'str' ? object.value : object.type, payload: [] };
      if (begun.payload.length < (words[begun.word]?.length ?? 0)) continue;
      messages.push(begun);
      begun = undefined;
    }
  };
}

export interface Dialled extends Bench {
  readonly conversation: Conversation;
  /** All that was said so far. */
  readonly said: readonly Message[];
  /** Why the conversation was left by this side. */
  readonly left: string | undefined;
  /** The clock of the conversation, in ms. */
  time: number;
  hear(...objects: readonly (WireValue | string)[]): void;
  /** Waits until so many messages were said in all. */
  until(count: number): Promise<readonly Message[]>;
}

export async function dialled(device: string): Promise<Dialled> {
  const all = await bench();
  const said: Message[] = [];
  const read = reader(clientWords);
  let left: string | undefined;
  const clock = { now: 0 };
  const conversation = openConversation({
    instrument: all.instrument,
    device: findDevice(all.instrument, device),
    server: 'pc.lab:6341',
    log: silent,
    journal: clientJournal(silent),
    encodeTrace: all.encodeTrace,
    now: () => clock.now,
    outlet: {
      send(parts, sent) {
        for (const part of parts) said.push(...read(part));
        sent?.();
      },
      leave(why) {
        left = why;
      },
    },
  });
  return {
    ...all,
    get time() {
      return clock.now;
    },
    set time(ms: number) {
      clock.now = ms;
    },
    conversation,
    said,
    get left() {
      return left;
    },
    hear(...objects: readonly (WireValue | string)[]) {
      conversation.receive(encodeV4(...objects.map((one) => (typeof one === 'string' ? str(one) : one))));
    },
    async until(count: number) {
      await eventually(() => said.length >= count, `${count} messages, there are ${said.map(({ word }) => word)}`);
      return said;
    },
  };
}
