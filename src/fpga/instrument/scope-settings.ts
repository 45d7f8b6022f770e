/** The scope's settings as recordings take them, and when they change. */
import type { TypedDriver } from '../module.ts';
import type { ScopeValues } from '../modules/scope.ts';
import type { Scale } from '../volts.ts';
import { type Settings, settingsOf } from './recording.ts';

export interface ScopeSettings {
  /** As they are now; the same object as long as nothing changes. */
  present(): Settings;
  /** They are not those that `begin` gave. */
  readonly outdated: boolean;
  /** Those for an acquisition, once no write is under way. */
  begin(): Settings;
  /** Every change goes through here. */
  writing<T>(write: () => Promise<T>, changed: (outcome: T) => boolean): Promise<T>;
  /** No write is under way. */
  settled(): Promise<void>;
}

/** @param changed called when a setting has changed, or may have */
export function scopeSettings(
  driver: TypedDriver<ScopeValues>,
  scaleOf: (signal: string) => Scale,
  changed: () => void,
): ScopeSettings {
  const settable = driver.description.parameters.filter((parameter) => !parameter.readonly).map(({ name }) => name);
  let known: Settings | undefined;
  let outdated = false;
  let writers = 0;
  const waiting: (() => void)[] = [];

  function present(): Settings {
    if (known) return known;
    const values = driver.values;
    const entries = Object.entries(values).filter(([name]) => settable.includes(name));
    known = settingsOf(values, JSON.stringify(Object.fromEntries(entries)), scaleOf);
    return known;
  }

  function invalidate(): void {
    known = undefined;
    outdated = true;
    changed();
  }

  return {
    present,

    get outdated() {
      return outdated;
    },

    begin() {
      outdated = false;
      return present();
    },

    async writing(write, hasChanged) {
      writers++;
      try {
        const outcome = await write();
        if (hasChanged(outcome)) invalidate();
        return outcome;
      } catch (error) {
        // Nobody knows how much was written.
        invalidate();
        throw error;
      } finally {
        writers--;
        if (writers === 0) for (const resume of waiting.splice(0)) resume();
      }
    },

    settled: () => (writers === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
