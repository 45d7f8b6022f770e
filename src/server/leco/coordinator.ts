/**
 * A Coordinator of LECO: who is signed in, and to whom a message goes. Answers as pyleco's does, with the same errors; what
 * would change it from outside (`shut_down`, other Coordinators) it has not. Knows no socket and has no timers.
 */
import type { Logger } from 'pino';
import { ProtocolError } from '../../errors.ts';
import { type LecoMessage, messageType, newConversation, splitName } from './message.ts';
import {
  decodeRpc,
  encodeAnswers,
  encodeRequest,
  openRpc,
  type RpcAnswer,
  type RpcContent,
  type RpcError,
  type RpcRequest,
  rpcErrors,
} from './rpc.ts';

/** A name that is silent for so long is asked for a sign of life, in ms; and forgotten in the end. */
const QUIET_MS = 15_000;
const EXPIRED_MS = 45_000;

/** Time between two looks at that, in ms. */
const LOOK_MS = 5000;

/** Names of one connection; a board signs in some 80. */
const MAX_NAMES = 512;

const COORDINATOR = 'COORDINATOR';

/** What is asked of it, with what `rpc.discover` says of each. */
const methods = {
  pong: 'Respond in order to test the connection',
  sign_in: '',
  sign_out: '',
  send_nodes: '',
  send_local_components: 'Send the names of locally connected Components.',
  send_global_components: 'Send the names of all Components in this LECO network.',
} as const;
type Method = keyof typeof methods;

/** A connection, or whatever else signs in. */
export interface LecoPeer {
  /** For the log. */
  readonly peer: string;
  /** Never forgotten while it is joined: it is in this process. */
  readonly lasting?: true;
  send(message: LecoMessage): void;
}

export interface CoordinatorOptions {
  /** Without a dot. */
  readonly namespace: string;
  /** `rp-f0abcd:12300`, as `send_nodes` tells it. */
  readonly address: () => string;
  readonly version: string;
  readonly log: Logger;
  /** This name has said goodbye, or was silent for too long; one whose connection is lost may be back. */
  readonly forgotten?: (name: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

export interface Coordinator {
  /** A message from a connection. */
  receive(peer: LecoPeer, message: LecoMessage): void;
  /** The connection is gone, and its names with it. */
  leave(peer: LecoPeer): void;
  /** To be called every second or so. */
  tick(): void;
  /** Who has signed in under this name. */
  peerOf(name: string): LecoPeer | undefined;
  readonly names: readonly string[];
}

interface Component {
  readonly peer: LecoPeer;
  heard: number;
}

export function openCoordinator(options: CoordinatorOptions): Coordinator {
  const { namespace, log } = options;
  const now = options.now ?? (() => performance.now());
  const fullName = `${namespace}.${COORDINATOR}`;
  const components = new Map<string, Component>();
  let looked = now();

  function receive(peer: LecoPeer, message: LecoMessage): void {
    const refusal = hear(peer, message);
    if (refusal) {
      refuse(peer, message, refusal);
      return;
    }
    const receiver = splitName(message.receiver);
    if (receiver.namespace !== '' && receiver.namespace !== namespace) {
      refuse(peer, message, { ...rpcErrors.nodeUnknown, data: receiver.namespace });
    } else if (receiver.name === COORDINATOR) {
      command(peer, message);
    } else {
      const there = components.get(receiver.name);
      if (there) there.peer.send(message);
      else refuse(peer, message, { ...rpcErrors.receiverUnknown, data: message.receiver });
    }
  }

  /** Takes a message as a sign of life of its sender; or why it may not send. */
  function hear(peer: LecoPeer, message: LecoMessage): RpcError | undefined {
    const sender = splitName(message.sender);
    if (sender.namespace !== '' && sender.namespace !== namespace) return rpcErrors.notSignedIn;
    const component = components.get(sender.name);
    if (component) {
      if (component.peer !== peer) return rpcErrors.duplicateName;
      component.heard = now();
      return undefined;
    }
    if (sender.name === COORDINATOR) return rpcErrors.duplicateName;
    const signs = requestsIn(message).some(({ method }) => method === 'sign_in' || method === 'sign_out');
    return signs ? undefined : rpcErrors.notSignedIn;
  }

  function refuse(peer: LecoPeer, message: LecoMessage, error: RpcError): void {
    message.sent?.();
    log.debug(
      { peer: peer.peer, sender: message.sender, receiver: message.receiver, reason: error.message },
      'refused',
    );
    reply(peer, message, { batch: false, answers: [{ what: 'answer', id: null, error }] });
  }

  function reply(peer: LecoPeer, to: LecoMessage, content: { batch: boolean; answers: readonly RpcAnswer[] }): void {
    peer.send({
      receiver: to.sender,
      sender: fullName,
      conversation: to.conversation,
      messageId: 0,
      type: messageType.json,
      payload: [encodeAnswers(content)],
    });
  }

  function command(peer: LecoPeer, message: LecoMessage): void {
    if (message.payload.length === 0) return;
    const content = contentOf(message);
    if (!content) {
      log.debug(
        { peer: peer.peer, sender: message.sender },
        'a message to the Coordinator that is no JSON-RPC; dropped',
      );
      return;
    }
    const answers = content.items.flatMap((item) => (item.what === 'request' ? perform(peer, message, item) : []));
    if (answers.length > 0) reply(peer, message, { batch: content.batch, answers });
  }

  /** The answer, where one is wanted. */
  function perform(peer: LecoPeer, message: LecoMessage, { id, method }: RpcRequest): RpcAnswer[] {
    const outcome = isMethod(method)
      ? handlers[method](peer, splitName(message.sender).name)
      : method === 'rpc.discover'
        ? { result: openRpc(fullName, options.version, methods) }
        : { error: { ...rpcErrors.methodNotFound, data: method } };
    return id === undefined ? [] : [{ what: 'answer', id, ...outcome }];
  }

  const handlers: Record<Method, (peer: LecoPeer, name: string) => { result: unknown } | { error: RpcError }> = {
    pong: () => ({ result: null }),
    sign_in(peer, name) {
      if (!components.has(name) && namesOf(peer).length >= MAX_NAMES) {
        return { error: { ...rpcErrors.serverError, data: `One connection has ${MAX_NAMES} names at most.` } };
      }
      if (!components.has(name) && !peer.lasting) log.info({ peer: peer.peer, name }, 'signed in');
      components.set(name, { peer, heard: now() });
      return { result: null };
    },
    sign_out(peer, name) {
      if (components.get(name)?.peer === peer) {
        forget(name, 'signed out');
        options.forgotten?.(name);
      }
      return { result: null };
    },
    send_nodes: () => ({ result: { [namespace]: options.address() } }),
    send_local_components: () => ({ result: [...components.keys()] }),
    send_global_components: () => ({ result: { [namespace]: [...components.keys()] } }),
  };

  function namesOf(peer: LecoPeer): string[] {
    return [...components].flatMap(([name, component]) => (component.peer === peer ? [name] : []));
  }

  function forget(name: string, why: string): void {
    const component = components.get(name);
    components.delete(name);
    if (component && !component.peer.lasting) log.info({ peer: component.peer.peer, name }, why);
  }

  function tick(): void {
    const time = now();
    if (time - looked < LOOK_MS) return;
    looked = time;
    for (const [name, { peer, heard }] of [...components]) {
      if (peer.lasting) continue;
      if (time - heard > EXPIRED_MS) {
        forget(name, 'silent for too long, and forgotten');
        options.forgotten?.(name);
      } else if (time - heard > QUIET_MS) {
        peer.send({
          receiver: `${namespace}.${name}`,
          sender: fullName,
          conversation: newConversation(),
          messageId: 0,
          type: messageType.json,
          payload: [encodeRequest(0, 'pong')],
        });
      }
    }
  }

  return {
    receive,
    leave(peer) {
      for (const name of namesOf(peer)) forget(name, 'gone with its connection');
    },
    tick,
    peerOf: (name) => components.get(splitName(name).name)?.peer,
    get names() {
      return [...components.keys()];
    },
  };
}

function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}

/** undefined: it is no JSON-RPC. */
export function contentOf({ type, payload }: LecoMessage): RpcContent | undefined {
  const [first] = payload;
  if (type !== messageType.json || !first) return undefined;
  try {
    return decodeRpc(first);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function requestsIn(message: LecoMessage): readonly RpcRequest[] {
  return contentOf(message)?.items.filter((item) => item.what === 'request') ?? [];
}
