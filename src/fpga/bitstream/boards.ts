/**
 * The boards that there are, by the name in their EEPROM, and whether PyRPL's design runs on them. Source: Red Pitaya's
 * rp-api/api-hw-profiles; the EEPROM has a U-Boot environment at 0x1800.
 */

/** Chips by the IDCODE that a bitstream for them carries (Xilinx UG585, without the revision). */
export const CHIPS = { z7010: 0x0372_2093, z7020: 0x0372_7093 } as const;
export type Chip = keyof typeof CHIPS;

export function isChip(name: string | undefined): name is Chip {
  return name !== undefined && Object.hasOwn(CHIPS, name);
}

export interface BoardModel {
  /** `STEM_125-14_v1.1`, as the EEPROM has it. */
  readonly hwRev: string;
  readonly chip: Chip;
  /** Why PyRPL's design does not serve this board; absent: it does. */
  readonly unsupported?: string;
}

/** First that fits, in lower case. */
const MODELS: readonly (readonly [pattern: RegExp, chip: Chip, unsupported?: string])[] = [
  [/^stem_125-10_v1\.0$/, 'z7010'],
  [/^stem_125-14_(v1\.[01]|ln_v1\.1|ln_bo_v1\.1|ln_ce[12]_v1\.1)$/, 'z7010'],
  [/^stem_14_b_v1\.0$/, 'z7010'],
  [/^stem_125-14_(bo_)?v2\.0$/, 'z7010'],
  [/^stem_125-14_pro_(bo_)?v2\.0$/, 'z7010'],
  [/^stem_125-14_z7020_4in_/, 'z7020', 'it has four inputs and no outputs'],
  [/^stem_125-14_z7020_(ll|ti)_/, 'z7020', 'it has converters of 16 bits'],
  [/^stem_65-16_/, 'z7020', 'it has converters of 16 bits, at 65 MHz'],
  [/^stem_125-14_(z7020_|ind_)/, 'z7020'],
  [/^stem_122-16sdr_/, 'z7020', 'its clock has 122.88 MHz'],
  [/^stem_250-12_/, 'z7020', 'its clock has 250 MHz'],
];

const ENVIRONMENT = 0x1800;
const ENVIRONMENT_BYTES = 0x400;

/** `hw_rev` of an EEPROM's content; undefined: it has none. */
export function hwRevOf(eeprom: Buffer): string | undefined {
  const text = eeprom.subarray(ENVIRONMENT + 4, ENVIRONMENT + ENVIRONMENT_BYTES).toString('latin1');
  for (const entry of text.split('\0')) {
    if (entry === '') return undefined;
    const value = /^hw_rev=([\w.-]{1,64})$/.exec(entry)?.[1];
    if (value !== undefined) return value;
  }
  return undefined;
}

/** undefined: a board that nobody knows, on which nothing must be loaded. */
export function boardModel(hwRev: string): BoardModel | undefined {
  const found = MODELS.find(([pattern]) => pattern.test(hwRev.toLowerCase()));
  if (!found) return undefined;
  const [, chip, unsupported] = found;
  return { hwRev, chip, ...(unsupported === undefined ? {} : { unsupported }) };
}
