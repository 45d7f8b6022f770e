/**
 * What a release consists of that is not ours: Node for the board's processor, the C library that it runs on, and
 * PyRPL's FPGA design. Each is pinned by its SHA-256 and kept in the cache; another may be given, with its own checksum
 * or at the builder's own risk.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { nodeArmv7 } from '../native.mjs';
import { testPython } from '../python.mjs';
import { cached, hashOf, Missing, need, root, run, say } from '../tools.mjs';

/** Where a release is on the board; Node's interpreter and library path are written into it. */
export const HOME = '/usr/lib/pitayad';

/**
 * The C library and what else Node and the add-ons are linked with, as Debian 12 has them for cross-compiling (the
 * very files that the add-ons are linked against): libc6-armhf-cross 2.36-8cross1, and libgcc-s1, libstdc++6 and
 * libatomic1-armhf-cross 12.2.0-14cross1. libresolv and librt are for name services of the system.
 */
const C_LIBRARY = {
  'ld-linux-armhf.so.3': '2adf0ced7f4b30641a8ab6d7a953bc871bdbab5ce3eca1d1ee2cf180b21f064d',
  'libatomic.so.1': '22fe3333e72c5238b5561470aa85c1984bc1cec3f9334a680e61ef7811b03b8c',
  'libc.so.6': '4cf55e257b458b440f4240b41ce68f6e0a85a4bc0f4a4b205265065206795e6c',
  'libdl.so.2': 'e42c3f8c09142f4d55e5baaba3eff5b5dbe5c5d6a117de8c9392405983c8cf26',
  'libgcc_s.so.1': '6fd3aac66bb006b1c9b738402ac91bbaaa52a44cbb17c8b1d54062f1a6fff8a3',
  'libm.so.6': 'df5164f39f04d05fbe796d7b5b7c6d66be3113e612882c7b57bbdaa52f586e84',
  'libpthread.so.0': 'c7c5089f56dd122797b4393020aa673c5fffde89395e260843e5225671114e02',
  'libresolv.so.2': 'd38ccd953bbf7283d057486163fb3ce040b388de33dad191aa9189a07346baa2',
  'librt.so.1': '353b582e366cf502a639e9e977e642fe3c2f01e9ecfa453b2f8ad98ec5f9e2c9',
  'libstdc++.so.6': '735c7599175f7fcdc9436921eb98a57c74319917c7063ca85cc9a1bada498bd4',
};
const C_LIBRARY_FOLDER = '/usr/arm-linux-gnueabihf/lib';
const C_LIBRARY_PACKAGE = 'libc6-armhf-cross=2.36-8cross1 libstdc++6-armhf-cross=12.2.0-14cross1';

/** Their licences, as Debian's packages have them. */
const C_LIBRARY_LICENCES = {
  glibc: '/usr/share/doc/libc6-armhf-cross/copyright',
  'gcc-libraries': '/usr/share/doc/gcc-12-cross-base/copyright',
};

/** PyRPL as it is on PyPI: its design and its overlay are in the wheel. */
const PYRPL = {
  version: '0.9.9.1',
  wheel: '9397f99bfd5ae12e22306c069f38db7e59d32fd4338f39aad84907075fca162b',
  overlay: '9c19b99bef128d6069d44e8294ce6f118ee8513e523673ec02e1510d76877020',
};

/**
 * The design that the daemon was made for, from the one place that says so.
 * @returns {string} its SHA-256
 */
function designSha256() {
  const found = /BITSTREAM_SHA256 = '([0-9a-f]{64})'/.exec(readFileSync(join(root, 'src/board.ts'), 'utf8'));
  if (!found) throw new Error('src/board.ts does not say BITSTREAM_SHA256');
  return found[1];
}

export function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** @throws Error: it is not the file that it should be */
function check(path, expected, advice) {
  const found = sha256(path);
  if (found !== expected) throw new Error(`${path} has SHA-256 ${found}, not ${expected}: ${advice}`);
}

/**
 * Node for the board: folder with bin/node and include/node, binary interface of its add-ons, its version.
 * @param archive of another Node 20 or 22 for armv7, as nodejs.org packs it; default: that of the npm registry
 */
export async function boardNode(archive) {
  const folder = archive === undefined ? await nodeArmv7() : await unpacked(resolve(archive));
  const header = readFileSync(join(folder, 'include/node/node_version.h'), 'utf8');
  const number = (name) => Number(new RegExp(`#define ${name} (\\d+)`).exec(header)?.[1]);
  const version = ['NODE_MAJOR_VERSION', 'NODE_MINOR_VERSION', 'NODE_PATCH_VERSION'].map(number).join('.');
  if (![20, 22].includes(number('NODE_MAJOR_VERSION'))) {
    throw new Error(`${archive} is Node ${version}: the add-ons build with Node 20 and 22`);
  }
  const elf = readFileSync(join(folder, 'bin/node')).subarray(0, 20);
  // e_machine of a 32-bit little-endian ELF file: 40 is ARM.
  if (elf.toString('latin1', 0, 5) !== '\x7fELF\x01' || elf[18] !== 40) {
    throw new Error(`${archive} has a bin/node for another processor than armv7`);
  }
  const abi = String(number('NODE_MODULE_VERSION'));
  return { folder, abi, version, ...(archive === undefined ? {} : { hash: sha256(resolve(archive)) }) };
}

function unpacked(archive) {
  if (!existsSync(archive)) throw new Error(`there is no ${archive}`);
  return cached('node-armv7-given', sha256(archive).slice(0, 16), async (out) => {
    await run('tar', ['-xf', archive, '-C', out, '--strip-components=1']);
    if (!existsSync(join(out, 'bin/node')) || !existsSync(join(out, 'include/node/node_version.h'))) {
      throw new Error(`${archive} is no Node as nodejs.org packs it: bin/node or include/node is missing`);
    }
  });
}

/**
 * A folder with `node`: without symbols, and with the interpreter and the library path of our own C library in it, so
 * that it runs on any system and process.execPath is still Node. The path is DT_RPATH, which a LD_LIBRARY_PATH of the
 * system does not overrule.
 */
export function nodeWithOwnLibrary({ folder, version, hash = '' }) {
  return cached(`node-own-libc-${version}`, hashOf(hash, HOME, readFileSync(new URL(import.meta.url))), async (out) => {
    need({ 'arm-linux-gnueabihf-strip': 'g++-arm-linux-gnueabihf', patchelf: 'patchelf' });
    const node = join(out, 'node');
    await run('arm-linux-gnueabihf-strip', ['-o', node, join(folder, 'bin/node')]);
    const library = `${HOME}/lib`;
    await run('patchelf', [
      ...['--set-interpreter', `${library}/ld-linux-armhf.so.3`],
      ...['--force-rpath', '--set-rpath', library, node],
    ]);
  });
}

/**
 * Copies the C library into `out`.
 * @param folder with other files of these names, which then count as they are; default: Debian's, pinned
 * @throws Missing, when the tested ones are not installed
 */
export function copyCLibrary(out, folder) {
  mkdirSync(out, { recursive: true });
  for (const [name, expected] of Object.entries(C_LIBRARY)) {
    const path = join(folder ?? C_LIBRARY_FOLDER, name);
    if (!existsSync(path)) {
      if (folder !== undefined) throw new Error(`${path} is missing`);
      throw new Missing(`${path} is missing; to install: apt-get install ${C_LIBRARY_PACKAGE}`);
    }
    if (folder === undefined && sha256(path) !== expected) {
      throw new Missing(
        `${path} (SHA-256 ${sha256(path)}) is not the C library with which releases are tested: install that of ` +
          `Debian 12 (${C_LIBRARY_PACKAGE}), or take what is here at your own risk: --c-library ${C_LIBRARY_FOLDER}`,
      );
    }
    copyFileSync(path, join(out, name));
  }
  if (folder !== undefined) say(`the C library is taken as it is from ${folder}, untested`);
}

/** Name → file with the licence of each piece that came from Debian. */
export function libraryLicences() {
  return Object.fromEntries(Object.entries(C_LIBRARY_LICENCES).filter(([, path]) => existsSync(path)));
}

/**
 * The FPGA's design: `{ bin, dtbo, sha256, licence, origin }`, paths of its files.
 * @param given `{ bitstream, sha256, overlay }` of another design than PyRPL's own; all as absolute or relative paths
 */
export async function design(given) {
  const pyrpl = await pyrplDesign();
  if (given?.bitstream === undefined) return pyrpl;
  if (given.sha256 === undefined) throw new Error('--bitstream takes --bitstream-sha256 beside it');
  check(given.bitstream, given.sha256, 'it is not the design that was meant');
  return {
    ...pyrpl,
    bin: given.bitstream,
    dtbo: given.overlay ?? pyrpl.dtbo,
    sha256: given.sha256,
    origin: 'given by who built this release; the overlay and this licence are of PyRPL',
  };
}

async function pyrplDesign() {
  const { version, wheel, overlay } = PYRPL;
  const folder = await cached(`pyrpl-${version}`, wheel.slice(0, 16), async (out) => {
    const python = await testPython();
    say(`downloading pyrpl ${version} from PyPI (once) …`);
    const pip = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--disable-pip-version-check',
      '--no-deps',
      '--only-binary',
      ':all:',
    ];
    await run(python, [...pip, '-d', out, `pyrpl==${version}`]);
    const file = join(out, `pyrpl-${version}-py2.py3-none-any.whl`);
    check(file, wheel, 'PyPI gives another file than the one that was tested');
    await run(python, ['-m', 'zipfile', '-e', file, join(out, '.wheel')]);
    const inside = (path) => join(out, '.wheel', path);
    copyFileSync(inside('pyrpl/fpga/red_pitaya.bin'), join(out, 'red_pitaya.bin'));
    copyFileSync(inside('pyrpl/fpga/red_pitaya.dtbo'), join(out, 'red_pitaya.dtbo'));
    copyFileSync(inside(`pyrpl-${version}.dist-info/licenses/LICENSE`), join(out, 'LICENSE'));
    rmSync(inside('.'), { recursive: true });
  });
  const bin = join(folder, 'red_pitaya.bin');
  check(bin, designSha256(), 'src/board.ts names another design');
  check(join(folder, 'red_pitaya.dtbo'), overlay, 'it is not the overlay that belongs to the design');
  return {
    bin,
    dtbo: join(folder, 'red_pitaya.dtbo'),
    sha256: designSha256(),
    licence: join(folder, 'LICENSE'),
    origin: `red_pitaya.bin and red_pitaya.dtbo of the package pyrpl ${version} on PyPI`,
  };
}
