/** The recorded conversations, as frames. */
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('recorded/', import.meta.url);

/** A frame of which only the beginning was kept. */
export interface CutFrame {
  readonly omitted_bytes: number;
  readonly head_hex: string;
}

export interface RecordedMessage {
  readonly from: 'peer' | 'coordinator';
  readonly peer: string;
  readonly frames: readonly (string | CutFrame)[];
  readonly relayed_to?: string;
}

export interface Recording {
  readonly name: string;
  readonly messages: readonly RecordedMessage[];
}

export function recordings(): Recording[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json') && file !== 'zmtp-bytes.json')
    .sort()
    .map((file) => ({ name: file.replace('.json', ''), messages: read(file).messages as RecordedMessage[] }));
}

export function recording(name: string): Recording {
  const found = recordings().find((one) => one.name === name);
  if (!found) throw new Error(`there is no recording ${name}`);
  return found;
}

/** Bytes of one TCP connection, by the side that sent them. */
export function zmtpBytes(): { readonly from: 'dealer' | 'router'; readonly bytes: Buffer }[] {
  const pieces = read('zmtp-bytes.json').bytes as { readonly from: 'dealer' | 'router'; readonly hex: string }[];
  return pieces.map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, 'hex') }));
}

/** Whole frames; undefined if one was cut. */
export function framesOf({ frames }: RecordedMessage): Buffer[] | undefined {
  if (frames.some((frame) => typeof frame !== 'string')) return undefined;
  return frames.map((frame) => Buffer.from(String(frame), 'hex'));
}

/** Frames with zeros in place of what was left out. */
export function paddedFramesOf({ frames }: RecordedMessage): Buffer[] {
  return frames.map((frame) =>
    typeof frame === 'string'
      ? Buffer.from(frame, 'hex')
      : Buffer.concat([Buffer.from(frame.head_hex, 'hex'), Buffer.alloc(frame.omitted_bytes)]),
  );
}

function read(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Record<string, unknown>;
}
