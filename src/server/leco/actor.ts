/**
 * One actor: what directors may call, and its directors. An answer leaves before what it brings about: a director waits a
 * second for it, and a tenth of one for `pong`.
 */
import { ProtocolError } from '../../errors.ts';
import type { LecoDevice } from './devices.ts';
import type { Direction } from './direction.ts';
import { fineUnit } from './fine-unit.ts';
import { splitName } from './message.ts';
import { type AskedPosition, askedPosition, decodeFrame } from './position.ts';
import { openRpc, type RpcAnswer, type RpcError, type RpcRequest, rpcErrors } from './rpc.ts';

const TOO_MUCH = 'Too much that was asked before is not done yet; nothing was changed.';

/** Directors of one actor; the one that was heard last longest ago makes room. */
const MAX_DIRECTORS = 32;

export interface ActorOptions {
  readonly device: LecoDevice;
  readonly version: string;
  /** Its name at the moment, with the namespace. */
  readonly fullName: () => string;
  /** Begins to deal with a director. */
  direct(director: string, forget: () => void, moved: () => void): Direction;
}

export interface Actor {
  /** The answer, and what is to be done when it has left. */
  request(
    sender: string,
    request: RpcRequest,
    frames: readonly Uint8Array[],
  ): { readonly answer: Omit<RpcAnswer, 'what' | 'id'>; readonly after?: () => void };
  /** This director is gone. */
  forget(director: string): void;
  /** All are. */
  forgetAll(): void;
  tick(): void;
}

interface Call {
  readonly direction: Direction;
  readonly params: RpcRequest['params'];
  readonly frames: readonly Uint8Array[];
}

interface Method {
  readonly summary: string;
  /** Judges what was given, and tells what is to be done when the answer has left. @throws Unfit */
  readonly prepare?: (call: Call) => () => void;
}

/** Thrown for parameters that make no sense. */
class Unfit extends Error {}

const viewer: Readonly<Record<string, Method>> = {
  send_data_snap: {
    summary: 'Send set_data once.',
    prepare:
      ({ direction }) =>
      () =>
        direction.viewing.snap(),
  },
  send_data_grab: {
    summary: 'Send set_data until stop_grab.',
    prepare:
      ({ direction }) =>
      () =>
        direction.viewing.start(),
  },
  stop_grab: {
    summary: 'Send no more data.',
    prepare:
      ({ direction }) =>
      () =>
        direction.viewing.stop(),
  },
};

function mover(device: LecoDevice): Readonly<Record<string, Method>> {
  const { moved } = device;
  if (!moved) return {};
  const unit = fineUnit(moved);
  const there = ` ${moved.label} in ${unit.unit || 'numbers'}; set_move_done follows.`;
  const position = ({ params, frames }: Call): (() => AskedPosition) => {
    const given = argument(params, 'position', 0);
    return () => askedPosition(given, frames, unit);
  };
  return {
    move_abs: {
      summary: `Move to a position.${there}`,
      prepare: (call) => () => call.direction.move('move_abs', position(call)),
    },
    move_rel: {
      summary: `Move by a difference.${there}`,
      prepare: (call) => () => call.direction.move('move_rel', position(call)),
    },
    move_home: {
      summary: 'Move to its home.',
      prepare:
        ({ direction }) =>
        () =>
          direction.move('move_home'),
    },
    stop_motion: {
      summary: 'Send set_move_done.',
      prepare:
        ({ direction }) =>
        () =>
          direction.move('stop_motion'),
    },
    get_actuator_value: {
      summary: 'Send the position by send_position.',
      prepare:
        ({ direction }) =>
        () =>
          void direction.tellPosition('send_position'),
    },
  };
}

const common: Readonly<Record<string, Method>> = {
  pong: { summary: 'Answer.' },
  set_log_level: { summary: 'Answer; the log is configured on the board.' },
  set_remote_name: { summary: 'Remember the director.' },
  get_settings: {
    summary: 'Send the settings by set_director_settings.',
    prepare:
      ({ direction }) =>
      () =>
        direction.tellSettings(),
  },
  set_info: {
    summary: 'Set the parameter in the frame that follows, a ParameterWithPath.',
    prepare({ direction, frames }) {
      const { path, xml } = parameterIn(frames);
      return () => direction.setInfo(path, xml);
    },
  },
};

export function openActor(options: ActorOptions): Actor {
  const { device } = options;
  const methods: Readonly<Record<string, Method>> = { ...common, ...(device.grabs ? viewer : {}), ...mover(device) };
  /** The one that was heard last comes last. */
  const directions = new Map<string, Direction>();

  function direct(director: string, method: string): Direction {
    const known = directions.get(director);
    directions.delete(director);
    const direction =
      known ??
      options.direct(
        director,
        () => forget(director),
        () => moved(director),
      );
    directions.set(director, direction);
    if (!known) {
      const [oldest] = directions.keys();
      if (directions.size > MAX_DIRECTORS && oldest !== undefined) forget(oldest);
      // It was initialised in another life of this daemon.
      if (method !== 'set_remote_name' && method !== 'get_settings') direction.tellValues();
    }
    return direction;
  }

  function forget(director: string): void {
    directions.get(director)?.end();
    directions.delete(director);
  }

  /** All directors follow the same axis. */
  function moved(by: string): void {
    for (const [director, direction] of directions) {
      if (director !== by) void direction.tellPosition('set_move_done');
    }
  }

  return {
    request(sender, { method, params }, frames) {
      if (method === 'rpc.discover') {
        const summaries = Object.entries(methods).map(([name, { summary }]) => [name, summary] as const);
        return { answer: { result: openRpc(options.fullName(), options.version, Object.fromEntries(summaries)) } };
      }
      const known = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (!known) return { answer: { error: { ...rpcErrors.methodNotFound, data: method } } };
      // The Coordinator asks for signs of life, and directs nothing.
      if (splitName(sender).name === 'COORDINATOR') return { answer: { result: null } };
      try {
        const direction = direct(sender, method);
        if (direction.full && known.prepare) return { answer: { error: { ...rpcErrors.serverError, data: TOO_MUCH } } };
        const act = known.prepare?.({ direction, params, frames });
        return {
          answer: { result: null },
          after() {
            act?.();
            direction.heard();
          },
        };
      } catch (error) {
        if (!(error instanceof Unfit)) throw error;
        return { answer: { error: unfit(error.message) } };
      }
    },
    forget,
    forgetAll() {
      for (const director of [...directions.keys()]) forget(director);
    },
    tick() {
      for (const direction of directions.values()) direction.tick();
    },
  };
}

function unfit(data: string): RpcError {
  return { ...rpcErrors.invalidParams, data };
}

/** An argument by its name, or by its place. */
function argument(params: RpcRequest['params'], name: string, place: number): unknown {
  if (Array.isArray(params)) return params[place];
  return Object.hasOwn(params, name) ? (params as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** @throws Unfit */
function parameterIn([frame]: readonly Uint8Array[]): { readonly path: readonly string[]; readonly xml: string } {
  if (!frame) throw new Unfit('A ParameterWithPath is needed in a frame of its own; nothing was changed.');
  try {
    const value = decodeFrame(frame);
    if (value.type === 'ParameterWithPath') return value;
    throw new Unfit(`A ParameterWithPath is needed, not a ${value.type}; nothing was changed.`);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new Unfit(`The parameter was not understood: ${error.message}; nothing was changed.`);
  }
}
