/** What the move words do: they move one number of a module, which the client may name. */
import { Refusal } from '../errors.ts';
import type { ModuleDescription, ParameterDescription } from '../fpga/description.ts';
import type { Client, Instrument } from '../fpga/instrument/instrument.ts';
import { nearest } from '../nearest.ts';
import type { Answer } from './answer.ts';
import { type Fields, textField } from './requests.ts';
import { factorOf } from './units.ts';
import { dataActuator } from './wire/values.ts';
import type { CommandName } from './words.ts';

const MOVES = ['move_abs', 'move_rel', 'move_home'] as const satisfies readonly CommandName[];
type MoveWord = (typeof MOVES)[number] | 'check_position' | 'stop_motion';

export function isMove(command: CommandName): boolean {
  return (MOVES as readonly CommandName[]).includes(command);
}

export interface Moves {
  /** @throws Refusal; BusError */
  carryOut(word: MoveWord, module: ModuleDescription, fields: Fields): Promise<Answer>;
  /** From now on these words move this number of the module. @throws Refusal */
  choose(module: ModuleDescription, parameter: string): void;
  /** What they move where a request names nothing; undefined: nothing. */
  chosen(module: ModuleDescription): string | undefined;
  /** What a request is about. @throws Refusal */
  parameter(module: ModuleDescription, fields: Fields): ParameterDescription;
}

/** @param withdraw refuses the client's moves of a module that wait for their turn */
export function openMoves(instrument: Instrument, client: Client, withdraw: (module: string) => void): Moves {
  /** By module, where the client has named it. */
  const named = new Map<string, string>();

  const chosen = ({ name, actuator }: ModuleDescription): string | undefined => named.get(name) ?? actuator;

  function parameter(module: ModuleDescription, fields: Fields): ParameterDescription {
    const name = textField(fields, 'parameter') ?? chosen(module);
    if (name === undefined) {
      throw new Refusal(`${module.name} has nothing that is moved unless a parameter is named; nothing was changed.`);
    }
    return actuatorParameter(module, name);
  }

  async function carryOut(word: MoveWord, module: ModuleDescription, fields: Fields): Promise<Answer> {
    const moved = parameter(module, fields);
    switch (word) {
      case 'move_abs':
        return moveTo(module, moved, step(word, moved, fields));
      case 'move_rel': {
        const by = step(word, moved, fields);
        return moveTo(module, moved, (await present(module, moved)) + by);
      }
      case 'move_home':
        if (moved.home === undefined) {
          throw new Refusal(`${module.name}.${moved.name} has no home; nothing was changed.`);
        }
        return moveTo(module, moved, moved.home);
      case 'check_position':
        return position('position_is', moved, await present(module, moved));
      case 'stop_motion':
        withdraw(module.name);
        return position('move_done', moved, await present(module, moved));
    }
  }

  /** In the parameter's own unit. */
  function step(word: MoveWord, { unit }: ParameterDescription, fields: Fields): number {
    const { value } = fields;
    if (typeof value !== 'number') throw new Refusal(`${word} needs value, a number; nothing was changed.`);
    return value * factorOf(textField(fields, 'units') ?? '', unit);
  }

  async function moveTo(module: ModuleDescription, moved: ParameterDescription, value: number): Promise<Answer> {
    const taken = await instrument.configure(client, module.name, { [moved.name]: value });
    return position('move_done', moved, Number(taken[moved.name]));
  }

  async function present(module: ModuleDescription, { name }: ParameterDescription): Promise<number> {
    const values = await instrument.get(module.name, [name]);
    return Number(values[name]);
  }

  return {
    carryOut,
    choose(module, name) {
      named.set(module.name, actuatorParameter(module, name).name);
    },
    chosen,
    parameter,
  };
}

function position(word: 'move_done' | 'position_is', { name, unit }: ParameterDescription, value: number): Answer {
  return { word, payload: [dataActuator(name, value, unit, Date.now() / 1e3)] };
}

/** @throws Refusal with the nearest name */
export function parameterOf(module: ModuleDescription, name: string): ParameterDescription {
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

/** What move words may move: a number that can be written. @throws Refusal */
export function actuatorParameter(module: ModuleDescription, name: string): ParameterDescription {
  const parameter = parameterOf(module, name);
  const isNumber = parameter.kind === 'number' || parameter.kind === 'integer';
  if (!isNumber || parameter.readonly) {
    const why = parameter.readonly ? 'is read only' : 'is no number';
    throw new Refusal(`${module.name}.${name} ${why}, and cannot be moved; nothing was changed.`);
  }
  return parameter;
}
