/** What a module's registers hold when the instrument opens: saved settings, or what the FPGA was doing already. */
import type { Logger } from 'pino';
import { Refusal } from '../../errors.ts';
import type { ModuleDriver } from '../driver.ts';

/** Values by name, not judged. */
export type Values = Readonly<Record<string, unknown>>;

/**
 * Reads the registers; then, if the FPGA was just loaded, writes defaults and, over them, what was saved. Otherwise
 * nothing is written, and the saved values only tell what registers don't.
 */
export async function bringUp(driver: ModuleDriver, saved: Values, freshlyLoaded: boolean, log: Logger): Promise<void> {
  await driver.readBack();
  if (!freshlyLoaded) return driver.remember(saved);
  const defaults: Record<string, unknown> = {};
  for (const parameter of driver.description.parameters) {
    if (!parameter.readonly && !parameter.momentary) defaults[parameter.name] = parameter.default;
  }
  await driver.apply(driver.check(defaults));
  await driver.apply(driver.check(allowed(driver, saved, log)));
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
