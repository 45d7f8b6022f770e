import type { SharedMessage } from './data.ts';
import type { WireValue } from './wire/values.ts';
import type { AnswerWord } from './words.ts';

/** An answer: its word and the objects after it. */
export interface Answer {
  readonly word: AnswerWord;
  readonly payload: readonly WireValue[];
  /** In place of word and payload: their bytes. */
  readonly ready?: SharedMessage;
}
