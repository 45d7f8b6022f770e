/**
 * What is wrong with a board, or a PC, on which pitayad runs or should run: read from files, as any user, without touching
 * a register, asking the daemon, or changing anything.
 */
import { isBoard, modelFindings, noBoard, systemFindings } from './board.ts';
import { fpgaFindings, rightsFindings, rivalFindings } from './fpga.ts';
import { clockFindings, memoryFindings, roomFindings } from './host.ts';
import { discoveryFindings, networkFindings } from './network.ts';
import type { Finding, Patient } from './patient.ts';
import { configFindings, lecoFindings, portFindings, stateFindings, unitFindings, versionFindings } from './service.ts';

type Examination = (patient: Patient) => Finding[] | Promise<Finding[]>;

const ANYWHERE: readonly Examination[] = [
  configFindings,
  portFindings,
  networkFindings,
  discoveryFindings,
  memoryFindings,
  versionFindings,
];

/** In the order in which a board comes up. */
const ON_BOARD: readonly Examination[] = [
  systemFindings,
  modelFindings,
  fpgaFindings,
  rivalFindings,
  rightsFindings,
  configFindings,
  unitFindings,
  stateFindings,
  portFindings,
  lecoFindings,
  networkFindings,
  discoveryFindings,
  clockFindings,
  roomFindings,
  memoryFindings,
  versionFindings,
];

export async function examine(patient: Patient): Promise<Finding[]> {
  const board = isBoard(patient);
  const findings: Finding[] = board ? [] : [noBoard()];
  for (const examination of board ? ON_BOARD : ANYWHERE) findings.push(...(await examination(patient)));
  return findings;
}
