/** Positions as directors send them and get them: in the announced unit, as a DataActuator or in plain JSON. */
import { ProtocolError, Refusal } from '../../errors.ts';
import type { ParameterDescription } from '../../fpga/description.ts';
import { type SentPosition, sentPosition } from '../requests.ts';
import { encode } from '../wire/encode.ts';
import { defaultLimits } from '../wire/limits.ts';
import { parseV5 } from '../wire/parse-v5.ts';
import { Reader } from '../wire/reader.ts';
import { dataActuator, type WireValue } from '../wire/values.ts';
import type { FineUnit } from './fine-unit.ts';

/** One object of PyMoDAQ 5 in a frame of its own. @throws ProtocolError */
export function decodeFrame(frame: Uint8Array): WireValue {
  return parseV5(new Reader(Buffer.from(frame.buffer, frame.byteOffset, frame.length), defaultLimits));
}

/** And back. */
export function encodeFrame(value: WireValue): Uint8Array {
  return encode('v5', [value]).subarray(4);
}

/** A target as it was asked for, and whether in plain JSON. */
export interface AskedPosition extends SentPosition {
  readonly json: boolean;
}

/**
 * From `{"position": 1.5}`, a list that holds one number, or a DataActuator in the frame after it. A bare number is in the
 * announced unit.
 * @throws Refusal
 */
export function askedPosition(given: unknown, frames: readonly Uint8Array[], { unit }: FineUnit): AskedPosition {
  const [frame] = frames;
  if (given === null || given === undefined) {
    if (!frame) throw new Refusal('A move needs a position; nothing was changed.');
    let sent: SentPosition | undefined;
    try {
      sent = sentPosition(decodeFrame(frame));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new Refusal(`The position was not understood: ${error.message}; nothing was changed.`);
    }
    if (!sent) throw new Refusal('A position is one number; nothing was changed.');
    return { value: sent.value, units: sent.units === '' ? unit : sent.units, json: false };
  }
  let value = given;
  while (Array.isArray(value) && value.length === 1) value = value[0];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new Refusal('A position is one number; nothing was changed.');
  }
  return { value, units: unit, json: true };
}

/** What a position is sent as: parameters of the call, and the frame after them. */
export function positionCall(
  parameter: ParameterDescription,
  value: number,
  { unit, factor }: FineUnit,
  json: boolean,
): { readonly params: Readonly<Record<string, unknown>>; readonly frames: readonly Uint8Array[] } {
  const there = inUnit(value, factor);
  if (json) return { params: { data: { position: there } }, frames: [] };
  const position = dataActuator(parameter.name, there, unit, Date.now() / 1e3);
  return { params: { data: null }, frames: [encodeFrame(position)] };
}

/** value / factor, where 0.3 / 1e-6 is 300000 and not 299999.99999999994. */
function inUnit(value: number, factor: number): number {
  const whole = Math.round(1 / factor);
  return factor < 1 ? value * whole : value / factor;
}
