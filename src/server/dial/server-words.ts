/** What a TCPServer plug-in of PyMoDAQ 4 says, as its stock client understands it (TCPClient.get_data, tcp_server_client.py). */
import type { Kind, WireValue } from '../wire/values.ts';
import type { TypeWord, Word } from '../words.ts';

const payloads: Partial<Readonly<Record<Word, readonly Kind[]>>> = {
  set_info: ['list', 'bytes'],
  move_abs: ['dwa'],
  move_rel: ['dwa'],
};

/** What follows a word, whoever is asked. */
export function payloadOf(word: Word): readonly Kind[] {
  return payloads[word] ?? [];
}

/** @returns undefined: a word that stock clients pass over too; `stop_motion` among them, for no move takes time here. */
export function serverWord(text: string, asked: TypeWord, lastGrab: Word): Word | undefined {
  if (text === 'set_info' || text === 'move_abs' || text === 'move_rel') return text;
  if (asked === 'ACTUATOR') {
    return text === 'move_home' || text === 'get_actuator_value' || text === 'check_position' ? text : undefined;
  }
  // Stock viewers grab at whatever has this in it; without a dimension, the same as before.
  if (!text.includes('Send Data')) return undefined;
  if (text.includes('0D')) return 'Send Data 0D';
  return /[12N]D/.test(text) ? 'Send Data 1D' : lastGrab;
}

/** The names in a settings path. */
export function namesOf(where: WireValue | undefined): readonly string[] {
  return where?.type === 'list' ? where.items.flatMap((item) => (item.type === 'str' ? [item.value] : [])) : [];
}
