/** What the installed program gives to Node in its environment: memory is judged as the board uses it. */
import { readFileSync } from 'node:fs';

const PROGRAM = new URL('../../deploy/board/tree/usr/bin/pitayad', import.meta.url);

/** Variables that the board's `pitayad` exports, by name. @throws Error: it exports none */
export function boardEnvironment(): Record<string, string> {
  const exports = [...readFileSync(PROGRAM, 'utf8').matchAll(/^export (\w+)=(\S+)$/gm)];
  if (exports.length === 0) throw new Error(`${PROGRAM.pathname} exports nothing`);
  return Object.fromEntries(exports.map(([, name, value]) => [name, value]));
}
