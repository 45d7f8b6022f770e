/**
 * Volts of this very board: where the jumpers of its inputs are, and what its maker (or its user) measured and wrote
 * into its EEPROM. Pure. Layouts and formulas: Red Pitaya's rp-api/api-hw-calib (calib_structs.h, calib_common.cpp) and
 * rp-api/api/src/common.cpp: volts = (counts − offset) · gain · full scale / 8192.
 */
import { type Scale, VOLTS_PER_COUNT } from './volts.ts';

/** Position of an input's jumper: ±1 V or ±20 V. */
export const JUMPERS = ['LV', 'HV'] as const;
export type Jumper = (typeof JUMPERS)[number];

/** Volts at full scale, nominally. */
const FULL_SCALE = { LV: 1, HV: 20 } as const;

/** Gain 1 is the nominal one; the offset is in counts. */
export interface Correction {
  readonly gain: number;
  readonly offset: number;
}

type InputName = 'in1' | 'in2';
type OutputName = 'out1' | 'out2';

export interface Corrections {
  /** `in1 LV`, `in1 HV` …, `out1`, `out2`. */
  readonly of: Readonly<Record<`${InputName} ${Jumper}` | OutputName, Correction>>;
  /** What was wrong with single values: gain 1, or offset 0, was taken. */
  readonly remarks: readonly string[];
}

const NONE: Correction = { gain: 1, offset: 0 };

/** Gains beyond are none: Red Pitaya's own limits. */
const GAINS = { min: 0.1, max: 1.9 } as const;
/** More than a fourth of the range is no offset. */
const MAX_OFFSET = 2048;

const USER_ZONE = 0x0000;
const FACTORY_ZONE = 0x1c00;

/** Identifiers of the layouts: one of fixed places, and one of numbered records. */
const FIXED = [1, 4];
const RECORDS = [5, 6];

/** A gain of 1 in the fixed layout: 20 or 1 volts of 100, in units of 2^−32. */
const unitOf = (volts: number): number => (volts / 100) * 2 ** 32;
/** A gain of 1 in a record. */
const RECORD_UNIT = 2 ** 28 / 100;
/** Number of the record of each gain; that of its offset is one more. */
const RECORD_IDS = { out1: 1, out2: 3, 'in1 LV': 9, 'in2 LV': 11, 'in1 HV': 17, 'in2 HV': 19 } as const;
const RECORD_BYTES = 6;
const HEADER_BYTES = 8;
const FIXED_BYTES = 124;

/**
 * Reads the calibration from the content of the EEPROM: the user's zone, or else the factory's.
 * @returns undefined: neither zone has a layout that is known
 */
export function readCalibration(eeprom: Uint8Array): (Corrections & { readonly zone: 'user' | 'factory' }) | undefined {
  for (const [zone, start] of [
    ['user', USER_ZONE],
    ['factory', FACTORY_ZONE],
  ] as const) {
    const found = start < eeprom.length ? readZone(eeprom.subarray(start)) : undefined;
    if (found) return { ...found, zone };
  }
  return undefined;
}

function readZone(bytes: Uint8Array): Corrections | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const id = view.getUint8(0);
  if (FIXED.includes(id) && bytes.length >= FIXED_BYTES) return readFixed(view);
  if (RECORDS.includes(id)) return readRecords(view);
  return undefined;
}

type Raw = Record<keyof Corrections['of'], Correction>;

function readFixed(view: DataView): Corrections {
  const gain = (offset: number, volts: number): number => view.getUint32(offset, true) / unitOf(volts);
  const count = (offset: number): number => view.getInt32(offset, true);
  // Older boards have no offsets for jumper HV.
  const [magic, known] = [view.getUint32(0x30, true), [0xaabbccdd, 0xddccbbaa]];
  const high = (offset: number): number => (known.includes(magic) ? count(offset) : 0);
  return judged({
    'in1 HV': { gain: gain(0x08, 1), offset: high(0x34) },
    'in2 HV': { gain: gain(0x0c, 1), offset: high(0x38) },
    'in1 LV': { gain: gain(0x10, 20), offset: count(0x18) },
    'in2 LV': { gain: gain(0x14, 20), offset: count(0x1c) },
    out1: { gain: gain(0x20, 1), offset: fourteenBits(count(0x28)) },
    out2: { gain: gain(0x24, 1), offset: fourteenBits(count(0x2c)) },
  });
}

/** Old offsets of outputs are two's complement of 14 bits. */
function fourteenBits(count: number): number {
  return count >= 8192 && count < 16384 ? count - 16384 : count;
}

function readRecords(view: DataView): Corrections {
  const count = view.getUint16(2, true);
  const values = new Map<number, number>();
  for (let k = 0; k < count; k++) {
    const at = HEADER_BYTES + k * RECORD_BYTES;
    if (at + RECORD_BYTES > view.byteLength) break;
    values.set(view.getUint16(at, true), view.getInt32(at + 2, true));
  }
  const of = (id: number): Correction => ({
    gain: (values.get(id) ?? Number.NaN) / RECORD_UNIT,
    offset: values.get(id + 1) ?? 0,
  });
  return judged({
    out1: of(RECORD_IDS.out1),
    out2: of(RECORD_IDS.out2),
    'in1 LV': of(RECORD_IDS['in1 LV']),
    'in2 LV': of(RECORD_IDS['in2 LV']),
    'in1 HV': of(RECORD_IDS['in1 HV']),
    'in2 HV': of(RECORD_IDS['in2 HV']),
  });
}

/** With 1 and 0 in the place of what cannot be. */
function judged(raw: Raw): Corrections {
  const remarks: string[] = [];
  const one = (name: keyof Raw): Correction => {
    const { gain, offset } = raw[name];
    const goodGain = gain >= GAINS.min && gain <= GAINS.max;
    const goodOffset = Math.abs(offset) <= MAX_OFFSET;
    if (!goodGain) remarks.push(`the gain of ${name} is ${Number(gain.toPrecision(4))}, which cannot be: 1 is taken`);
    if (!goodOffset) remarks.push(`the offset of ${name} is ${offset} counts, which cannot be: 0 is taken`);
    return { gain: goodGain ? gain : 1, offset: goodOffset ? offset : 0 };
  };
  const of = {
    'in1 LV': one('in1 LV'),
    'in2 LV': one('in2 LV'),
    'in1 HV': one('in1 HV'),
    'in2 HV': one('in2 HV'),
    out1: one('out1'),
    out2: one('out2'),
  };
  return { of, remarks };
}

/** Jumpers, and what is known of the board. */
export interface Wiring {
  readonly in1: Jumper;
  readonly in2: Jumper;
  /** Absent: nominal volts. */
  readonly corrections?: Corrections;
}

/** The scales of inputs and outputs; those that are nominal are left out. */
export function scalesOf({ in1, in2, corrections }: Wiring): Readonly<Record<string, Scale>> {
  const scale = (fullScale: number, { gain, offset }: Correction = NONE): Scale => ({
    gain: fullScale * gain * VOLTS_PER_COUNT,
    offset,
  });
  const all = {
    in1: scale(FULL_SCALE[in1], corrections?.of[`in1 ${in1}`]),
    in2: scale(FULL_SCALE[in2], corrections?.of[`in2 ${in2}`]),
    out1: scale(1, corrections?.of.out1),
    out2: scale(1, corrections?.of.out2),
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, { gain, offset }]) => gain !== VOLTS_PER_COUNT || offset !== 0),
  );
}
