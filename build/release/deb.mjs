/** The staged tree as a Debian package: no root, no debhelper, the same bytes each time. */
import { chmodSync, cpSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { need, run } from '../tools.mjs';

/**
 * Writes `pitayad_VERSION_armhf.deb` beside the tree and gives its path.
 * @param staged as `stageRelease` gives it
 * @throws Missing when dpkg-deb is not there
 */
export async function buildDeb({ tree, control, version, date, files }) {
  need({ 'dpkg-deb': 'dpkg' });
  const folder = dirname(tree);
  const work = mkdtempSync(join(folder, '.deb-'));
  try {
    chmodSync(work, 0o755);
    cpSync(control, join(work, 'DEBIAN'), { recursive: true, preserveTimestamps: true });
    const folders = new Set(['DEBIAN', '']);
    for (const { path } of files) {
      const to = join(work, path);
      mkdirSync(dirname(to), { recursive: true });
      linkSync(join(tree, path), to);
      for (let above = dirname(path); above !== '.'; above = dirname(above)) folders.add(above);
    }
    for (const path of [...folders].sort().reverse()) {
      chmodSync(join(work, path), 0o755);
      utimesSync(join(work, path), date, date);
    }
    const fresh = join(folder, `.${version}.deb`);
    // gzip, which every dpkg reads (that of Ubuntu 16.04 knows no zstd) and a board's processor unpacks five times as fast as
    // xz; it is a third larger.
    const options = ['--root-owner-group', '-Zgzip', '-z6', '--build', work, fresh];
    await run('dpkg-deb', options, { env: { SOURCE_DATE_EPOCH: String(date), LC_ALL: 'C.UTF-8' } });
    const path = join(folder, `pitayad_${version}_armhf.deb`);
    renameSync(fresh, path);
    return path;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
