/**
 * What a configuration file of PyRPL says, in our modules and setups: nothing of it is passed over in silence. Source of
 * the file's form: PyRPL memory.py, modules.py, attributes.py.
 */
import { parseDocument } from 'yaml';
import { ConfigurationError, Refusal } from './errors.ts';
import type { Value } from './fpga/description.ts';
import type { SavedModules } from './fpga/instrument/settings-file.ts';
import { modules } from './fpga/modules/modules.ts';
import { show } from './fpga/parameters/judging.ts';
import type { Parameter } from './fpga/parameters/parameter.ts';
import { nearest } from './nearest.ts';

/** An entry of the file that was not taken, or not as it stands there. */
export interface Remark {
  /** `pid0.p`, `pid_states.lock.p`. */
  readonly entry: string;
  readonly reason: string;
  /** What was taken in its place. */
  readonly taken?: Value;
}

export interface Imported {
  /** Settings of the modules. */
  readonly modules: SavedModules;
  /** One for each state and each module that it can be a state of: `pid0-lock`. */
  readonly setups: Readonly<Record<string, SavedModules>>;
  readonly remarks: readonly Remark[];
}

/** Larger files are not PyRPL's: it keeps curves elsewhere. */
const MAX_BYTES = 4 * 1024 * 1024;

const SCREEN = 'only of the screen of PyRPL';
const BY_CLIENT = 'whoever asks for data decides when they are acquired';

/** Sections without counterpart. */
const SECTIONS: Readonly<Record<string, string>> = {
  pyrpl: 'about the program on the PC: its windows, its log, which parts it starts',
  redpitaya: 'about the way from the PC to the board, which there is no more',
  general: 'about the program on the PC',
  test: 'about tests of PyRPL itself',
  lockbox: 'there is no lockbox: set the PIDs themselves',
  curveviewer: SCREEN,
  pyrplconfig: SCREEN,
  loops: 'loops of the PC are no part of the board',
  ...Object.fromEntries(
    ['scopes', 'asgs', 'pids', 'iqs', 'iirs', 'trigs', 'pwms', 'hks'].map((manager) => [
      manager,
      'PyRPL’s list of free modules: here modules are owned by name',
    ]),
  ),
};

/** Entries of these sections that have a counterpart elsewhere. */
const ENTRIES: Readonly<Record<string, string>> = {
  'redpitaya.frequency_correction': 'it belongs into the configuration of pitayad',
};

/** Attributes without counterpart, of any module. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  curve_name: 'names are given to curves by whoever keeps them',
  ch_math_active: SCREEN,
  math_formula: SCREEN,
  xy_mode: SCREEN,
  data_curve: SCREEN,
  plot_data: SCREEN,
  plot_data_times_filter: SCREEN,
  run_continuous: BY_CLIENT,
  running_state: BY_CLIENT,
  d: 'PyRPL’s design has no derivative part',
};

/** Names that older versions gave to signals. */
const SIGNALS: Readonly<Record<string, string>> = { adc1: 'in1', adc2: 'in2', dac1: 'out1', dac2: 'out2' };

/** Names that older versions gave to modules. */
const MODULES: Readonly<Record<string, string>> = { na: 'networkanalyzer', specan: 'spectrumanalyzer' };

interface Declared {
  readonly name: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
}

// What the values of a module are is known to its parameters; here they are values.
const declared = modules as unknown as readonly Declared[];

/** @throws ConfigurationError: not YAML, or not of PyRPL's form */
export function importPyrpl(text: string): Imported {
  const remarks: Remark[] = [];
  const taken: Record<string, Record<string, Value>> = {};
  const setups: Record<string, SavedModules> = {};
  for (const [section, content] of Object.entries(sections(text))) {
    const kind = /^(.+)_states$/.exec(section)?.[1];
    const name = own(MODULES, section) ?? section;
    const module = declared.find((one) => one.name === name);
    if (kind !== undefined) states(kind, content);
    else if (!module) leave(section, content, own(SECTIONS, section) ?? unknownModule(section));
    else if (isRecord(content)) taken[module.name] = values(module, content, section);
    else if (content !== null) remarks.push({ entry: section, reason: 'it is no list of settings' });
  }
  return { modules: withoutEmpty(taken), setups, remarks };

  /** A section without counterpart, entry by entry. */
  function leave(section: string, content: unknown, reason: string): void {
    const entries = isRecord(content) ? Object.keys(content).map((key) => `${section}.${key}`) : [];
    for (const entry of entries.length > 0 ? entries : [section]) {
      remarks.push({ entry, reason: own(ENTRIES, entry) ?? reason });
    }
  }

  function states(kind: string, content: unknown): void {
    const name = own(MODULES, kind) ?? kind;
    const able = declared.filter((module) => module.name === name || module.name.replace(/\d$/, '') === name);
    const entry = `${kind}_states`;
    if (able.length === 0) {
      leave(entry, content, own(SECTIONS, kind) ?? unknownModule(kind));
      return;
    }
    for (const [state, attributes] of Object.entries(isRecord(content) ? content : {})) {
      if (!isRecord(attributes)) {
        remarks.push({ entry: `${entry}.${state}`, reason: 'it is no list of settings' });
        continue;
      }
      const said = remarks.length;
      for (const module of able) {
        const found = values(module, attributes, `${entry}.${state}`);
        if (Object.keys(found).length > 0) setups[setupName(`${module.name}-${state}`)] = { [module.name]: found };
      }
      // What concerns all modules of the kind is said once.
      remarks.splice(said, remarks.length, ...distinct(remarks.slice(said)));
    }
  }

  /** A free name that a setup can have. */
  function setupName(wanted: string): string {
    const base = wanted.replace(/[^A-Za-z0-9_.-]+/g, '_').slice(0, 60);
    let name = base;
    for (let k = 2; name in setups; k++) name = `${base}_${k}`;
    return name;
  }

  function values(
    module: Declared,
    attributes: Readonly<Record<string, unknown>>,
    place: string,
  ): Record<string, Value> {
    const found: Record<string, Value> = {};
    for (const [key, raw] of Object.entries(attributes)) {
      const entry = `${place}.${key}`;
      const parameter = Object.hasOwn(module.parameters, key) ? module.parameters[key] : undefined;
      const reason = whyNot(module, key, parameter);
      if (reason !== undefined || !parameter) {
        remarks.push({ entry, reason: reason ?? 'unknown' });
        continue;
      }
      try {
        const { value, because } = read(parameter, raw);
        found[key] = value;
        if (because !== undefined) remarks.push({ entry, reason: because, taken: value });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        remarks.push({ entry, reason: error.message });
      }
    }
    return found;
  }
}

function whyNot(module: Declared, key: string, parameter: Parameter | undefined): string | undefined {
  if (parameter?.readonly) return 'it is measured, not set';
  if (parameter?.momentary) return 'it is a state of the moment, not a setting';
  if (parameter) return undefined;
  const known = own(ATTRIBUTES, key);
  if (known !== undefined) return known;
  const near = nearest(key, Object.keys(module.parameters));
  return `${module.name} has no parameter of this name${near === undefined ? '' : ` (the nearest is ${near})`}`;
}

function unknownModule(name: string): string {
  const near = nearest(
    name,
    declared.map((module) => module.name),
  );
  return `there is no such module${near === undefined ? '' : ` (the nearest is ${near})`}`;
}

// ---------------------------------------------------------------- values

interface Read {
  readonly value: Value;
  /** Why it is not what the file says. */
  readonly because?: string;
}

/** @throws Refusal: the parameter does not take it */
function read(parameter: Parameter, raw: unknown): Read {
  const accept = (value: unknown): Value =>
    parameter.accept(value, (why) => {
      throw new Refusal(`the value ${why}`);
    });
  const meant = inOurWords(parameter, raw);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, kind } = parameter;
  const measured = kind === 'number' || kind === 'integer' || kind === 'numbers';
  const list: readonly unknown[] = Array.isArray(meant) ? meant : [meant];
  if (measured && list.every((one) => typeof one === 'number' && Number.isFinite(one))) {
    // As PyRPL does with what is beyond the limits.
    const held = list.map((one) => Math.min(max, Math.max(min, Number(one))));
    const within = Array.isArray(meant) ? held : held[0];
    const beyond = list.filter((one, k) => one !== held[k]);
    if (beyond.length > 0) {
      return { value: accept(within), because: `${beyond.join(', ')} is beyond the limits ${min} … ${max}` };
    }
  }
  return { value: accept(meant) };
}

/** What PyRPL understands by a value, as this kind of parameter has it. */
function inOurWords({ kind, choices }: Parameter, raw: unknown): unknown {
  switch (kind) {
    case 'number':
    case 'integer':
      return numberOf(Array.isArray(raw) && raw.length === 1 ? raw[0] : raw);
    case 'numbers':
      return (Array.isArray(raw) ? raw : [raw]).map(numberOf);
    case 'bool':
      return raw === 0 || raw === 1 ? raw === 1 : raw;
    case 'choice': {
      // Without quotes YAML 1.1 takes off and on for booleans.
      const word = raw === false ? 'off' : raw === true ? 'on' : raw;
      if (typeof word !== 'string' || choices?.includes(word))
        return choices?.includes(Number(word)) ? Number(word) : word;
      return own(SIGNALS, word) ?? word;
    }
    default:
      return (Array.isArray(raw) ? raw : [raw]).map(complexOf).join(', ');
  }
}

/** A number as Python prints it, `(-300+40000j)`, without what says nothing. */
function complexOf(raw: unknown): string {
  return String(raw)
    .replace(/^\((.*)\)$/, '$1')
    .replace(/(?<=[\d.])[+-]0j$/, '');
}

/** Python writes 1e4 without a point, which YAML 1.1 takes for text. */
function numberOf(raw: unknown): unknown {
  return typeof raw === 'string' && raw.trim() !== '' && Number.isFinite(Number(raw)) ? Number(raw) : raw;
}

// ---------------------------------------------------------------- the file

/** @throws ConfigurationError */
function sections(text: string): Readonly<Record<string, unknown>> {
  if (text.length > MAX_BYTES) {
    throw new ConfigurationError(
      `The file has ${text.length} characters, and one of PyRPL never more than ${MAX_BYTES}.`,
    );
  }
  if (/^[ \t?:-]{500}/m.test(text) || (text.match(/[[{]/g)?.length ?? 0) > 10_000) {
    throw new ConfigurationError('The file nests too deep to be one of PyRPL.');
  }
  let content: unknown;
  try {
    // PyRPL reads and writes YAML 1.1. Warnings are about Python’s own tags, whose content is understood without.
    const document = parseDocument(text, { version: '1.1', logLevel: 'error', prettyErrors: false });
    const [problem] = document.errors;
    if (problem) throw problem;
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError(`The file is no YAML: ${why}.`, { cause: error });
  }
  if (isRecord(content)) return content;
  throw new ConfigurationError(
    `The file is no configuration of PyRPL: it holds ${show(content)}, not sections of settings.`,
  );
}

function own(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutEmpty<T extends object>(table: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(table).filter(([, one]) => Object.keys(one).length > 0));
}

function distinct(remarks: readonly Remark[]): Remark[] {
  return [...new Map(remarks.map((remark) => [JSON.stringify(remark), remark])).values()];
}
