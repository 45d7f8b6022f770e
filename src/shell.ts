/**
 * The commands that talk to a running board from a shell: `pitayad get|set|grab|list|status|off|stop`. Text for people
 * by default, JSON for scripts. What the board refuses ends with its sentence and status 1.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { ConfigurationError } from './errors.ts';
import type { ModuleDescription, ParameterDescription, Value } from './fpga/description.ts';
import { csv, measuredIn, short } from './measured.ts';
import { type BoardClient, ConnectionError, connectBoard } from './server/client.ts';
import { PYMODAQ_PORT } from './server/listen.ts';

interface Where {
  readonly host: string;
  readonly port: number;
  readonly json?: boolean;
}

interface GrabChoice extends Where {
  readonly points?: number;
  readonly start?: number;
  readonly timeout?: number;
}

/** Adds the commands to the program. What they answer goes to `print`, by default a line to standard output. */
export function shellCommands(program: Command, print: (text: string) => void = toStandardOutput): void {
  const add = (usage: string, help: string): Command =>
    program
      .command(usage)
      .description(help)
      .option('--host <HOST>', 'where the board is', '127.0.0.1')
      .option('--port <PORT>', 'where it listens', numberOption(1, 65535, true), PYMODAQ_PORT)
      .option('--json', 'JSON, for scripts');

  add('get <MODULE> [PARAMETER...]', 'print present values').action((module: string, names: string[], where: Where) =>
    withBoard(where, async (board) => {
      const parameters = names.length > 0 ? { parameters: names } : {};
      const values = await board.reply('get', { module, ...parameters });
      print(where.json ? JSON.stringify(values) : valueLines(await describe(board, module), values));
    }),
  );

  add(
    'set <MODULE> <PARAMETER=VALUE...>',
    'set parameters, all of them or none, and print what the hardware took',
  ).action((module: string, words: string[], where: Where) => {
    const wanted = words.map(assignment);
    return withBoard(where, async (board) => {
      const description = await describe(board, module);
      const config = wanted.map(([name, text]) => [name, valueOfWord(parameterOf(description, name), text)] as const);
      const taken = await board.reply('configure', { module, config: Object.fromEntries(config) });
      print(where.json ? JSON.stringify(taken) : valueLines(description, taken));
    });
  });

  add('grab [MODULE]', 'measure (default: a trace of the scope) and print it as CSV')
    .option('--points <N>', 'only so many points', numberOption(1, 2 ** 20, true))
    .option('--start <N>', 'from this point on', numberOption(0, 2 ** 20, true))
    .option('--timeout <SECONDS>', 'how long to wait for it (default: its duration and 5 s)', numberOption(0, 1e9))
    .action((module: string | undefined, { json, host, port, ...options }: GrabChoice) =>
      withBoard({ host, port }, async (board) => {
        const answer = await board.ask('grab', { module: module ?? 'scope', ...options }, { patient: true });
        const all = measuredIn(answer);
        print(json ? JSON.stringify(all.length === 1 ? all[0] : all) : csv(all));
      }),
    );

  add('list [MODULE]', 'print the modules of the board with their parameters, units, limits and help').action(
    (module: string | undefined, where: Where) =>
      withBoard(where, async (board) => {
        const listed = await board.reply('list', module === undefined ? {} : { module });
        if (where.json) {
          print(JSON.stringify(listed));
          return;
        }
        const modules = listed.modules as readonly ModuleDescription[];
        const tables: string[] = [];
        for (const each of modules) tables.push(moduleTable(each, await board.reply('get', { module: each.name })));
        print(tables.join('\n\n'));
      }),
  );

  add('status', 'print who holds what, counters, and what the bus carried').action((where: Where) =>
    withBoard(where, async (board) => {
      const status = await board.reply('status');
      print(where.json ? JSON.stringify(status) : tree(status).join('\n'));
    }),
  );

  add('off', 'switch every output off, whoever owns what').action((where: Where) =>
    withBoard(where, async (board) => {
      const done = await board.reply('off');
      print(where.json ? JSON.stringify(done) : 'every output is off');
    }),
  );

  add('save <NAME>', 'keep the present settings of all modules as a setup').action((name: string, where: Where) =>
    withBoard(where, async (board) => {
      const saved = await board.reply('save', { name });
      print(
        where.json ? JSON.stringify(saved) : `${name} is saved: ${(saved.modules as readonly string[]).join(', ')}`,
      );
    }),
  );

  add('load <NAME>', 'set all that a setup has, or nothing if any of it is refused').action(
    (name: string, where: Where) =>
      withBoard(where, async (board) => {
        const loaded = await board.reply('load', { name });
        const names = Object.keys(loaded.modules as object).join(', ');
        print(where.json ? JSON.stringify(loaded) : `${name} is loaded: ${names}`);
      }),
  );

  add('setups', 'print the setups there are').action((where: Where) =>
    withBoard(where, async (board) => {
      const listed = await board.reply('setups');
      const setups = listed.setups as readonly { readonly name: string; readonly saved: number }[];
      const lines = setups.map(({ name, saved }) => `${new Date(saved * 1e3).toLocaleString()}  ${name}`);
      print(where.json ? JSON.stringify(listed) : lines.join('\n') || 'there are no setups');
    }),
  );

  add('delete <NAME>', 'forget a setup').action((name: string, where: Where) =>
    withBoard(where, async (board) => {
      const done = await board.reply('delete', { name });
      print(where.json ? JSON.stringify(done) : `${name} is deleted`);
    }),
  );

  add('dial <SERVER>', 'connect the board to a TCPServer plug-in of PyMoDAQ 4 (HOST or HOST:PORT), as one device')
    .requiredOption('--device <DEVICE>', 'scope, or what is moved: asg0.frequency')
    .action((server: string, { device, ...where }: Where & { readonly device: string }) =>
      withBoard(where, async (board) => {
        const dialled = await board.reply('dial', { server, device });
        print(where.json ? JSON.stringify(dialled) : `${dialled.server} is dialled, as ${dialled.device}`);
      }),
    );

  add('hang-up <SERVER>', 'end the connection that dial made, and dial no more').action(
    (server: string, where: Where) =>
      withBoard(where, async (board) => {
        const dialled = await board.reply('hang-up', { server });
        print(where.json ? JSON.stringify(dialled) : `${dialled.server} is hung up`);
      }),
  );

  add('stop [MODULE]', 'end the acquisition (of the scope) for everybody').action(
    (module: string | undefined, where: Where) =>
      withBoard(where, async (board) => {
        const done = await board.reply('stop', { module: module ?? 'scope', all: true });
        print(where.json ? JSON.stringify(done) : `${done.module} is stopped`);
      }),
  );
}

async function withBoard({ host, port }: Where, work: (board: BoardClient) => Promise<void>): Promise<void> {
  const board = await connectBoard({ host, port });
  try {
    await work(board);
  } finally {
    board.close();
  }
}

function toStandardOutput(text: string): void {
  // The reader may have seen enough (`| head`).
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  process.stdout.write(`${text}\n`);
}

async function describe(board: BoardClient, module: string): Promise<ModuleDescription> {
  const { modules } = await board.reply('list', { module });
  const [description] = modules as readonly ModuleDescription[];
  if (!description) throw new ConnectionError(`The board lists no module ${module}.`);
  return description;
}

function parameterOf(module: ModuleDescription, name: string): ParameterDescription | undefined {
  return module.parameters.find((parameter) => parameter.name === name);
}

// ---------------------------------------------------------------- words of the command line

/** A number as JSON writes it. */
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function numberOption(min: number, max: number, whole = false): (word: string) => number {
  return (word) => {
    const value = NUMBER.test(word) ? Number(word) : Number.NaN;
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`It must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}.`);
  };
}

/** @throws ConfigurationError */
function assignment(word: string): readonly [name: string, text: string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new ConfigurationError(`${JSON.stringify(word)} is no PARAMETER=VALUE; nothing was changed.`);
}

/**
 * The value that a word stands for, of the parameter's kind. What is none goes to the board as text, which refuses it
 * and says what is allowed; so does the value of a parameter that there is not.
 */
export function valueOfWord(parameter: ParameterDescription | undefined, word: string): Value {
  const number = NUMBER.test(word) ? Number(word) : undefined;
  switch (parameter?.kind) {
    case 'number':
    case 'integer':
      return number ?? word;
    case 'bool':
      return word === 'true' || word === 'on' ? true : word === 'false' || word === 'off' ? false : word;
    case 'choice':
      return (
        parameter.choices?.find((choice) => String(choice) === word || choice === number) ??
        (parameter.choices?.some((choice) => typeof choice === 'string') ? word : (number ?? word))
      );
    case 'numbers': {
      const items = word
        .replace(/^\[(.*)\]$/s, '$1')
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
      return items.every((item) => NUMBER.test(item)) ? items.map(Number) : word;
    }
    default:
      return word;
  }
}

// ---------------------------------------------------------------- text for people

function valueLines(module: ModuleDescription, values: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(values).map(([name, value]) => [name, '=', shown(value, parameterOf(module, name))]);
  return table(rows);
}

function shown(value: unknown, parameter: ParameterDescription | undefined): string {
  const text = typeof value === 'number' ? short(value) : typeof value === 'string' ? value : JSON.stringify(value);
  return parameter?.unit ? `${text} ${parameter.unit}` : text;
}

function moduleTable(
  { name, title, help, parameters }: ModuleDescription,
  values: Readonly<Record<string, unknown>>,
): string {
  const rows = parameters.map((parameter) => [
    `  ${parameter.name}`,
    shown(values[parameter.name], parameter),
    allowedOf(parameter),
    parameter.help,
  ]);
  return `${name} (${title}): ${help}\n${table(rows)}`;
}

function allowedOf({ kind, min, max, choices, readonly }: ParameterDescription): string {
  if (readonly) return 'read only';
  if (kind === 'choice') return choices?.join('|') ?? '';
  if (kind === 'bool') return 'true|false';
  return min === undefined || max === undefined ? kind : `${min} … ${max}`;
}

/** No column is padded further than this: long cells push the rest of their line. */
const WIDEST = 32;

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [k, cell] of row.entries()) widths[k] = Math.max(widths[k] ?? 0, Math.min(WIDEST, cell.length));
  }
  return rows
    .map((row) =>
      row
        .map((cell, k) => cell.padEnd(widths[k] ?? 0))
        .join(' ')
        .trimEnd(),
    )
    .join('\n');
}

/** A dictionary as indented lines. */
function tree(of: Readonly<Record<string, unknown>>, indent = ''): string[] {
  return Object.entries(of).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? [`${indent}${key}:`, ...tree({ ...value }, `${indent}  `)]
      : [`${indent}${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`],
  );
}
