/**
 * Large answers leave one a turn of the event loop. When many viewers get the same trace, the first of them has asked
 * for the next one before the last is served, so that the scope is armed again meanwhile. Whoever is alone never waits.
 */
export function turns(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let busy = false;

  const next = (): void => {
    const go = waiting.shift();
    if (go === undefined) {
      busy = false;
      return;
    }
    setImmediate(next);
    go();
  };

  return async () => {
    if (busy) {
      await new Promise<void>((go) => waiting.push(go));
      return;
    }
    busy = true;
    setImmediate(next);
  };
}
