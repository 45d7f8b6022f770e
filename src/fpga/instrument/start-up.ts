/** What a module's registers hold when the instrument opens: saved settings, or what the FPGA was doing already. */
import type { Logger } from 'pino';
import { Refusal } from '../../errors.ts';
import { settable } from '../description.ts';
import type { ModuleDriver } from '../driver.ts';
import { inSteps, STEPS, type Values } from './steps.ts';

export type { Values } from './steps.ts';

/**
 * Reads the registers of all modules; then, if the FPGA was just loaded, writes defaults and, over them, what was saved:
 * integrators begin at 0, and outputs come on when all modules are set. Otherwise nothing is written, and the saved
 * values only tell what registers don't.
 */
export async function bringUp(
  drivers: readonly ModuleDriver[],
  saved: Readonly<Record<string, Values>>,
  freshlyLoaded: boolean,
  log: Logger,
): Promise<void> {
  const savedOf = ({ description: { name } }: ModuleDriver): Values => saved[name] ?? {};
  for (const driver of drivers) await driver.readBack();
  if (!freshlyLoaded) {
    for (const driver of drivers) driver.remember(savedOf(driver));
    return;
  }
  for (const driver of drivers) await driver.apply(driver.check(defaultsOf(driver)));
  const goings = drivers.map((driver) => ({
    go: inSteps(driver, defaultsOf(driver), allowed(driver, savedOf(driver), log)),
    zero: driver.check(momentsOff(driver)),
    driver,
  }));
  for (const step of STEPS) {
    for (const { driver, go, zero } of goings) {
      if (step === STEPS.length - 1) await driver.apply(zero);
      await go(step);
    }
  }
}

function defaultsOf({ description }: ModuleDriver): Values {
  return Object.fromEntries(settable(description).map((parameter) => [parameter.name, parameter.default]));
}

/** What `off` sets besides settings: integrators to 0, which have run since their gains were set. */
function momentsOff({ description }: ModuleDriver): Values {
  return Object.fromEntries(
    description.parameters.flatMap(({ name, momentary, off }) => (momentary && off !== undefined ? [[name, off]] : [])),
  );
}

/** What the driver accepts of the saved values: all, or one after the other as many as go together. */
function allowed(driver: ModuleDriver, saved: Values, log: Logger): Values {
  try {
    driver.check(saved);
    return saved;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  const good: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(saved)) {
    try {
      driver.check({ ...good, [key]: value });
      good[key] = value;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const module = driver.description.name;
      log.warn({ module, parameter: key, reason: error.message }, 'a saved value is not taken');
    }
  }
  return good;
}
