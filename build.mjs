#!/usr/bin/env node
/**
 * Builds, starts and tests pitayad, each as the first command on a fresh clone. Needs nothing but Node until
 * packages are installed.
 *
 *     node build.mjs                       packages, bundle, add-ons
 *     node build.mjs setup|bundle          only so far
 *     node build.mjs native [--target armv7]
 *     node build.mjs start [options]       build what changed, then `pitayad serve [options]`   (npm start -- [options])
 *     node build.mjs test [stage …]        all stages, or those named                           (npm test)
 *     node build.mjs docs                  the pages of docs/ that are made from declarations
 *     node build.mjs bench|soak [options]
 *     node build.mjs release [options]     dist/release: what goes onto a board, as a tree and as a Debian package;
 *                                          options: build/release/release.mjs
 *     node build.mjs sdcard IMAGE --out FILE [options]   an SD-card image with pitayad in it (--help: the options)
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import Module from 'node:module';
import { dirname, join } from 'node:path';
import { bundleOptions } from './build/bundle.mjs';
import { buildNative, unsupported } from './build/native.mjs';
import { dist, hashOf, Missing, root, run, say } from './build/tools.mjs';

const bundleFile = join(dist, 'pitayad.cjs');

const commands = {
  async build() {
    await bundle();
    await nativeIfPossible();
  },
  setup,
  bundle,
  async native(args) {
    const target = args[0] === '--target' ? args[1] : (args[0] ?? '--target=host').replace('--target=', '');
    if (!['host', 'armv7'].includes(target)) throw new Error(`unknown target ${target}: there are host and armv7`);
    const reason = target === 'host' && unsupported();
    if (reason) throw new Error(reason);
    await setup();
    say(await buildNative(target, { retry: true }));
  },
  async start(args) {
    await bundle();
    await nativeIfPossible();
    endWithParent();
    // In this very process: signals, standard input and the exit status are the daemon's own.
    process.argv = [process.argv[0], bundleFile, 'serve', ...args];
    Module.runMain();
  },
  async test(args) {
    await setup();
    const { runStages } = await import('./build/stages.mjs');
    process.exitCode = await runStages(args, bundle);
  },
  async bench(args) {
    await bundle();
    const { benchmarkEnvironment, benchmarks } = await import('./build/stages.mjs');
    const env = await benchmarkEnvironment().catch((error) => say(`without PyMoDAQ to compare with: ${error.message}`));
    for (const path of benchmarks()) await script(path, args, env);
  },
  async release(args) {
    await setup();
    const { release } = await import('./build/release/release.mjs');
    await release(args);
  },
  async sdcard(args) {
    await setup();
    await script('build/release/sdcard/main.ts', args);
  },
  async docs() {
    await setup();
    await script('build/docs.ts', []);
  },
  async soak(args) {
    await bundle();
    await script('test/soak/run.ts', args);
    await script('test/soak/reconnect.ts', args);
    await script('test/soak/power-cut.ts', args);
  },
};

/**
 * npm tells a signal to its shell alone, which ends without a word to us; it is meant for the daemon. (Where this is
 * started otherwise, or the parent's end does not show, nothing happens.)
 */
function endWithParent() {
  if (process.env.npm_lifecycle_event !== 'start') return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 200);
  timer.unref();
}

/** Installs the packages of the lock file, when those in node_modules are not they. */
async function setup() {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  let installed = {};
  try {
    installed = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  } catch {
    // Nothing is installed yet.
  }
  const differs = Object.entries(wanted).some(
    ([path, { version, optional }]) => path !== '' && !optional && installed[path]?.version !== version,
  );
  if (!differs) return;
  say('installing packages …');
  const npm = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm itself says where it is when it was npm that started us; it may be in no PATH then.
  const cli = process.env.npm_execpath;
  if (cli?.endsWith('.js')) await run(process.execPath, [cli, ...npm]);
  else await run('npm', npm);
}

/** dist/pitayad.cjs from src/main.ts, when something in src changed. */
async function bundle() {
  await setup();
  const stamp = join(dist, '.bundle');
  const hash = hashOf(
    ...sources(join(root, 'src')),
    ...sources(join(root, 'package.json')),
    ...sources(join(root, 'build/bundle.mjs')),
  );
  if (existsSync(bundleFile) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;

  const esbuild = await import('esbuild');
  mkdirSync(dist, { recursive: true });
  const fresh = `${bundleFile}.${process.pid}`;
  try {
    esbuild.buildSync(bundleOptions(fresh));
    chmodSync(fresh, 0o755);
    renameSync(fresh, bundleFile);
  } finally {
    rmSync(fresh, { force: true });
  }
  writeFileSync(stamp, hash);
  linkCommand();
}

/** One line for every file below `path`, different when the file is. */
function sources(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return [`${path} ${entry.size} ${entry.mtimeMs}`];
  return readdirSync(path)
    .sort()
    .flatMap((name) => sources(join(path, name)));
}

/** `npx pitayad …` in this folder. npm links the commands of packages, not of the project itself. */
function linkCommand() {
  const link = join(root, 'node_modules/.bin/pitayad');
  if (existsSync(link)) return;
  mkdirSync(dirname(link), { recursive: true });
  try {
    symlinkSync('../../dist/pitayad.cjs', link);
  } catch {
    // A file system without links: `node dist/pitayad.cjs …` works all the same.
  }
}

/** Add-ons are for devmem only: without them the simulator and `--bus monitor:…` still serve. */
async function nativeIfPossible() {
  const reason = unsupported();
  if (reason) {
    say(`devmem, which only a board needs, is left out: ${reason}`);
    return;
  }
  try {
    await buildNative();
  } catch (error) {
    say(`devmem, which only a board needs, is left out: ${error.message}`);
  }
}

function script(path, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, path), ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: 'inherit',
    });
    child.on('error', reject);
    child.on('close', (code) => {
      process.exitCode ||= code ?? 1;
      resolve();
    });
  });
}

const [name = 'build', ...args] = process.argv.slice(2);
if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(`pitayad needs Node 20 or newer, this is ${process.version}\n`);
  process.exit(1);
}
if (!Object.hasOwn(commands, name)) {
  process.stderr.write(`unknown command ${name}: there are ${Object.keys(commands).join(', ')}\n`);
  process.exit(2);
}
try {
  await commands[name](args);
} catch (error) {
  process.stderr.write(`${error instanceof Missing ? '' : 'failed: '}${error.message}\n`);
  process.exitCode = 1;
}
