/** System accounts, as `adduser --system` makes them, in the texts of /etc. */
import { ConfigurationError } from '../../../src/errors.ts';

export interface SystemUser {
  readonly name: string;
  readonly home: string;
  /** It is put into those of them that there are. */
  readonly groups: readonly string[];
}

export const ACCOUNT_FILES = ['passwd', 'group', 'shadow', 'gshadow'] as const;

/** The files' texts; a system may do without shadow and gshadow. */
export type Accounts = { readonly [File in (typeof ACCOUNT_FILES)[number]]?: string };

/** Numbers that Debian gives to system accounts. */
const IDS = { first: 100, last: 999 };

/** @throws ConfigurationError: no free number, or no accounts at all */
export function withSystemUser(accounts: Accounts, { name, home, groups }: SystemUser): Accounts {
  const texts: Record<string, string> = { ...accounts };
  const { passwd, group } = accounts;
  if (passwd === undefined || group === undefined) {
    throw new ConfigurationError('this image has no /etc/passwd or no /etc/group: it is no system of a Red Pitaya');
  }
  const add = (file: (typeof ACCOUNT_FILES)[number], line: string): void => {
    const text = texts[file];
    if (text === undefined || has(text, name)) return;
    texts[file] = `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`;
  };
  const own = /^[^:]*:[^:]*:(\d+):/.exec(lineOf(group, name) ?? '')?.[1];
  const id = own ?? String(freeId(`${passwd}\n${group}`));
  add('passwd', `${name}:x:${id}:${id}::${home}:/usr/sbin/nologin`);
  add('group', `${name}:x:${id}:`);
  add('shadow', `${name}:!:19000::::::`);
  add('gshadow', `${name}:!::`);
  for (const file of ['group', 'gshadow'] as const) {
    const text = texts[file];
    if (text !== undefined) texts[file] = groups.reduce((former, one) => withMember(former, one, name), text);
  }
  return texts;
}

function has(text: string, name: string): boolean {
  return lineOf(text, name) !== undefined;
}

function lineOf(text: string, name: string): string | undefined {
  return text.split('\n').find((line) => line.startsWith(`${name}:`));
}

function freeId(text: string): number {
  const fields = /^[^:\n]*:[^:\n]*:(\d+):(?:(\d+):)?/gm;
  const used = new Set([...text.matchAll(fields)].flatMap(([, id, group]) => [Number(id), Number(group)]));
  for (let id = IDS.last; id >= IDS.first; id--) if (!used.has(id)) return id;
  throw new ConfigurationError('this image has no number left for one more system account');
}

/** A group's last field is the list of its members. */
function withMember(text: string, group: string, member: string): string {
  return text
    .split('\n')
    .map((line) => {
      if (!line.startsWith(`${group}:`)) return line;
      const fields = line.split(':');
      const members = (fields.pop() ?? '').split(',').filter((one) => one !== '');
      if (members.includes(member)) return line;
      return [...fields, [...members, member].join(',')].join(':');
    })
    .join('\n');
}
