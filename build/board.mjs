/** What `node build.mjs test board` needs: a card for an emulated Red Pitaya, made by the SD-card builder. */
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pymodaqPython, pymodaqVersions } from './python.mjs';
import { stageRelease } from './release/stage.mjs';
import { cached, hashOf, need, root, run } from './tools.mjs';

const TOOLS = {
  'qemu-system-arm': 'qemu-system-arm',
  mmdebstrap: 'mmdebstrap',
  fakeroot: 'fakeroot',
  mcopy: 'mtools',
  'mkfs.vfat': 'dosfstools',
  sfdisk: 'fdisk',
  mke2fs: 'e2fsprogs',
  'dpkg-deb': 'dpkg',
  'systemd-sysusers': 'systemd',
};

/** Where the look-alike of Red Pitaya's image has its FAT partition. */
const FAT = 4 << 20;

/** An image that looks like one of Red Pitaya's own, from the cache. */
async function baseImage() {
  const maker = join(root, 'test/board/base-image.mjs');
  const folder = await cached('board-image', hashOf(readFileSync(maker)), (out) =>
    run('fakeroot', ['--', process.execPath, maker, join(out, 'base.img')]),
  );
  return join(folder, 'base.img');
}

/**
 * Makes the card, with a second version on it, in a folder of its own and gives the environment for test/board/board.test.ts.
 * @param kernel the folder with zImage and rp-like.dtb
 * @returns {Promise<{env: Record<string, string>, end: () => void}>}
 */
export async function boardCard(kernel) {
  need(TOOLS);
  const base = await baseImage();
  const python = await pymodaqPython(pymodaqVersions().findLast((version) => version.startsWith('4')));
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-board-'));
  const end = () => rmSync(folder, { recursive: true, force: true });
  try {
    const card = join(folder, 'card.img');
    const key = join(folder, 'key.pub');
    writeFileSync(key, `${publicKey()}\n`);
    const options = ['--ssh-key', key, '--in2', 'HV', '--address', '10.0.2.15/24', '--gateway', '10.0.2.2'];
    await run(process.execPath, [join(root, 'build.mjs'), 'sdcard', base, '--out', card, ...options]);
    await run('mcopy', ['-i', `${card}@@${FAT}`, await secondVersion(folder), '::/second.deb']);
    const env = {
      PITAYAD_BOARD_CARD: card,
      PITAYAD_BOARD_KERNEL: join(kernel, 'zImage'),
      PITAYAD_BOARD_TREE: join(kernel, 'rp-like.dtb'),
      PITAYAD_BOARD_MEMORY: join(memoryFolder(folder), `pitayad-board-${process.pid}.ram`),
      PITAYAD_PYMODAQ_4: python,
    };
    return { env, end };
  } catch (error) {
    end();
    throw error;
  }
}

/** In the form that OpenSSH gives to it. */
function publicKey() {
  const { publicKey } = generateKeyPairSync('ed25519');
  const parts = [Buffer.from('ssh-ed25519'), Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url')];
  const framed = parts.flatMap((part) => [Buffer.from([0, 0, 0, part.length]), part]);
  return `ssh-ed25519 ${Buffer.concat(framed).toString('base64')} test`;
}

/** The same release with another number, not compressed: an emulator takes long to unpack. */
async function secondVersion(folder) {
  const { tree, control, version } = await stageRelease({ folder: join(folder, 'release') });
  const package_ = join(folder, 'second');
  cpSync(tree, package_, { recursive: true, preserveTimestamps: true });
  cpSync(control, join(package_, 'DEBIAN'), { recursive: true });
  const file = join(package_, 'DEBIAN/control');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`Version: ${version}`, `Version: ${version}+second`));
  const deb = join(folder, 'second.deb');
  await run('dpkg-deb', ['--root-owner-group', '-Znone', '--build', package_, deb]);
  return deb;
}

/** In memory, where there is room for a guest's; else on disk. */
function memoryFolder(folder) {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize > 1.5e9 ? '/dev/shm' : folder;
  } catch {
    return folder;
  }
}
