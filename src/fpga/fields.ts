/**
 * Where a value sits in the FPGA's registers: an address, some bits of the word there, and what may be done with
 * them. Pure bit arithmetic; what the value means is said in parameters/.
 */
import { FPGA_WINDOW } from './bus/bus.ts';

/**
 * - `rw` keeps what was written, and reads it back: a shadow copy stands for it.
 * - `r` is set by the hardware: read from the bus each time.
 * - `w` keeps what was written but cannot be read.
 * - `command` acts when written and goes back by itself; its word also carries status bits, so that it is never read,
 *   merged and written back.
 */
export type Access = 'rw' | 'r' | 'w' | 'command';

export interface Field {
  /** Physical address of the word. */
  readonly address: number;
  /** Number of the field's lowest bit, 0 … 31. */
  readonly shift: number;
  /** Width, 1 … 32. */
  readonly bits: number;
  /** Two's complement. */
  readonly signed: boolean;
  readonly access: Access;
}

/** As in `Field`; by default the whole word, unsigned, `rw`. */
export type FieldOptions = Partial<Omit<Field, 'address'>>;

/** A memory of the FPGA: consecutive words, one element each. */
export interface Memory {
  readonly address: number;
  readonly words: number;
}

/** Fields of one block of registers, by offset from its base address. */
export function block(base: number): (offset: number, options?: FieldOptions) => Field {
  return (offset, options = {}) => {
    const field: Field = { address: base + offset, shift: 0, bits: 32, signed: false, access: 'rw', ...options };
    const { address, shift, bits } = field;
    const inside = address >= FPGA_WINDOW.base && address < FPGA_WINDOW.base + FPGA_WINDOW.bytes;
    if (!inside || address % 4 !== 0) throw new Error(`No register can be at 0x${address.toString(16)}.`);
    if (shift < 0 || bits < 1 || shift + bits > 32) throw new Error(`No word has bits ${shift + bits - 1} … ${shift}.`);
    return field;
  };
}

/** The field's bits within its word. */
export function mask(field: Field): number {
  return field.bits === 32 ? 0xffff_ffff : (((1 << field.bits) - 1) << field.shift) >>> 0;
}

/** `word` with the field set to `raw`, which is taken modulo its width. */
export function insert(word: number, field: Field, raw: number): number {
  const bits = mask(field);
  return ((word & ~bits) | ((raw << field.shift) & bits)) >>> 0;
}

/** The field's value in `word`: signed or not, as declared. */
export function extract(word: number, field: Field): number {
  const raw = (word & mask(field)) >>> field.shift;
  return field.signed && field.bits < 32 && raw >= 2 ** (field.bits - 1) ? raw - 2 ** field.bits : raw;
}

/** Smallest and largest raw value that the field can hold. */
export function range(field: Field): { readonly min: number; readonly max: number } {
  return field.signed
    ? { min: -(2 ** (field.bits - 1)), max: 2 ** (field.bits - 1) - 1 }
    : { min: 0, max: 2 ** field.bits - 1 };
}

/** The nearest raw value that the field can hold; halves go to the even one, as in Python's `round`. */
export function saturate(value: number, field: Field): number {
  const { min, max } = range(field);
  return Math.min(max, Math.max(min, roundHalfEven(value)));
}

/** Nearest integer; halves go to the even one, as in Python's `round`, which made PyRPL's register values. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Whether two fields claim a bit of one register: reading and commanding may share one, storing may not. */
export function overlap(a: Field, b: Field): boolean {
  if (a === b || a.address !== b.address || (mask(a) & mask(b)) === 0) return false;
  const disjoint = (a.access === 'r' && b.access === 'command') || (a.access === 'command' && b.access === 'r');
  return !disjoint;
}
