/**
 * The board's actors on one way to a Coordinator: signs each in, keeps it signed in, and leads what comes to the right one.
 * It is the same whether the Coordinator is in this process or elsewhere. Knows no socket and has no timers.
 */
import type { Logger } from 'pino';
import type { Instrument } from '../../fpga/instrument/instrument.ts';
import { clientJournal } from '../../log.ts';
import type { SharedTraces } from '../listen.ts';
import { type Actor, openActor } from './actor.ts';
import { openAsking } from './asking.ts';
import { contentOf } from './coordinator.ts';
import type { LecoDevice } from './devices.ts';
import { openDirection } from './direction.ts';
import { type LecoMessage, messageType, newConversation, splitName } from './message.ts';
import { encodeAnswers, type RpcAnswer, rpcErrors } from './rpc.ts';

/** Each name says so often that it is there, in ms: a Coordinator asks after 15 s, and forgets after 45 s. */
const HEARTBEAT_MS = 10_000;

/** After a sign-in that was refused the next is tried so much later, in ms; doubled each time up to the last. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 15_000;

const COORDINATOR = 'COORDINATOR';

export interface StationOptions {
  readonly instrument: Instrument;
  readonly devices: readonly LecoDevice[];
  readonly log: Logger;
  readonly traces: SharedTraces;
  /** Sends to the Coordinator. */
  send(message: LecoMessage): void;
  /** The address of a director, where it is known: it owns modules under this name. */
  readonly hostOf?: (director: string) => string | undefined;
  /** The Coordinator keeps these names without signs of life. */
  readonly lasting?: boolean;
  readonly now?: () => number;
  /** Calls back later; default: a timer that keeps no process alive. */
  readonly after?: (ms: number, call: () => void) => void;
}

export interface Station {
  /** There is a way to the Coordinator: signs in. */
  connect(): void;
  /** There is none any more. Directors are remembered: they may be there again. */
  disconnect(): void;
  receive(message: LecoMessage): void;
  /** The director of this name, of the same node, is gone. */
  forget(director: string): void;
  /** To be called several times a second. */
  tick(): void;
  /** How many of its actors are signed in. */
  readonly signedIn: number;
  /** Signs out, and ends what directors have under way. */
  close(): Promise<void>;
}

interface Member {
  readonly name: string;
  readonly actor: Actor;
  /** undefined: not signed in. */
  namespace: string | undefined;
  signing: boolean;
  tryAt: number;
  pause: number;
  beatAt: number;
}

export function openStation(options: StationOptions): Station {
  const { instrument, log, traces } = options;
  const now = options.now ?? (() => performance.now());
  const after = options.after ?? ((ms, call) => void setTimeout(call, ms).unref());
  const asking = openAsking(send, now);
  const members = new Map<string, Member>();
  let connected = false;
  let told: string | undefined;

  for (const device of options.devices) {
    const actor = openActor({
      device,
      version: instrument.identity.version,
      fullName: () => fullNameOf(device.name),
      direct: (director, forget, moved) => direct(device, director, forget, moved),
    });
    members.set(device.name, {
      name: device.name,
      actor,
      namespace: undefined,
      signing: false,
      tryAt: 0,
      pause: FIRST_PAUSE_MS,
      beatAt: 0,
    });
  }

  function send(message: LecoMessage): void {
    if (connected) options.send(message);
    else message.sent?.();
  }

  function fullNameOf(name: string): string {
    const namespace = members.get(name)?.namespace;
    return namespace === undefined ? name : `${namespace}.${name}`;
  }

  function direct(device: LecoDevice, director: string, forget: () => void, moved: () => void) {
    const clientLog = log.child({ director, actor: device.name });
    return openDirection({
      instrument,
      device,
      client: { peer: director, owner: options.hostOf?.(director) ?? director },
      log: clientLog,
      journal: clientJournal(clientLog, now),
      ...traces,
      call: (method, params, frames = [], sent) =>
        asking.ask({
          sender: fullNameOf(device.name),
          receiver: addressOf(director, device.name),
          method,
          frames,
          ...(sent ? { sent } : {}),
          ...(params ? { params } : {}),
        }),
      moved,
      gone: forget,
      // Not before the Coordinator knows the actor: it would be a stranger's word.
      connected: () => members.get(device.name)?.namespace !== undefined,
      now,
      after,
    });
  }

  /**
   * Of the same node a director is known by its name alone: a Coordinator that was started anew may have another namespace.
   */
  function keyOf(sender: string, member: Member): string {
    const { namespace, name } = splitName(sender);
    return namespace === member.namespace ? name : sender;
  }

  function addressOf(director: string, device: string): string {
    const namespace = members.get(device)?.namespace;
    return director.includes('.') || namespace === undefined ? director : `${namespace}.${director}`;
  }

  // ---------------------------------------------------------------- signing in

  async function signIn(member: Member): Promise<void> {
    if (member.signing || !connected) return;
    member.signing = true;
    member.namespace = undefined;
    const outcome = await asking.ask({ sender: member.name, receiver: COORDINATOR, method: 'sign_in' });
    member.signing = false;
    if (!connected) return;
    if (outcome.what === 'result') {
      member.namespace = splitName(outcome.from).namespace;
      member.pause = FIRST_PAUSE_MS;
      // Spread over the interval.
      member.beatAt = now() + HEARTBEAT_MS * (0.5 + Math.random() / 2);
      tellSignedIn(member.namespace);
      return;
    }
    const reason = outcome.what === 'error' ? outcome.error.message : 'the Coordinator does not answer';
    if (reason !== told) log.warn({ name: member.name, reason }, 'not signed in; tried again');
    told = reason;
    member.tryAt = now() + member.pause;
    member.pause = Math.min(2 * member.pause, LAST_PAUSE_MS);
  }

  function tellSignedIn(namespace: string): void {
    if (signedIn() < members.size) return;
    told = undefined;
    log.info({ namespace, actors: members.size }, 'signed in');
  }

  function signedIn(): number {
    return [...members.values()].filter((member) => member.namespace !== undefined).length;
  }

  // ---------------------------------------------------------------- what comes

  function receive(message: LecoMessage): void {
    const content = contentOf(message);
    if (!content) {
      if (message.payload.length > 0) log.debug({ sender: message.sender }, 'a message that is no JSON-RPC; dropped');
      return;
    }
    const member = members.get(splitName(message.receiver).name);
    const answers: RpcAnswer[] = [];
    const acts: (() => void)[] = [];
    for (const item of content.items) {
      if (item.what === 'answer') {
        answered(member, message, item);
        continue;
      }
      const { id } = item;
      const { answer, after } = member
        ? member.actor.request(keyOf(message.sender, member), item, message.payload.slice(1))
        : { answer: { error: { ...rpcErrors.receiverUnknown, data: message.receiver } }, after: undefined };
      if (id !== undefined) answers.push({ what: 'answer', id, ...answer });
      if (after) acts.push(after);
    }
    if (answers.length > 0) {
      send({
        receiver: message.sender,
        sender: member ? fullNameOf(member.name) : message.receiver,
        conversation: message.conversation,
        messageId: 0,
        type: messageType.json,
        payload: [encodeAnswers({ batch: content.batch, answers })],
      });
    }
    for (const act of acts) act();
  }

  function answered(member: Member | undefined, message: LecoMessage, answer: RpcAnswer): void {
    asking.answered(message, answer);
    const code = answer.error?.code;
    const ofCoordinator = splitName(message.sender).name === COORDINATOR;
    // Whatever it was the answer to, a sign of life too: the Coordinator has forgotten us.
    if (ofCoordinator && code === rpcErrors.notSignedIn.code && member) void signIn(member);
  }

  function tick(): void {
    asking.tick();
    const time = now();
    for (const member of members.values()) {
      member.actor.tick();
      if (!connected) continue;
      if (member.namespace === undefined) {
        if (time >= member.tryAt) void signIn(member);
      } else if (!options.lasting && time >= member.beatAt) {
        member.beatAt = time + HEARTBEAT_MS;
        send({
          receiver: COORDINATOR,
          sender: fullNameOf(member.name),
          conversation: newConversation(),
          messageId: 0,
          type: messageType.undefined,
          payload: [],
        });
      }
    }
  }

  return {
    connect() {
      connected = true;
      for (const member of members.values()) {
        member.tryAt = 0;
        member.pause = FIRST_PAUSE_MS;
        void signIn(member);
      }
    },
    disconnect() {
      connected = false;
      for (const member of members.values()) member.namespace = undefined;
      asking.clear();
    },
    receive,
    forget(director) {
      for (const { actor } of members.values()) actor.forget(director);
    },
    tick,
    get signedIn() {
      return signedIn();
    },
    async close() {
      for (const { actor } of members.values()) actor.forgetAll();
      const known = [...members.values()].filter(({ namespace }) => namespace !== undefined);
      await Promise.all(
        known.map(({ name }) => asking.ask({ sender: fullNameOf(name), receiver: COORDINATOR, method: 'sign_out' })),
      );
      connected = false;
    },
  };
}
