/**
 * JSON-RPC 2.0 as LECO's first payload, in pyleco's own spelling: requests, their answers, and several of either in a
 * list. Pure functions; whatever comes in, the worst is a ProtocolError.
 */
import { ProtocolError } from '../../errors.ts';

/** Longest JSON that is looked at, in bytes: a settings tree of a large dashboard has some 100 kB. */
const MAX_JSON = 2 ** 20;
/** Deepest structure in it. */
const MAX_DEPTH = 32;
/** Requests in one list. */
const MAX_BATCH = 64;

export type RpcId = number | string | null;

export interface RpcRequest {
  readonly what: 'request';
  /** Absent: nobody waits for an answer. */
  readonly id?: RpcId;
  readonly method: string;
  /** By name or by position; none: empty. */
  readonly params: Readonly<Record<string, unknown>> | readonly unknown[];
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface RpcAnswer {
  readonly what: 'answer';
  readonly id: RpcId;
  readonly result?: unknown;
  readonly error?: RpcError;
}

export interface RpcContent {
  /** They came in a list, and are answered in one. */
  readonly batch: boolean;
  readonly items: readonly (RpcRequest | RpcAnswer)[];
}

/** Errors of LECO and of JSON-RPC, with pyleco's texts. */
export const rpcErrors = {
  notSignedIn: { code: -32090, message: 'You did not sign in!' },
  duplicateName: { code: -32091, message: 'The name is already taken.' },
  nodeUnknown: { code: -32092, message: 'Node is not known.' },
  receiverUnknown: { code: -32093, message: 'Receiver is not in addresses list.' },
  serverError: { code: -32000, message: 'Server error' },
  invalidRequest: { code: -32600, message: 'Invalid Request' },
  methodNotFound: { code: -32601, message: 'Method not found' },
  invalidParams: { code: -32602, message: 'Invalid params' },
  internalError: { code: -32603, message: 'Internal error' },
} as const satisfies Record<string, RpcError>;

/** @throws ProtocolError, in step: no JSON, or no JSON-RPC */
export function decodeRpc(bytes: Uint8Array): RpcContent {
  if (bytes.length > MAX_JSON) refuse(`of ${bytes.length} bytes; at most ${MAX_JSON} are read`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  checkDepth(text);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    refuse('that is no JSON');
  }
  const list: readonly unknown[] = Array.isArray(json) ? json : [json];
  if (list.length === 0 || list.length > MAX_BATCH) refuse(`of ${list.length} requests; 1 to ${MAX_BATCH} are read`);
  return { batch: Array.isArray(json), items: list.map(decodeItem) };
}

function refuse(why: string): never {
  throw new ProtocolError(`a payload ${why}`, true);
}

/** The parser itself would nest as deep as a megabyte of brackets. */
function checkDepth(text: string): void {
  let depth = 0;
  let inText = false;
  for (let k = 0; k < text.length; k++) {
    const char = text.charCodeAt(k);
    if (inText) {
      if (char === 0x5c) k++;
      else if (char === 0x22) inText = false;
    } else if (char === 0x22) inText = true;
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > MAX_DEPTH) refuse(`of more than ${MAX_DEPTH} structures in each other`);
    } else if (char === 0x7d || char === 0x5d) depth--;
  }
}

function decodeItem(json: unknown): RpcRequest | RpcAnswer {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) refuse('that is no JSON-RPC');
  const { id, method, params, result, error }: Record<string, unknown> = { ...json };
  if (id !== undefined && id !== null && typeof id !== 'number' && typeof id !== 'string') {
    refuse('with an id that is neither number nor text');
  }
  if (method !== undefined) {
    if (typeof method !== 'string' || method.length > 200) refuse('with a method that is no name');
    if (params !== undefined && params !== null && typeof params !== 'object') refuse('with params of no structure');
    const given = Array.isArray(params) ? params : { ...params };
    return { what: 'request', method, params: given, ...(id === undefined ? {} : { id }) };
  }
  if (error !== undefined && error !== null) return { what: 'answer', id: id ?? null, error: decodeError(error) };
  if (result === undefined) refuse('that is neither request nor answer');
  return { what: 'answer', id: id ?? null, result };
}

function decodeError(json: unknown): RpcError {
  const { code, message, data }: Record<string, unknown> = typeof json === 'object' ? { ...json } : {};
  return {
    code: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message.slice(0, 500) : '',
    ...(data === undefined ? {} : { data }),
  };
}

/** Bytes of a request; `params` undefined is left out. */
export function encodeRequest(id: RpcId, method: string, params?: Readonly<Record<string, unknown>>): Uint8Array {
  return encoded({ id, method, ...(params === undefined ? {} : { params }), jsonrpc: '2.0' });
}

/** Bytes of an answer, or of several in a list. */
export function encodeAnswers({ batch, answers }: { readonly batch: boolean; readonly answers: readonly RpcAnswer[] }) {
  const objects = answers.map(({ id, result, error }) =>
    error ? { id, error, jsonrpc: '2.0' } : { id, result: result ?? null, jsonrpc: '2.0' },
  );
  return encoded(batch ? objects : objects[0]);
}

/** Bytes of what decodeRpc gave. */
export function encodeRpc({ batch, items }: RpcContent): Uint8Array {
  const objects = items.map((item) => {
    if (item.what === 'request') {
      const { id, method, params } = item;
      const given = Array.isArray(params) || Object.keys(params).length > 0;
      return { ...(id === undefined ? {} : { id }), method, ...(given ? { params } : {}), jsonrpc: '2.0' };
    }
    const { id, result, error } = item;
    return error ? { id, error, jsonrpc: '2.0' } : { id, result, jsonrpc: '2.0' };
  });
  return encoded(batch ? objects : objects[0]);
}

function encoded(json: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(json));
}

/** What `rpc.discover` answers. */
export function openRpc(title: string, version: string, methods: Readonly<Record<string, string>>): unknown {
  return {
    openrpc: '1.2.6',
    info: { title, version },
    methods: Object.entries(methods).map(([name, summary]) => ({ name, ...(summary ? { summary } : {}) })),
  };
}
