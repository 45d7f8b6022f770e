/**
 * Settings of many modules at once, in an order in which nothing comes out meanwhile that nobody wants: what goes off
 * goes first, what comes on comes last, when limits, gains and sources behind it are set.
 */
import type { ModuleDescription } from '../description.ts';
import type { ModuleDriver, Taken } from '../driver.ts';

/** Values by name, not judged. */
export type Values = Readonly<Record<string, unknown>>;

/** How many steps there are. */
export const STEPS = [0, 1, 2] as const;

/**
 * Goes from present settings to wanted ones of a module, step by step, so that others may take the same step before the
 * next.
 */
export function inSteps(
  driver: ModuleDriver,
  present: Values,
  wanted: Values,
): (step: (typeof STEPS)[number]) => Promise<Taken[]> {
  const switches = switchesOf(driver.description).filter(({ name }) => Object.hasOwn(wanted, name));
  const pick = (from: typeof switches): Values => Object.fromEntries(from.map(({ name, off }) => [name, off]));
  const goOff = pick(switches.filter(({ name, off }) => wanted[name] === off && present[name] !== off));
  const stayOff = pick(switches.filter(({ name, off }) => wanted[name] !== off && present[name] === off));
  const values = [goOff, { ...wanted, ...stayOff }, Object.keys(stayOff).length > 0 ? wanted : {}] as const;
  return async (step) => (Object.keys(values[step]).length > 0 ? driver.apply(driver.check(values[step])) : []);
}

/** Settings that `off` sets: they decide whether anything comes out. */
function switchesOf({ parameters }: ModuleDescription): { readonly name: string; readonly off: unknown }[] {
  return parameters.flatMap(({ name, off, momentary }) => (off === undefined || momentary ? [] : [{ name, off }]));
}
