/** Parameters that are no number to be set at will: a switch, one of several names or numbers, a text, a list. */
import { type Field, saturate } from '../fields.ts';
import { oneOfThese, show } from './judging.ts';
import { fieldsOf, type Parameter, type Place, placed, software, type Words } from './parameter.ts';

export interface BoolOptions extends Words {
  readonly default?: boolean;
  /** The register's bit is 0 when the value is true. */
  readonly inverted?: boolean;
}

/** On or off; one bit. 0 and 1 are taken for false and true. */
export function bool(place: Place, options: BoolOptions): Parameter<boolean> {
  const { inverted = false, ...rest } = options;
  return {
    kind: 'bool',
    unit: '',
    default: false,
    ...rest,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => {
      if (typeof value === 'boolean') return value;
      if (value === 0 || value === 1) return value === 1;
      return refuse(`must be true or false, not ${show(value)}`);
    },
    encode: (value) => (place === software ? [] : [Number(value !== inverted)]),
    decode: ([raw = 0]) => (raw !== 0) !== inverted,
  };
}

/** One of several names; `codes` says what each is in the register. The first is the default unless named. */
export function choice<const C extends Readonly<Record<string, number>>>(
  place: Place,
  codes: C,
  options: Words & { readonly default?: keyof C & string },
): Parameter<keyof C & string> & { readonly codes: C } {
  const names: (keyof C & string)[] = Object.keys(codes);
  const [first] = names;
  if (first === undefined) throw new Error('A choice needs names to choose from.');
  const usual = options.default ?? first;
  return {
    kind: 'choice',
    unit: '',
    ...options,
    default: usual,
    choices: names,
    codes,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => names.find((name) => name === value) ?? refuse(oneOfThese(value, names)),
    encode: (value) => (place === software ? [] : [codes[value]]),
    decode: ([raw]) => names.find((name) => codes[name] === raw) ?? usual,
  };
}

/** One of several names that stand for nothing in a register by themselves. */
export function name<const N extends string>(
  names: readonly [N, ...N[]],
  options: Words & { readonly default?: N },
): Parameter<N> {
  return {
    kind: 'choice',
    unit: '',
    ...options,
    default: options.default ?? names[0],
    choices: names,
    ...placed([]),
    accept: (value, refuse) => names.find((known) => known === value) ?? refuse(oneOfThese(value, names)),
    encode: () => [],
    decode: () => options.default ?? names[0],
  };
}

/** One of several numbers, which the register holds as they are; 0 there acts as the first. */
export function oneOf(
  place: Place,
  numbers: readonly [number, ...number[]],
  options: Words & { readonly unit?: string; readonly default?: number },
): Parameter<number> {
  return {
    kind: 'choice',
    unit: '',
    default: numbers[0],
    ...options,
    choices: numbers,
    ...placed(fieldsOf(place)),
    accept: (value, refuse) => numbers.find((known) => known === value) ?? refuse(oneOfThese(value, numbers)),
    encode: (value) => (place === software ? [] : [saturate(value, place)]),
    decode: ([raw]) => raw || numbers[0],
  };
}

/** 2^from … 2^to. */
export function powersOfTwo(from: number, to: number): readonly [number, ...number[]] {
  return [2 ** from, ...Array.from({ length: to - from }, (_, k) => 2 ** (from + 1 + k))];
}

/** A text that the hardware holds, such as a serial number; read only. */
export function text(
  fields: readonly Field[],
  decode: (raw: readonly number[]) => string,
  words: Words,
): Parameter<string> {
  return {
    kind: 'text',
    unit: '',
    default: '',
    ...words,
    ...placed(fields),
    readonly: true,
    accept: (_, refuse) => refuse('is read only'),
    encode: () => [],
    decode,
  };
}

/** Numbers that follow from other parameters; read only. See `derive` of a module. */
export function list(words: Words & { readonly unit?: string }): Parameter<readonly number[]> {
  return {
    kind: 'numbers',
    unit: '',
    default: [],
    ...words,
    ...placed([]),
    readonly: true,
    accept: (_, refuse) => refuse('is read only'),
    encode: () => [],
    decode: () => [],
  };
}
