/** Other programs of the board that load designs of their own, or access registers as if they were theirs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** States of units as systemd tells them (`dead`, `exited`, `running` …), in the order of the units; undefined: there is none. */
export type UnitStates = (units: readonly string[]) => Promise<readonly (string | undefined)[]>;

/** Loads the stock design at boot, and counts as started before it has. */
export const STARTUP = 'redpitaya_startup.service';

/** A unit in one of these states does nothing any more. */
export const OVER: readonly string[] = ['dead', 'exited', 'failed'];

/** Load other designs when they start, or at a click. */
export const RIVAL_UNITS = [
  'redpitaya_nginx.service',
  'redpitaya_scpi.service',
  'jupyter.service',
  'linien-server.service',
] as const;

/** Whose they are, by the name of the process (at most 15 characters of it are in /proc). */
const RIVAL_PROCESSES: Readonly<Record<string, string>> = {
  monitor_server: 'PyRPL on a PC',
  'scpi-server': 'the SCPI server',
  'streaming-serve': 'the streaming application',
  'linien-server': 'linien',
};

export interface RivalProcess {
  readonly pid: number;
  readonly name: string;
  readonly whose: string;
}

/** Units that are up, or on their way up or down. */
export async function rivalUnits(unitStates: UnitStates): Promise<string[]> {
  const states = await unitStates(RIVAL_UNITS);
  return RIVAL_UNITS.filter((_unit, k) => {
    const state = states[k];
    return state !== undefined && !OVER.includes(state);
  });
}

export function rivalProcesses(root: string): RivalProcess[] {
  return pids(root).flatMap((pid) => {
    const name = nameOf(root, pid);
    const whose = RIVAL_PROCESSES[name];
    return whose === undefined ? [] : [{ pid, name, whose }];
  });
}

function pids(root: string): number[] {
  try {
    return readdirSync(join(root, 'proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function nameOf(root: string, pid: number): string {
  try {
    return readFileSync(join(root, `proc/${pid}/comm`), 'utf8').trim();
  } catch {
    // It ended meanwhile.
    return '';
  }
}
