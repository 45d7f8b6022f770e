/**
 * Finds the end of a message of PyMoDAQ 4, whatever the pieces in which its bytes come, in time linear in their number.
 * Nothing in front of the message tells its length, so the grammar is followed:
 *
 *     text   = u32 length, bytes
 *     scalar = text dtype, u32 size, item
 *     array  = text dtype, u32 bytes, u32 dimensions, u32 each, items
 *     list   = u32 count, tagged each
 *     tagged = text tag, object (scalar string bytes array axis dwa dte bool list parameter)
 *     axis   = text "Axis", text label, text units, array, scalar index, scalar spread order
 *     dwa    = text class, scalar timestamp, text name, text units, text source, text dim, text distribution, list data,
 *              list labels, text origin, list nav_indexes, list axes, list errors, list names, tagged each
 *     dte    = text class, scalar timestamp, text name, list data
 *     parameter = list path, text xml
 *
 * Only structure and limits are looked at here; what the parts mean is parse-v4.ts' business.
 */
import { ProtocolError } from '../../errors.ts';
import type { WireLimits } from './limits.ts';
import { shown } from './reader.ts';
import type { Kind } from './values.ts';

/** What may be expected next: an object, or a part of one. */
type Part = Kind | 'bool' | 'tagged' | 'name' | 'items' | 'names' | 'skip';

/** Parts of the objects that have parts, in order. */
const parts = {
  bool: ['name', 'bytes'],
  scalar: ['name', 'bytes'],
  array: ['name', 'items'],
  axis: ['name', 'string', 'string', 'array', 'scalar', 'scalar'],
  dwa: [
    ...(['name', 'scalar', 'string', 'string', 'string', 'string', 'string'] as const),
    ...(['list', 'list', 'string', 'list', 'list', 'list', 'names'] as const),
  ],
  dte: ['name', 'scalar', 'string', 'list'],
  parameter: ['list', 'string'],
} as const satisfies Partial<Record<Part, readonly Part[]>>;

const tags: ReadonlyMap<string, Part> = new Map(
  (['scalar', 'string', 'bytes', 'array', 'axis', 'dwa', 'dte', 'bool', 'list', 'parameter'] as const).map(
    (tag) => [tag, tag] as const,
  ),
);

interface Expected {
  readonly part: Part;
  /** How many of them; of `skip`: bytes. */
  times: number;
  readonly depth: number;
}

export class ScanV4 {
  /** Bytes of the message that have been looked at. */
  at = 0;
  /** What is still to come, the next one last. */
  #expected: Expected[];
  #objects = 0;

  constructor(
    readonly kind: Kind,
    readonly limits: WireLimits,
  ) {
    this.#expected = [{ part: kind, times: 1, depth: 0 }];
  }

  /**
   * Goes on as far as `bytes` (the message from its beginning, perhaps more) allow; true when the end was found: it is `at`.
   * @throws ProtocolError that is not in step.
   */
  advance(bytes: Buffer): boolean {
    for (;;) {
      const next = this.#expected.at(-1);
      if (!next) return true;
      if (next.times === 0) this.#expected.pop();
      else if (next.part === 'skip') {
        const count = Math.min(next.times, bytes.length - this.at);
        this.at += count;
        next.times -= count;
        if (next.times > 0) return false;
      } else if (!this.#step(next, next.part, bytes)) return false;
    }
  }

  /** Takes the next part apart; false if its head is not complete yet. */
  #step(next: Expected, part: Exclude<Part, 'skip'>, bytes: Buffer): boolean {
    const { depth } = next;
    switch (part) {
      case 'string':
      case 'bytes':
      case 'name': {
        const length = this.#u32(bytes, 0);
        if (length === undefined) return false;
        const limit = part === 'name' ? this.limits.nameBytes : this.limits.textBytes;
        this.#checkLength(length, limit, part === 'name' ? 'a class name or dtype' : `a ${part} object`);
        this.#taken(next, 4);
        this.#expect('skip', length, depth);
        return true;
      }
      case 'items': {
        const nbytes = this.#u32(bytes, 0);
        if (nbytes === undefined) return false;
        this.#checkLength(nbytes, this.limits.messageBytes, 'an array');
        const dimensions = this.#u32(bytes, 4);
        if (dimensions === undefined) return false;
        if (dimensions > this.limits.dimensions) {
          throw this.#error(`an array of ${dimensions} dimensions; at most ${this.limits.dimensions} are allowed`);
        }
        this.#taken(next, 8);
        this.#expect('skip', 4 * dimensions + nbytes, depth);
        return true;
      }
      case 'list':
      case 'names': {
        const count = this.#u32(bytes, 0);
        if (count === undefined) return false;
        if (count > this.limits.items) {
          throw this.#error(`a list of ${count} items; at most ${this.limits.items} are allowed`);
        }
        this.#taken(next, 4);
        // The attributes come after the list of their names.
        if (part === 'names') this.#expect('tagged', count, depth + 1);
        this.#expect('tagged', count, depth + 1);
        return true;
      }
      case 'tagged': {
        const length = this.#u32(bytes, 0);
        if (length === undefined) return false;
        this.#checkLength(length, this.limits.nameBytes, 'a tag');
        if (bytes.length < this.at + 4 + length) return false;
        const tag = bytes.toString('latin1', this.at + 4, this.at + 4 + length);
        const tagged = tags.get(tag);
        if (!tagged) throw this.#error(`PyMoDAQ 4 has no tag ${shown(tag)}`);
        if (depth > this.limits.depth) throw this.#error(`more than ${this.limits.depth} containers in each other`);
        if (++this.#objects > this.limits.objects) {
          throw this.#error(`more than ${this.limits.objects} objects in one message`);
        }
        this.#taken(next, 4 + length);
        this.#expect(tagged, 1, depth);
        return true;
      }
      default: {
        next.times--;
        const inner = parts[part];
        for (let k = inner.length - 1; k >= 0; k--) this.#expect(inner[k] as Part, 1, depth);
        return true;
      }
    }
  }

  #expect(part: Part, times: number, depth: number): void {
    if (part === 'skip' && this.at + times > this.limits.messageBytes) {
      throw this.#error(`a message of more than ${this.limits.messageBytes} bytes`);
    }
    this.#expected.push({ part, times, depth });
  }

  #taken(next: Expected, count: number): void {
    next.times--;
    this.at += count;
  }

  #u32(bytes: Buffer, offset: number): number | undefined {
    return bytes.length < this.at + offset + 4 ? undefined : bytes.readUInt32BE(this.at + offset);
  }

  #checkLength(length: number, limit: number, what: string): void {
    if (length > limit) throw this.#error(`${what} of ${length} bytes; at most ${limit} are allowed`);
  }

  #error(what: string): ProtocolError {
    return new ProtocolError(
      `${what} (at byte ${this.at} of the message); the bytes after it cannot be told apart`,
      false,
    );
  }
}
