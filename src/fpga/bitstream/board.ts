/** Which board this is, as its EEPROM and its processor tell, and whether an image is for it. Touches no register. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../errors.ts';
import { type BoardModel, boardModel, CHIPS, type Chip, hwRevOf, isChip } from './boards.ts';
import type { BitstreamImage } from './image.ts';

/** Where a Red Pitaya has its EEPROM, below the root of its file system. */
export const EEPROM = 'sys/bus/i2c/devices/0-0050/eeprom';

/**
 * The kernel's own word for the chip: bits 16:12 of PSS_IDCODE (zynq_slcr_get_device_id in arch/arm/mach-zynq). 0 is what
 * an emulator says.
 */
const SOC_ID = 'sys/devices/soc0/soc_id';
const SOC_IDS: Readonly<Record<string, Chip>> = { '0x2': 'z7010', '0x7': 'z7020' };

export interface BoardFacts {
  /** `hw_rev` of the EEPROM, or what was given in its place; undefined: it has none. */
  readonly hwRev: string | undefined;
  /** undefined: nobody knows such a board. */
  readonly model: BoardModel | undefined;
  /** As the processor says; undefined: it does not. */
  readonly chip: Chip | string | undefined;
}

/**
 * @param assumed The `hw_rev` to go by, in place of the EEPROM's.
 * @throws ConfigurationError: the EEPROM cannot be read
 */
export function boardFacts(root: string, assumed?: string): BoardFacts {
  const hwRev = assumed ?? hwRevOf(eepromOf(root));
  return { hwRev, model: hwRev === undefined ? undefined : boardModel(hwRev), chip: chipOf(root) };
}

/** @throws ConfigurationError that says by name what does not fit what */
export function checkBoard(root: string, image: BitstreamImage, name: string, assumed?: string): BoardModel {
  const { hwRev, model, chip } = boardFacts(root, assumed);
  if (!model) {
    throw new ConfigurationError(
      `the board calls itself ${hwRev ?? 'nothing'}, which is no known Red Pitaya; nothing was loaded ` +
        '(the setting board can say which it is)',
    );
  }
  if (model.unsupported !== undefined) {
    throw new ConfigurationError(
      `PyRPL’s design does not run on ${model.hwRev}: ${model.unsupported}; nothing was loaded`,
    );
  }
  if (chip !== undefined && chip !== model.chip) {
    throw new ConfigurationError(
      `the board calls itself ${model.hwRev}, which has a ${model.chip}, but its chip is a ${chip}; nothing was loaded`,
    );
  }
  if (image.idcode !== CHIPS[model.chip]) {
    const made =
      Object.entries(CHIPS).find(([, idcode]) => idcode === image.idcode)?.[0] ?? `chip 0x${image.idcode.toString(16)}`;
    throw new ConfigurationError(
      `${name} is for a ${made}, and ${model.hwRev} has a ${model.chip}; nothing was loaded` +
        (model.remark === undefined ? '' : ` (${model.remark})`),
    );
  }
  return model;
}

function chipOf(root: string): Chip | string | undefined {
  try {
    const said = readFileSync(join(root, SOC_ID), 'utf8').trim();
    const chip = SOC_IDS[said];
    return isChip(chip) ? chip : /^0x0*$/.test(said) ? undefined : `chip with the code ${said}`;
  } catch {
    return undefined;
  }
}

function eepromOf(root: string): Buffer {
  try {
    return readFileSync(join(root, EEPROM));
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const hint = why === 'EACCES' || why === 'EPERM' ? ': only root may load the FPGA' : '';
    throw new ConfigurationError(`the board’s EEPROM cannot be read (${why})${hint}; nothing was loaded`, {
      cause: error,
    });
  }
}
