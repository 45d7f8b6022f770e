/**
 * What one client's requests do: calls to the instrument, and their answers as objects. Knows what the client is attached
 * to, and nothing of bytes, of turns or of how the client is reached. What cannot be done is a Refusal, and has changed
 * nothing.
 */
import type { Logger } from 'pino';
import { Bag } from '../bag.ts';
import { Refusal } from '../errors.ts';
import type { ModuleDescription, ParameterDescription, Value } from '../fpga/description.ts';
import type { Change, Client, Grab, GrabOptions, Instrument, Progress } from '../fpga/instrument/instrument.ts';
import type { SavedModules } from '../fpga/instrument/settings-file.ts';
import type { Answer } from './answer.ts';
import type { TraceEncoder } from './data.ts';
import type { Dialling } from './dial/dialling.ts';
import { actuatorParameter, isMove, openMoves, parameterOf } from './moves.ts';
import {
  boolField,
  dictionary,
  type Fields,
  namesField,
  numbersField,
  type Request,
  recordField,
  textField,
} from './requests.ts';
import { parameterXml, readParameterXml, settingsXml, unitsXml, valueFromText } from './settings.ts';
import { bytes, type Form, path, type WireValue } from './wire/values.ts';
import { type CommandName, commands, type TypeWord, typeWords } from './words.ts';

/** Longest name of an owner. */
const MAX_NAME = 100;

/** Most points of a model. */
const MAX_FREQUENCIES = 100_000;

/** A request that is answered; `Quit` is the connection's affair. */
export type Answerable = Request & { readonly command: Exclude<CommandName, 'Quit'> };

export function isAnswerable(request: Request): request is Answerable {
  return request.command !== 'Quit';
}

export interface DealingsOptions {
  readonly instrument: Instrument;
  readonly client: Client;
  readonly form: Form;
  /** Tells what the client speaks to at first. */
  readonly typeWord: TypeWord;
  readonly log: Logger;
  readonly encodeTrace: TraceEncoder;
  /** Waited for before a trace is encoded: the door's way to let others get a word in between large answers. */
  readonly turn?: () => Promise<void>;
  /** Further facts for `status`. */
  readonly facts?: () => Record<string, unknown>;
  /** Servers that the board connects to. */
  readonly dialling?: Dialling;
  /** Refuses requests of this client that wait for their turn; gives how many. @param by default: the client itself */
  withdraw(what: string, which: (request: Request) => boolean, by?: string): number;
  /** Sends what was not asked for. */
  tell(word: string, payload: readonly WireValue[]): void;
}

export interface Dealings {
  /** @throws Refusal; BusError */
  carryOut(request: Answerable): Promise<Answer>;
  /** Nothing more is told. */
  end(): void;
}

export function openDealings(options: DealingsOptions): Dealings {
  const { instrument, client, form, typeWord, log, encodeTrace, withdraw, tell } = options;
  let attached: string = typeWords[typeWord];
  const grabs = new Map<string, Bag<Grab>>();
  /** Waits for modules that others own, under way. */
  const waits = new Map<string, AbortController>();
  const moves = openMoves(instrument, client, (module) => {
    withdraw('move', (request) => isMove(request.command) && speaksTo(request, module));
  });
  let unsubscribe: (() => void) | undefined;
  // What anybody sent before must not switch on again afterwards.
  const endOff = instrument.onOff((by) => withdraw('request', writes, `${by}, who switched all outputs off`));

  async function carryOut({ command, fields }: Answerable): Promise<Answer> {
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
      case 'transfer_function':
        return dict(await transferFunction(fields));
      case 'move_abs':
      case 'move_rel':
      case 'move_home':
      case 'check_position':
      case 'stop_motion':
        return moves.carryOut(command, moduleOf(fields), fields);
      case 'stop':
        return dict(await stop(fields));
      case 'off':
        await instrument.off(client);
        return dict({ off: true });
      case 'save': {
        const modules = recordField(fields, 'config') as SavedModules | undefined;
        return dict({ modules: await instrument.setups.save(nameOf(fields), modules) });
      }
      case 'load': {
        return dict({ modules: await instrument.setups.load(client, nameOf(fields)) });
      }
      case 'setups':
        return dict({ setups: await instrument.setups.list() });
      case 'delete': {
        const name = nameOf(fields);
        await instrument.setups.remove(name);
        return dict({ deleted: name });
      }
      case 'selftest':
        return dict(await instrument.selftest(client, fields));
      case 'dial':
        return dict(dialling().dial(serverOf(fields), textField(fields, 'device') ?? ''));
      case 'hang-up':
        return dict(await dialling().hangUp(serverOf(fields)));
      case 'list':
        return dict(list(fields));
      case 'subscribe':
        return dict(subscribe(fields));
      case 'status':
        return dict({
          ...(await instrument.status()),
          ...options.facts?.(),
          dialled: options.dialling?.list() ?? [],
          you: { owner: client.owner, attached },
        });
      case 'ping':
        return { word: 'pong', payload: [] };
      case 'Send Infos':
        return infos(fields);
      case 'set_info':
        return setInfo(fields);
    }
  }

  function dict(plain: unknown): Answer {
    return { word: 'Reply', payload: [dictionary(form, plain)] };
  }

  /** Of a setup. */
  function nameOf(fields: Fields): string {
    const name = textField(fields, 'name');
    if (name === undefined) throw new Refusal('A setup has a name; nothing was changed.');
    return name;
  }

  function dialling(): Dialling {
    if (options.dialling) return options.dialling;
    throw new Refusal('This door cannot dial; nothing was changed.');
  }

  function serverOf(fields: Fields): string {
    const server = textField(fields, 'server');
    if (server === undefined) throw new Refusal('server is HOST or HOST:PORT; nothing was changed.');
    return server;
  }

  /** @throws Refusal that names the modules there are */
  function moduleOf(fields: Fields): ModuleDescription {
    return instrument.describe(textField(fields, 'module') ?? attached);
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
    const takeOver = boolField(fields, 'take_over') ?? false;
    if (takeOver && mode !== 'own') throw new Refusal('take_over is for mode own; nothing was changed.');
    const parameter = textField(fields, 'parameter');
    if (parameter !== undefined) actuatorParameter(module, parameter);
    const before = client.owner;
    client.owner = owner ?? before;
    const wait = new AbortController();
    waits.set(module.name, wait);
    try {
      await instrument.attach(client, module.name, mode, { timeout: timeout ?? 0, takeOver, signal: wait.signal });
    } catch (error) {
      client.owner = before;
      throw error;
    } finally {
      waits.delete(module.name);
    }
    attached = module.name;
    if (parameter !== undefined) moves.choose(module, parameter);
    const what = moves.chosen(module) ?? null;
    log.info({ module: module.name, mode, owner: client.owner }, 'attached');
    return { module: module.name, mode, owner: client.owner, parameter: what };
  }

  async function grab(fields: Fields): Promise<Answer> {
    const module = moduleOf(fields);
    const { module: _, ...wanted } = fields;
    // The instrument judges every option, and refuses in its own words.
    const grab = instrument.grab(client, module.name, wanted as GrabOptions);
    const mine = grabs.get(module.name) ?? new Bag<Grab>();
    grabs.set(module.name, mine);
    mine.add(grab);
    try {
      const trace = await grab.result;
      await options.turn?.();
      const parts = encodeTrace(trace, module, form);
      return { word: 'Done', payload: [], ready: { parts, sent: () => grab.release?.() } };
    } finally {
      mine.delete(grab);
    }
  }

  async function transferFunction(fields: Fields): Promise<unknown> {
    const module = moduleOf(fields);
    const frequencies = numbersField(fields, 'frequencies', MAX_FREQUENCIES);
    if (!frequencies?.every((one) => one > 0)) {
      throw new Refusal('transfer_function needs frequencies, a list of numbers above 0, in Hz.');
    }
    const { extradelay = 0 } = fields;
    if (typeof extradelay !== 'number' || !Number.isFinite(extradelay)) {
      throw new Refusal('extradelay must be a number of seconds.');
    }
    const found = await instrument.transferFunction(module.name, frequencies, extradelay);
    return { module: module.name, frequencies, re: found.map(({ re }) => re), im: found.map(({ im }) => im) };
  }

  async function stop(fields: Fields): Promise<unknown> {
    const module = moduleOf(fields);
    const mine = [...(grabs.get(module.name) ?? [])];
    const wantsAll = boolField(fields, 'all');
    const waiting = withdraw('grab', (request) => request.command === 'grab' && speaksTo(request, module.name));
    for (const grab of mine) grab.stop(client.owner);
    const wait = waits.get(module.name);
    wait?.abort();
    const withdrawn = mine.length + waiting + (wait ? 1 : 0);
    const all = wantsAll ?? withdrawn === 0;
    if (all) await instrument.stop(client, module.name);
    return { module: module.name, withdrawn, all };
  }

  function speaksTo({ fields }: Request, module: string): boolean {
    return (fields.module ?? attached) === module;
  }

  function list(fields: Fields): unknown {
    const { identity, modules } = instrument;
    return { ...identity, modules: fields.module === undefined ? modules : [moduleOf(fields)] };
  }

  async function infos(fields: Fields): Promise<Answer> {
    const module = moduleOf(fields);
    const values = await instrument.get(module.name);
    const moved = typeWord === 'ACTUATOR' && moves.chosen(module) !== undefined;
    const units = moved ? [unitsXml(moves.parameter(module, fields).unit)] : [];
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

  function tellChange(change: Change): void {
    const parameter = parameterOf(instrument.describe(change.module), change.parameter);
    tell('Changed', located(change.module, parameter, change.to));
  }

  function tellProgress(progress: Progress): void {
    tell('Progress', [dictionary(form, progress)]);
  }

  return {
    carryOut,
    end() {
      endOff();
      unsubscribe?.();
      unsubscribe = undefined;
    },
  };
}

function writes({ command, fields }: Request): boolean {
  return 'writes' in commands[command] || fields.config !== undefined;
}
