/**
 * The log: one event a line. Levels:
 *
 * - error: something does not work, and will not by itself;
 * - warn: something does not work at the moment, or a client broke the protocol;
 * - info: connections, changes of a parameter (from what to what, by whom), refusals with their reason, and once a
 *   minute what each client did;
 * - debug: single grabs, positions, requests.
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export interface LogOptions {
  readonly level: string;
  /** Default: pretty on a terminal, json otherwise. */
  readonly format?: 'json' | 'pretty' | undefined;
  /** Where lines go. Default: standard output. */
  readonly to?: NodeJS.WritableStream;
}

/** Opens the log. Lines are written before the call returns, so that none is lost when the process ends. */
export function openLog({ level, format, to }: LogOptions): Logger {
  const terminal = (to ?? process.stdout) as { isTTY?: boolean; fd?: number };
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const readable = format ? format === 'pretty' : terminal.isTTY === true;
  if (!readable) return pino(options, (to as DestinationStream | undefined) ?? pino.destination({ fd: 1, sync: true }));
  const stream = pretty({
    colorize: terminal.isTTY === true && !process.env.NO_COLOR,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
    sync: true,
    destination: to ?? 1,
  });
  return pino(options, stream);
}

/** How long a refusal that repeats itself is only counted, and how often a client is summed up, in ms. */
const PERIOD_MS = 60_000;

/** Different refusals of one client that are told apart; further ones are counted together. */
const MAX_SENTENCES = 20;

/** What one client did, for the log. */
export interface ClientJournal {
  /** A request that was answered, by its command (`grab`, `move_abs` …): in the log at debug, in the summary as a number. */
  answered(command: string, details?: Readonly<Record<string, unknown>>): void;
  /** A request that was refused. The same sentence again within a minute is only counted, and told with the summary. */
  refused(command: string, sentence: string): void;
  /** To be called now and then (every second or so): writes the summary when its minute is over and there is something in it. */
  tick(): void;
  /** The client is gone: says so, with what the last minute still has. */
  close(): void;
}

/**
 * Keeps the journal of one client. No timers of its own.
 * @param log The client's logger, with its address in it (`log.child({ client })`).
 * @param now Milliseconds of any clock that never goes back.
 */
export function clientJournal(log: Logger, now: () => number = () => performance.now()): ClientJournal {
  let since = now();
  let answers = new Map<string, number>();
  let repeats = new Map<string, number>();
  let others = 0;

  /** What happened since the last summary; undefined: nothing. */
  function sumUp(): Readonly<Record<string, unknown>> | undefined {
    const again = [...repeats].filter(([, n]) => n > 0).map(([sentence, n]) => ({ times: n, reason: sentence }));
    const summary = {
      ...(answers.size > 0 ? { answered: Object.fromEntries(answers) } : {}),
      ...(again.length > 0 ? { refusedAgain: again } : {}),
      ...(others > 0 ? { refusedOtherwise: others } : {}),
    };
    const seconds = Math.round((now() - since) / 1000);
    since = now();
    answers = new Map();
    repeats = new Map();
    others = 0;
    return Object.keys(summary).length > 0 ? { seconds, ...summary } : undefined;
  }

  return {
    answered(command, details = {}) {
      answers.set(command, (answers.get(command) ?? 0) + 1);
      log.debug({ ...details, command }, 'answered');
    },

    refused(command, sentence) {
      const times = repeats.get(sentence);
      if (times !== undefined) repeats.set(sentence, times + 1);
      else if (repeats.size >= MAX_SENTENCES) others++;
      else {
        repeats.set(sentence, 0);
        log.info({ command, reason: sentence }, 'refused');
      }
    },

    tick() {
      if (now() - since < PERIOD_MS) return;
      const summary = sumUp();
      if (summary) log.info(summary, 'summary');
    },

    close() {
      log.info(sumUp() ?? {}, 'disconnected');
    },
  };
}
