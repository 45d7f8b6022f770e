/** Every output of the FPGA off, whoever switched it on: also by modules that have no driver here. */
import type { ModuleDescription, Value } from '../description.ts';
import type { Field } from '../fields.ts';
import { dsp, OUTPUTS, SIGNALS, type Signal } from '../modules/dsp.ts';
import type { RegisterFile } from '../registers.ts';

/** What `off` sets in a module, as its declaration says; empty where it concerns no output. */
export function offValues({ parameters }: ModuleDescription): Readonly<Record<string, Value>> {
  return Object.fromEntries(parameters.flatMap(({ name, off }) => (off === undefined ? [] : [[name, off]])));
}

/** The ways to the outputs, of every signal that has one. */
function ways(): { readonly signal: Signal; readonly field: Field }[] {
  const signals = Object.keys(SIGNALS) as Signal[];
  return signals
    .map((signal) => ({ signal, field: dsp(signal).outputDirect }))
    .filter(({ field }) => field.access === 'rw');
}

/** Learns what is on the outputs in truth: another process may have switched it on. @throws BusError */
export async function readOutputs(registers: RegisterFile): Promise<void> {
  await registers.readBack(ways().map(({ field }) => field));
}

/** Ends the way to the outputs of every signal that none of these modules drives. @throws BusError */
export async function undrivenOff(registers: RegisterFile, driven: readonly ModuleDescription[]): Promise<void> {
  const names = new Set(driven.filter((module) => 'output_direct' in offValues(module)).map(({ name }) => name));
  for (const { signal, field } of ways()) if (!names.has(signal)) await registers.write([field, OUTPUTS.off]);
}
