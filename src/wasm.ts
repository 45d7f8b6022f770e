/**
 * Loops in WebAssembly's own words: what has to be done to many samples takes a fraction of the time there that a loop of
 * JavaScript takes. Instructions by their names in the text form; a function's code is their bytes one after the other.
 * Where there are no vectors, nothing of this is there, and JavaScript does it.
 */

/** Those of vectors have a prefix. */
const vector = (...code: number[]): number[] => [0xfd, ...code];
export const I32 = {
  const: 0x41,
  add: [0x6a],
  and: [0x71],
  shiftRight: [0x75],
  lessUnsigned: [0x49],
  load: [0x28, 2, 0],
  store: (offset: number): number[] => [0x36, 2, offset],
};
export const V128 = {
  load: (offset: number): number[] => vector(0x00, 4, offset),
  store: (offset: number): number[] => vector(0x0b, 4, offset),
  and: vector(0x4e),
  xor: vector(0x51),
  anyTrue: vector(0x53),
  /** Lanes 2 and 3 of 32 bits to the place of 0 and 1. */
  upperHalf: vector(0x0d, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15),
};
export const I32X4 = {
  splat: vector(0x11),
  equal: vector(0x37),
  shiftLeft: vector(0xab, 1),
  shiftRight: vector(0xac, 1),
  max: vector(0xb8, 1),
};
export const I16X8 = { narrow: vector(0x85, 1) };
export const F64X2 = { splat: vector(0x14), fromInt: vector(0xfe, 1), multiply: vector(0xf2, 1), add: vector(0xf0, 1) };
export const TYPE = { i32: 0x7f, f64: 0x7c, v128: 0x7b } as const;

const LOOP = [0x03, 0x40];
const BRANCH_IF = [0x0d, 0];
const END = 0x0b;

export const get = (local: number): number[] => [0x20, local];
export const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];

/** A whole number in LEB128. */
export function number(value: number): number[] {
  const bytes = [I32.const];
  for (let rest = value; ; rest >>= 7) {
    const isLast = rest >= -64 && rest < 64;
    bytes.push(isLast ? rest & 0x7f : (rest & 0x7f) | 0x80);
    if (isLast) return bytes;
  }
}

/** Moves a pointer on. */
export const next = (pointer: number, bytes: number): number[] => [
  ...[...get(pointer), ...number(bytes), ...I32.add, ...set(pointer)],
];

/** Does `body`, moves the pointer on, and again as long as it is before `end`. */
export const loop = (pointer: number, bytes: number, end: number, body: readonly number[]): number[] => [
  ...[...LOOP, ...body, ...get(pointer), ...number(bytes), ...I32.add, ...tee(pointer)],
  ...[...get(end), ...I32.lessUnsigned, ...BRANCH_IF, END],
];

/** So many that the last turn of a loop, which does `atOnce` of them, is a whole one. */
export const wholeTurns = (count: number, atOnce: number): number => Math.ceil(count / atOnce) * atOnce;

type Type = (typeof TYPE)[keyof typeof TYPE];

export interface WasmFunction {
  readonly parameters: readonly Type[];
  /** At most one. */
  readonly result?: Type;
  readonly locals?: readonly Type[];
  readonly code: readonly number[];
}

/** Compiled functions, to be given memory. */
export interface WasmLoops<Name extends string> {
  /**
   * @param bytes of a memory of their own, which reads 0
   * @returns undefined where there is no room: an engine sets aside gigabytes of addresses for each memory
   */
  open(bytes: number): OpenLoops<Name> | undefined;
}

export interface OpenLoops<Name extends string> {
  readonly buffer: ArrayBuffer;
  readonly run: Readonly<Record<Name, (...values: number[]) => number>>;
}

/** What of it is used here: the types of Node do not have it. */
const { WebAssembly: engine } = globalThis as unknown as {
  readonly WebAssembly: {
    validate(bytes: Uint8Array): boolean;
    Module: new (bytes: Uint8Array) => object;
    Memory: new (pages: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
    Instance: new (
      module: object,
      imports: Record<string, Record<string, object>>,
    ) => { readonly exports: Record<string, (...values: number[]) => number> };
  };
};

const PAGE = 65536;

/** undefined: there are no vectors here. */
export function wasmLoops<Name extends string>(
  functions: Readonly<Record<Name, WasmFunction>>,
): WasmLoops<Name> | undefined {
  const bytes = assembled(functions);
  if (!engine.validate(bytes)) return undefined;
  const module = new engine.Module(bytes);
  return {
    open(bytes) {
      const memory = memoryOf(bytes);
      if (!memory) return undefined;
      const { exports } = new engine.Instance(module, { m: { m: memory } });
      return { buffer: memory.buffer, run: exports as Record<Name, (...values: number[]) => number> };
    },
  };
}

/** There was no room for a memory: the next attempt would take as long, a third of a second, to fail. */
let isFull = false;

function memoryOf(bytes: number): { readonly buffer: ArrayBuffer } | undefined {
  if (isFull) return undefined;
  try {
    return new engine.Memory({ initial: Math.ceil(bytes / PAGE) });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    isFull = true;
    return undefined;
  }
}

function assembled(functions: Readonly<Record<string, WasmFunction>>): Uint8Array<ArrayBuffer> {
  const all = Object.entries(functions);
  /** Unsigned, below 2^14. */
  const size = (length: number): number[] => (length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7]);
  const text = (value: string): number[] => [...size(value.length), ...Buffer.from(value)];
  const list = (items: readonly (readonly number[])[]): number[] => [...size(items.length), ...items.flat()];
  const section = (id: number, content: readonly number[]): number[] => [id, ...size(content.length), ...content];
  const type = ({ parameters, result }: WasmFunction): number[] => [
    ...[0x60, ...size(parameters.length), ...parameters],
    ...(result === undefined ? [0] : [1, result]),
  ];
  const body = ({ locals = [], code }: WasmFunction): number[] => {
    const content = [...list(locals.map((local) => [1, local])), ...code, END];
    return [...size(content.length), ...content];
  };
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(all.map(([, one]) => type(one)))),
    ...section(2, [1, ...text('m'), ...text('m'), 2, 0, 1]),
    ...section(3, list(all.map((_, k) => size(k)))),
    ...section(7, list(all.map(([name], k) => [...text(name), 0, ...size(k)]))),
    ...section(10, list(all.map(([, one]) => body(one)))),
  ]);
}
