/** The pages of docs/ that are made from declarations, as a whole or between two marks. `node build.mjs docs` writes them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { settingsAsMarkdown } from '../src/config/reference.ts';
import { boardsAsMarkdown } from '../src/fpga/bitstream/boards.ts';
import { modules } from '../src/fpga/modules/modules.ts';
import { parametersAsMarkdown } from '../src/fpga/reference.ts';
import { wordsAsMarkdown } from '../src/server/words.ts';

const BEGIN = '<!-- tables -->';
const END = '<!-- end of tables -->';

/** What belongs between the marks of each page, by its name in docs/. */
const tables: Readonly<Record<string, () => string>> = {
  'configuration.md': settingsAsMarkdown,
  'hardware.md': boardsAsMarkdown,
  'protocol.md': wordsAsMarkdown,
  'parameters.md': () => parametersAsMarkdown(modules),
};

const fileOf = (page: string): string => fileURLToPath(new URL(`../docs/${page}`, import.meta.url));

/** Each page as it is, and as it should be. */
export function generated(): { readonly page: string; readonly is: string; readonly should: string }[] {
  return Object.entries(tables).map(([page, table]) => {
    const is = readFileSync(fileOf(page), 'utf8');
    const [before, rest] = [is.split(BEGIN)[0] ?? '', is.split(END)[1] ?? ''];
    return { page, is, should: `${before}${BEGIN}\n\n${table()}\n${END}${rest}` };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { page, is, should } of generated()) {
    if (is === should) continue;
    writeFileSync(fileOf(page), should);
    console.log(`docs/${page} is written anew`);
  }
}
