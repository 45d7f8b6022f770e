/** Puts the staged tree into an image's ext4, as `dpkg -i` of the package would: files, account, units, dpkg's records. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../../src/errors.ts';
import type { stageRelease } from '../stage.mjs';
import { ACCOUNT_FILES, withSystemUser } from './accounts.ts';
import { installed, knows, listOf, nameOf, withPackage } from './dpkg.ts';
import type { Entry, Ext4, Inode } from './ext4.ts';

export type Staged = Awaited<ReturnType<typeof stageRelease>>;

/** Where the staged tree is, as the image's folder has it. */
export const TREE = 'tree';

const STATUS = '/var/lib/dpkg/status';
const INFO = '/var/lib/dpkg/info';
const ENABLED = '/var/lib/systemd/deb-systemd-helper-enabled';
const WANTS = 'multi-user.target.wants';
const VERSION_FILE = '/root/.version';

/** What is left free for the system itself. */
const RESERVE = 32 * 1024 * 1024;

export interface Plan {
  /** By real path in the image. */
  readonly entries: Map<string, Entry>;
  /** Files of a former version that this one does not have. */
  readonly remove: string[];
  /** For people. */
  readonly remarks: string[];
}

/**
 * All that is to be written, after a look at what there is.
 * @param extra What the user wishes beside, by path.
 * @throws ConfigurationError: no Red Pitaya's system, or no room in it
 */
export async function plan(ext4: Ext4, staged: Staged, extra: ReadonlyMap<string, Entry>): Promise<Plan> {
  const remarks: string[] = [];
  const control = new Map(
    readdirSync(staged.control).map((name) => [name, readFileSync(join(staged.control, name), 'utf8')]),
  );
  const name = nameOf(control.get('control') ?? '') ?? '';
  const [status, formerList, version] = (await texts(ext4, [STATUS, `${INFO}/${name}.list`, VERSION_FILE])) ?? [];
  if (status === undefined) {
    throw new ConfigurationError('the ext4 partition of this image has no Debian or Ubuntu on it, as a Red Pitaya has');
  }
  if (version === undefined) {
    remarks.push(`this image has no ${VERSION_FILE}, as Red Pitaya's own have: it may be another system`);
  } else remarks.push(`Red Pitaya OS ${version.trim().split('\n')[0]?.slice(0, 40)}`);

  const entries = new Map<string, Entry>();
  const conffiles = (control.get('conffiles') ?? '').split('\n').filter((path) => path !== '');
  for (const { path, mode } of staged.files) {
    entries.set(`/${path}`, { content: { from: `${TREE}/${path}` }, mode });
  }
  for (const path of await present(ext4, conffiles)) {
    remarks.push(`${path} is in the image already and stays as it is`);
    entries.delete(path);
  }
  for (const [path, entry] of await accounts(ext4, staged)) entries.set(path, entry);
  for (const unit of staged.units) {
    const link = `/etc/systemd/system/${WANTS}/${unit}`;
    entries.set(link, { content: { link: `/lib/systemd/system/${unit}` }, mode: 0o777 });
    // With them the package's scripts know, at an upgrade, that the unit was enabled.
    entries.set(`${ENABLED}/${unit}.dsh-also`, { content: { text: `${link}\n` } });
    entries.set(`${ENABLED}/${WANTS}/${unit}`, { content: { text: '' } });
  }

  const md5 = new Map(conffiles.map((path) => [path, md5Of(join(staged.tree, path))]));
  const paragraph = installed(control.get('control') ?? '', md5);
  const [statusInode] = await ext4.stat([await ext4.real(STATUS)]);
  entries.set(STATUS, { content: { text: withPackage(status, name, paragraph) }, ...owned(statusInode) });
  const paths = staged.files.map(({ path }) => path);
  entries.set(`${INFO}/${name}.list`, { content: { text: listOf(paths) } });
  for (const [file, text] of control) {
    if (file === 'control') continue;
    const mode = /^(pre|post)(inst|rm)$/.test(file) ? 0o755 : 0o644;
    entries.set(`${INFO}/${name}.${file}`, { content: { text }, mode });
  }
  for (const [path, entry] of extra) entries.set(path, entry);

  const remove = knows(status, name) ? await leftovers(ext4, formerList ?? '', paths) : [];
  return checkRoom(ext4, staged, { entries: await reallyAt(ext4, entries), remove, remarks });
}

/** @throws ConfigurationError */
async function checkRoom(ext4: Ext4, { files }: Staged, made: Plan): Promise<Plan> {
  const inTheWay = await ext4.stat([...made.entries.keys()]);
  const given = inTheWay.reduce((sum, inode) => sum + (inode?.type === 'regular' ? inode.size : 0), 0);
  // Blocks are filled in part.
  const wanted = files.reduce((sum, { bytes }) => sum + bytes + 4096, 0);
  const free = (await ext4.freeBytes()) + given;
  if (wanted + RESERVE <= free) return made;
  const [needs, has] = [wanted + RESERVE, free].map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`);
  throw new ConfigurationError(`the ext4 partition of this image is too full: pitayad needs ${needs}, it has ${has}`);
}

async function texts(ext4: Ext4, paths: readonly string[]): Promise<(string | undefined)[]> {
  const found = await ext4.read(await Promise.all(paths.map((path) => ext4.real(path))));
  return found.map((content) => content?.toString('utf8'));
}

async function present(ext4: Ext4, paths: readonly string[]): Promise<string[]> {
  const found = await ext4.stat(await Promise.all(paths.map((path) => ext4.real(path))));
  return paths.filter((_path, k) => found[k] !== undefined);
}

/** The files of accounts that change, each with the owner and mode that it has. */
async function accounts(ext4: Ext4, { user }: Staged): Promise<[string, Entry][]> {
  const paths = ACCOUNT_FILES.map((file) => `/etc/${file}`);
  const former = await texts(ext4, paths);
  const inodes = await ext4.stat(paths);
  const there = ACCOUNT_FILES.flatMap((file, k) => (former[k] === undefined ? [] : [[file, former[k]]]));
  const fresh = withSystemUser(Object.fromEntries(there), user);
  return ACCOUNT_FILES.flatMap((file, k): [string, Entry][] => {
    const text = fresh[file];
    if (text === undefined || text === former[k]) return [];
    return [[`/etc/${file}`, { content: { text }, ...owned(inodes[k]) }]];
  });
}

export function owned(inode: Inode | undefined): Partial<Entry> {
  return inode === undefined ? {} : { mode: inode.mode, uid: inode.uid, gid: inode.gid };
}

/** Files that a former version brought, and this one does not. */
async function leftovers(ext4: Ext4, list: string, paths: readonly string[]): Promise<string[]> {
  const own = new Set(paths.map((path) => `/${path}`));
  const former = list.split('\n').filter((path) => path.startsWith('/') && !own.has(path) && !path.startsWith('/etc/'));
  const real = await Promise.all(former.map((path) => ext4.real(path)));
  const found = await ext4.stat(real);
  return real.filter((_path, k) => found[k] !== undefined && found[k]?.type !== 'directory');
}

async function reallyAt(ext4: Ext4, entries: ReadonlyMap<string, Entry>): Promise<Map<string, Entry>> {
  const folders = new Map<string, string>();
  const result = new Map<string, Entry>();
  for (const [path, entry] of entries) {
    const at = path.lastIndexOf('/');
    const folder = path.slice(0, at);
    const real = folders.get(folder) ?? (await ext4.real(`${folder}/_`)).replace(/\/_$/, '');
    folders.set(folder, real);
    result.set(`${real}/${path.slice(at + 1)}`, entry);
  }
  return result;
}

/** Compares all that was planned with what is in the image now. @throws Error: it differs */
export async function verify(ext4: Ext4, folder: string, { entries, remove }: Plan): Promise<void> {
  const paths = [...entries.keys()];
  const inodes = await ext4.stat(paths);
  const contents = await ext4.read(paths.filter((_path, k) => inodes[k]?.type === 'regular'));
  for (const [k, path] of paths.entries()) {
    const { content, mode = 0o644, uid = 0, gid = 0 } = entries.get(path) as Entry;
    const inode = inodes[k];
    const found = inode?.type === 'regular' ? contents.shift() : undefined;
    const right =
      'link' in content
        ? inode?.type === 'symlink' && inode.target === content.link
        : found?.equals('from' in content ? readFileSync(join(folder, content.from)) : Buffer.from(content.text));
    if (!right) throw new Error(`${path} was read back from the image otherwise than it was written`);
    if (!inode || inode.uid !== uid || inode.gid !== gid || (inode.type === 'regular' && inode.mode !== mode)) {
      throw new Error(`${path} in the image has not the owner and mode that it was given`);
    }
  }
  const left = (await ext4.stat(remove)).findIndex((inode) => inode !== undefined);
  if (left >= 0) throw new Error(`${remove[left]} was to be removed from the image, and is there`);
}

function md5Of(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}
