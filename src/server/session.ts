/**
 * One client's conversation: bytes in, calls to the instrument, bytes out. Knows no socket and has no timers of its own.
 *
 * Promises: every request gets exactly one answer, in the order of the requests of this connection, except for the
 * immediate ones (see words.ts), which overtake. What cannot be done is answered `Error` with a sentence and has changed
 * nothing. After bytes that are not the protocol the session goes on if the next message can be found, else it says so
 * and closes.
 */
import type { Logger } from 'pino';
import { BusError, PitayadError, ProtocolError, Refusal } from '../errors.ts';
import type { ModuleDescription, ParameterDescription, Value } from '../fpga/description.ts';
import type { Change, Client, Grab, GrabOptions, Instrument, Progress } from '../fpga/instrument/instrument.ts';
import type { ClientJournal } from '../log.ts';
import { nearest } from '../nearest.ts';
import type { SharedBytes, TraceEncoder } from './data.ts';
import {
  type BadRequest,
  boolField,
  dictionary,
  type Fields,
  fromWord,
  namesField,
  opening,
  payloadOf,
  type Request,
  recordField,
  textField,
} from './requests.ts';
import { parameterXml, readParameterXml, settingsXml, valueFromText } from './settings.ts';
import { factorOf } from './units.ts';
import { createDecoder, type Decoder } from './wire/decode.ts';
import { detectForm } from './wire/detect.ts';
import { encode } from './wire/encode.ts';
import type { WireLimits } from './wire/limits.ts';
import { bytes, dataActuator, type Kind, none, path, str, type WireValue } from './wire/values.ts';
import { type AnswerWord, commands, type TypeWord, typeWords, type Word } from './words.ts';

/** Requests that wait or are under way; beyond, nothing more is read from the peer until some are done. */
const MAX_WAITING = 64;

/** Longest name of an owner, and other names that a client chooses. */
const MAX_NAME = 100;

/** Bytes looked at to tell the form, at most. */
const HEAD = 16;

/** How the session speaks to its peer. */
export interface Outlet {
  /** To be sent, in this order, in one piece. `sent` is called when the bytes are not needed any more. */
  send(parts: readonly Uint8Array[], sent?: () => void): void;
  /** `end`: what was sent arrives first. `reset`: at once, so that a stock PyMoDAQ notices it. */
  close(how: 'end' | 'reset'): void;
}

export interface SessionOptions {
  readonly instrument: Instrument;
  /** `192.0.2.7:51234`, and the name under which it owns modules until it gives another. */
  readonly peer: string;
  readonly owner: string;
  readonly outlet: Outlet;
  readonly log: Logger;
  readonly journal: ClientJournal;
  readonly encodeTrace: TraceEncoder;
  /** Waited for before a trace is sent: the door's way to let others get a word in between large answers. */
  readonly turn?: () => Promise<void>;
  readonly limits?: Partial<WireLimits>;
  /** Further facts for `status`. */
  readonly facts?: () => Record<string, unknown>;
}

export interface Session {
  receive(chunk: Uint8Array): void;
  /** Part of a message has come, and the rest is due: its number in this connection. Undefined: none is due. */
  readonly unfinished: number | undefined;
  /** Many requests wait: read no more for now. `onRelief` is called when that is over. */
  readonly full: boolean;
  onRelief(call: () => void): void;
  /** Says `Error` with this sentence, and closes. */
  fail(sentence: string): void;
  /** The connection is gone. */
  end(): void;
}

/** An answer: its word and the objects after it. */
interface Answer {
  readonly word: AnswerWord;
  readonly payload: readonly WireValue[];
  /** In place of word and payload: their bytes. */
  readonly ready?: SharedBytes;
}

export function openSession(options: SessionOptions): Session {
  const { instrument, outlet, log, journal, encodeTrace } = options;
  const client: Client = { peer: options.peer, owner: options.owner };
  let head: Uint8Array = new Uint8Array(0);
  let decoder: Decoder | undefined;
  let typeWord: TypeWord | undefined;
  /** A word whose payload is not complete, and why it will be refused, if that is known already. */
  let begun: { readonly word: Word; readonly payload: WireValue[]; refusal?: string } | undefined;
  /** Requests that came whole. */
  let requests = 0;
  const queue: (Request | BadRequest)[] = [];
  let working = false;
  /** Immediate requests under way. */
  let acting = 0;
  let closed = false;
  let relief: (() => void) | undefined;
  /** What this connection speaks to. */
  let attached = '';
  const moved = new Map<string, string>();
  const grabs = new Map<string, Set<Grab>>();
  let unsubscribe: (() => void) | undefined;

  // ---------------------------------------------------------------- bytes in

  function receive(chunk: Uint8Array): void {
    if (closed) return;
    try {
      if (decoder) decoder.push(chunk);
      else if (!began(chunk)) return;
    } catch (error) {
      broken(error);
      return;
    }
    read();
  }

  /** Whether the form is known by now. */
  function began(chunk: Uint8Array): boolean {
    head = Buffer.concat([head, chunk]);
    const form = detectForm(head.subarray(0, HEAD));
    if (form === 'more') return false;
    decoder = createDecoder(form, options.limits);
    decoder.push(head);
    head = new Uint8Array(0);
    return true;
  }

  /** Takes complete objects until there are none, or too many requests wait. */
  function read(): void {
    while (!closed && decoder && !isFull()) {
      let object: WireValue | undefined;
      try {
        object = decoder.next(expected());
      } catch (error) {
        broken(error);
        continue;
      }
      if (object === undefined) return;
      take(object);
    }
  }

  function expected(): Kind {
    const next = begun && payloadOf(begun.word)[begun.payload.length];
    return next?.kind ?? 'string';
  }

  function take(object: WireValue): void {
    if (typeWord === undefined) {
      introduce(object);
      return;
    }
    if (begun) {
      begun.payload.push(object);
    } else {
      const first = opening(object);
      if (first.what === 'offer' && requests === 0) {
        offered();
        return;
      }
      if (first.what === 'offer') {
        enqueue({ refusal: `${first.word} is a word of an instrument, and this is one; nothing was changed.` });
        return;
      }
      if (first.what === 'request') {
        enqueue(first.request);
        return;
      }
      begun = { word: first.word, payload: [] };
    }
    complete();
  }

  /** Once all that belongs to the word has come. */
  function complete(): void {
    if (!begun || begun.payload.length < payloadOf(begun.word).length) return;
    const { word, payload, refusal } = begun;
    begun = undefined;
    enqueue(refusal === undefined ? fromWord(word, payload) : { refusal });
  }

  function introduce(object: WireValue): void {
    const word = object.type === 'str' ? object.value : object.type;
    if (word !== 'GRABBER' && word !== 'ACTUATOR') {
      const near = nearest(word, Object.keys(typeWords));
      fail(
        `The first word must be GRABBER or ACTUATOR, not ${JSON.stringify(word.slice(0, 40))}` +
          `${near === undefined ? '' : ` (did you mean ${near}?)`}; nothing was changed.`,
      );
      return;
    }
    typeWord = word;
    attached = typeWords[word];
    log.info({ as: word, form: decoder?.form }, 'connected');
  }

  /** A stock PyMoDAQ module offers itself to be commanded: a FIN would make it spin for ever, so it is reset. */
  function offered(): void {
    log.warn(
      { as: typeWord },
      'a stock PyMoDAQ module connected here by its "TCP/IP options", which offer that module as an instrument; the board ' +
        'is an instrument itself. To use the board, choose the PitayadScope or PitayadASG plug-in; the connection is reset',
    );
    closed = true;
    leave();
    outlet.close('reset');
  }

  function broken(error: unknown): void {
    const sentence = error instanceof Error ? error.message : String(error);
    if (!(error instanceof ProtocolError)) log.error({ err: error }, 'a fault of pitayad itself while reading');
    if (error instanceof ProtocolError && error.inStep && typeWord !== undefined) {
      const refusal = `The message was not understood: ${sentence}; nothing was changed.`;
      if (begun) {
        // The rest of the payload is no request of its own.
        begun.refusal ??= refusal;
        begun.payload.push(none);
        complete();
      } else {
        enqueue({ refusal });
      }
      return;
    }
    log.warn({ reason: sentence }, 'not the protocol');
    fail(`The connection cannot go on: ${sentence}; nothing was changed.`);
  }

  // ---------------------------------------------------------------- requests, in turn

  function enqueue(request: Request | BadRequest): void {
    requests++;
    if ('command' in request && isImmediate(request)) {
      void act(request);
      return;
    }
    queue.push(request);
    if (!working) void work();
  }

  function isFull(): boolean {
    return queue.length + acting >= MAX_WAITING;
  }

  /** Reads on, once there is room again. */
  function relieve(): void {
    if (queue.length + acting >= MAX_WAITING / 2) return;
    read();
    relief?.();
  }

  async function act(request: Request): Promise<void> {
    acting++;
    await perform(request);
    acting--;
    relieve();
  }

  async function work(): Promise<void> {
    working = true;
    for (let request = queue.shift(); request && !closed; request = queue.shift()) {
      await perform(request);
      relieve();
    }
    working = false;
  }

  async function perform(request: Request | BadRequest): Promise<void> {
    const { id } = request;
    const name = 'command' in request ? request.command : 'request';
    try {
      if ('refusal' in request) throw new Refusal(request.refusal);
      const answer = await carryOut(request);
      if (answer) {
        journal.answered(name);
        reply(answer, id);
      }
    } catch (error) {
      if (!(error instanceof PitayadError)) log.error({ err: error, command: name }, 'a fault of pitayad itself');
      const sentence =
        error instanceof PitayadError
          ? error.message
          : 'The board failed at this; the reason is in its log, and it goes on.';
      if (error instanceof BusError) log.warn({ reason: sentence }, 'the registers do not answer');
      journal.refused(name, sentence);
      reply({ word: 'Error', payload: [str(sentence)] }, id);
    }
  }

  function reply({ word, payload, ready }: Answer, id?: string | number): void {
    if (closed || !decoder) {
      ready?.sent();
      return;
    }
    const { form } = decoder;
    const tail = id === undefined ? [] : [dictionary(form, id)];
    if (!ready) {
      outlet.send([encode(form, [str(word), ...payload, ...tail])]);
      return;
    }
    outlet.send(tail.length > 0 ? [ready.bytes, encode(form, tail)] : [ready.bytes], ready.sent);
  }

  // ---------------------------------------------------------------- what requests do

  async function carryOut({ command, fields }: Request): Promise<Answer | undefined> {
    switch (command) {
      case 'attach':
        return dict(await attach(fields));
      case 'detach': {
        const module = moduleOf(fields);
        await instrument.detach(client, module.name);
        return dict({ module: module.name });
      }
      case 'grab':
        return grab(fields);
      case 'configure': {
        const module = moduleOf(fields);
        const config = recordField(fields, 'config');
        if (!config)
          throw new Refusal(
            'configure needs config, a dictionary of parameters with their values; nothing was changed.',
          );
        return dict(await instrument.configure(client, module.name, config));
      }
      case 'get':
        return dict(await instrument.get(moduleOf(fields).name, namesField(fields, 'parameters')));
      case 'move_abs':
      case 'move_rel':
        return move(command, fields);
      case 'move_home': {
        const { module, parameter } = actuatorOf(fields);
        if (parameter.home === undefined) {
          throw new Refusal(`${module.name}.${parameter.name} has no home; nothing was changed.`);
        }
        return moveTo(module, parameter, parameter.home);
      }
      case 'check_position': {
        const { module, parameter } = actuatorOf(fields);
        return position('position_is', parameter, await present(module, parameter));
      }
      case 'stop_motion': {
        const { module, parameter } = actuatorOf(fields);
        withdraw('move', (request) => isMove(request) && speaksTo(request, module.name));
        return position('move_done', parameter, await present(module, parameter));
      }
      case 'stop':
        return dict(await stop(fields));
      case 'off':
        // What was sent before must not switch on again afterwards.
        withdraw('request', writes);
        await instrument.off(client);
        return dict({ off: true });
      case 'list':
        return dict(list(fields));
      case 'subscribe':
        return dict(subscribe(fields));
      case 'status':
        return dict({ ...(await instrument.status()), ...options.facts?.(), you: { owner: client.owner, attached } });
      case 'ping':
        return { word: 'pong', payload: [] };
      case 'Send Infos':
        return infos(fields);
      case 'set_info':
        return setInfo(fields);
      case 'Quit':
        log.info('quits');
        closed = true;
        leave();
        outlet.close('end');
        return undefined;
    }
  }

  function dict(plain: unknown): Answer {
    return { word: 'Reply', payload: [dictionary(decoder?.form ?? 'v5', plain)] };
  }

  /** @throws Refusal that names the modules there are */
  function moduleOf(fields: Fields): ModuleDescription {
    return instrument.describe(textField(fields, 'module') ?? attached);
  }

  /** What the move words move: the named parameter, the one named in `attach`, or the module's own choice. */
  function actuatorOf(fields: Fields): { module: ModuleDescription; parameter: ParameterDescription } {
    const module = moduleOf(fields);
    const name = textField(fields, 'parameter') ?? moved.get(module.name) ?? module.actuator;
    if (name === undefined) {
      throw new Refusal(`${module.name} has nothing that is moved unless a parameter is named; nothing was changed.`);
    }
    return { module, parameter: actuator(module, name) };
  }

  async function attach(fields: Fields): Promise<unknown> {
    const module = moduleOf(fields);
    const mode = fields.mode ?? 'share';
    if (mode !== 'own' && mode !== 'share') throw new Refusal('mode must be own or share; nothing was changed.');
    const owner = textField(fields, 'owner');
    if (owner !== undefined && !/^[^\p{C}]{1,100}$/u.test(owner)) {
      throw new Refusal(`owner must be a name of 1 to ${MAX_NAME} printing characters; nothing was changed.`);
    }
    const timeout = fields.owner_timeout;
    if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0 && Number.isFinite(timeout))) {
      throw new Refusal('owner_timeout must be a number of seconds, not negative; nothing was changed.');
    }
    const parameter = textField(fields, 'parameter');
    if (parameter !== undefined) actuator(module, parameter);
    const before = client.owner;
    client.owner = owner ?? before;
    try {
      await instrument.attach(client, module.name, mode);
    } catch (error) {
      client.owner = before;
      throw error;
    }
    attached = module.name;
    if (parameter !== undefined) moved.set(module.name, parameter);
    const what = parameter ?? moved.get(module.name) ?? module.actuator ?? null;
    log.info({ module: module.name, mode, owner: client.owner }, 'attached');
    return { module: module.name, mode, owner: client.owner, parameter: what };
  }

  async function grab(fields: Fields): Promise<Answer> {
    const module = moduleOf(fields);
    const { module: _, ...wanted } = fields;
    // The instrument judges every option, and refuses in its own words.
    const grab = instrument.grab(client, module.name, wanted as GrabOptions);
    const mine = grabs.get(module.name) ?? new Set();
    grabs.set(module.name, mine.add(grab));
    try {
      const trace = await grab.result;
      await options.turn?.();
      const ready = encodeTrace(trace, module, decoder?.form ?? 'v5');
      return { word: 'Done', payload: [], ready };
    } finally {
      mine.delete(grab);
    }
  }

  async function stop(fields: Fields): Promise<unknown> {
    const module = moduleOf(fields);
    const mine = [...(grabs.get(module.name) ?? [])];
    const wantsAll = boolField(fields, 'all');
    const waiting = withdraw('grab', (request) => request.command === 'grab' && speaksTo(request, module.name));
    for (const grab of mine) grab.stop(client.owner);
    const withdrawn = mine.length + waiting;
    const all = wantsAll ?? withdrawn === 0;
    if (all) await instrument.stop(client, module.name);
    return { module: module.name, withdrawn, all };
  }

  /** Requests of this connection that have not begun will be refused when their turn comes. Gives how many. */
  function withdraw(what: string, which: (request: Request) => boolean): number {
    let count = 0;
    for (const [k, request] of queue.entries()) {
      if ('refusal' in request || !which(request)) continue;
      const { id } = request;
      const refusal = `The ${what} was stopped by ${client.owner}; nothing was changed.`;
      queue[k] = { refusal, ...(id === undefined ? {} : { id }) };
      count++;
    }
    return count;
  }

  function speaksTo({ fields }: Request, module: string): boolean {
    return (fields.module ?? attached) === module;
  }

  async function move(command: 'move_abs' | 'move_rel', fields: Fields): Promise<Answer> {
    const { module, parameter } = actuatorOf(fields);
    const { value } = fields;
    if (typeof value !== 'number') throw new Refusal(`${command} needs value, a number; nothing was changed.`);
    const step = value * factorOf(textField(fields, 'units') ?? '', parameter.unit);
    if (command === 'move_abs') return moveTo(module, parameter, step);
    return moveTo(module, parameter, (await present(module, parameter)) + step);
  }

  async function moveTo(module: ModuleDescription, parameter: ParameterDescription, value: number): Promise<Answer> {
    const taken = await instrument.configure(client, module.name, { [parameter.name]: value });
    return position('move_done', parameter, Number(taken[parameter.name]));
  }

  async function present(module: ModuleDescription, parameter: ParameterDescription): Promise<number> {
    const values = await instrument.get(module.name, [parameter.name]);
    return Number(values[parameter.name]);
  }

  function position(word: 'move_done' | 'position_is', parameter: ParameterDescription, value: number): Answer {
    return { word, payload: [dataActuator(parameter.name, value, parameter.unit, Date.now() / 1e3)] };
  }

  function list(fields: Fields): unknown {
    const { identity, modules } = instrument;
    return { ...identity, modules: fields.module === undefined ? modules : [moduleOf(fields)] };
  }

  async function infos(fields: Fields): Promise<Answer> {
    const module = moduleOf(fields);
    const values = await instrument.get(module.name);
    const units =
      typeWord === 'ACTUATOR' && module.actuator !== undefined ? actuatorOf(fields).parameter.unit : undefined;
    return { word: 'Infos', payload: [bytes(settingsXml(module, values, units))] };
  }

  async function setInfo(fields: Fields): Promise<Answer> {
    const names = namesField(fields, 'path');
    const xml = textField(fields, 'xml');
    if (!names || xml === undefined) throw new Refusal('set_info needs a path and XML; nothing was changed.');
    const sent = readParameterXml(xml);
    const name = names.at(-1) ?? sent.name;
    if (name !== sent.name) {
      throw new Refusal(`The path ends with ${name}, and the XML is of ${sent.name}; nothing was changed.`);
    }
    // The path's first element is the sender's own root; a module's name before the parameter is taken as such.
    const before = names.at(-2);
    const module = instrument.modules.find((known) => known.name === before) ?? instrument.describe(attached);
    const parameter = parameterOf(module, name);
    const taken = await instrument.configure(client, module.name, { [name]: valueFromText(parameter, sent.text) });
    const value = taken[name];
    if (value === undefined) throw new Error(`${name} was configured and has no value`);
    return { word: 'Info_xml', payload: located(module.name, parameter, value) };
  }

  function located(module: string, parameter: ParameterDescription, value: Value): WireValue[] {
    return [path([module, parameter.name]), bytes(parameterXml(parameter, value))];
  }

  function subscribe(fields: Fields): unknown {
    const on = boolField(fields, 'on') ?? true;
    unsubscribe?.();
    unsubscribe = undefined;
    if (!on) return { subscribed: false };
    const stops = [instrument.onChange(tellChange), instrument.onProgress(tellProgress)];
    unsubscribe = () => {
      for (const each of stops) each();
    };
    return { subscribed: true };
  }

  function tell(word: string, payload: readonly WireValue[]): void {
    if (!closed && decoder) outlet.send([encode(decoder.form, [str(word), ...payload])]);
  }

  function tellChange(change: Change): void {
    const parameter = parameterOf(instrument.describe(change.module), change.parameter);
    tell('Changed', located(change.module, parameter, change.to));
  }

  function tellProgress(progress: Progress): void {
    tell('Progress', [dictionary(decoder?.form ?? 'v5', progress)]);
  }

  // ---------------------------------------------------------------- the end

  function fail(sentence: string): void {
    if (closed) return;
    // Whoever speaks neither form reads plain text best.
    if (decoder) {
      journal.refused('request', sentence);
      outlet.send([encode(decoder.form, [str('Error'), str(sentence)])]);
    } else {
      outlet.send([Buffer.from(`${sentence}\n`)]);
    }
    closed = true;
    leave();
    outlet.close('end');
  }

  function leave(): void {
    unsubscribe?.();
    unsubscribe = undefined;
    queue.length = 0;
    instrument.leave(client);
  }

  return {
    receive,
    get unfinished() {
      const due = typeWord === undefined || begun !== undefined || (decoder?.waiting ?? 0) > 0;
      if (closed || !due || this.full) return undefined;
      return typeWord === undefined ? 0 : requests + 1;
    },
    get full() {
      return isFull();
    },
    onRelief(call) {
      relief = call;
    },
    fail,
    end() {
      if (closed) return;
      closed = true;
      leave();
    },
  };
}

/** @throws Refusal with the nearest name */
function parameterOf(module: ModuleDescription, name: string): ParameterDescription {
  const found = module.parameters.find((parameter) => parameter.name === name);
  if (found) return found;
  const near = nearest(
    name,
    module.parameters.map((parameter) => parameter.name),
  );
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  throw new Refusal(
    `${module.name} has no parameter ${JSON.stringify(name.slice(0, 40))}${hint}; nothing was changed.`,
  );
}

/** A number that can be written. @throws Refusal */
function actuator(module: ModuleDescription, name: string): ParameterDescription {
  const parameter = parameterOf(module, name);
  const isNumber = parameter.kind === 'number' || parameter.kind === 'integer';
  if (!isNumber || parameter.readonly) {
    const why = parameter.readonly ? 'is read only' : 'is no number';
    throw new Refusal(`${module.name}.${name} ${why}, and cannot be moved; nothing was changed.`);
  }
  return parameter;
}

function isImmediate({ command }: Request): boolean {
  return 'immediate' in commands[command];
}

function isMove({ command }: Request): boolean {
  return command === 'move_abs' || command === 'move_rel' || command === 'move_home';
}

function writes({ command, fields }: Request): boolean {
  return 'writes' in commands[command] || fields.config !== undefined;
}
