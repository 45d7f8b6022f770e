/**
 * From objects of the wire to requests: words with their payload, command dictionaries, JSON text. Both become the same
 * thing, so that the session has one way to carry them out.
 */
import { Refusal } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { toFloats } from './wire/dtype.ts';
import { type Form, fromPlain, type Kind, str, toPlain, type WireValue } from './wire/values.ts';
import { type CommandName, commands, offeringWords, type Word, words } from './words.ts';

/** Longest text of an `id`. */
const MAX_ID = 100;
/** Longest command in JSON text, in characters. */
const MAX_JSON = 256 * 1024;
/** Deepest structure in JSON text: `{"config": {"inputfilter": [0]}}` needs 3. */
const MAX_JSON_DEPTH = 16;

export type Fields = Readonly<Record<string, unknown>>;

/** A request, whatever form it came in. Its fields are known by name, but not judged. */
export interface Request {
  readonly command: CommandName;
  readonly fields: Fields;
  /** Follows the answer. */
  readonly id?: string | number;
}

/** A request that cannot be carried out, and why; its answer is `Error`, in its turn. */
export interface BadRequest {
  readonly refusal: string;
  readonly id?: string | number;
}

/** A position as it came in a DataActuator, in the units of the sender. */
export interface SentPosition {
  readonly value: number;
  readonly units: string;
}

/** What a word, or the text in its place, asks for; `payload`: these objects must follow. */
export type Opening =
  | { readonly what: 'word'; readonly word: Word }
  | { readonly what: 'request'; readonly request: Request | BadRequest }
  | { readonly what: 'offer'; readonly word: string };

/** The first object of a request. Never throws: what is wrong comes back as a BadRequest. */
export function opening(object: WireValue): Opening {
  if (object.type === 'dict') return { what: 'request', request: fromDictionary(toPlain(object)) };
  if (object.type !== 'str') {
    return bad(`A request is a word or a command dictionary, not a ${object.type}`);
  }
  const text = object.value;
  if (text.trimStart().startsWith('{')) return { what: 'request', request: fromJson(text) };
  if (isWord(text)) return { what: 'word', word: text };
  if (offeringWords.includes(text)) return { what: 'offer', word: text };
  return bad(`There is no word ${shown(text)}${hint(text, Object.keys(words))}`);
}

/**
 * As `opening`, for one connection: the same object as before is not looked at again. Requests with more than plain
 * values are, for who carries them out might keep parts of them.
 */
export function openings(): (object: WireValue) => Opening {
  let last: { readonly object: WireValue; readonly opening: Opening } | undefined;
  return (object) => {
    if (last?.object === object) return last.opening;
    const found = opening(object);
    last = isPlain(found) ? { object, opening: found } : undefined;
    return found;
  };
}

function isPlain(opening: Opening): boolean {
  if (opening.what !== 'request' || 'refusal' in opening.request) return true;
  return Object.values(opening.request.fields).every((value) => typeof value !== 'object');
}

function bad(refusal: string): Opening {
  return { what: 'request', request: { refusal: `${refusal}; nothing was changed.` } };
}

function isWord(text: string): text is Word {
  return Object.hasOwn(words, text);
}

function isCommand(text: string): text is CommandName {
  return Object.hasOwn(commands, text);
}

function hint(text: string, known: readonly string[]): string {
  const near = nearest(text, known);
  return near === undefined ? ` (there are ${known.join(', ')})` : ` (did you mean ${near}?)`;
}

/** Foreign text as it may stand in a sentence. */
function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** The objects after a word: those of the table. */
export function payloadOf(word: Word): readonly { readonly kind: Kind; readonly field: string }[] {
  return words[word].payload;
}

/** The request of a word and its payload. */
export function fromWord(word: Word, payload: readonly WireValue[]): Request | BadRequest {
  const fields: Record<string, unknown> = {};
  for (const [k, { kind, field }] of payloadOf(word).entries()) {
    const value = payload[k];
    const plain = value === undefined ? undefined : payloadField(kind, value);
    if (plain === undefined) {
      return {
        refusal: `${word} is followed by ${wanted[kind] ?? `a ${kind}`}, not a ${value?.type}; nothing was changed.`,
      };
    }
    fields[field] = plain;
  }
  const { position, ...rest } = fields;
  const sent = position as SentPosition | undefined;
  return { command: words[word].command, fields: { ...rest, ...(sent ?? {}) } };
}

const wanted: Partial<Record<Kind, string>> = {
  dwa: 'a DataActuator with one value',
  list: 'the path as a list of strings',
  bytes: 'XML',
};

function payloadField(kind: Kind, value: WireValue): unknown {
  if (kind === 'dwa') return sentPosition(value);
  if (kind === 'list') {
    if (value.type !== 'list' && value.type !== 'tuple') return undefined;
    const names = value.items.map((item) => (item.type === 'str' ? item.value : undefined));
    return names.includes(undefined) ? undefined : names;
  }
  if (value.type === 'bytes') return Buffer.from(value.bytes).toString('utf8');
  return value.type === 'str' ? value.value : undefined;
}

/** The one real number in a data object, or a bare number. */
export function sentPosition(value: WireValue): SentPosition | undefined {
  if (value.type === 'float' || value.type === 'int') return { value: Number(value.value), units: '' };
  if (!('data' in value) || !('units' in value)) return undefined;
  const [array, ...more] = value.data;
  const numbers = array ? toFloats(array) : undefined;
  const [first, ...others] = numbers ?? [];
  if (first === undefined || others.length > 0 || more.length > 0) return undefined;
  return { value: first, units: value.units };
}

function fromJson(text: string): Request | BadRequest {
  if (text.length > MAX_JSON) return { refusal: `A command has at most ${MAX_JSON} characters; nothing was changed.` };
  let depth = 0;
  for (const char of text) {
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    if (depth > MAX_JSON_DEPTH) {
      return { refusal: `A command has at most ${MAX_JSON_DEPTH} structures in each other; nothing was changed.` };
    }
  }
  try {
    return fromDictionary(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { refusal: `The command is no JSON (${error.message.slice(0, 100)}); nothing was changed.` };
  }
}

function fromDictionary(plain: unknown): Request | BadRequest {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) {
    return { refusal: 'A command dictionary has names as keys and plain values; nothing was changed.' };
  }
  const { command, id, ...fields } = plain as Record<string, unknown>;
  const withId = isId(id) ? { id } : {};
  const refuse = (why: string): BadRequest => ({ refusal: `${why}; nothing was changed.`, ...withId });
  if (id !== undefined && !isId(id)) {
    return refuse(`The id must be a number, or a text of at most ${MAX_ID} characters`);
  }
  if (typeof command !== 'string') return refuse('A command dictionary needs a text under the key command');
  const name = isWord(command) ? words[command].command : command;
  if (!isCommand(name)) return refuse(`There is no command ${shown(command)}${hint(command, Object.keys(commands))}`);
  const known: readonly string[] = commands[name].fields;
  for (const key of Object.keys(fields)) {
    if (!known.includes(key)) {
      const there = known.length === 0 ? 'it has none' : hint(key, known).trim();
      return refuse(`The command ${name} has no field ${shown(key)} ${there}`.replace('it has none', '(it has none)'));
    }
  }
  return { command: name, fields, ...withId };
}

function isId(id: unknown): id is string | number {
  return typeof id === 'string' ? id.length <= MAX_ID : typeof id === 'number' && Number.isFinite(id);
}

/** A dictionary as the form carries it: PyMoDAQ 4 has no dict, and gets JSON text. */
export function dictionary(form: Form, plain: unknown): WireValue {
  return form === 'v5' ? fromPlain(plain) : str(JSON.stringify(plain));
}

/** One field of a request, of a type. @throws Refusal */
export function textField(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new Refusal(`${name} must be a text; nothing was changed.`);
}

/** As textField, for names with values. @throws Refusal */
export function recordField(fields: Fields, name: string): Fields | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new Refusal(`${name} must be a dictionary of parameters with their values; nothing was changed.`);
}

/** As textField, for a truth value. @throws Refusal */
export function boolField(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw new Refusal(`${name} must be true or false; nothing was changed.`);
}

/** As textField, for a list of texts. @throws Refusal */
export function namesField(fields: Fields, name: string): readonly string[] | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
  throw new Refusal(`${name} must be a list of texts; nothing was changed.`);
}

/** A list of finite numbers; an array of one dimension is one too. @throws Refusal */
export function numbersField(fields: Fields, name: string, most: number): readonly number[] | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  const list: unknown =
    ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Float64Array) : value;
  if (!Array.isArray(list) || list.length > most) {
    throw new Refusal(`${name} must be a list of at most ${most} numbers; nothing was changed.`);
  }
  if (list.every((item): item is number => typeof item === 'number' && Number.isFinite(item))) return list;
  throw new Refusal(`${name} must hold finite numbers only; nothing was changed.`);
}
