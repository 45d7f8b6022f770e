/**
 * All modules of an instrument in one table, and the mistakes that can be seen when it is built: names that are taken
 * twice or unfit, registers that two parameters claim, limits that leave nothing.
 */
import type { ModuleDescription } from './description.ts';
import { type Field, type Memory, overlap } from './fields.ts';
import type { Parameters } from './module.ts';

/** A module as `moduleTable` takes it, whatever its parameters. */
export interface AnyModule {
  readonly name: string;
  readonly parameters: Parameters;
  readonly options: {
    readonly registers?: Readonly<Record<string, Field>>;
    readonly memories?: Readonly<Record<string, Memory>>;
    readonly actuator?: string;
    readonly constraints?: readonly { readonly of: readonly string[] }[];
  };
  readonly description: ModuleDescription;
}

/**
 * The modules of an instrument, checked: names are unique and fit for XML and Python, no two fields claim one bit
 * (the same `Field` object may serve several), limits fit their fields.
 * @throws Error, a mistake in a declaration.
 */
export function moduleTable<const M extends readonly AnyModule[]>(...modules: M): M {
  const names = new Set<string>();
  const owners = new Map<number, { readonly field: Field; readonly owner: string }[]>();
  const claim = (field: Field, owner: string): void => {
    const here = owners.get(field.address) ?? [];
    const other = here.find((claimed) => overlap(claimed.field, field));
    if (other) throw new Error(`${owner} and ${other.owner} claim the same bits of 0x${field.address.toString(16)}.`);
    owners.set(field.address, [...here, { field, owner }]);
  };
  for (const module of modules) {
    const { name, parameters, options } = module;
    checkName(name);
    if (names.has(name)) throw new Error(`Two modules are called ${name}.`);
    names.add(name);
    for (const [key, field] of Object.entries(options.registers ?? {})) claim(field, `${name}.${key}`);
    for (const [key, parameter] of Object.entries(parameters)) {
      checkName(key);
      for (const field of parameter.fields) claim(field, `${name}.${key}`);
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, home } = parameter;
      if (min > max) throw new Error(`${name}.${key}: the limits ${min} … ${max} leave nothing.`);
      if (home !== undefined && (home < min || home > max)) throw new Error(`${name}.${key}: home is out of limits.`);
    }
    const referred = [...(options.constraints ?? []).flatMap((constraint) => constraint.of), options.actuator];
    for (const key of referred) {
      if (key !== undefined && !(key in parameters)) throw new Error(`${name} has no parameter ${key}.`);
    }
  }
  claimMemories(modules);
  return modules;
}

/** Memories lie apart from each other. */
function claimMemories(modules: readonly AnyModule[]): void {
  const ranges = new Map<Memory, string>();
  for (const { name, options } of modules) {
    for (const [key, memory] of Object.entries(options.memories ?? {})) {
      const end = memory.address + 4 * memory.words;
      for (const [other, owner] of ranges) {
        const apart = other === memory || end <= other.address || other.address + 4 * other.words <= memory.address;
        if (!apart) throw new Error(`${name}.${key} and ${owner} claim the same memory.`);
      }
      ranges.set(memory, `${name}.${key}`);
    }
  }
}

function checkName(name: string): void {
  if (!/^[a-z][A-Za-z0-9_]*$/.test(name)) throw new Error(`${name} is no name for Python and XML.`);
}
