/**
 * Buffers for messages, used again. A fresh buffer of a trace's size costs more than to fill it: the kernel hands out its
 * memory page by page, each cleared, and takes it back with the next collection of garbage.
 *
 *     const bytes = pool.take(size);
 *     socket.write(bytes, () => pool.give(bytes));
 */
export interface BufferPool {
  /** A buffer of `size` bytes with arbitrary contents. It need not be given back: then it is garbage like any other. */
  readonly take: (size: number) => Uint8Array;
  /** Gives a buffer back, once. Whoever does that promises that nobody reads it any more. Foreign ones are ignored. */
  readonly give: (bytes: Uint8Array) => void;
}

/** Smaller ones come from Node's own pool and are not worth a thought. */
const SMALLEST = 16 * 1024;
/** Sizes are rounded up to a multiple of this, so that the next trace, of one attribute more, fits too. */
const STEP = 64 * 1024;

/** Keeps at most `keptBytes` for the next `take`; how many buffers are out does not matter. */
export function createBufferPool(keptBytes: number): BufferPool {
  /** All that are out, and in. */
  const ours = new WeakSet<ArrayBufferLike>();
  let kept: ArrayBufferLike[] = [];
  let sum = 0;
  return {
    take(size) {
      if (size < SMALLEST) return Buffer.allocUnsafe(size);
      const found = kept.findLast((each) => each.byteLength >= size && each.byteLength < 2 * size + STEP);
      if (found) {
        kept = kept.filter((each) => each !== found);
        sum -= found.byteLength;
        return Buffer.from(found, 0, size);
      }
      const { buffer } = Buffer.allocUnsafeSlow(Math.ceil(size / STEP) * STEP);
      ours.add(buffer);
      return Buffer.from(buffer, 0, size);
    },
    give({ buffer }) {
      if (!ours.has(buffer) || kept.includes(buffer)) return;
      // The oldest, of a size that may not be asked for any more, make room.
      while (kept.length > 0 && sum + buffer.byteLength > keptBytes) sum -= kept.shift()?.byteLength ?? 0;
      if (sum + buffer.byteLength > keptBytes) return;
      kept.push(buffer);
      sum += buffer.byteLength;
    },
  };
}
