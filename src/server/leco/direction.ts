/**
 * One director and one actor: what the director asks is carried out by the same dealings as behind the other doors, and it is
 * told what changes. Settings and moves take effect in their order; measurements hold up neither.
 */
import type { Logger } from 'pino';
import type { ParameterDescription, Value } from '../../fpga/description.ts';
import type { Client, Instrument } from '../../fpga/instrument/instrument.ts';
import { SAMPLES } from '../../fpga/modules/scope.ts';
import type { ClientJournal } from '../../log.ts';
import type { TraceEncoder } from '../data.ts';
import { openDealings } from '../dealings.ts';
import { openViewed } from '../dial/data.ts';
import { namesOf } from '../dial/server-words.ts';
import { sentenceOf } from '../sentence.ts';
import { parameterXml, readParameterXml, settingsXml, unitsXml, valueFromText } from '../settings.ts';
import { factorOf } from '../units.ts';
import { bytes, path, type WireValue } from '../wire/values.ts';
import type { Outcome } from './asking.ts';
import type { LecoDevice } from './devices.ts';
import { fineUnit } from './fine-unit.ts';
import { type AskedPosition, encodeFrame, positionCall } from './position.ts';
import { openTelling, same, valueIn } from './telling.ts';
import { openViewing, type Viewing } from './viewing.ts';

/** Settings and moves of one director that may wait. */
const MAX_WAITING = 64;

/** A director of which nothing was heard for so long is asked whether it lives, in ms. Stock ones say something every second. */
const QUIET_MS = 60_000;

/** Settings that are this door's own, not the module's. */
const LAST_REFUSAL: ParameterDescription = {
  name: 'last_refusal',
  label: 'Last refusal',
  help: 'Why the board last refused something that was asked here.',
  kind: 'text',
  unit: '',
  readonly: true,
  default: '',
};
const POINTS: ParameterDescription = {
  name: 'points',
  label: 'Points',
  help: 'So many points of each trace are read and sent here, its first ones; 0: all.',
  kind: 'integer',
  unit: '',
  min: 0,
  max: SAMPLES,
  readonly: false,
  default: 0,
};

const UNITS_HELP = 'Smaller than the smallest step: PyMoDAQ does not send moves by 1 of these or less.';

export interface DirectionOptions {
  readonly instrument: Instrument;
  readonly device: LecoDevice;
  readonly client: Client;
  readonly log: Logger;
  readonly journal: ClientJournal;
  readonly encodeTrace: TraceEncoder;
  readonly turn?: () => Promise<void>;
  /** Calls a method of the director. */
  call(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    frames?: readonly Uint8Array[],
    sent?: () => void,
  ): Promise<Outcome>;
  /** There is a way to the director. */
  readonly connected: () => boolean;
  /** A move of this director has ended well: all others are told. */
  moved(): void;
  /** The director is not there any more. */
  gone(): void;
  readonly now: () => number;
  /** Calls back later. */
  after(ms: number, call: () => void): void;
}

export interface Direction {
  readonly viewing: Viewing;
  /** Too much that was asked waits for its turn. */
  readonly full: boolean;
  /** The director has said something, whatever it was. */
  heard(): void;
  /** Each in its turn; `position` throws a Refusal, and is called then. */
  move(command: 'move_abs' | 'move_rel' | 'move_home' | 'stop_motion', position?: () => AskedPosition): void;
  setInfo(names: readonly string[], xml: string): void;
  tellSettings(): void;
  /** All values one by one: the director has the settings already, from a life of this daemon before. */
  tellValues(): void;
  tellPosition(method: 'send_position' | 'set_move_done'): Promise<void>;
  tick(): void;
  end(): void;
}

export function openDirection(options: DirectionOptions): Direction {
  const { instrument, device, client, log, journal, call } = options;
  const { module, moved } = device;
  const unit = moved && fineUnit(moved);
  const viewed = openViewed(module, options.encodeTrace);
  let points = 0;
  let json = false;
  let waiting = 0;
  let heardAt = options.now();
  let probing = false;
  let over = false;

  const dealings = openDealings({
    instrument,
    client,
    form: 'v5',
    typeWord: moved ? 'ACTUATOR' : 'GRABBER',
    log,
    encodeTrace: viewed.encode,
    ...(options.turn ? { turn: options.turn } : {}),
    withdraw: () => 0,
    tell,
  });

  const viewing = openViewing({
    async grab(fields) {
      const { ready } = await dealings.carryOut({ command: 'grab', fields });
      if (!ready) throw new Error('a grab has bytes');
      journal.answered('grab');
      return ready;
    },
    withdraw: () => void dealings.carryOut({ command: 'stop', fields: { all: false } }).catch(() => undefined),
    deliver: (data, sent) => ask('set_data', { data: null }, [data], sent),
    viewed,
    part: () => (points > 0 ? { points } : {}),
    refused,
    gone: options.gone,
    connected: options.connected,
    now: options.now,
    after: options.after,
  });

  const telling = openTelling({
    module,
    tell: (parameter) => ask('set_director_info', { parameter: null }, [encodeFrame(parameter)]),
    tellPosition: () => tellPosition('send_position'),
  });

  let jobs: Promise<unknown> = begin();

  async function begin(): Promise<void> {
    try {
      const parameter = moved ? { parameter: moved.name } : {};
      await dealings.carryOut({ command: 'attach', fields: { module: module.name, ...parameter } });
      // Whoever left meanwhile would be told for ever.
      if (!over) await dealings.carryOut({ command: 'subscribe', fields: {} });
    } catch (error) {
      refused('attach', error);
    }
  }

  /** In its turn. */
  function enqueue(job: () => Promise<unknown>): void {
    waiting++;
    jobs = jobs
      .then(() => (over ? undefined : job()))
      .catch((error) => log.error({ err: error }, 'a fault of pitayad itself'))
      .finally(() => waiting--);
  }

  async function ask(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    frames?: readonly Uint8Array[],
    sent?: () => void,
  ): Promise<Outcome> {
    if (over) {
      sent?.();
      return { what: 'lost' };
    }
    const outcome = await call(method, params, frames, sent);
    if (outcome.what === 'result') heardAt = options.now();
    if (outcome.what === 'error') {
      log.debug({ method, code: outcome.error.code, reason: outcome.error.message }, 'the director refused');
    }
    return outcome;
  }

  // ---------------------------------------------------------------- settings

  function tellSettings(): void {
    enqueue(async () => {
      try {
        const values = await instrument.get(module.name);
        const own = [
          ...(unit ? [unitsXml(unit.unit, UNITS_HELP)] : []),
          parameterXml(LAST_REFUSAL, ''),
          ...(module.parts ? [parameterXml(POINTS, points)] : []),
        ];
        telling.knowsSettings();
        void ask('set_director_settings', { settings: settingsXml(module, values, own) });
      } catch (error) {
        refused('get_settings', error);
      }
    });
  }

  function tellValues(): void {
    enqueue(async () => {
      try {
        const values = await instrument.get(module.name);
        for (const parameter of module.parameters) {
          const value = values[parameter.name];
          if (value !== undefined) tell('Changed', located(parameter, value));
        }
      } catch (error) {
        refused('get', error);
      }
    });
  }

  function located(parameter: ParameterDescription, value: Value): WireValue[] {
    return [path([module.name, parameter.name]), bytes(parameterXml(parameter, value))];
  }

  /** What changed, whoever did it. */
  function tell(word: string, payload: readonly WireValue[]): void {
    const [name, parameter] = namesOf(payload[0]);
    if (word !== 'Changed' || name !== module.name || parameter === undefined) return;
    telling.changed(parameter, payload);
    if (parameter === moved?.name) telling.positionChanged();
  }

  function setInfo(names: readonly string[], xml: string): void {
    enqueue(async () => {
      const name = names.at(-1);
      // A setting of the director itself, whose name is that of one of ours.
      if (names.length < 2 || name === undefined) return;
      try {
        if (name === POINTS.name && module.parts) points = pointsIn(xml);
        else await setParameter(name, names, xml);
      } catch (error) {
        refused('set_info', error);
        await tellPresent(name);
      }
    });
  }

  async function setParameter(name: string, names: readonly string[], xml: string): Promise<void> {
    const parameter = module.parameters.find((known) => known.name === name);
    const wanted = parameter && valueIn(parameter, xml);
    if (wanted !== undefined && telling.isEcho(name, wanted)) return;
    const { payload } = await dealings.carryOut({ command: 'set_info', fields: { path: names, xml } });
    journal.answered('set_info');
    telling.told(name);
    const [, taken] = payload;
    if (!parameter || taken?.type !== 'bytes') return;
    if (!same(wanted, valueIn(parameter, Buffer.from(taken.bytes).toString('utf8')))) telling.changed(name, payload);
  }

  function pointsIn(xml: string): number {
    const wanted = valueFromText(POINTS, readParameterXml(xml).text);
    return typeof wanted === 'number' ? Math.min(SAMPLES, Math.max(0, Math.trunc(wanted) || 0)) : 0;
  }

  /** The value as it is, after one that was refused: it jumps back. */
  async function tellPresent(name: string): Promise<void> {
    const parameter = module.parameters.find((known) => known.name === name);
    if (!parameter) return;
    try {
      const value = (await instrument.get(module.name, [name]))[name];
      if (value !== undefined) telling.changed(name, located(parameter, value));
    } catch (error) {
      refused('get', error);
    }
  }

  function refused(command: string, error: unknown): void {
    const sentence = sentenceOf(error, command, log);
    journal.refused(command, sentence);
    telling.reason(located(LAST_REFUSAL, sentence), sentence);
  }

  /** Every component of LECO answers this. */
  async function probe(): Promise<void> {
    probing = true;
    const { what } = await ask('pong');
    probing = false;
    if (what !== 'result') options.gone();
  }

  // ---------------------------------------------------------------- moves

  function move(command: 'move_abs' | 'move_rel' | 'move_home' | 'stop_motion', asked?: () => AskedPosition): void {
    enqueue(async () => {
      try {
        await dealings.carryOut({ command, fields: asked ? { value: target(asked()) } : {} });
        journal.answered(command);
        if (command !== 'stop_motion') options.moved();
      } catch (error) {
        refused(command, error);
      }
      // Whatever became of it: the director waits for the end. The next move does not wait for what it says to it.
      const where = await position('set_move_done');
      if (where) void ask('set_move_done', where.params, where.frames);
    });
  }

  /** In the parameter's own unit. */
  function target({ value, units, json: plain }: AskedPosition): number {
    json ||= plain;
    const wanted = value * factorOf(units, moved?.unit ?? '');
    return moved?.kind === 'integer' ? Math.round(wanted) : wanted;
  }

  async function tellPosition(method: 'send_position' | 'set_move_done'): Promise<void> {
    const where = await position(method);
    if (where) await ask(method, where.params, where.frames);
  }

  /** Where the axis is, for a call of `method`; NaN, and the reason, where that cannot be read. */
  async function position(method: string): Promise<ReturnType<typeof positionCall> | undefined> {
    if (!moved || !unit) return undefined;
    let value = Number.NaN;
    try {
      value = Number((await instrument.get(module.name, [moved.name]))[moved.name]);
    } catch (error) {
      refused(method, error);
    }
    return positionCall(moved, value, unit, json);
  }

  return {
    viewing,
    get full() {
      return waiting >= MAX_WAITING || viewing.full;
    },
    heard() {
      heardAt = options.now();
      telling.heard();
    },
    move,
    setInfo,
    tellSettings,
    tellValues,
    tellPosition,
    tick() {
      if (options.now() - heardAt > QUIET_MS && !probing && options.connected()) void probe();
      viewing.tick();
      journal.tick();
    },
    end() {
      if (over) return;
      over = true;
      viewing.end();
      dealings.end();
      instrument.leave(client, true);
      journal.close();
    },
  };
}
