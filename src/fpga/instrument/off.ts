/** Every output of the FPGA off, whoever switched it on: also by modules that have no driver here. */
import type { ModuleDriver, Taken } from '../driver.ts';
import { dsp, OUTPUTS, SIGNALS, type Signal } from '../modules/dsp.ts';
import type { RegisterFile } from '../registers.ts';

/** One step; steps are independent of each other, and each is worth doing when another fails. */
export interface OffStep {
  /** Module whose driver does it; none: bare registers. */
  readonly module?: string;
  act(): Promise<Taken[]>;
}

/** First of all the ways to the outputs, then what the generators are doing. */
export function outputsOff(registers: RegisterFile, drivers: readonly ModuleDriver[]): OffStep[] {
  const driven = drivers.filter(({ description }) => has(description, 'output_direct'));
  const names = new Set(driven.map(({ description }) => description.name));
  const signals = Object.keys(SIGNALS) as Signal[];
  const bare = signals.map((signal) => ({ signal, field: dsp(signal).outputDirect }));
  return [
    ...driven.map((driver): OffStep => {
      const { name } = driver.description;
      const stop = has(driver.description, 'trigger_source') ? { trigger_source: 'off' } : {};
      return { module: name, act: async () => driver.apply(driver.check({ output_direct: 'off', ...stop })) };
    }),
    ...bare
      .filter(({ signal, field }) => field.access === 'rw' && !names.has(signal))
      .map(
        ({ field }): OffStep => ({
          async act() {
            await registers.write([field, OUTPUTS.off]);
            return [];
          },
        }),
      ),
  ];
}

function has(description: ModuleDriver['description'], name: string): boolean {
  return description.parameters.some((one) => one.name === name && (one.choices?.includes('off') ?? false));
}
