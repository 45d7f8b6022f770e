/**
 * The words of PyMoDAQ's TCP protocol and our command dictionaries, as data: what may come, what follows it, how it is
 * answered. The session reads this table, and so does docs/protocol.md.
 */
import type { Kind } from './wire/values.ts';

/** First word of a connection, and the module that it starts on. */
export const typeWords = { GRABBER: 'scope', ACTUATOR: 'asg0' } as const;
export type TypeWord = keyof typeof typeWords;

/** Our answers: kinds of the objects that follow the word. `dict` is a dict in v5 and its JSON text in v4. */
export const answers = {
  Done: ['dte'],
  move_done: ['dwa'],
  position_is: ['dwa'],
  Infos: ['bytes'],
  Info_xml: ['list', 'bytes'],
  pong: [],
  Reply: ['dict'],
  Error: ['string'],
} as const satisfies Record<string, readonly (Kind | 'dict')[]>;
export type AnswerWord = keyof typeof answers;

/** What is sent unasked, to subscribers only, between complete answers. */
export const unasked = {
  Changed: ['list', 'bytes'],
  Progress: ['dict'],
} as const satisfies Record<string, readonly (Kind | 'dict')[]>;

interface CommandRow {
  readonly answer: AnswerWord | 'none';
  /** Keys that its dictionary may have besides `command` and `id`. */
  readonly fields: readonly string[];
  /** Acts and is answered at once, whatever else of the connection is under way. */
  readonly immediate?: true;
  /** Sets parameters. */
  readonly writes?: true;
  readonly help: string;
}

const target = ['module', 'parameter'];

/** Every command; the words below stand for some of them. */
export const commands = {
  attach: {
    answer: 'Reply',
    fields: ['module', 'mode', 'owner', 'owner_timeout', 'take_over', 'parameter'],
    help: 'speak to this module from now on; own it (waiting for it `owner_timeout` s, or taking it over), or share it; `parameter` is what the move words move',
  },
  detach: { answer: 'Reply', fields: ['module'], help: 'give up the module' },
  grab: {
    answer: 'Done',
    fields: ['module', 'config', 'fresh', 'timeout', 'start', 'points', 'statistics'],
    help: 'measure: a trace, or what else the module brings; `config`: settings to write first; `statistics`: single values of the trace from time `from` to `to`',
  },
  configure: {
    answer: 'Reply',
    fields: ['module', 'config'],
    writes: true,
    help: 'set parameters, all of them or none; answers what the hardware took',
  },
  get: { answer: 'Reply', fields: ['module', 'parameters'], help: 'present values, of all parameters or those named' },
  transfer_function: {
    answer: 'Reply',
    fields: ['module', 'frequencies', 'extradelay'],
    help: 'what the present settings of the module make of a sine, at `frequencies` in Hz: lists `re` and `im` of the complex gain from its input to its signal; `extradelay`: of the way outside the module, in s',
  },
  move_abs: {
    answer: 'move_done',
    fields: [...target, 'value', 'units'],
    writes: true,
    help: 'set the parameter that is moved to a value',
  },
  move_rel: { answer: 'move_done', fields: [...target, 'value', 'units'], writes: true, help: 'change it by a value' },
  move_home: { answer: 'move_done', fields: target, writes: true, help: 'set it to its home, where it has one' },
  check_position: { answer: 'position_is', fields: target, help: 'where it is' },
  stop_motion: {
    answer: 'move_done',
    fields: target,
    immediate: true,
    help: 'withdraw moves of this connection that wait; answers where it is',
  },
  stop: {
    answer: 'Reply',
    fields: ['module', 'all'],
    immediate: true,
    help: 'withdraw the grabs of this connection, and its wait for the module; without any, or with `all`, end the acquisition for everybody',
  },
  off: {
    answer: 'Reply',
    fields: [],
    immediate: true,
    help: 'every output off, whoever owns what; writes that wait are withdrawn, whoever sent them, and measurements that drive an output end',
  },
  save: {
    answer: 'Reply',
    fields: ['name', 'config'],
    help: 'keep the present settings of all modules as a setup; or those of `config`, parameters with values by module',
  },
  load: {
    answer: 'Reply',
    fields: ['name'],
    writes: true,
    help: 'set all that a setup has, or nothing if any of it is refused',
  },
  setups: { answer: 'Reply', fields: [], help: 'names of the setups there are' },
  delete: { answer: 'Reply', fields: ['name'], help: 'forget a setup' },
  selftest: {
    answer: 'Reply',
    fields: ['loop', 'timeout'],
    writes: true,
    help: 'test the board; `loop`: how out1 and out2 come back to in1 and in2, cables (the default) or digital',
  },
  dial: {
    answer: 'Reply',
    fields: ['server', 'device'],
    help: 'connect to a TCPServer plug-in of PyMoDAQ 4 at `server` (HOST or HOST:PORT) as the instrument `device`: `scope`, or what is moved: `asg0.frequency`; again and again, until told otherwise',
  },
  'hang-up': { answer: 'Reply', fields: ['server'], help: 'say goodbye to that server, and dial it no more' },
  list: { answer: 'Reply', fields: ['module'], help: 'the board, its modules and their parameters' },
  subscribe: { answer: 'Reply', fields: ['on'], help: 'be told of changes and progress (`on`: false ends it)' },
  status: { answer: 'Reply', fields: [], immediate: true, help: 'who holds what, counters, bus' },
  ping: { answer: 'pong', fields: [], immediate: true, help: 'is the board there?' },
  'Send Infos': { answer: 'Infos', fields: ['module'], help: 'settings tree of the module, as XML' },
  set_info: {
    answer: 'Info_xml',
    fields: ['path', 'xml'],
    writes: true,
    help: 'set the parameter at the path to the value in the XML',
  },
  Quit: { answer: 'none', fields: [], help: 'the board closes the connection' },
} as const satisfies Record<string, CommandRow>;
export type CommandName = keyof typeof commands;

interface WordRow {
  readonly command: CommandName;
  /** Objects that follow, in order, and the fields of the command that they become. */
  readonly payload: readonly { readonly kind: Kind; readonly field: string }[];
}

const position = [{ kind: 'dwa', field: 'position' }] as const;

/** Plain words: they speak to the module and parameter that the connection is attached to. */
export const words = {
  'Send Data 0D': { command: 'grab', payload: [] },
  'Send Data 1D': { command: 'grab', payload: [] },
  'Send Data 2D': { command: 'grab', payload: [] },
  'Send Data ND': { command: 'grab', payload: [] },
  move_abs: { command: 'move_abs', payload: position },
  move_rel: { command: 'move_rel', payload: position },
  move_home: { command: 'move_home', payload: [] },
  check_position: { command: 'check_position', payload: [] },
  get_actuator_value: { command: 'check_position', payload: [] },
  stop_motion: { command: 'stop_motion', payload: [] },
  set_info: {
    command: 'set_info',
    payload: [
      { kind: 'list', field: 'path' },
      { kind: 'bytes', field: 'xml' },
    ],
  },
  'Send Infos': { command: 'Send Infos', payload: [] },
  ping: { command: 'ping', payload: [] },
  Quit: { command: 'Quit', payload: [] },
} as const satisfies Record<string, WordRow>;
export type Word = keyof typeof words;

/** What only a peer says that offers its own module, as the stock "TCP/IP options" do. */
export const offeringWords: readonly string[] = ['Infos', 'Info', 'Info_xml', 'Done', 'position_is', 'move_done'];

/** The tables of docs/protocol.md. */
export function wordsAsMarkdown(): string {
  const cell = (list: readonly string[]) => list.map((text) => `\`${text}\``).join(', ') || '-';
  const commandRows = Object.entries<CommandRow>(commands).map(
    ([name, { answer, fields, immediate, help }]) =>
      `| \`${name}\` | ${cell(fields)} | ${answer === 'none' ? '-' : `\`${answer}\``} | ${help}${immediate ? ' (at once)' : ''} |`,
  );
  const wordRows = Object.entries<WordRow>(words).map(
    ([name, { command, payload }]) => `| \`${name}\` | ${cell(payload.map(({ kind }) => kind))} | \`${command}\` |`,
  );
  const answerRows = Object.entries<readonly string[]>({ ...answers, ...unasked }).map(
    ([name, payload]) => `| \`${name}\` | ${cell(payload)} |`,
  );
  return [
    '| command | fields | answer | what it does |',
    '|---|---|---|---|',
    ...commandRows,
    '',
    '| word | followed by | command |',
    '|---|---|---|',
    ...wordRows,
    '',
    '| answer | followed by |',
    '|---|---|',
    ...answerRows,
    '',
  ].join('\n');
}
