/** Which board and which system this is. */
import { isRedPitaya } from '../board.ts';
import { ConfigurationError } from '../errors.ts';
import { type BoardFacts, boardFacts } from '../fpga/bitstream/board.ts';
import { error, type Finding, ok, type Patient, textIn, warning } from './patient.ts';

/** Generations of Red Pitaya OS by the Ubuntu that each is made of. */
const GENERATIONS: Readonly<Record<string, string>> = { '16.04': '1.04', '22.04': '2.x', '24.04': '3.x' };

export const isBoard = ({ arch, root }: Patient): boolean => isRedPitaya(arch, root);

/** What a machine that is no Red Pitaya is told once, in place of all that concerns the board. */
export function noBoard(): Finding {
  return ok('machine', 'no Red Pitaya: here pitayad serves a simulated board, or one with a monitor_server');
}

export function systemFindings(patient: Patient): Finding[] {
  const version = /^VERSION_ID="?([\w.]+)"?$/m.exec(textIn(patient, 'etc/os-release') ?? '')?.[1];
  const kernel = textIn(patient, 'proc/sys/kernel/osrelease') ?? 'unknown';
  const generation = version === undefined ? undefined : GENERATIONS[version];
  const exact = /\d+\.\d+[\w.-]*/.exec(textIn(patient, 'root/.version') ?? '')?.[0];
  if (generation !== undefined) return [ok('system', `Red Pitaya OS ${exact ?? generation}, kernel ${kernel}`)];
  const what = `a system that pitayad was not made for (VERSION_ID ${version ?? 'unknown'}, kernel ${kernel})`;
  return [warning('system', what, 'install Red Pitaya OS 1.04, 2.x or 3.x (docs/install.md)')];
}

export function modelFindings(patient: Patient): Finding[] {
  let facts: BoardFacts;
  try {
    facts = boardFacts(patient.root, patient.config.board);
  } catch (reason) {
    if (!(reason instanceof ConfigurationError)) throw reason;
    const says = reason.message.replace(/(: only root may load the FPGA)?; nothing was loaded$/, '');
    return [warning('model', says, 'sudo pitayad doctor')];
  }
  const { hwRev, model, chip } = facts;
  const hint = 'docs/hardware.md has the boards; the setting board (in /etc/pitayad/config.yaml) names one by hand';
  if (!model)
    return [error('model', `the board calls itself ${hwRev ?? 'nothing'}, which is no known Red Pitaya`, hint)];
  const { unsupported, remark } = model;
  if (unsupported !== undefined) {
    return [
      error('model', `PyRPL’s design does not run on ${hwRev}: ${unsupported}`, 'docs/hardware.md has the boards'),
    ];
  }
  if (chip !== undefined && chip !== model.chip) {
    return [error('model', `${hwRev} has a ${model.chip}, but the chip of this board is a ${chip}`, hint)];
  }
  const says = `${hwRev}, ${model.chip}`;
  return [remark === undefined ? ok('model', says) : warning('model', `${says}: ${remark}`, 'docs/hardware.md')];
}
