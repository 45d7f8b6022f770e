/**
 * `npm test`: every stage in turn or side by side, one line for each, one line for all. A stage is a program that ends
 * with a line `N passed, N failed` (or uvu's totals); one that runs nothing has failed, and one that lacks a tool is
 * skipped by name, which in CI is a failure too. Only what needs ../shared may be skipped there, where that is absent.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { boardCard } from './board.mjs';
import { buildNative, nodeArmv7, unsupported } from './native.mjs';
import { pymodaqPython, pymodaqVersions, pymodaqWithPlugIns, pyrplPython, testPython } from './python.mjs';
import { cached, dist, endChildrenOnSignals, hashOf, Missing, need, root, run, say, tail } from './tools.mjs';

const logs = join(dist, 'test');

/** Reference material that is not part of the repository: there the reference Verilog is found. */
const shared = process.env.PITAYAD_SHARED ?? join(root, '../shared');

/** Where a skip is a failure, and a failure is looked at twice. */
const inCI = process.env.CI === 'true';

/** Stages that CI runs again, at most: where more fail, it is not the others' doing. */
const MOST_AGAIN = 3;

/** That ../shared is absent: the one reason for which CI may skip. */
class NotShared extends Error {}

/** Stages in the order in which they start. `alone`: what looks at time has the machine to itself. */
function stages() {
  return [
    { name: 'unit', run: unit, alone: true },
    // The longest ones first, so that no core waits for the last.
    { name: 'board', run: board },
    { name: 'cosim', run: cosim },
    ...pymodaqVersions().map((version) => ({
      name: `interop-${version}`,
      run: (before) => interop(version, { before }),
    })),
    { name: 'release', run: release },
    { name: 'device', run: device },
    { name: 'loop', run: loop },
    { name: 'sdcard', run: sdcard },
    { name: 'pyrpl', run: pyrpl },
    { name: 'discovery', run: discovery },
    { name: 'soak', run: () => script('test/soak/run.ts', ['--tenth']) },
    { name: 'soak-doors', run: () => script('test/soak/reconnect.ts', ['--tenth']) },
    { name: 'soak-power', run: () => script('test/soak/power-cut.ts', ['--tenth']) },
    { name: 'check', run: check },
    { name: 'native', run: native },
    { name: 'bench', run: bench, alone: true },
  ];
}

/**
 * Runs the stages whose name is, or starts with, one of `names` (all, if none) and gives the exit status.
 * `bundle` builds dist/pitayad.cjs, which stages start.
 */
export async function runStages(names, bundle) {
  endChildrenOnSignals();
  const known = stages();
  const chosen =
    names.length === 0 ? known : known.filter(({ name }) => names.some((prefix) => name.startsWith(prefix)));
  if (chosen.length === 0) throw new Error(`no such stage; there are ${known.map(({ name }) => name).join(', ')}`);
  mkdirSync(logs, { recursive: true });

  /** What each stage came to, the last time that it was run. */
  const results = new Map();
  const perform = async (stage, before) => {
    const start = performance.now();
    const result = await outcome(stage, before);
    results.set(stage, result);
    report(stage.name, result, (performance.now() - start) / 1000);
  };
  await perform({ name: 'bundle', run: () => bundle().then(() => ({ output: '1 passed, 0 failed', code: 0 })) });
  for (const group of groups(chosen)) {
    const worker = async () => {
      for (let stage = group.shift(); stage !== undefined; stage = group.shift()) await perform(stage);
    };
    await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  }

  const failing = () => [...results].filter(([, result]) => result.failed > 0);
  const failures = () => failing().flatMap(([stage, result]) => failuresOf(stage.name, result));
  // On a machine that others use too, what waits for something may have waited in vain: what fails by itself, and again,
  // has failed.
  const again = inCI && failing().length <= MOST_AGAIN ? failing() : [];
  const once = again.length > 0 ? failures() : [];
  for (const [stage, before] of again) await perform(stage, before);

  const sum = (count) => [...results.values()].reduce((total, result) => total + result[count], 0);
  const [passed, failed, skipped] = ['passed', 'failed', 'skipped'].map(sum);
  // Once more, in a line each: a log may have been cut before that.
  if (once.length > 0) say(`\nfailed at first, and run again:\n${once.join('\n')}`);
  if (failed > 0) say(`\nfailed:\n${failures().join('\n')}`);
  say(`\n${inWords({ passed, failed, skipped })}`);
  return failed > 0 ? 1 : 0;
}

/** The stages in their order, those together that may run side by side. */
function groups(chosen) {
  const found = [];
  for (const stage of chosen) {
    const last = found.at(-1);
    if (last === undefined || stage.alone || last[0].alone) found.push([stage]);
    else last.push(stage);
  }
  return found;
}

/**
 * What a stage came to; whatever it throws is a failure or a skip with its reason in `why`.
 * @param before what it came to before, if it is run again: a stage may then run less than the whole
 */
async function outcome(stage, before) {
  try {
    const { output, code } = await stage.run(before);
    writeFileSync(join(logs, `${stage.name}.log`), output);
    const counts = countsIn(output);
    if (counts.passed + counts.failed + counts.skipped === 0) return failure('no test ran', output);
    if (code !== 0 && counts.failed === 0) return { ...counts, failed: 1, why: `status ${code}`, output };
    if (inCI && counts.skipped > 0) {
      return {
        passed: counts.passed,
        failed: counts.failed + counts.skipped,
        skipped: 0,
        why: `skipped in CI: ${whatIsMissing(output)}`,
        output,
      };
    }
    return { ...counts, why: whatIsMissing(output), output };
  } catch (error) {
    const maySkip = error instanceof NotShared || (error instanceof Missing && !inCI);
    if (maySkip) return { passed: 0, failed: 0, skipped: 1, why: error.message, output: '' };
    return failure(error.message.split('\n')[0], error.message);
  }
}

/** What tests that were skipped say for themselves, in lines `skipped: NAME: WHAT IS MISSING`. */
function whatIsMissing(output) {
  return [...output.matchAll(/^skipped: (.*)$/gm)].map(([, reason]) => reason).join('; ');
}

function failure(why, output) {
  return { passed: 0, failed: 1, skipped: 0, why, output };
}

function report(name, { why, output, ...counts }, seconds) {
  say(`${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s   ${inWords(counts)}${why ? ` (${why})` : ''}`);
  if (counts.failed > 0) say(tail(withoutSuccesses(output), 150).replace(/^/gm, '    | '));
}

/** As `countsIn` reads them. */
function inWords({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function linesThatBegin(start, output) {
  return output.split('\n').filter((line) => line.startsWith(start)).length;
}

/** What failed in a stage, as its program names it; else why the stage did. */
function failuresOf(name, { output, why }) {
  const named = [...output.matchAll(/^\s*(?:FAIL|FAILED|MISS)\s+(\S.*)$/gm)].map(([, what]) => what.slice(0, 200));
  const all = named.length > 0 ? named.slice(0, 20) : [why || 'see above'];
  return all.map((what) => `${name}: ${what}`);
}

/** uvu's output less the files in which all went well: a file's name, then a line of bullets. */
function withoutSuccesses(output) {
  return output.replace(/^\S+\.test\.ts\n(?:(?!.*✘).*• {2,}\(\d+ \/ \d+\)\n+)+/gm, '');
}

/** Sums of uvu's totals or, without any, of the last line of the form `N passed, N failed, N skipped`. */
function countsIn(output) {
  const sums = { passed: 0, failed: 0, skipped: 0 };
  const totals = [...output.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm)];
  for (const [, total, passed, skipped] of totals) {
    sums.passed += Number(passed);
    sums.failed += Number(total) - Number(passed);
    sums.skipped += Number(skipped);
  }
  if (totals.length > 0) return sums;
  const last = [...output.matchAll(/^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1);
  if (last === undefined) return sums;
  return { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) };
}

/** The tests below test/ whose path matches, in one process. */
async function uvu(pattern, env = {}, timeout = 600) {
  const files = readdirSync(join(root, 'test'), { recursive: true }).map((path) => path.replaceAll('\\', '/'));
  if (!files.some((path) => new RegExp(pattern).test(path))) throw new Error('there are no test files');
  const runner = ['--import', 'tsx', join(root, 'node_modules/uvu/bin.js'), '--no-color', 'test', pattern];
  const settings = { PITAYAD_SHARED: shared, PITAYAD_BUNDLE: join(dist, 'pitayad.cjs'), NO_COLOR: '1', ...env };
  return run(process.execPath, runner, { env: settings, timeout, allowFailure: true });
}

async function script(path, args, env = {}) {
  if (!existsSync(join(root, path))) throw new Error(`${path} is not there`);
  return run(process.execPath, ['--import', 'tsx', join(root, path), ...args], {
    env,
    timeout: 900,
    allowFailure: true,
  });
}

/** Every benchmark in turn, short: only its ratios can fail. */
async function bench() {
  const results = [];
  const env = await benchmarkEnvironment();
  for (const path of benchmarks()) results.push(await script(path, ['--quick'], env));
  const counts = results.map(({ output, code }) => ({ code, ...countsIn(output) }));
  const sum = (count) => counts.reduce((total, each) => total + count(each), 0);
  const failed = sum((each) => Math.max(each.failed, each.code !== 0 || each.passed === 0 ? 1 : 0));
  const total = `${sum(({ passed }) => passed)} passed, ${failed} failed`;
  return { output: [...results.map(({ output }) => output), total].join('\n'), code: 0 };
}

/** The real PyMoDAQ, for what is compared with it: the last version of each serialiser. */
export async function benchmarkEnvironment() {
  const last = (major) => pymodaqVersions().findLast((version) => version.startsWith(major));
  const [v4, v5] = await Promise.all(['4', '5'].map((major) => pymodaqWithPlugIns(last(major))));
  return { ...v4.env, PITAYAD_PYMODAQ_4: v4.program, PITAYAD_PYMODAQ_5: v5.program };
}

export function benchmarks() {
  const folder = join(root, 'bench');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => `bench/${name}`);
}

/** Types, format and lint, of TypeScript and of Python: each counts as one test. */
async function check() {
  const ruff = join(dirname(await testPython()), 'ruff');
  const folders = ['deploy', 'test', 'bench'].filter((folder) => existsSync(join(root, folder)));
  const programs = [
    ['tsc', join(root, 'node_modules/.bin/tsc'), ['--noEmit']],
    [
      'biome',
      join(root, 'node_modules/.bin/biome'),
      ['check', '--colors=off', 'src', 'test', 'bench', 'build', 'build.mjs'],
    ],
    ['ruff', ruff, ['check', '--no-cache', ...folders]],
  ];
  const results = await Promise.all(
    programs.map(async ([name, program, args]) => ({ name, ...(await run(program, args, { allowFailure: true })) })),
  );
  const failed = results.filter(({ code }) => code !== 0);
  const output = failed.map(({ name, output }) => `FAIL  ${name}\n${output}`).join('\n');
  return {
    output: `${output}\n${results.length - failed.length} passed, ${failed.length} failed`,
    code: failed.length,
  };
}

/** All that needs neither native code nor an emulator, in two processes. */
async function unit() {
  const env = { PITAYAD_PYTHON: await testPython() };
  const patterns = ['^fpga/(?!bus/devmem)', '^(?!fpga/|interop/|cosim/|device/|release/|board/|discovery/lan)'];
  const parts = await Promise.all(patterns.map((pattern) => uvu(`${pattern}.*\\.test\\.ts$`, env)));
  return { output: parts.map(({ output }) => output).join('\n'), code: Math.max(...parts.map(({ code }) => code)) };
}

/** mDNS on a network of the test's own, which is mostly waiting. */
async function discovery() {
  need({ ip: 'iproute2', unshare: 'util-linux' });
  return uvu('^discovery/lan.*\\.test\\.ts$', { PITAYAD_PYTHON: await testPython() });
}

async function native() {
  const reason = unsupported();
  if (reason) throw new Missing(reason);
  await buildNative();
  return uvu('bus/devmem.*\\.test\\.ts$');
}

/** The reference Verilog as a program, built from the reference material if that is there. */
async function cosimulation() {
  const source = join(shared, 'cosim');
  if (!existsSync(join(source, 'build.sh'))) {
    throw new NotShared(`the reference Verilog is not at ${source}; PITAYAD_SHARED says where it is`);
  }
  const files = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isFile());
  const contents = files.map(({ name }) => readFileSync(join(source, name)));
  const folder = await cached('cosim', hashOf(...contents), async (out) => {
    need({ verilator: 'verilator', 'g++': 'g++', make: 'make', xz: 'xz-utils' });
    await run('sh', [join(source, 'build.sh'), '--out', out]);
  });
  return join(folder, 'cosim');
}

/** The drivers against the reference Verilog. */
async function cosim() {
  return uvu('^cosim/.*\\.test\\.ts$', { PITAYAD_COSIM: await cosimulation() }, 900);
}

/** A loop closed on the reference Verilog, through the newest PyMoDAQ. */
async function loop() {
  return interop(pymodaqVersions().at(-1), { more: ['--only', 'loop'], env: { PITAYAD_COSIM: await cosimulation() } });
}

/**
 * The simulator in place of the reference Verilog: its recordings played again over TCP, and the real PyRPL client. In
 * stepped time, because PyRPL waits for ever where the Verilog hangs: a trigger in the clock after the last sample.
 */
async function pyrpl() {
  const source = join(shared, 'cosim');
  if (!existsSync(join(source, 'record.py'))) {
    throw new NotShared(`the recordings' player is not at ${source}; PITAYAD_SHARED says where it is`);
  }
  const python = await pyrplPython();
  const env = {
    COSIM: join(root, 'test/pyrpl/cosim.cjs'),
    PITAYAD_SIMULATE: '--ticks-per-request 30000',
    PYTHONDONTWRITEBYTECODE: '1',
    QT_QPA_PLATFORM: 'offscreen',
  };
  const programs = [
    [join(source, 'record.py'), '--verify', join(source, 'golden'), '--tolerance', '2'],
    [join(source, 'check_with_pyrpl.py')],
  ];
  let output = '';
  for (const args of programs) {
    const each = await run(python, args, { env, timeout: 900, allowFailure: true });
    output += each.output;
    // One that breaks off has failed, whatever passed before.
    if (each.code !== 0 && !/^FAIL/m.test(each.output)) output += `\nFAIL  ${args[0]}: status ${each.code}\n`;
  }
  const [passed, failed] = ['pass ', 'FAIL '].map((start) => linesThatBegin(start, output));
  return { output: `${output}\n${inWords({ passed, failed, skipped: 0 })}`, code: failed };
}

/** The bundle and its cross-built add-ons under an emulated ARM processor, with Node for the board. */
async function device() {
  need({ 'qemu-arm-static': 'qemu-user-static', 'arm-linux-gnueabihf-gcc': 'g++-arm-linux-gnueabihf' });
  await buildNative('armv7');
  const node = join(await nodeArmv7(), 'bin/node');
  return uvu('^device/.*\\.test\\.ts$', { PITAYAD_NODE_ARMV7: node }, 900);
}

/** An SD card with a release, in an emulated Red Pitaya. Its kernel is no part of the repository. */
async function board() {
  const kernel = join(shared, 'deploy/proto/board');
  if (!existsSync(join(kernel, 'zImage'))) {
    throw new NotShared(`a kernel for the emulated board is not at ${kernel}; PITAYAD_SHARED says where it is`);
  }
  const reason = unsupported();
  if (reason) throw new Missing(reason);
  await buildNative();
  const { env, end } = await boardCard(kernel);
  try {
    return await uvu('^board/board\\.test\\.ts$', env, 1500);
  } finally {
    end();
  }
}

/** The SD-card builder on images of all kinds. */
async function sdcard() {
  need({ mke2fs: 'e2fsprogs', mformat: 'mtools', xz: 'xz-utils', unzip: 'unzip', 'dpkg-deb': 'dpkg' });
  return uvu('^board/sdcard\\.test\\.ts$');
}

/** The release, built twice: its files, what dpkg makes of it, and its tree on the board's processor. */
async function release() {
  need({
    'qemu-arm-static': 'qemu-user-static',
    'arm-linux-gnueabihf-gcc': 'g++-arm-linux-gnueabihf',
    patchelf: 'patchelf',
    'dpkg-deb': 'dpkg',
    lintian: 'lintian',
    'systemd-analyze': 'systemd',
    mmdebstrap: 'mmdebstrap',
  });
  if (process.getuid?.() !== 0) throw new Missing('the rights of root are missing, which dpkg in a chroot takes');
  const { buildRelease, NODE_OPTIONS } = await import('./release/release.mjs');
  const [first, second] = ['first', 'second'].map((name) => join(dist, 'test-release', name));
  const { version } = await buildRelease({ folder: first });
  await buildRelease({ folder: second, anew: true });
  const env = {
    ...(await benchmarkEnvironment()),
    PITAYAD_DPKG_ROOT: await dpkgRoot(),
    PITAYAD_RELEASE: first,
    PITAYAD_RELEASE_AGAIN: second,
    PITAYAD_RELEASE_VERSION: version,
    PITAYAD_RELEASE_NODE_OPTIONS: NODE_OPTIONS.join(' '),
  };
  return uvu('^release/.*\\.test\\.ts$', env, 900);
}

/** A small Debian (or Ubuntu) as this machine's, as an archive: what the package's scripts need, and no more. */
async function dpkgRoot() {
  const suite = /^VERSION_CODENAME="?(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (suite === undefined) throw new Missing('a Debian or Ubuntu is missing: /etc/os-release names no release of one');
  const packages = '--include=adduser,init-system-helpers,passwd,systemd';
  const folder = await cached('dpkg-root', hashOf(suite, packages), async (out) => {
    const archive = join(out, 'root.tar');
    await run('mmdebstrap', ['--quiet', '--variant=essential', packages, suite, archive]);
  });
  return join(folder, 'root.tar');
}

/**
 * The real PyMoDAQ of one version, with our plug-ins (run.py installs them beside it), against the bundle.
 * @param before of its scenarios those are run that failed then
 */
async function interop(version, { before, more = [], env = {} } = {}) {
  if (!existsSync(join(root, 'test/interop/run.py'))) throw new Error('test/interop/run.py is not there');
  const python = await pymodaqPython(version);
  const daemon = join(dist, 'pitayad.cjs');
  const scenarios = before?.output.split(/^(?=--- )/m).slice(1) ?? [];
  const [failed, good] = [true, false].map((wanted) => scenarios.filter((each) => /^FAIL /m.test(each) === wanted));
  const only = failed.flatMap((each) => ['--only', /^--- (\w+)/.exec(each)[1]]);
  const args = ['test/interop/run.py', '--version', version, '--python', python, '--daemon', daemon, ...only, ...more];
  const result = await run(python, args, { env, timeout: 1200, allowFailure: true });
  if (failed.length === 0) return result;
  const output = [...good, result.output].join('');
  const [passed, missed, skipped] = ['ok   ', 'FAIL ', 'skipped: '].map((start) => linesThatBegin(start, output));
  return { ...result, output: `${output}\n${inWords({ passed, failed: missed, skipped })}` };
}
