/**
 * A module's parameters as PyMoDAQ's settings tree in XML, and one parameter back. PyMoDAQ evaluates limits and the
 * values of lists as Python code, so only plain literals go out; what comes in is parsed, never evaluated.
 */
import { SaxesParser } from 'saxes';
import { Refusal } from '../errors.ts';
import type { ModuleDescription, ParameterDescription, Value } from '../fpga/description.ts';

/** Longest XML of one parameter that is looked at, in characters: a list of choices with its attributes is below 2000. */
const MAX_XML = 64 * 1024;

/** PyMoDAQ's parameter type for each kind. */
const types = {
  number: 'float',
  integer: 'int',
  bool: 'bool',
  choice: 'list',
  numbers: 'str',
  text: 'str',
} as const satisfies Record<ParameterDescription['kind'], string>;

/**
 * The tree of a module: an element named after it, with one child a parameter.
 * @param more elements that come first
 */
export function settingsXml(
  module: ModuleDescription,
  values: Readonly<Record<string, Value>>,
  more: readonly string[] = [],
): string {
  const children = module.parameters.map((parameter) => {
    const value = values[parameter.name];
    return value === undefined ? '' : parameterXml(parameter, value);
  });
  return `<${module.name} type="group" title="${escapeXml(module.title)}" visible="1" removable="0" readonly="0">${more.join('')}${children.join('')}</${module.name}>`;
}

/** An actuator's first child, from which stock servers and directors take the unit of the axis. */
export function unitsXml(units: string, help?: string): string {
  return element('units', 'str', { title: 'Units', readonly: true, tip: help }, units);
}

export function parameterXml(parameter: ParameterDescription, value: Value): string {
  const { kind, label, unit, min, max, choices, readonly, help } = parameter;
  const limits =
    kind === 'choice' && choices
      ? `[${choices.map(literal).join(', ')}]`
      : min !== undefined && max !== undefined && (kind === 'number' || kind === 'integer')
        ? `(${pythonNumber(min, kind)}, ${pythonNumber(max, kind)})`
        : undefined;
  return element(
    parameter.name,
    kind === 'bool' && readonly ? 'led' : types[kind],
    { title: label, readonly, limits, suffix: unit || undefined, tip: help },
    valueText(kind, value),
  );
}

interface Attributes {
  readonly title: string;
  readonly readonly: boolean;
  readonly limits?: string | undefined;
  readonly suffix?: string | undefined;
  readonly tip?: string | undefined;
}

function element(
  name: string,
  type: string,
  { title, readonly, limits, suffix, tip }: Attributes,
  text: string,
): string {
  const more = Object.entries({ limits, suffix, tip })
    .flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escapeXml(value)}"`]))
    .join('');
  return `<${name} type="${type}" title="${escapeXml(title)}" visible="1" removable="0" readonly="${readonly ? 1 : 0}"${more}>${escapeXml(text)}</${name}>`;
}

function valueText(kind: ParameterDescription['kind'], value: Value): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (kind === 'choice') {
    if (typeof value === 'string') return `str(${literal(value)})`;
    return typeof value === 'number' && Number.isInteger(value) ? `int(${value})` : `float(${value})`;
  }
  if (typeof value === 'number') return pythonNumber(value, kind);
  return typeof value === 'string' ? value : `[${value.map((each) => pythonNumber(each, 'number')).join(', ')}]`;
}

function pythonNumber(value: number, kind: ParameterDescription['kind']): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const text = String(value);
  return kind === 'integer' || /[.e]/.test(text) ? text : `${text}.0`;
}

/** Choices are PyRPL's names and numbers; anything that could be more than a literal would be a fault of ours. */
function literal(value: string | number): string {
  if (typeof value === 'number') return String(value);
  if (!/^[\w .+\-^()/]*$/.test(value)) throw new Error(`${JSON.stringify(value)} is no plain name`);
  return `'${value}'`;
}

/** ASCII only, as PyMoDAQ itself writes: others as numeric references, what XML cannot hold as spaces. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ' ')
    .replace(/[&<>"\n\r\t]|[^\x20-\x7e]/gu, (char) => `&#${char.codePointAt(0)};`);
}

const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
]);

/** One parameter as a peer sent it. */
export interface SentParameter {
  readonly name: string;
  readonly text: string;
}

/**
 * The outermost element's name and text.
 * @throws Refusal for what is no XML, too long, or has elements inside
 */
export function readParameterXml(xml: string): SentParameter {
  const refuse = (why: string): never => {
    throw new Refusal(`The XML of a parameter ${why}; nothing was changed.`);
  };
  if (xml.length > MAX_XML) refuse(`has ${xml.length} characters, more than the ${MAX_XML} that are read`);
  let name: string | undefined;
  let text = '';
  let depth = 0;
  const parser = new SaxesParser();
  parser.on('error', (error) => refuse(`cannot be read: ${error.message}`));
  parser.on('doctype', () => refuse('must not have a document type'));
  parser.on('opentag', (tag) => {
    if (depth++ > 0) refuse('must be one element, of a parameter and not of a group');
    name = tag.name;
  });
  parser.on('closetag', () => {
    depth--;
  });
  parser.on('text', (piece) => {
    if (depth > 0) text += piece;
  });
  parser.on('cdata', (piece) => {
    if (depth > 0) text += piece;
  });
  parser.write(xml).close();
  return name === undefined ? refuse('is empty') : { name, text };
}

/**
 * What the text of a parameter's element stands for, as a value for `configure` to judge: wrong ones go through as text,
 * so that the parameter's own sentence says what is allowed.
 */
export function valueFromText(parameter: ParameterDescription, text: string): unknown {
  switch (parameter.kind) {
    case 'number':
      return realNumber(text) ?? text;
    case 'integer': {
      const value = realNumber(text);
      return value === undefined ? text : Math.trunc(value);
    }
    case 'bool':
      return TRUTHS.get(text.trim().toLowerCase()) ?? text;
    case 'choice': {
      const bare = unwrapped(text.trim());
      return (
        parameter.choices?.find(
          (known) => String(known) === bare || (typeof known === 'number' && known === realNumber(bare)),
        ) ?? bare
      );
    }
    case 'numbers': {
      const items = text.trim().replace(/^[[(]|[\])]$/g, '');
      const values = items
        .split(',')
        .filter((item) => item.trim() !== '')
        .map((item) => realNumber(item));
      return values.includes(undefined) ? text : values;
    }
    case 'text':
      return text;
  }
}

/** `str('HV')`, `int(8)`, `float(0.5)`, `'HV'` or the bare word. */
function unwrapped(text: string): string {
  const inner = /^(?:str|int|float)\((.*)\)$/s.exec(text)?.[1] ?? text;
  return /^(['"])(.*)\1$/s.exec(inner)?.[2] ?? inner;
}

function realNumber(text: string): number | undefined {
  const bare = text.trim();
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(bare)) return Number(bare);
  const special = /^([+-]?)(nan|inf|infinity)$/i.exec(bare);
  if (!special) return undefined;
  if (special[2]?.toLowerCase() === 'nan') return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
