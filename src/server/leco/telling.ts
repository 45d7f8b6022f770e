/**
 * What a director is told unasked: settings that changed, why something was refused, where its axis is. One thing at a time, each when
 * the one before has arrived: of what changes fast the newest is told.
 */
import type { ModuleDescription, ParameterDescription, Value } from '../../fpga/description.ts';
import { openNews } from '../dial/news.ts';
import { namesOf } from '../dial/server-words.ts';
import { readParameterXml, valueFromText } from '../settings.ts';
import type { ParameterWithPath, WireValue } from '../wire/values.ts';
import type { Outcome } from './asking.ts';
import { rpcErrors } from './rpc.ts';

export interface TellingOptions {
  readonly module: ModuleDescription;
  /** Tells a value; gives what the director said to it. */
  tell(parameter: ParameterWithPath): Promise<Outcome>;
  tellPosition(): Promise<void>;
}

export interface Telling {
  /** @param payload path and XML of the parameter */
  changed(parameter: string, payload: readonly WireValue[]): void;
  positionChanged(): void;
  /** @param payload path and XML of the setting that shows it */
  reason(payload: readonly WireValue[], sentence: string): void;
  /** The director has this value already: it set it. */
  told(parameter: string): void;
  /** Whether the director sends back what it was told last, which is no order; once. */
  isEcho(parameter: string, value: Value): boolean;
  /** The director was heard: it lives. */
  heard(): void;
  /** The director has asked for settings: it knows what they are. */
  knowsSettings(): void;
}

export function openTelling({ module, tell, tellPosition }: TellingOptions): Telling {
  const news = openNews(Number.POSITIVE_INFINITY);
  const echoes = new Map<string, Value>();
  let why: readonly WireValue[] = [];
  let positionIsNews = false;
  let telling = false;
  /** The director does not answer: it is told what is new when it is heard again. */
  let silent = false;
  /** It knows nothing of settings. */
  let deaf = false;

  async function tellAll(): Promise<void> {
    if (telling || silent || deaf) return;
    telling = true;
    try {
      do {
        const moved = positionIsNews;
        positionIsNews = false;
        if (moved) await tellPosition();
        for (let due = news.next(); due && !silent && !deaf; due = news.next()) {
          if (due.what === 'reason') await tellOne(why);
          else if (due.what === 'change') await tellOne(due.payload);
        }
      } while (positionIsNews && !silent && !deaf);
    } finally {
      telling = false;
    }
  }

  async function tellOne([where, xml]: readonly WireValue[]): Promise<void> {
    if (xml?.type !== 'bytes') return;
    const path = namesOf(where);
    const text = Buffer.from(xml.bytes).toString('utf8');
    const parameter = module.parameters.find(({ name }) => name === path.at(-1));
    if (parameter) echoes.set(parameter.name, valueIn(parameter, text));
    const outcome = await tell({ type: 'ParameterWithPath', path, xml: text });
    if (outcome.what === 'result') return;
    // A script in pyleco has no such method.
    if (outcome.what === 'error' && outcome.error.code === rpcErrors.methodNotFound.code) deaf = true;
    else silent = true;
  }

  return {
    changed(parameter, payload) {
      news.changed(parameter, payload);
      void tellAll();
    },
    positionChanged() {
      positionIsNews = true;
      void tellAll();
    },
    reason(payload, sentence) {
      why = payload;
      news.reason(sentence);
      void tellAll();
    },
    told: (parameter) => news.told(parameter),
    isEcho(parameter, value) {
      const echo = echoes.get(parameter);
      echoes.delete(parameter);
      return same(value, echo);
    },
    heard() {
      if (!silent) return;
      silent = false;
      void tellAll();
    },
    knowsSettings() {
      deaf = false;
    },
  };
}

/** @throws Refusal */
export function valueIn(parameter: ParameterDescription, xml: string): Value {
  return valueFromText(parameter, readParameterXml(xml).text) as Value;
}

export function same(one: Value | undefined, other: Value | undefined): boolean {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
}
