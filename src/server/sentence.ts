/** What a peer is told of an error: a fault of ours is not for it, but for the log. */
import type { Logger } from 'pino';
import { PitayadError } from '../errors.ts';

/** @param command at which it failed */
export function sentenceOf(error: unknown, command: string, log: Logger): string {
  if (error instanceof PitayadError) return error.message;
  log.error({ err: error, command }, 'a fault of pitayad itself');
  return 'The board failed at this; the reason is in its log, and it goes on.';
}
