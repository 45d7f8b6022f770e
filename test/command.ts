/** `pitayad` as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const { PITAYAD_BUNDLE: bundle } = process.env;

/** What Node is given to run it: the bundle where there is one for the tests, else the sources, which start in seconds. */
export const PROGRAM: readonly string[] = bundle
  ? [bundle]
  : ['--import', 'tsx', fileURLToPath(new URL('../src/main.ts', import.meta.url))];

/** How a command ended, and what it said. */
export interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export async function pitayad(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [...PROGRAM, ...args]);
  const said = { out: '', err: '' };
  child.stdout.on('data', (data) => {
    said.out += data;
  });
  child.stderr.on('data', (data) => {
    said.err += data;
  });
  const [status] = await once(child, 'close');
  return { ...said, status };
}
