/** Which actors there are: derived from the modules' descriptions, so that a new module or parameter has its own. */
import type { ModuleDescription, ParameterDescription } from '../../fpga/description.ts';

export interface LecoDevice {
  /** Without a dot, which LECO keeps for itself: `scope`, `asg0`, `asg0_frequency`. */
  readonly name: string;
  readonly module: ModuleDescription;
  /** Whether a viewer gets data from it. */
  readonly grabs: boolean;
  /** What an actuator moves. */
  readonly moved?: ParameterDescription;
}

/**
 * One for each module that measures, or has something that it usually moves; and one for each number that can be
 * written, `MODULE_PARAMETER`.
 */
export function devicesOf(modules: readonly ModuleDescription[]): LecoDevice[] {
  return modules.flatMap((module) => {
    const movable = module.parameters.filter(
      ({ kind, readonly }) => !readonly && (kind === 'number' || kind === 'integer'),
    );
    const usual = movable.find(({ name }) => name === module.actuator);
    const own: LecoDevice = { name: module.name, module, grabs: module.grabs, ...(usual ? { moved: usual } : {}) };
    const single = movable.map((moved) => ({ name: `${module.name}_${moved.name}`, module, grabs: false, moved }));
    return [...(own.grabs || own.moved ? [own] : []), ...single];
  });
}
