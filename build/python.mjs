/** Python for tests and benchmarks: virtual environments from requirements files, and our plug-in package beside them. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, hashOf, Missing, need, root, run } from './tools.mjs';

const plugIns = join(root, 'deploy/pymodaq_plugins_pitayad');

/** The program `python` of a virtual environment with what a requirements file asks for. */
async function python(name, requirements) {
  const file = join(root, requirements);
  if (!existsSync(file)) throw new Error(`${requirements} is not there`);
  need({ python3: 'python3' });
  const { output } = await run('python3', [
    '-c',
    'import sys; print(sys.version_info >= (3, 10), sys.version, sys.prefix)',
  ]);
  if (!output.startsWith('True')) throw new Missing(`Python 3.10 or newer is missing, this is ${output.split(' ')[1]}`);
  const folder = await cached(`venv-${name}`, hashOf(readFileSync(file), output), async (out) => {
    const made = await run('python3', ['-m', 'venv', out], { allowFailure: true });
    if (made.code !== 0) {
      throw new Missing('python3 makes no virtual environments; to install: apt-get install python3-venv');
    }
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', file];
    await run(join(out, 'bin/python'), pip, { timeout: 1200 });
  });
  return join(folder, 'bin/python');
}

/** The Python that tests of our own use: linter, zeroconf. */
export function testPython() {
  return python('test', 'test/requirements.txt');
}

/** The Python that builds wheels. */
export function wheelPython() {
  return python('wheel', 'build/release/requirements.txt');
}

/**
 * Builds the wheel of our plug-in package into `out` and gives its name.
 * @param date Seconds since 1970: the time of all files in it.
 */
export async function plugInWheel(out, date) {
  const program = await wheelPython();
  // pip builds in the source folder: it gets a copy, so that nothing is left in ours.
  const copy = join(out, '.copy');
  cpSync(plugIns, copy, { recursive: true, filter: (path) => !/__pycache__|egg-info|\.venv/.test(path) });
  const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-index', '--no-build-isolation'];
  // Times of files count from 1980 in a wheel; the rights are those of the umask.
  const env = { SOURCE_DATE_EPOCH: String(date), PYTHONHASHSEED: '0' };
  await run('sh', ['-c', 'umask 022; exec "$@"', 'sh', program, '-m', 'pip', 'wheel', ...options, '-w', out, copy], {
    env,
  });
  rmSync(copy, { recursive: true });
  return readdirSync(out).find((name) => name.endsWith('.whl'));
}

/** A Python with the client that PyRPL is: its own drivers, for what stands in for a board. */
export function pyrplPython() {
  return python('pyrpl', 'test/pyrpl/requirements.txt');
}

/** The versions of PyMoDAQ that are tested: there is a requirements file for each. */
export function pymodaqVersions() {
  const folder = join(root, 'test/interop');
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files.flatMap((name) => /^requirements-(\d.*)\.txt$/.exec(name)?.[1] ?? []).sort();
}

/** A Python with PyMoDAQ of that version. */
export function pymodaqPython(version) {
  return python(`pymodaq-${version}`, `test/interop/requirements-${version}.txt`);
}

/**
 * A Python with PyMoDAQ of that version, and the environment variables with which it finds our plug-ins, as it would
 * had they been installed into it.
 */
export async function pymodaqWithPlugIns(version) {
  const program = await pymodaqPython(version);
  const files = readdirSync(plugIns, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/__pycache__|egg-info/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = hashOf(program, ...files.flatMap((path) => [path.slice(plugIns.length), readFileSync(path)]));
  const installed = await cached('plug-ins', hash, async (out) => {
    // pip builds in the source folder: it gets a copy, so that nothing is left in ours.
    const copy = join(out, '.copy');
    mkdirSync(copy);
    cpSync(plugIns, copy, { recursive: true });
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-index', '--no-build-isolation'];
    const pip = ['-m', 'pip', 'install', ...options, '--target', out, copy];
    await run(program, pip);
    rmSync(copy, { recursive: true });
  });
  const env = { PYTHONPATH: installed, PYTHONDONTWRITEBYTECODE: '1', QT_QPA_PLATFORM: 'offscreen' };
  return { program, env };
}
