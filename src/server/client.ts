/**
 * A client of a running board, for the command line and for tests: command dictionaries in PyMoDAQ 5's form, each with
 * an id, so that several may be under way. Nothing waits for ever: the board answers in time, or the connection is lost.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PitayadError } from '../errors.ts';
import { createDecoder } from './wire/decode.ts';
import { encodeV5 } from './wire/encode.ts';
import { fromPlain, str, toPlain, type WireValue } from './wire/values.ts';
import { type AnswerWord, answers, type CommandName, type TypeWord, unasked } from './words.ts';

/** An answer that needs no acquisition comes within this time, in ms. */
const ANSWER_MS = 5000;

/** The board refused or failed; the sentence is its own. */
export class BoardError extends PitayadError {}

/** There is no board, or it is not there any more. */
export class ConnectionError extends PitayadError {}

/** What came back. */
export interface BoardAnswer {
  readonly word: Exclude<AnswerWord, 'Error'>;
  readonly payload: readonly WireValue[];
}

export interface BoardClient {
  /**
   * Sends a command and waits for its answer. `patient`: it may take its time, as a grab does, while the board shows
   * signs of life.
   * @throws BoardError, ConnectionError
   */
  ask(
    command: CommandName,
    fields?: Readonly<Record<string, unknown>>,
    how?: { patient?: boolean },
  ): Promise<BoardAnswer>;
  /** For commands that are answered by `Reply`: its dictionary. @throws BoardError, ConnectionError */
  reply(command: CommandName, fields?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  close(): void;
}

export interface BoardClientOptions {
  readonly host: string;
  readonly port: number;
  readonly typeWord?: TypeWord;
  /** For what a subscribed client is told unasked. */
  readonly onUnasked?: (word: string, payload: readonly WireValue[]) => void;
  /** In place of 5 s, for tests. */
  readonly answerMs?: number;
}

interface Pending {
  resolve(answer: BoardAnswer): void;
  reject(error: PitayadError): void;
}

/** @throws ConnectionError */
export async function connectBoard(options: BoardClientOptions): Promise<BoardClient> {
  const { host, port, typeWord = 'GRABBER', onUnasked, answerMs = ANSWER_MS } = options;
  const board = `${host}:${port}`;
  const decoder = createDecoder('v5');
  const pending = new Map<number, Pending>();
  /** Objects of a message that is not complete. */
  let message: WireValue[] = [];
  let lastId = 0;
  let lost: PitayadError | undefined;

  const socket = connect({ host, port, noDelay: true });
  socket.on('data', (piece) => {
    try {
      decoder.push(piece);
      for (let object = decoder.next('string'); object; object = decoder.next('string')) take(object);
    } catch (error) {
      if (!(error instanceof PitayadError)) throw error;
      lose(new ConnectionError(`What ${board} sends is not the protocol of a board: ${error.message}.`));
    }
  });
  socket.on('end', () => lose(new ConnectionError(`The board at ${board} closed the connection.`)));
  socket.on('close', () => lose(new ConnectionError(`The connection to the board at ${board} is lost.`)));

  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      lose(new ConnectionError(`${board} does not answer: is the board on, and the address right?`));
    }, answerMs);
    socket.once('connect', resolve);
    socket.once('close', () => reject(lost));
    socket.on('error', (error: NodeJS.ErrnoException) => lose(new ConnectionError(whyLost(error, board))));
    socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
  });
  socket.write(encodeV5(str(typeWord)));

  function take(object: WireValue): void {
    const word = message[0] ?? object;
    const name = word.type === 'str' ? word.value : undefined;
    const told = isKey(unasked, name) ? unasked[name].length : undefined;
    const due = isKey(answers, name) ? answers[name].length : undefined;
    if (name === undefined || (told === undefined && due === undefined)) {
      const what = name === undefined ? `a ${word.type}` : JSON.stringify(name.slice(0, 40));
      lose(new ConnectionError(`${board} answers with ${what}, which is no word of a board.`));
      return;
    }
    // An answer is complete with its id. One without, to bytes that were no request, is the last that the board says.
    if (due !== undefined && message.length > due) {
      answered(object);
      return;
    }
    message.push(object);
    if (told !== undefined && message.length > told) {
      const [, ...payload] = message;
      message = [];
      onUnasked?.(name, payload);
    }
  }

  function answered(idObject: WireValue): void {
    const [wordObject, ...payload] = message;
    message = [];
    const id = idObject.type === 'int' ? Number(idObject.value) : undefined;
    const asked = id === undefined ? undefined : pending.get(id);
    if (id === undefined || !asked || wordObject?.type !== 'str') {
      lose(new ConnectionError(`${board} answers what was not asked.`));
      return;
    }
    pending.delete(id);
    const word = wordObject.value as AnswerWord;
    if (word !== 'Error') asked.resolve({ word, payload });
    else asked.reject(new BoardError(sentenceOf(payload)));
  }

  function lose(error: PitayadError): void {
    if (lost) return;
    const [word, ...payload] = message;
    // The board says why before it closes.
    lost =
      word?.type === 'str' && word.value === 'Error' && payload.length > 0
        ? new BoardError(sentenceOf(payload))
        : error;
    socket.destroy();
    for (const { reject } of pending.values()) reject(lost);
    pending.clear();
  }

  function send(command: CommandName, fields: Readonly<Record<string, unknown>>): Promise<BoardAnswer> {
    return new Promise((resolve, reject) => {
      if (lost) {
        reject(lost);
        return;
      }
      const id = ++lastId;
      pending.set(id, { resolve, reject });
      socket.write(encodeV5(fromPlain({ ...fields, command, id })));
    });
  }

  async function inTime(command: string, answer: Promise<BoardAnswer>): Promise<BoardAnswer> {
    const timer = setTimeout(() => {
      lose(new ConnectionError(`The board at ${board} did not answer ${command} within ${answerMs / 1000} s.`));
    }, answerMs);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  const client: BoardClient = {
    async ask(command, fields = {}, { patient = false } = {}) {
      const answer = send(command, fields);
      if (!patient) return inTime(command, answer);
      const over = new AbortController();
      const done = answer.finally(() => over.abort());
      // Pings are answered at once, whatever else is under way.
      const lives = async (): Promise<void> => {
        while (!over.signal.aborted) {
          await sleep(answerMs, undefined, { signal: over.signal });
          await inTime('ping', send('ping', {}));
        }
      };
      lives().catch(() => {
        // Aborted, or the connection is lost, which the answer tells too.
      });
      return done;
    },

    async reply(command, fields) {
      const { payload } = await client.ask(command, fields);
      const plain = payload[0] && toPlain(payload[0]);
      if (typeof plain === 'object' && plain !== null && !Array.isArray(plain)) return { ...plain };
      throw new ConnectionError(`${board} answers ${command} with no dictionary.`);
    },

    close() {
      lose(new ConnectionError('The connection was closed.'));
    },
  };
  return client;
}

function isKey<T extends object>(table: T, name: string | undefined): name is string & keyof T {
  return name !== undefined && Object.hasOwn(table, name);
}

function sentenceOf(payload: readonly WireValue[]): string {
  const [sentence] = payload;
  return sentence?.type === 'str' ? sentence.value : 'The board gives no reason.';
}

function whyLost(error: NodeJS.ErrnoException, board: string): string {
  if (error.code === 'ECONNREFUSED') return `Nobody listens at ${board}: is pitayad running there?`;
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return `There is no host of the name in ${board}.`;
  if (error.code === 'ECONNRESET') return `${board} closed the connection at once; its log says why.`;
  return `The connection to ${board} failed: ${error.message}.`;
}
