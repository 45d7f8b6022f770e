/**
 * What the two inputs of a simulated board are connected to, in words. Volts, hertz and clocks, in order or as
 * key=value; A+B adds:
 *
 *     const:VOLTS                      step:BEFORE,AFTER,CYCLE
 *     sine:FREQ,AMP,OFFSET,PHASE       square:FREQ,AMP,OFFSET,DUTY
 *     noise:RMS,OFFSET,SEED            loopback:DELAY,GAIN,OFFSET,SRC
 *     plant:GAIN,CORNER,DELAY,OFFSET,SRC   first-order low-pass from output SRC to the input
 */
import { ConfigurationError } from '../../../errors.ts';

/** Longest delay from an output to an input, in clocks. */
export const MAX_DELAY = 100_000;

/** Longest text. */
const MAX_LENGTH = 1000;

/** Most models that are added up for one input. */
const MAX_MODELS = 16;

/** What a value may be: [least, greatest]. */
const VOLTS = [-1e6, 1e6] as const;
const FREQUENCY = [0, 1e12] as const;
const ANY = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;
const GAIN = [-1e6, 1e6] as const;
const DELAY = [0, MAX_DELAY] as const;
const OUTPUT = [1, 2] as const;

/** In the order in which values without a key are taken: [default, limits]. NaN: depends on the input. */
const MODELS = {
  const: { volts: [0, VOLTS] },
  step: { before: [0, VOLTS], after: [0.5, VOLTS], cycle: [0, ANY] },
  sine: { freq: [1e6, FREQUENCY], amp: [0.5, VOLTS], offset: [0, VOLTS], phase: [0, ANY] },
  square: { freq: [1e6, FREQUENCY], amp: [0.5, VOLTS], offset: [0, VOLTS], duty: [0.5, [0, 1]] },
  noise: { rms: [0.001, VOLTS], offset: [0, VOLTS], seed: [Number.NaN, ANY] },
  loopback: { delay: [8, DELAY], gain: [1, GAIN], offset: [0, VOLTS], src: [Number.NaN, OUTPUT] },
  plant: {
    gain: [1, GAIN],
    corner: [1e5, FREQUENCY],
    delay: [8, DELAY],
    offset: [0, VOLTS],
    src: [Number.NaN, OUTPUT],
  },
} as const satisfies Record<string, Record<string, readonly [fallback: number, limits: readonly [number, number]]>>;

type Models = typeof MODELS;

/** A source of volts. Where nothing was given: src is the output of the input's own number, seed follows from it. */
export type Model = {
  readonly [K in keyof Models]: { readonly kind: K } & { readonly [V in keyof Models[K]]: number };
}[keyof Models];

/** One input: the sum of its models, in volts. */
export type InputModel = readonly Model[];

/** What in1 and in2 are connected to. */
export type FrontEnd = readonly [in1: InputModel, in2: InputModel];

/** Clocks that a model looks back at the outputs, besides the way through the pins. */
export function delayOf(model: Model): number {
  return model.kind === 'loopback' || model.kind === 'plant' ? model.delay : 0;
}

export const LOOPBACK: FrontEnd = [parseInputModel('loopback', 1), parseInputModel('loopback', 2)];

/**
 * Both inputs: one text for both, or one each with a semicolon between (`sine:1e3,0.2;loopback`).
 * @throws ConfigurationError
 */
export function parseFrontEnd(text: string): FrontEnd {
  const parts = text.split(';');
  const [first = '', second = first, ...more] = parts;
  if (more.length > 0)
    throw new ConfigurationError(`the front end ${quoted(text)} has ${parts.length} parts; a board has 2 inputs`);
  return [parseInputModel(first, 1), parseInputModel(second, 2)];
}

/**
 * One input.
 * @param defaults replace those of the notation.
 * @throws ConfigurationError
 */
export function parseInputModel(
  text: string,
  input: 1 | 2,
  defaults: Readonly<Record<string, number>> = {},
): InputModel {
  if (text.length > MAX_LENGTH) throw new ConfigurationError(`an input model may have ${MAX_LENGTH} characters`);
  // A plus sign in a number such as 1e+6 does not add a model.
  const models = text.split(/(?<![eE])\+/).map((one) => parseModel(one.trim(), input, defaults));
  if (models.length > MAX_MODELS) throw new ConfigurationError(`an input may have ${MAX_MODELS} models`);
  return models;
}

function parseModel(text: string, input: 1 | 2, defaults: Readonly<Record<string, number>>): Model {
  const [kind = '', ...rest] = text.split(':');
  if (!isKind(kind)) {
    throw new ConfigurationError(
      `there is no input model ${quoted(kind)}; there are ${Object.keys(MODELS).join(', ')}`,
    );
  }
  const model: Readonly<Record<string, readonly [number, readonly [number, number]]>> = MODELS[kind];
  const keys = Object.keys(model);
  const own: Record<string, number> = { src: input, seed: (defaults.seed ?? 1) * 2 + input };
  const values: Record<string, number> = {};
  for (const [key, [fallback]] of Object.entries(model)) {
    values[key] =
      (kind === 'loopback' ? defaults[key] : undefined) ?? (Number.isNaN(fallback) ? (own[key] ?? 0) : fallback);
  }
  let position = 0;
  for (const item of rest
    .join(':')
    .split(',')
    .filter((one, k, all) => all.length > 1 || one !== '' || k > 0)) {
    const [, named, digits = ''] = /^(?:([^=]*)=)?(.*)$/s.exec(item) ?? [];
    const key = named === undefined ? keys[position++] : named.trim();
    const limits = key === undefined ? undefined : model[key]?.[1];
    if (key === undefined || !limits) {
      throw new ConfigurationError(`the input model ${kind} takes ${keys.join(', ')}, not ${quoted(item)}`);
    }
    const value = digits.trim() === '' ? Number.NaN : Number(digits);
    if (!(value >= limits[0] && value <= limits[1])) {
      throw new ConfigurationError(
        `${key} of the input model ${kind} must be a number from ${limits[0]} to ${limits[1]}, not ${quoted(digits)}`,
      );
    }
    values[key] = value;
  }
  return { kind, ...values } as Model;
}

function isKind(text: string): text is keyof Models {
  return Object.hasOwn(MODELS, text);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
