/** Loaded into the daemon by a soak: on SIGUSR2 it collects garbage, and tells what it has open. */
const { writeSync } = require('node:fs');

process.on('SIGUSR2', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const open = {};
  for (const name of process.getActiveResourcesInfo().sort()) open[name] = (open[name] ?? 0) + 1;
  writeSync(3, `${JSON.stringify(open)}\n`);
});
