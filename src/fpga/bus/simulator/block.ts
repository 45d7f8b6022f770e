/** A part of the FPGA on the register bus: registers, and what they set going. */
export interface Block {
  /** What a read finds now in out.length consecutive words from byte `offset` of the block on. */
  read(offset: number, out: Uint32Array): void;
  /** Consecutive words to byte `offset` and up, which their registers hold from now on. */
  write(offset: number, words: Uint32Array): void;
}

/** A block whose registers are looked at word by word. */
export function wordBlock(read: (offset: number) => number, write: (offset: number, word: number) => void): Block {
  return {
    read(offset, out) {
      for (let k = 0; k < out.length; k++) out[k] = read(offset + 4 * k);
    },
    write(offset, words) {
      for (const [k, word] of words.entries()) write(offset + 4 * k, word);
    },
  };
}

/** Registers that only keep what is written to them: offset to mask of the bits that are kept. */
export interface PlainRegisters {
  /** 0 where there is no register. */
  get(offset: number): number;
  /** false: there is no register, nothing was stored. */
  set(offset: number, word: number): boolean;
  /** All of them are as after a reset. */
  readonly untouched: boolean;
}

/** @param registers offset to [mask, reset value]. */
export function plainRegisters(registers: ReadonlyMap<number, readonly [mask: number, reset: number]>): PlainRegisters {
  const values = new Map([...registers].map(([offset, [, reset]]) => [offset, reset]));
  const changed = new Set<number>();
  return {
    get untouched() {
      return changed.size === 0;
    },
    get: (offset) => values.get(offset) ?? 0,
    set(offset, word) {
      const register = registers.get(offset);
      if (!register) return false;
      const [mask, reset] = register;
      const value = mask === 0 ? reset : (word & mask) >>> 0;
      values.set(offset, value);
      if (value === reset) changed.delete(offset);
      else changed.add(offset);
      return true;
    },
  };
}
