/** Every output of the FPGA off, whoever switched it on: also by modules that have no driver here. */
import type { ModuleDescription, Value } from '../description.ts';
import { dsp, OUTPUTS, SIGNALS, type Signal } from '../modules/dsp.ts';
import type { RegisterFile } from '../registers.ts';

/** What `off` sets in a module, as its declaration says; empty where it concerns no output. */
export function offValues({ parameters }: ModuleDescription): Readonly<Record<string, Value>> {
  return Object.fromEntries(parameters.flatMap(({ name, off }) => (off === undefined ? [] : [[name, off]])));
}

/** Ends the way to the outputs of every signal that none of these modules drives. */
export async function undrivenOff(registers: RegisterFile, driven: readonly ModuleDescription[]): Promise<void> {
  const names = new Set(driven.filter((module) => 'output_direct' in offValues(module)).map(({ name }) => name));
  for (const signal of Object.keys(SIGNALS) as Signal[]) {
    const { outputDirect } = dsp(signal);
    if (outputDirect.access === 'rw' && !names.has(signal)) await registers.write([outputDirect, OUTPUTS.off]);
  }
}
