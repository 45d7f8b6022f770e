/** A release as its Debian package has it: what goes onto a card without building anything. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ConfigurationError } from '../../../src/errors.ts';
import { need, run } from '../../tools.mjs';
import { UNITS, USER } from '../stage.mjs';
import { nameOf } from './dpkg.ts';
import type { Staged } from './install.ts';

/** A package is an archive of `ar`: a line, then members behind a head of 60 bytes each (deb(5), ar(5)). */
const MAGIC = '!<arch>\n';
const HEAD = 60;
const PACKAGE = 'pitayad';

/**
 * Unpacks a package into a folder, as the staged tree that it was made from.
 * @throws ConfigurationError: it is no package of pitayad's for a Red Pitaya
 */
export async function unpackPackage(path: string, folder: string): Promise<Staged> {
  need({ tar: 'tar' });
  const members = membersOf(readPackage(path), path);
  const [tree, control] = [join(folder, 'unpacked-tree'), join(folder, 'unpacked-control')];
  for (const [part, to] of [
    ['data.tar', tree],
    ['control.tar', control],
  ] as const) {
    const [name, content] = [...members].find(([member]) => member.startsWith(part)) ?? [];
    if (name === undefined || content === undefined) throw new ConfigurationError(`${path} has no ${part} in it`);
    const archive = join(folder, basename(name));
    mkdirSync(to);
    writeFileSync(archive, content);
    try {
      await run('tar', ['-xpf', archive, '-C', to, '--no-same-owner']);
    } catch (error) {
      throw new ConfigurationError(`${path} is damaged: ${name} cannot be unpacked`, { cause: error });
    }
    rmSync(archive);
  }
  const about = readFileSync(join(control, 'control'), 'utf8');
  const field = (name: string): string => new RegExp(`^${name}: *(\\S+)$`, 'm').exec(about)?.[1] ?? 'nothing';
  if (nameOf(about) !== PACKAGE || field('Architecture') !== 'armhf') {
    throw new ConfigurationError(
      `${path} is the package ${nameOf(about)} for ${field('Architecture')}; it must be ${PACKAGE} for armhf`,
    );
  }
  const files = filesOf(tree, path);
  return { tree, control, version: field('Version'), date: 0, units: UNITS, user: USER, files };
}

function readPackage(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigurationError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
}

/** @throws ConfigurationError: no package, or not all of it */
function membersOf(archive: Buffer, path: string): Map<string, Buffer> {
  if (archive.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new ConfigurationError(`${path} is no Debian package`);
  const members = new Map<string, Buffer>();
  for (let at = MAGIC.length; at < archive.length; ) {
    const head = archive.toString('latin1', at, at + HEAD);
    const name = head.slice(0, 16).trim().replace(/\/$/, '');
    const size = Number(head.slice(48, 58));
    const begin = at + HEAD;
    if (!/^[\w.-]+$/.test(name) || !Number.isInteger(size) || begin + size > archive.length) {
      throw new ConfigurationError(`${path} is damaged, or not all of it`);
    }
    members.set(name, archive.subarray(begin, begin + size));
    at = begin + size + (size % 2);
  }
  return members;
}

function filesOf(tree: string, path: string): Staged['files'] {
  return readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .sort()
    .flatMap((name) => {
      const stat = lstatSync(join(tree, name));
      if (stat.isDirectory()) return [];
      if (!stat.isFile()) throw new ConfigurationError(`${path} has ${name} in it, which is no regular file`);
      const content = readFileSync(join(tree, name));
      const sha256 = createHash('sha256').update(content).digest('hex');
      return [{ path: name, mode: stat.mode & 0o7777, bytes: content.length, sha256 }];
    });
}
