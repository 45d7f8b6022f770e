/**
 * The staged tree: all files of a release as they stand on the board's root file system. It has two wrappers, the Debian
 * package (deb.mjs) and the SD-card image; both take it from `stageRelease()`.
 *
 * What it promises to them:
 *
 * - `tree` is a folder that stands for `/`. **Everything in it belongs to root:root**, and has the mode that it has on
 *   disk: 0755 for folders and programs, 0644 for all else. There are regular files, folders and no links. Times are
 *   `date`.
 * - `control` is the folder DEBIAN of the package: control, conffiles, md5sums, postinst, prerm, postrm. `dpkg -i` of a
 *   later package upgrades a board on which the tree was put by other means, if the means wrote dpkg's status entry
 *   (the fields of control, `Status: install ok installed`, `Conffiles:` with their md5) and its info files
 *   (`pitayad.list`, and those of `control` but control itself).
 * - Whoever does not run postinst does what it does: creates the system user and group `pitayad` (home /var/lib/pitayad, no
 *   shell), puts it into those of the groups kmem, uio and eeprom that there are, and enables `units` (links in
 *   /etc/systemd/system/multi-user.target.wants). All else is made at boot, by tmpfiles.d.
 * - `version` is that of package.json; on the board `dpkg-query -W pitayad` and `pitayad --version` say it.
 *
 * Where things are on the board:
 *
 *     /usr/lib/pitayad/bin/node           Node, which runs on /usr/lib/pitayad/lib and nothing else of the system
 *     /usr/lib/pitayad/lib/               its loader, C and C++ library
 *     /usr/lib/pitayad/pitayad.cjs        the program; bundle.cjs, bundle.compiled: what it consists of, and what V8
 *                                         compiles of that; native/linux-arm-ABI/: its add-ons
 *     /usr/lib/pitayad/fpga/              red_pitaya.bin, red_pitaya.dtbo, LICENSE, NOTICE
 *     /usr/lib/pitayad/keep-release, rollback
 *     /usr/bin/pitayad                    the command
 *     /usr/share/pitayad/                 the plug-in wheel for the PC; as-shipped/: configuration files as they came
 *     /usr/share/doc/pitayad/, /usr/share/man/man8/pitayad.8.gz
 *     /lib/systemd/system/                pitayad-fpga.service (root, once), pitayad.service, pitayad-retry.service
 *     /lib/systemd/system-generators/, /lib/udev/rules.d/, /usr/lib/tmpfiles.d/, /usr/lib/sysusers.d/
 *     /etc/pitayad/config.yaml, /etc/rsyslog.d/10-pitayad.conf     (conffiles: the user's after installation)
 *     /var/lib/pitayad                    state, made at boot, kept by upgrades; not in the tree
 *     /var/lib/pitayad-releases           the release before the last upgrade; not in the tree
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ADDON_PACKAGES, buildNative } from '../native.mjs';
import { plugInWheel } from '../python.mjs';
import { dist, root, run } from '../tools.mjs';
import { bundleInto, compiled, NODE_OPTIONS } from './bundle.mjs';
import { manPage } from './man.mjs';
import { boardNode, copyCLibrary, design, HOME, libraryLicences, nodeWithOwnLibrary } from './pieces.mjs';

/** Enabled on a board, in the order in which they start. */
export const UNITS = ['pitayad-fpga.service', 'pitayad.service'];

/** Runs the daemon; is put into those of the groups that the system has. */
export const USER = { name: 'pitayad', home: '/var/lib/pitayad', groups: ['kmem', 'uio', 'eeprom'] };

/** Where a release comes to be. */
export const releaseFolder = join(dist, 'release');

/** What is put onto the board as it stands in the repository. */
const PAYLOAD = join(root, 'deploy/board/tree');
const CONTROL = join(root, 'deploy/board/control');

/** Programs; any other file has mode 0644. */
const PROGRAMS = [/^usr\/bin\//, /^usr\/lib\/pitayad\/(bin\/node|keep-release|rollback)$/, /ld-linux-armhf\.so\.3$/];
const GENERATORS = /^lib\/systemd\/system-generators\//;
const SCRIPTS = /^(postinst|prerm|postrm)$/;

/**
 * Builds what is missing and puts the tree together, in dist/release.
 * @param options `node`: archive of another Node 20/22 for armv7; `cLibrary`: folder of another C library;
 *   `bitstream`, `bitstreamSha256`, `overlay`: another design; `folder`: where, if not dist/release; `anew`: compile anew what was compiled before
 * @returns {Promise<{tree: string, control: string, version: string, date: number, units: string[],
 *   user: typeof USER, files: {path: string, mode: number, bytes: number, sha256: string}[]}>} `date` in seconds since
 *   1970; `files` without folders, by path as on the board, without the leading slash, sorted
 * @throws Missing when a tool is not there; Error when a pinned piece is not what it was
 */
export async function stageRelease(options = {}) {
  const { folder = releaseFolder } = options;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const date = await sourceDate();
  const fresh = `${folder}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  const tree = join(fresh, 'tree');
  const control = join(fresh, 'control');
  try {
    await fill(tree, { ...options, version, date });
    const files = normalize(tree, date);
    writeControl(control, { version, files, tree });
    normalize(control, date);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(fresh, folder);
    return {
      tree: join(folder, 'tree'),
      control: join(folder, 'control'),
      version,
      date,
      units: UNITS,
      user: USER,
      files,
    };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The time that all files of a release have: SOURCE_DATE_EPOCH, or that of the last commit. */
async function sourceDate() {
  if (/^\d{1,11}$/.test(process.env.SOURCE_DATE_EPOCH ?? '')) return Number(process.env.SOURCE_DATE_EPOCH);
  const { output, code } = await run('git', ['log', '-1', '--format=%ct'], { allowFailure: true }).catch(() => ({}));
  return code === 0 ? Number(output.trim()) : 1_700_000_000;
}

async function fill(tree, options) {
  const { node: archive, cLibrary, bitstream, bitstreamSha256, overlay, anew, version, date } = options;
  const home = join(tree, HOME);
  cpSync(PAYLOAD, tree, { recursive: true });
  const node = await boardNode(archive);
  place(join(await nodeWithOwnLibrary(node), 'node'), join(home, 'bin/node'));
  copyCLibrary(join(home, 'lib'), cLibrary);
  const addOns = await buildNative('armv7', archive === undefined ? {} : { node });
  for (const name of readdirSync(addOns).filter((name) => !name.startsWith('.'))) {
    place(join(addOns, name), join(home, 'native', `linux-arm-${node.abi}`, name));
  }
  fillIn(join(tree, 'usr/bin/pitayad'), { NODE_OPTIONS: NODE_OPTIONS.join(' ') });
  const modules = await bundleInto(join(home, 'bundle.cjs'));
  await compiled(tree, anew);

  const fpga = await design({ bitstream, sha256: bitstreamSha256, overlay });
  place(fpga.bin, join(home, 'fpga/red_pitaya.bin'));
  place(fpga.dtbo, join(home, 'fpga/red_pitaya.dtbo'));
  place(fpga.licence, join(home, 'fpga/LICENSE'));
  put(join(home, 'fpga/NOTICE'), `${fpga.origin}\nSHA-256 of red_pitaya.bin: ${fpga.sha256}\n`);
  fillIn(join(tree, 'lib/systemd/system/pitayad-fpga.service'), { BITSTREAM_SHA256: fpga.sha256 });

  const share = join(tree, 'usr/share/pitayad');
  mkdirSync(share, { recursive: true });
  await plugInWheel(share, date);
  for (const path of conffiles()) place(join(PAYLOAD, path), join(share, 'as-shipped', path));

  put(join(tree, 'usr/share/man/man8/pitayad.8.gz'), packed(await manPage(version, date)));

  const doc = join(tree, 'usr/share/doc/pitayad');
  place(join(root, 'README.md'), join(doc, 'README.md'));
  put(join(doc, 'NEWS.gz'), packed(readFileSync(join(root, 'CHANGELOG.md'))));
  put(join(doc, 'changelog.gz'), packed(debianChangelog(version, date)));
  const licences = {
    ...Object.fromEntries([...modules, ...ADDON_PACKAGES].map((name) => [name, licenceOf(name)])),
    node: join(node.folder, 'LICENSE'),
    pyrpl: fpga.licence,
    ...libraryLicences(),
  };
  put(join(doc, 'copyright'), copyright(Object.keys(licences)));
  for (const [name, path] of Object.entries(licences)) {
    if (existsSync(path)) put(join(doc, 'licences', `${name.replaceAll('/', '_')}.gz`), packed(readFileSync(path)));
  }
}

/** Packages without a file for it say their licence in package.json. */
function licenceOf(name) {
  const folder = join(root, 'node_modules', name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return join(folder, file ?? 'package.json');
}

function place(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function put(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Puts values in the place of @NAME@. */
function fillIn(path, values) {
  const text = readFileSync(path, 'utf8').replace(/@([A-Z0-9_]+)@/g, (whole, name) => values[name] ?? whole);
  writeFileSync(path, text);
}

function packed(content) {
  const gz = gzipSync(content, { level: 9 });
  // The system on which it was packed: unknown, wherever it was.
  gz[9] = 255;
  return gz;
}

/** Paths of the files that are the user's once they are installed. */
function conffiles() {
  return filesIn(join(PAYLOAD, 'etc')).map((path) => `etc/${path}`);
}

/** Files below a folder, sorted, as paths in it. */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Modes and times as the head of this file promises; gives all files. */
function normalize(folder, date) {
  const files = filesIn(folder).map((path) => {
    const program = [...PROGRAMS, GENERATORS, SCRIPTS].some((pattern) => pattern.test(path));
    const mode = program ? 0o755 : 0o644;
    chmodSync(join(folder, path), mode);
    utimesSync(join(folder, path), date, date);
    const content = readFileSync(join(folder, path));
    return { path, mode, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  });
  const folders = readdirSync(folder, { recursive: true }).filter((path) =>
    lstatSync(join(folder, path)).isDirectory(),
  );
  for (const path of ['', ...folders].sort().reverse()) {
    chmodSync(join(folder, path), 0o755);
    utimesSync(join(folder, path), date, date);
  }
  return files;
}

function writeControl(folder, { version, files, tree }) {
  cpSync(CONTROL, folder, { recursive: true });
  const kilobytes = files.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 1024), 0);
  fillIn(join(folder, 'control'), { VERSION: version, KILOBYTES: String(kilobytes) });
  const ofUser = conffiles();
  put(join(folder, 'conffiles'), ofUser.map((path) => `/${path}\n`).join(''));
  const sums = files
    .filter(({ path }) => !ofUser.includes(path))
    .map(
      ({ path }) =>
        `${createHash('md5')
          .update(readFileSync(join(tree, path)))
          .digest('hex')}  ${path}\n`,
    );
  put(join(folder, 'md5sums'), sums.join(''));
}

function debianChangelog(version, date) {
  const when = new Date(date * 1000).toUTCString().replace('GMT', '+0000');
  return `pitayad (${version}) unstable; urgency=medium\n\n  * See NEWS.gz.\n\n -- pitayad authors <pitayad@example.org>  ${when}\n`;
}

function copyright(parts) {
  const own = readFileSync(join(root, 'LICENSE'), 'utf8').trimEnd();
  const [holder] = /Copyright .*/.exec(own) ?? [''];
  const text = own.replace(/^.*\n\nCopyright .*\n\n/, '').split('\n');
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    'Upstream-Name: pitayad',
    'Comment:',
    ' The package brings works of others, each under its own licence, to be found in',
    ' /usr/share/doc/pitayad/licences:',
    ` ${parts.join(', ')}.`,
    '',
    'Files: *',
    holder.replace(/^Copyright (\(c\) )?/i, 'Copyright: '),
    'License: Expat',
    ...text.map((line) => (line === '' ? ' .' : ` ${line}`)),
    '',
  ].join('\n');
}
