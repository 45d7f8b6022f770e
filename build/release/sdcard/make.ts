/** Makes an SD-card image with pitayad in it from one of Red Pitaya's own, without root rights. */
import { existsSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { Given } from '../../../src/config/settings.ts';
import { ConfigurationError } from '../../../src/errors.ts';
import { need } from '../../tools.mjs';
import { readCard } from './card.ts';
import { copyImage, freeSpace, type Progress, sha256Of } from './copy.ts';
import { type Entry, type Ext4, IMAGE, openExt4 } from './ext4.ts';
import { openFat } from './fat.ts';
import { owned, plan, type Staged, TREE, verify } from './install.ts';
import { openSource } from './source.ts';
import { CARD_CONFIG, cardConfig, type NetworkWish, networkFile, withKey } from './wishes.ts';

export interface Wishes {
  /** Text of authorized_keys: one line. */
  readonly sshKey?: string | undefined;
  readonly network?: NetworkWish | undefined;
  /** A text for pitayad.yaml, and its name in errors; default: what is on the card, or a page of comments. */
  readonly config?: { readonly text: string; readonly name: string } | undefined;
  /** Settings that go into pitayad.yaml. */
  readonly settings?: Given;
}

export interface Outcome {
  /** Of the image that was made, 64 hex digits. */
  readonly sha256: string;
  /** Sentences for the user. */
  readonly remarks: readonly string[];
}

/** Programs for file systems are in root's PATH alone, or in that of nobody. */
const SBIN = ['/sbin', '/usr/sbin', '/opt/homebrew/opt/e2fsprogs/sbin', '/usr/local/opt/e2fsprogs/sbin'];

const AUTHORIZED_KEYS = '/root/.ssh/authorized_keys';
/** Its name comes before that of the stock file, so that it counts and the other does not. */
const NETWORK_FILE = '/etc/systemd/network/10-pitayad.network';

/**
 * Makes the image `out` from the image `input`, which stays as it is.
 * @param stage Gives the release; it may put it into the folder that it is told.
 * @param space Bytes that can be written to a folder.
 * @throws ConfigurationError with a sentence for the user; nothing is left behind then, nor after any other error
 */
export async function makeCard(
  input: string,
  out: string,
  stage: (scratch: string) => Promise<Staged>,
  wishes: Wishes = {},
  progress: Progress = () => undefined,
  space: typeof freeSpace = freeSpace,
): Promise<Outcome> {
  process.env.PATH = [process.env.PATH, ...SBIN].join(delimiter);
  need({ debugfs: 'e2fsprogs', e2fsck: 'e2fsprogs', dumpe2fs: 'e2fsprogs', mcopy: 'mtools', mdir: 'mtools' });
  const network = wishes.network && networkFile(wishes.network);
  if (wishes.config) cardConfig(wishes.config.text, wishes.config.name, wishes.settings ?? {});
  const folder = dirname(resolve(out));
  checkOutput(input, out, folder);
  const source = await openSource(input);
  const free = space(folder);
  if (free < source.size) {
    throw new ConfigurationError(
      `${folder} has ${megabytes(free)} free, and the image needs ${megabytes(source.size)}`,
    );
  }
  if (source.plain) readCard(input);

  const scratch = mkdtempSync(join(folder, '.pitayad-sdcard-'));
  const removeScratch = (): void => rmSync(scratch, { recursive: true, force: true });
  process.once('exit', removeScratch);
  try {
    const staged = await stage(scratch);
    const image = join(scratch, IMAGE);
    await copyImage(source, image, progress);
    const card = readCard(image);
    symlinkSync(staged.tree, join(scratch, TREE));

    progress('installing', 0);
    const ext4 = await openExt4(scratch, card.ext4);
    const made = await plan(ext4, staged, await personal(ext4, wishes, network));
    if (wishes.network && network === undefined) made.remove.push(NETWORK_FILE);
    await ext4.change(made.entries, made.remove);
    progress('installing', 0.5);
    await ext4.repair();
    await verify(ext4, scratch, made);
    await ext4.check();

    const fat = openFat(scratch, card.fat);
    const former = await fat.read(CARD_CONFIG);
    const { text, name } = wishes.config ?? { text: former, name: `${CARD_CONFIG} in the image` };
    const config = cardConfig(text, name, wishes.settings ?? {});
    await fat.write(CARD_CONFIG, config);
    if ((await fat.read(CARD_CONFIG)) !== config) throw new Error(`${CARD_CONFIG} was read back otherwise`);
    progress('installing', 1);

    const sha256 = await sha256Of(image, source.size, progress);
    // Another may have made it meanwhile.
    if (existsSync(out)) throw new ConfigurationError(`${out} exists already; nothing was written over it`);
    renameSync(image, out);
    return { sha256, remarks: [`pitayad ${staged.version}, ${made.entries.size} files`, ...made.remarks] };
  } finally {
    process.off('exit', removeScratch);
    removeScratch();
  }
}

/** @throws ConfigurationError */
function checkOutput(input: string, out: string, folder: string): void {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new ConfigurationError(`there is no folder ${folder}`);
  if (!existsSync(out)) return;
  const same = existsSync(input) && realpathSync(input) === realpathSync(out);
  if (same) throw new ConfigurationError(`--out must be another file than ${input}, which stays as it is`);
  throw new ConfigurationError(`${out} exists already; remove it first, or give another name`);
}

async function personal(
  ext4: Ext4,
  { sshKey, network }: Wishes,
  file: string | undefined,
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  if (sshKey !== undefined) {
    const path = await ext4.real(AUTHORIZED_KEYS);
    const [former] = await ext4.read([path]);
    const text = withKey(former?.toString('utf8') ?? '', sshKey);
    entries.set(AUTHORIZED_KEYS, {
      content: { text },
      ...owned((await ext4.stat([path]))[0]),
      mode: 0o600,
      folderMode: 0o700,
    });
  }
  if (network && file !== undefined) entries.set(NETWORK_FILE, { content: { text: file } });
  return entries;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
