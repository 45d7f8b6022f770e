/** The parts of which a notation is made, each checked as it is taken out: a NotationError says what is wrong with it. */
import { NotationError } from './notation.ts';

/** An object of JSON, of which nothing else is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The object that `json` is. */
export function record(json: unknown): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new NotationError('an object is written as {"type": …}, with its value or parts');
  }
  return Object.fromEntries(Object.entries(json));
}

/** What stands under `key`, which must be there. */
export function field(fields: Fields, key: string): unknown {
  if (!Object.hasOwn(fields, key)) throw new NotationError(`${called(fields)} lacks ${JSON.stringify(key)}`);
  return fields[key];
}

function called(fields: Fields): string {
  return typeof fields.type === 'string' ? `a ${fields.type}` : 'an object';
}

/** The string under `key`. */
export function text(fields: Fields, key: string): string {
  const value = field(fields, key);
  if (typeof value !== 'string')
    throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must be a string`);
  return value;
}

/** The list under `key`. */
export function items(fields: Fields, key: string): readonly unknown[] {
  const value = field(fields, key);
  if (!Array.isArray(value)) throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must be a list`);
  return value;
}

/** The list of strings under `key`. */
export function texts(fields: Fields, key: string): string[] {
  return items(fields, key).map((each) => {
    if (typeof each !== 'string')
      throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must hold strings`);
    return each;
  });
}

/** The one of `words` that stands under `key`. */
export function oneOf<Word extends string>(fields: Fields, key: string, words: readonly Word[]): Word {
  const value = text(fields, key);
  const found = words.find((word) => word === value);
  if (!found) throw new NotationError(`${JSON.stringify(key)} of ${called(fields)} must be one of ${words.join(', ')}`);
  return found;
}

const specials: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0.0', -0],
]);

/** A float; the strings stand for what JSON lacks. */
export function number(json: unknown): number {
  const value = typeof json === 'number' ? json : specials.get(json);
  if (value === undefined) {
    throw new NotationError(
      `a number, or one of ${[...specials.keys()].join(', ')} is needed, not ${JSON.stringify(json)}`,
    );
  }
  return value;
}

/** A whole number; bigint where a number would not hold it. */
export function integer(json: unknown): number | bigint {
  if (typeof json === 'number' && Number.isSafeInteger(json)) return json;
  if (typeof json === 'string' && /^-?[0-9]{1,20}$/.test(json)) {
    const value = BigInt(json);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  throw new NotationError(`a whole number is needed (from 2**53 on as a decimal string), not ${JSON.stringify(json)}`);
}

/** A complex number. */
export function pair(json: unknown): { re: number; im: number } {
  if (!Array.isArray(json) || json.length !== 2) throw new NotationError('a complex number is written as [re, im]');
  return { re: number(json[0]), im: number(json[1]) };
}

/** A bool. */
export function truth(json: unknown): boolean {
  if (typeof json !== 'boolean') throw new NotationError(`true or false is needed, not ${JSON.stringify(json)}`);
  return json;
}
