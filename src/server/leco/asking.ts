/** Requests of ours that wait for their answers. No timers of its own. */
import { type LecoMessage, messageType, newConversation } from './message.ts';
import { encodeRequest, type RpcAnswer, type RpcError } from './rpc.ts';

/** An answer that has not come by then is taken for lost, in ms. */
const ANSWER_MS = 2000;

/** What became of a request. */
export type Outcome =
  | { readonly what: 'result'; readonly result: unknown; readonly from: string }
  | { readonly what: 'error'; readonly error: RpcError }
  | { readonly what: 'lost' };

export interface Asked {
  readonly sender: string;
  readonly receiver: string;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** What follows the JSON. */
  readonly frames?: readonly Uint8Array[];
  /** See LecoMessage. */
  readonly sent?: () => void;
}

export interface Asking {
  ask(asked: Asked): Promise<Outcome>;
  /** Whether it was the answer to one of them. */
  answered(message: LecoMessage, answer: RpcAnswer): boolean;
  /** To be called several times a second. */
  tick(): void;
  /** All that wait are lost. */
  clear(): void;
}

export function openAsking(send: (message: LecoMessage) => void, now: () => number): Asking {
  const waiting = new Map<string, { readonly until: number; readonly resolve: (outcome: Outcome) => void }>();
  let ids = 0;

  return {
    ask({ sender, receiver, method, params, frames = [], sent }) {
      const conversation = newConversation();
      return new Promise((resolve) => {
        waiting.set(keyOf(conversation), { until: now() + ANSWER_MS, resolve });
        const payload = [encodeRequest(++ids, method, params), ...frames];
        const message = { receiver, sender, conversation, messageId: 0, type: messageType.json, payload };
        send({ ...message, ...(sent ? { sent } : {}) });
      });
    },
    answered({ conversation, sender }, { result, error }) {
      const key = keyOf(conversation);
      const known = waiting.get(key);
      waiting.delete(key);
      known?.resolve(error ? { what: 'error', error } : { what: 'result', result, from: sender });
      return known !== undefined;
    },
    tick() {
      const time = now();
      for (const [key, { until, resolve }] of waiting) {
        // They are in the order in which they are lost.
        if (until > time) return;
        waiting.delete(key);
        resolve({ what: 'lost' });
      }
    },
    clear() {
      for (const { resolve } of waiting.values()) resolve({ what: 'lost' });
      waiting.clear();
    },
  };
}

function keyOf(conversation: Uint8Array): string {
  return Buffer.from(conversation).toString('latin1');
}
