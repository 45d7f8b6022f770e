/**
 * The bytes of PyRPL's `monitor_server` protocol (monitor_server.c, redpitaya_client.py): a request is a header of 8
 * bytes, followed for a write by its words; the answer repeats the header, followed for a read by the words. All
 * little-endian. No I/O here.
 */

export const HEADER_BYTES = 8;

export const READ = 0x72; // 'r'
export const WRITE = 0x77; // 'w'

/** The server maps this much, aligned to it, for each request: a block that crosses such a boundary ends the server. */
export const PAGE_BYTES = 0x2_0000;

/** The count has 16 bits. (A page has fewer words, so that it never limits a block that stays in one.) */
export const MAX_WORDS = 0xffff;

export interface Header {
  readonly command: typeof READ | typeof WRITE;
  /** 1 … MAX_WORDS. A request of 0 words is never answered, so it must never be sent. */
  readonly words: number;
  readonly address: number;
}

export function encodeHeader({ command, words, address }: Header): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, command);
  view.setUint16(2, words, true);
  view.setUint32(4, address, true);
  return bytes;
}

/** A block as the requests that may carry it, in order: `words` words from word `first` of the block. */
export interface Piece {
  readonly address: number;
  readonly first: number;
  readonly words: number;
}

export function piecesOf(address: number, words: number): Piece[] {
  const pieces: Piece[] = [];
  for (let first = 0; first < words; ) {
    const start = address + 4 * first;
    const toBoundary = (PAGE_BYTES - (start % PAGE_BYTES)) / 4;
    const count = Math.min(words - first, toBoundary, MAX_WORDS);
    pieces.push({ address: start, first, words: count });
    first += count;
  }
  return pieces;
}
