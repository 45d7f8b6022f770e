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
  /** What is not known of PyRPL's design on this board. */
  readonly remark?: string;
}

interface Kind {
  /** For people. */
  readonly boards: string;
  /** Of `hw_rev`, in lower case; the first that fits counts. */
  readonly pattern: RegExp;
  readonly chip: Chip;
  readonly unsupported?: string;
  readonly remark?: string;
}

/** Outputs of the second generation reach twice as far, and nobody has measured what PyRPL's volts are there. */
const TWO_VOLTS = 'its outputs reach ±2 V, and that volts at its outputs are right has not been checked';

const OWN_IMAGE =
  'it needs Red Pitaya’s own image of PyRPL, which OS 2.x and 3.x have in /opt/redpitaya/fpga (settings bitstream and ' +
  'bitstream_sha256)';

const KINDS: readonly Kind[] = [
  {
    boards: 'STEMlab 125-14 (v1.0, v1.1; also LN, LN BO, LN CE, and STEM 14 B)',
    pattern: /^stem_(125-14_(v1\.[01]|ln_v1\.1|ln_bo_v1\.1|ln_ce[12]_v1\.1)|14_b_v1\.0)$/,
    chip: 'z7010',
  },
  {
    boards: 'STEMlab 125-10',
    pattern: /^stem_125-10_v1\.0$/,
    chip: 'z7010',
    remark: 'its converters have 10 bits, and nobody has confirmed PyRPL’s design on it',
  },
  {
    boards: 'STEMlab 125-14 Gen 2',
    pattern: /^stem_125-14_(bo_)?v2\.0$/,
    chip: 'z7010',
    remark: TWO_VOLTS,
  },
  {
    boards: 'STEMlab 125-14 PRO Gen 2',
    pattern: /^stem_125-14_pro_(bo_)?v2\.0$/,
    chip: 'z7010',
    remark: `nobody has confirmed PyRPL’s own image on it; ${TWO_VOLTS}`,
  },
  {
    boards: 'STEMlab 125-14 4-Input',
    pattern: /^stem_125-14_z7020_4in_/,
    chip: 'z7020',
    unsupported: 'it has four inputs and no outputs',
  },
  {
    boards: 'STEMlab 125-14 Z7020 LL and TI',
    pattern: /^stem_125-14_z7020_(ll|ti)_/,
    chip: 'z7020',
    unsupported: 'it has converters of 16 bits',
  },
  {
    boards: 'STEMlab 65-16',
    pattern: /^stem_65-16_/,
    chip: 'z7020',
    unsupported: 'it has converters of 16 bits, at 65 MHz',
  },
  {
    boards: 'STEMlab 125-14 Z7020, Z7020 PRO, Industrial',
    pattern: /^stem_125-14_(z7020_|ind_)/,
    chip: 'z7020',
    remark: OWN_IMAGE,
  },
  { boards: 'SDRlab 122-16', pattern: /^stem_122-16sdr_/, chip: 'z7020', unsupported: 'its clock has 122.88 MHz' },
  { boards: 'SIGNALlab 250-12', pattern: /^stem_250-12_/, chip: 'z7020', unsupported: 'its clock has 250 MHz' },
];

/** The table of boards in docs/hardware.md. */
export function boardsAsMarkdown(): string {
  const rows = KINDS.map(({ boards, chip, unsupported, remark }) => {
    const verdict =
      unsupported === undefined ? (remark === undefined ? 'yes' : `yes, but ${remark}`) : `no: ${unsupported}`;
    return `| ${boards} | ${chip.replace('z', 'Zynq ')} | ${verdict} |`;
  });
  return ['| board | chip | PyRPL’s design runs on it |', '|---|---|---|', ...rows].join('\n');
}

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
  const found = KINDS.find(({ pattern }) => pattern.test(hwRev.toLowerCase()));
  if (!found) return undefined;
  const { boards: _name, pattern: _pattern, ...facts } = found;
  return { hwRev, ...facts };
}
