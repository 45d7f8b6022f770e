/**
 * A shadow of the registers behind one bus. It knows what they hold, so that a word already there is not written
 * again, several fields of a word go out in one write, and nothing is read only to be merged.
 *
 * Promise: the shadow never claims what the hardware does not have. After a bus error the words concerned are unknown
 * and are read again when needed; after an interruption of the bus, all are. Drivers that share words (both generators
 * do) must share the shadow: one per bus.
 */
import type { RegisterBus } from './bus/bus.ts';
import { extract, type Field, insert, type Memory, mask } from './fields.ts';

/** A field and the raw value that goes into it. */
export type FieldValue = readonly [field: Field, raw: number];

export interface RegisterFile {
  readonly bus: RegisterBus;

  /** What the field holds, if that is known without the bus; `r` and `command` fields never are. */
  peek(field: Field): number | undefined;

  /** What the field holds: from the shadow, or read if unknown or set by the hardware. */
  read(field: Field): Promise<number>;

  /** The whole word of a field, by the same rule. */
  readWord(field: Field): Promise<number>;

  /**
   * Several fields at once, in the order given; fields of one word go out together, at the place of the first. Words
   * that would not change are left out, words with a `command` always go out, with nothing but what is named here.
   * @throws BusError
   */
  write(...values: readonly FieldValue[]): Promise<void>;

  /**
   * Marks a field whose being written acts (a software trigger): when `quiet`, writes meant for other fields of its
   * word carry 0 in its place, while the shadow keeps its value.
   */
  setQuiet(field: Field, quiet: boolean): void;

  /** Others may have written the registers: `peek` still tells what was known, but before it is relied on it is read again. */
  doubt(): void;

  /** Reads the words of these fields, each once, whatever the shadow says: another process wrote them. */
  readBack(fields: Iterable<Field>): Promise<void>;

  /** Fills a memory that cannot be read, unless the content of that name is in it already. */
  writeMemory(memory: Memory, content: string, words: () => Uint32Array): Promise<void>;

  /** Name of the content that `writeMemory` put there; undefined: nobody knows. */
  memoryContent(memory: Memory): string | undefined;

  /** The content may have changed: the next `writeMemory` writes. */
  forgetMemory(memory: Memory): void;
}

export function registerFile(bus: RegisterBus): RegisterFile {
  const shadow = new Map<number, number>();
  const doubted = new Set<number>();
  const quietBits = new Map<number, number>();
  const contents = new Map<number, string>();

  /** What a word holds, if that is beyond doubt. */
  function certain(address: number): number | undefined {
    return doubted.has(address) ? undefined : shadow.get(address);
  }

  function learn(address: number, present: number): void {
    shadow.set(address, present);
    doubted.delete(address);
  }

  /** Shadow of a word, read from the bus if unknown. */
  async function word(field: Field): Promise<number> {
    const known = certain(field.address);
    if (known !== undefined) return known;
    const present = field.access === 'w' ? 0 : await bus.read(field.address);
    // Somebody may have written the word while it was being read; that is newer.
    const newer = certain(field.address);
    if (newer !== undefined) return newer;
    learn(field.address, present);
    return present;
  }

  function readWord(field: Field): Promise<number> {
    const byHardware = field.access === 'r' || field.access === 'command';
    return byHardware ? bus.read(field.address) : word(field);
  }

  /** One word of a `write`: all values have one address. */
  async function writeWord(values: readonly FieldValue[]): Promise<void> {
    const [first] = values;
    if (!first) return;
    const { address } = first[0];
    if (values.some(([field]) => field.access === 'command')) {
      await bus.write(
        address,
        values.reduce((bits, [field, raw]) => insert(bits, field, raw), 0),
      );
      return;
    }
    const read = certain(address) ?? (await word(first[0]));
    // Another write may have gone first; from here to the bus nothing waits.
    const before = shadow.get(address) ?? read;
    const after = values.reduce((bits, [field, raw]) => insert(bits, field, raw), before);
    if (after === before) return;
    const named = values.reduce((bits, [field]) => bits | mask(field), 0);
    const silenced = (quietBits.get(address) ?? 0) & ~named;
    shadow.set(address, after);
    try {
      await bus.write(address, (after & ~silenced) >>> 0);
    } catch (error) {
      shadow.delete(address);
      throw error;
    }
  }

  return {
    bus,

    peek(field) {
      if (field.access === 'r' || field.access === 'command') return undefined;
      const known = shadow.get(field.address);
      return known === undefined ? undefined : extract(known, field);
    },

    async read(field) {
      return extract(await readWord(field), field);
    },

    readWord,

    async write(...values) {
      for (const [{ address, access }] of values) {
        if (access === 'r') throw new Error(`Register 0x${address.toString(16)} is read only.`);
      }
      if (values.length === 1) {
        await writeWord(values);
        return;
      }
      const words = new Map<number, FieldValue[]>();
      for (const value of values) {
        const { address } = value[0];
        const same = words.get(address);
        if (same) same.push(value);
        else words.set(address, [value]);
      }
      for (const group of words.values()) await writeWord(group);
    },

    setQuiet(field, quiet) {
      const bits = quietBits.get(field.address) ?? 0;
      quietBits.set(field.address, quiet ? bits | mask(field) : bits & ~mask(field));
    },

    doubt() {
      for (const address of shadow.keys()) doubted.add(address);
    },

    async readBack(fields) {
      const addresses = new Set<number>();
      for (const field of fields) if (field.access === 'rw') addresses.add(field.address);
      for (const address of addresses) {
        const [before, inDoubt] = [shadow.get(address), doubted.has(address)];
        const present = await bus.read(address);
        if (shadow.get(address) === before && doubted.has(address) === inDoubt) learn(address, present);
      }
    },

    async writeMemory(memory, content, words) {
      if (contents.get(memory.address) === content) return;
      const values = words();
      if (values.length !== memory.words) throw new Error(`${memory.words} words were expected, not ${values.length}.`);
      contents.delete(memory.address);
      await bus.writeBlock(memory.address, values);
      contents.set(memory.address, content);
    },

    memoryContent(memory) {
      return contents.get(memory.address);
    },

    forgetMemory(memory) {
      contents.delete(memory.address);
    },
  };
}
