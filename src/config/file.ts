/**
 * The text of a configuration file, root's or the card's, and what it says: lines KEY: VALUE in YAML. Whatever is not
 * understood is a ConfigurationError that names its line.
 */
import { readFileSync, statSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { judged } from './kinds.ts';
import { CONFIG_FILE, cardSettings, type Given, mayBeOnCard, type Setting, settings } from './settings.ts';

/** A configuration is a page of text; a larger file is something else. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * What a configuration file says.
 * @throws ConfigurationError
 */
export function fromFile(path: string, { mayBeAbsent = false } = {}): Given {
  const text = textOf(path);
  if (text !== undefined) return parseConfig(text, path);
  if (mayBeAbsent) return {};
  throw new ConfigurationError(`cannot read the configuration: there is no ${path}`);
}

/**
 * The text of a configuration file; undefined: it is not there.
 * @throws ConfigurationError
 */
export function textOf(path: string): string | undefined {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) {
      throw new ConfigurationError(`${path} has ${size} bytes; a configuration has at most ${MAX_FILE_BYTES}`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new ConfigurationError(`cannot read the configuration: ${(error as Error).message}`, { cause: error });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/**
 * @param path How to call the text in errors.
 * @param author Who wrote it: root, or whoever had the card in a PC.
 * @throws ConfigurationError: not YAML, unknown key (with the nearest known one), a value that is not allowed, a setting
 *   that is root's.
 */
export function parseConfig(text: string, path: string, author: 'root' | 'card' = 'root'): Given {
  if (text.length > MAX_FILE_BYTES) throw new ConfigurationError(`${path} is longer than ${MAX_FILE_BYTES} characters`);
  const values: Record<string, unknown> = {};
  for (const { key, raw, line } of entriesOf(text, path)) {
    const where = `${path}, line ${line}: ${key}`;
    const known = Object.entries<Setting<unknown>>(settings).find(([name]) => name === key)?.[1];
    if (known === undefined) throw new ConfigurationError(`${where} is not a setting${suggestion(key)}`);
    if (author === 'card' && !mayBeOnCard(known)) {
      throw new ConfigurationError(`${where} cannot be set on the card, only in ${CONFIG_FILE}`);
    }
    values[key] = judged(known.kind, raw, where, raw);
  }
  return values;
}

function suggestion(key: string): string {
  const names = Object.keys(settings);
  const near = nearest(key, names);
  return near === undefined ? `; there are ${names.join(', ')}` : `; did you mean ${near}?`;
}

interface Entry {
  readonly key: string;
  readonly raw: unknown;
  readonly line: number;
}

function entriesOf(text: string, path: string): Entry[] {
  const lines = new LineCounter();
  if (isDeep(text)) throw new ConfigurationError(`${path} nests too deep: a setting is a value, or a list of values`);
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) {
      throw new ConfigurationError(`${path}, line ${lines.linePos(problem.pos[0]).line}: ${problem.message}`);
    }
    if (document.contents === null) return [];
    if (!isMap(document.contents)) throw new ConfigurationError(`${path} must consist of lines KEY: VALUE`);
    return document.contents.items.map(({ key, value }) => ({
      key: isScalar(key) ? String(key.value) : String(key),
      raw: isScalar(value) ? value.value : isNodeLike(value) ? value.toJS(document) : value,
      line: lines.linePos(isScalar(key) ? (key.range?.[0] ?? 0) : 0).line,
    }));
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    // The parser's own limits (aliases, depth).
    throw new ConfigurationError(`${path} cannot be understood: ${(error as Error).message}`, { cause: error });
  }
}

/** Whether the parser, which is recursive, might need more stack than there is. */
function isDeep(text: string): boolean {
  return (text.match(/[[{]/g)?.length ?? 0) > 500 || /^[ \t?:-]{500}/m.test(text);
}

function isNodeLike(value: unknown): value is { toJS(document: unknown): unknown } {
  return typeof value === 'object' && value !== null && 'toJS' in value;
}

/** A configuration for the card that sets nothing, and shows what can be set. */
export function cardTemplate(): string {
  const lines = cardSettings().map(([key, { default: fallback, help }]) => {
    const value = Array.isArray(fallback) ? '[]' : (fallback ?? '');
    return `# ${help}\n# ${key}: ${value}`.trimEnd();
  });
  return ['# Settings of pitayad, one KEY: VALUE a line; those behind a # are not set.', ...lines, ''].join('\n\n');
}
