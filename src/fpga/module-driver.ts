/** Drives a declared module: values in units above, the shadow of its registers below. */
import { Refusal } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { CLOCK_HZ } from './bus/bus.ts';
import type { ModuleDescription, Value } from './description.ts';
import type { Checked, Taken } from './driver.ts';
import { extract, type Field } from './fields.ts';
import type { ModuleDeclaration, ModuleOptions, Parameters, TypedDriver, ValuesOf } from './module.ts';
import { acceptReal, show } from './parameters/judging.ts';
import { type Board, describe, NOMINAL_BOARD, type Others, type Parameter } from './parameters/parameter.ts';
import type { FieldValue, RegisterFile } from './registers.ts';

type Values = Record<string, Value>;

/** Fields about to be written. */
type Overlay = ReadonlyMap<Field, number>;

type Plain<P extends Parameters> = ValuesOf<{ readonly parameters: P }>;

/** Writes of one driver take effect one after the other. */
export function moduleDriver<P extends Parameters>(
  registers: RegisterFile,
  declaration: ModuleDeclaration<P>,
  board: Board = NOMINAL_BOARD,
): TypedDriver<Plain<P>> {
  const { name } = declaration;
  const parameters: Parameters = declaration.parameters;
  // Below here values go by name; the hooks get, by construction, a value of the right type for every parameter.
  const options = declaration.options as unknown as ModuleOptions<Values>;
  const entries = Object.entries(parameters);
  const keys = Object.keys(parameters);
  const ownFields = [
    ...Object.values(options.registers ?? {}),
    ...entries.flatMap(([, parameter]) => parameter.fields),
  ];
  const description: ModuleDescription = {
    ...declaration.description,
    parameters: entries.map(([key, parameter]) => describe(key, parameter, board)),
  };
  /** Those that others need come first. */
  const inOrder = entries.toSorted(([, a], [, b]) => Number(needy(a)) - Number(needy(b)));

  /** Values that registers do not tell. */
  const kept = new Map<string, Value>();
  /** Words last read of registers that the hardware changes, by address. */
  const seen = new Map<number, number>();
  const approved = new WeakSet<Checked>();
  let tail: Promise<unknown> = Promise.resolve();

  const refuse = (why: string): never => {
    throw new Refusal(`${name}${why}; nothing was changed.`);
  };

  function parameterOf(key: string): Parameter {
    const parameter = Object.hasOwn(parameters, key) ? parameters[key] : undefined;
    if (parameter) return parameter;
    const near = nearest(key, keys);
    return refuse(` has no parameter ${show(key)}${near === undefined ? '' : ` (did you mean ${near}?)`}`);
  }

  /** What a field holds as far as is known, `overlay` being about to be written. */
  function rawOf(field: Field, overlay: Overlay): number | undefined {
    const known = overlay.get(field) ?? registers.peek(field);
    if (known !== undefined) return known;
    const word = seen.get(field.address);
    return word === undefined ? undefined : extract(word, field);
  }

  /** All values, as they will be once `given` is written. */
  function valuesWith(given: Readonly<Values>): Values {
    const overlay = new Map<Field, number>();
    const put = (key: string, others: Others): void => {
      const value = given[key];
      if (value === undefined) return;
      for (const [field, raw] of fieldValues(key, value, others)) overlay.set(field, raw);
    };
    for (const [key, parameter] of entries) if (!needy(parameter)) put(key, {});
    const found: Values = {};
    for (const [key, parameter] of inOrder) {
      if (needy(parameter)) put(key, found);
      found[key] = valueAfter(key, parameter, given[key], overlay, found);
    }
    // In the order of the table.
    const values: Values = {};
    for (const key of keys) {
      const value = found[key];
      if (value !== undefined) values[key] = value;
    }
    return { ...values, ...defined(options.derive?.(values, board) ?? {}) };
  }

  function valueAfter(
    key: string,
    parameter: Parameter,
    given: Value | undefined,
    overlay: Overlay,
    others: Others,
  ): Value {
    const own = given ?? kept.get(key);
    const { fields } = parameter;
    if (fields.length === 0 || (given === undefined && own !== undefined)) return own ?? parameter.default;
    const raw: number[] = [];
    for (const field of fields) {
      const one = rawOf(field, overlay);
      if (one === undefined) return own ?? parameter.default;
      raw.push(one);
    }
    return parameter.decode(raw, board, others);
  }

  /** @param others values that the parameter needs */
  function fieldValues(key: string, value: Value, others: Others): FieldValue[] {
    const { fields, encode } = parameterOf(key);
    return encode(value, board, others).flatMap((raw, k): FieldValue[] => {
      const field = fields[k];
      return raw === undefined || field === undefined ? [] : [[field, raw]];
    });
  }

  /** Limits that depend on other parameters. */
  function checkLimits(given: Readonly<Values>, next: Values): void {
    for (const [key, value] of Object.entries(given)) {
      const { limits, needs = [], unit } = parameterOf(key);
      if (!limits) continue;
      const { min, max } = limits(board, next);
      const because = needs.map((need) => `${need} ${show(next[need])}`).join(', ');
      const told = Object.keys(board.scales).length === 0 || because === '' ? '' : ` (with ${because})`;
      for (const one of Array.isArray(value) ? value : [value]) {
        acceptReal(one, { min, max, unit }, (why) => refuse(`.${key} ${why}${told}`));
      }
    }
  }

  /** Two parameters may share a register; a request must not want two things of it. */
  function checkSharing(given: Readonly<Values>, next: Values): void {
    const wanted = new Map<Field, readonly [key: string, raw: number]>();
    for (const [key, value] of Object.entries(given)) {
      for (const [field, raw] of fieldValues(key, value, next)) {
        const other = wanted.get(field);
        if (other && other[1] !== raw) {
          refuse(`.${key} = ${show(value)} and ${other[0]} = ${show(given[other[0]])} contradict each other`);
        }
        wanted.set(field, [key, raw]);
      }
    }
  }

  function checkConstraints(given: Readonly<Values>, next: Values): void {
    for (const { of, sentence, holds } of options.constraints ?? []) {
      if (!of.some((key) => key in given) || holds(next, board)) continue;
      const words = typeof sentence === 'string' ? sentence : sentence(next, board);
      refuse(`: ${words} (${of.map((key) => `${key} ${show(next[key])}`).join(', ')})`);
    }
  }

  const complete = (given: Values): Values => defined(options.complete?.(given) ?? given);

  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = tail.then(task);
    tail = run.catch(() => undefined);
    return run;
  }

  async function write(request: Readonly<Values>, judge: boolean): Promise<Taken[]> {
    const given = complete({ ...request });
    const present = valuesWith({});
    const next = valuesWith(given);
    if (judge) {
      checkLimits(request, next);
      checkConstraints(given, next);
    }
    const raw = (...names: string[]): FieldValue[] => names.flatMap((key) => fieldValues(key, next[key] ?? 0, next));
    if (options.write) {
      await options.write({ registers, board, present, next, given: new Set(keys.filter((key) => key in given)), raw });
    } else {
      await registers.write(...raw(...keys.filter((key) => key in given)));
    }
    settle(given, next);
    return changesSince(present, given);
  }

  function changesSince(present: Values, given: Readonly<Values>): Taken[] {
    const after = valuesWith({});
    return keys.flatMap((key): Taken[] => {
      const [from, to] = [present[key], after[key]];
      const silent = parameterOf(key).volatile && !(key in given);
      return silent || from === undefined || to === undefined || same(from, to) ? [] : [{ parameter: key, from, to }];
    });
  }

  /** After a write: keeps what registers do not tell, forgets what they tell again. */
  function settle(given: Readonly<Values>, next: Values): void {
    const keeps = new Set(options.keeps?.(next) ?? []);
    for (const key of keys) {
      const value = next[key];
      const { fields, momentary } = parameterOf(key);
      const inDriver = fields.length === 0;
      if (momentary) kept.delete(key);
      else if (value !== undefined && (keeps.has(key) || (inDriver && key in given))) kept.set(key, value);
      else if (!inDriver) kept.delete(key);
    }
  }

  async function readRegisters(): Promise<void> {
    await registers.readBack(ownFields);
    for (const memory of Object.values(options.memories ?? {})) registers.forgetMemory(memory);
  }

  /** Goes by the registers as they are, whatever was known before. */
  function recognise(): void {
    for (const key of keys) if (parameterOf(key).fields.length > 0) kept.delete(key);
    const recognised = options.recognise?.(registers) ?? {};
    for (const [key, value] of Object.entries(defined(recognised))) kept.set(key, value);
  }

  return {
    description,

    get values() {
      return valuesWith({}) as Plain<P>;
    },

    async get(names = keys) {
      const values: Values = {};
      const derived: Partial<Values> = options.derive?.(valuesWith({}), board) ?? {};
      const others = names.some((key) => needy(parameterOf(key))) ? valuesWith({}) : {};
      const words = new Map<string, number>();
      for (const key of names) {
        const parameter = parameterOf(key);
        const own = derived[key] ?? kept.get(key) ?? (parameter.fields.length === 0 ? parameter.default : undefined);
        if (own !== undefined) {
          values[key] = own;
          continue;
        }
        // One read serves all fields of a word, but a field that a parameter names twice is meant to be read twice.
        const raw: number[] = [];
        for (const [k, field] of parameter.fields.entries()) {
          const once = `${field.address}/${parameter.fields.indexOf(field) === k ? 'first' : 'again'}`;
          const word = words.get(once) ?? (await registers.readWord(field));
          words.set(once, word);
          if (field.access === 'r') seen.set(field.address, word);
          raw.push(extract(word, field));
        }
        values[key] = parameter.decode(raw, board, others);
      }
      return values;
    },

    check(values) {
      if (typeof values !== 'object' || values === null || Array.isArray(values)) {
        return refuse(` takes names with values, not ${show(values)}`);
      }
      const given: Values = {};
      for (const [key, value] of Object.entries(values)) {
        const parameter = parameterOf(key);
        if (parameter.readonly) refuse(`.${key} is read only`);
        given[key] = parameter.accept(value, (why) => refuse(`.${key} ${why}`));
      }
      const completed = complete({ ...given });
      const next = valuesWith(completed);
      checkLimits(given, next);
      checkSharing(completed, next);
      checkConstraints(completed, next);
      const checked: Checked = { module: name, values: given };
      approved.add(checked);
      return checked;
    },

    apply(checked) {
      if (!approved.has(checked)) throw new Error(`These values were not checked by ${name}.`);
      return inTurn(() => write(checked.values, true));
    },

    set(values) {
      return inTurn(() => write(values as Values, false));
    },

    response(frequencies, extraDelay) {
      const { response } = options;
      if (!response) return undefined;
      const values = valuesWith({});
      const timing = { clock: 1 / (CLOCK_HZ * board.frequencyCorrection), extraDelay };
      return frequencies.map((frequency) => response(values, frequency, timing));
    },

    readBack() {
      return inTurn(async () => {
        await readRegisters();
        recognise();
      });
    },

    readAgain() {
      return inTurn(async () => {
        const present = valuesWith({});
        const before = ownFields.map((field) => registers.peek(field));
        await readRegisters();
        const others = ownFields.some((field, k) => before[k] !== undefined && registers.peek(field) !== before[k]);
        if (!others) return [];
        for (const key of options.inMemory ?? []) kept.delete(key);
        recognise();
        return changesSince(present, {});
      });
    },

    remember(values) {
      const take = (key: string, value: unknown): void => {
        try {
          kept.set(key, parameterOf(key).accept(value, refuse));
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
        }
      };
      const known = Object.keys(values).filter((key) => Object.hasOwn(parameters, key));
      for (const key of known) if (parameters[key]?.fields.length === 0) take(key, values[key]);
      // Only now is known which registers do not tell the value.
      const unspoken = options.keeps?.(valuesWith({})) ?? [];
      for (const key of known) if (unspoken.includes(key)) take(key, values[key]);
    },
  };
}

function same(a: Value, b: Value): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  return a.length === b.length && a.every((one, k) => one === b[k]);
}

const needy = ({ needs = [] }: Parameter): boolean => needs.length > 0;

/** Without the names that have no value. */
function defined(values: Readonly<Record<string, Value | undefined>>): Values {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
