/** The bundle of a release, and what V8 compiles of it, so that the board need not. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleOptions } from '../bundle.mjs';
import { cached, hashOf, need, root, run, say } from '../tools.mjs';
import { HOME } from './pieces.mjs';

/** With which Node runs on the board: room for JavaScript's objects out of the board's 512 MB. */
export const NODE_OPTIONS = ['--max-old-space-size=96'];

/** The processor of the board. */
export const QEMU = ['qemu-arm-static', '-cpu', 'cortex-a9'];

const COMPILE = fileURLToPath(new URL('compile.cjs', import.meta.url));
const TIMEOUT_S = 300;

/** Packages that a board seldom needs, or only once it serves, and what is taken from them ('': the package itself). */
const LATER = { 'pino-pretty': '', 'bonjour-service': 'Bonjour' };

/** Has them evaluated when they are used, not when the daemon starts. */
const whenUsed = {
  name: 'evaluated when used',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${Object.keys(LATER).join('|')})$`) }, ({ path, namespace }) =>
      namespace === 'later' ? undefined : { path, namespace: 'later' },
    );
    build.onLoad({ filter: /.*/, namespace: 'later' }, ({ path }) => ({
      contents:
        LATER[path] === ''
          ? `module.exports = (...args) => require('${path}')(...args);`
          : `Object.defineProperty(exports, '${LATER[path]}', { enumerable: true, get: () => require('${path}').${LATER[path]} });`,
      resolveDir: root,
    }));
  },
};

/** Bundles into the file `path`; gives the names of the packages in it. */
export async function bundleInto(path) {
  const esbuild = await import('esbuild');
  mkdirSync(dirname(path), { recursive: true });
  const options = bundleOptions(path);
  // It is no program of its own: pitayad.cjs runs it.
  const banner = { js: options.banner.js.replace(/^#!.*\n/, '') };
  const { metafile } = await esbuild.build({
    ...{ ...options, banner, metafile: true, legalComments: 'none' },
    // Without comments it is ASCII, which V8 keeps in half the room; in short lines a stack trace still says where.
    ...{ minifyWhitespace: true, lineLimit: 100 },
    plugins: [whenUsed],
  });
  await esbuild.stop();
  if (readFileSync(path).some((byte) => byte > 127)) throw new Error(`${path} is not ASCII`);
  const names = Object.keys(metafile.inputs).map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

/**
 * Puts beside the bundle what V8 compiles of it in a start.
 * @param tree The staged tree, with Node and its C library.
 * @param anew Compile even what was compiled before: for the test that it comes out the same.
 */
export async function compiled(tree, anew = false) {
  const home = join(tree, HOME);
  const node = join(home, 'bin/node');
  const bundle = join(home, 'bundle.cjs');
  const hash = hashOf(readFileSync(bundle), readFileSync(node), readFileSync(COMPILE), NODE_OPTIONS.join(' '));
  const file = 'bundle.compiled';
  const make = async (out) => {
    need({ 'qemu-arm-static': 'qemu-user-static' });
    say('compiling the bundle for the board (once for each change, some seconds) …');
    const fixed = ['--hash-seed=1', '--random-seed=1', '--no-flush-bytecode'];
    const names = [COMPILE, bundle, `${HOME}/bundle.cjs`, join(out, file)];
    const program = [...QEMU, '-L', tree, node, ...NODE_OPTIONS, ...fixed, ...names];
    // Nothing of this machine's settings.
    const { output } = await run('env', ['-i', `PATH=${process.env.PATH}`, ...program], {
      cwd: '/',
      timeout: TIMEOUT_S,
    });
    if (!existsSync(join(out, file))) throw new Error(`the bundle did not come to serve: ${output}`);
  };
  if (anew) {
    await make(home);
    return;
  }
  copyFileSync(join(await cached('compiled', hash, make), file), join(home, file));
}
