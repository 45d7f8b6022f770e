/** The pages of docs/ say what the program is: generated ones what declarations say, and every message is explained. */
import assert from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import { generated } from '../build/docs.ts';

for (const { page, is, should } of generated()) {
  test(`docs/${page} is up to date (node build.mjs docs writes it anew)`, () => {
    assert.ok(is === should, `docs/${page} is stale`);
  });
}

const root = fileURLToPath(new URL('..', import.meta.url));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Lines of the log that tell of trouble, and errors that end a command or the daemon, or that no client could avoid. */
const SPOKEN =
  /(?:\blog\.(?:warn|error|fatal)|new (?:ConfigurationError|BusError|ConnectionError))\((?:\s*\{(?:[^{}]|\{[^{}]*\})*\},)?\s*('(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)/g;

/** Explained where they come up, on the command line. */
const ELSEWHERE = [/^src\/import-pyrpl\.ts/, /is no PARAMETER=VALUE/];

/** Stands for a name or a number that is told in a sentence. */
const TOLD = '\u0001';

interface Sentence {
  readonly where: string;
  readonly says: string;
}

/** As far as they begin with a literal. */
function sentences(): Sentence[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) =>
      [...text(`src/${path}`).matchAll(SPOKEN)].map(([, literal = '']) => ({
        where: `src/${path}: ${literal}`,
        // What is told may hold braces of its own.
        says: literal.slice(1, -1).replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, TOLD),
      })),
    )
    .filter(({ where, says }) => /[a-z]{3}/.test(says) && !ELSEWHERE.some((one) => one.test(where)));
}

/** The messages of a page: in backticks, with … for what is told; the end may be missing. */
function explained(page: string): RegExp[] {
  const quoted = text(page).matchAll(/^\| (`.*?`(?:[^|`]*`.*?`)*)[^|`]*\|/gm);
  return [...quoted].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, message = '']) => {
      const parts = message.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      return new RegExp(`^${parts.join('.+?')}`);
    }),
  );
}

test('docs/troubleshooting.md explains every message of trouble', () => {
  const patterns = explained('docs/troubleshooting.md');
  const found = sentences();
  assert.ok(found.length > 60, `${found.length} messages`);
  const missing = found.filter(({ says }) => !patterns.some((pattern) => pattern.test(says)));
  assert.deepEqual(
    missing.map(({ where }) => where),
    [],
  );
});

test.run();
