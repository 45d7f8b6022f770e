/**
 * `pitayad wire decode|encode`: captured bytes of either form to lines of JSON and back, for support and for tests. The
 * notation is that of server/wire/notation/notation.ts.
 */
import type { Command } from 'commander';
import { PitayadError, ProtocolError } from './errors.ts';
import { createDecoder } from './server/wire/decode.ts';
import { encode } from './server/wire/encode.ts';
import { captureLimits } from './server/wire/limits.ts';
import { fromNotation } from './server/wire/notation/from-notation.ts';
import { NotationError, toLine } from './server/wire/notation/notation.ts';
import { toNotation } from './server/wire/notation/to-notation.ts';
import { dataClasses, exportClasses, type Form, type Kind, kinds, type WireValue } from './server/wire/values.ts';

export interface WireOptions {
  readonly form: Form;
  /** What comes, in turn, over and over; empty if the objects say so themselves. */
  readonly as: readonly Kind[];
  /** Bytes as hexadecimal digits (white space does not matter). */
  readonly hex: boolean;
}

/** Input that is not what was promised; ends with status 2. */
class InputError extends PitayadError {}

type Input = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Decodes all of `input`. An object that cannot be read, but skipped, is told through `complain`, and the rest is read.
 * @throws PitayadError with a sentence where reading cannot go on.
 */
export async function decodeCapture(
  input: Input,
  options: WireOptions,
  line: (json: string) => void,
  complain: (sentence: string) => void,
): Promise<void> {
  const decoder = createDecoder(options.form, captureLimits);
  const unhex = hexReader();
  let count = 0;
  const drain = (): void => {
    for (;;) {
      const kind = options.as[count % Math.max(1, options.as.length)];
      try {
        const value = decoder.next(kind ?? 'string');
        if (!value) return;
        count++;
        if (kind) checkKind(value, kind);
        line(toLine(toNotation(value, options.form)));
      } catch (error) {
        const sentence = `object ${count + (error instanceof ProtocolError ? 1 : 0)}: ${sentenceOf(error)}`;
        if (error instanceof ProtocolError && !error.inStep) throw new InputError(sentence);
        if (error instanceof ProtocolError) count++;
        complain(sentence);
      }
    }
  };
  for await (const piece of input) {
    decoder.push(options.hex ? unhex(piece) : piece);
    drain();
  }
  if (options.hex) unhex(undefined);
  if (decoder.waiting > 0) {
    throw new InputError(`object ${count + 1}: the input ends within it, after ${decoder.waiting} of its bytes`);
  }
}

/**
 * Encodes all of `input`, JSON lines, one object each.
 * @throws PitayadError that names the line; there is no output then.
 */
export async function encodeCapture(input: Input, options: WireOptions): Promise<Uint8Array> {
  const text = await readText(input);
  const messages: Uint8Array[] = [];
  text.split('\n').forEach((line, k) => {
    if (line.trim() === '') return;
    try {
      const value = fromNotation(parseJson(line), options.form);
      const kind = options.as[messages.length % Math.max(1, options.as.length)];
      if (kind) checkKind(value, kind);
      messages.push(encode(options.form, [value]));
    } catch (error) {
      throw new InputError(`line ${k + 1}: ${sentenceOf(error)}`);
    }
  });
  return Buffer.concat(messages);
}

/** The sentence of an error raised on purpose; anything else is a bug and goes on. */
function sentenceOf(error: unknown): string {
  if (error instanceof PitayadError) return error.message;
  throw error;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new NotationError(`this is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

async function readText(input: Input): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for await (const piece of input) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > captureLimits.messageBytes) {
        throw new InputError(`more than ${captureLimits.messageBytes} characters at once`);
      }
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new InputError('the input is not valid UTF-8');
    throw error;
  }
}

/** Turns pieces of hexadecimal text to bytes, wherever it was cut; `undefined` is its end. */
function hexReader(): (piece: Uint8Array | undefined) => Uint8Array {
  let rest = '';
  return (piece) => {
    if (!piece) {
      if (rest !== '') throw new InputError('the input has an odd number of hexadecimal digits');
      return new Uint8Array();
    }
    const digits =
      rest + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1').replace(/\s+/g, '');
    const bad = /[^0-9a-fA-F]/.exec(digits);
    if (bad) throw new InputError(`${JSON.stringify(bad[0])} is no hexadecimal digit`);
    rest = digits.length % 2 === 1 ? digits.slice(-1) : '';
    return Buffer.from(digits.slice(0, digits.length - rest.length), 'hex');
  };
}

/** As what PyMoDAQ 4 knows the objects of a type. */
function kindOf(value: WireValue): Kind | undefined {
  switch (value.type) {
    case 'str':
      return 'string';
    case 'bytes':
      return 'bytes';
    case 'bool':
    case 'int':
    case 'float':
    case 'complex':
      return 'scalar';
    case 'ndarray':
      return 'array';
    case 'list':
      return 'list';
    case 'Axis':
    case 'NavAxis':
      return 'axis';
    case 'ParameterWithPath':
      return 'parameter';
  }
  if (dataClasses.some((each) => each === value.type)) return 'dwa';
  if (exportClasses.some((each) => each === value.type)) return 'dte';
  return undefined;
}

/** Settings in xml are bytes for one peer and a string for the other, with the same bytes on the wire of v4. */
const alike: readonly (Kind | undefined)[] = ['string', 'bytes'];

function checkKind(value: WireValue, kind: Kind): void {
  const found = kindOf(value);
  if (found === kind || (alike.includes(found) && alike.includes(kind))) return;
  throw new InputError(`this is a ${value.type}, not a ${kind}`);
}

interface RawOptions {
  readonly form?: string;
  readonly as?: string;
  readonly hex?: boolean;
}

function checkOptions(raw: RawOptions, needsAs: boolean): WireOptions {
  const { form } = raw;
  if (form !== 'v4' && form !== 'v5') throw new InputError('--form must be v4 or v5');
  const as = (raw.as ?? '')
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const kind = kinds.find((each) => each === name);
      if (!kind) throw new InputError(`--as must be one of ${kinds.join(', ')}, or several with commas between them`);
      return kind;
    });
  if (needsAs && form === 'v4' && as.length === 0) {
    throw new InputError(`nothing in the bytes of v4 says what comes: --as must name it (${kinds.join(', ')})`);
  }
  return { form, as, hex: raw.hex === true };
}

function complain(sentence: string): void {
  process.stderr.write(`pitayad wire: ${sentence}\n`);
  process.exitCode = 2;
}

/** Runs a command whose errors are sentences on standard error, with status 2. */
async function run(work: () => Promise<void>): Promise<void> {
  // The reader of our output may have seen enough (`| head`).
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  try {
    await work();
  } catch (error) {
    complain(sentenceOf(error));
  }
}

/** Adds `pitayad wire` to the program. */
export function wireCommand(program: Command): void {
  const wire = program
    .command('wire')
    .description("PyMoDAQ's bytes to JSON and back, through standard input and output");
  const kindHelp = `what the bytes hold: ${kinds.join(', ')}; several, with commas, come in turn`;
  wire
    .command('decode')
    .description('captured bytes to JSON, a line for each object')
    .option('--form <v4|v5>', 'grammar of the bytes: that of PyMoDAQ 4 or of 5')
    .option('--as <kind>', `${kindHelp} (v4 needs it)`)
    .option('--hex', 'the bytes are hexadecimal digits')
    .action((raw: RawOptions) =>
      run(() =>
        decodeCapture(process.stdin, checkOptions(raw, true), (json) => process.stdout.write(`${json}\n`), complain),
      ),
    );
  wire
    .command('encode')
    .description('lines of JSON, an object each, to bytes')
    .option('--form <v4|v5>', 'grammar of the bytes: that of PyMoDAQ 4 or of 5')
    .option('--as <kind>', kindHelp)
    .option('--hex', 'write hexadecimal digits')
    .action((raw: RawOptions) =>
      run(async () => {
        const options = checkOptions(raw, false);
        const bytes = await encodeCapture(process.stdin, options);
        process.stdout.write(options.hex ? `${Buffer.from(bytes).toString('hex')}\n` : bytes);
      }),
    );
}
