/** What the tests of this folder share: the release that `node build.mjs test release` builds twice. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const environment = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error('run these tests by: node build.mjs test release');
  return value;
};

/** Folders of two builds of the same sources: tree/, control/ and the package. */
export const BUILDS = [environment('PITAYAD_RELEASE'), environment('PITAYAD_RELEASE_AGAIN')] as const;
export const TREE = `${BUILDS[0]}/tree`;
export const VERSION = environment('PITAYAD_RELEASE_VERSION');

/** Path of the package in one of the builds. */
export function packageIn(folder: string): string {
  return `${folder}/pitayad_${VERSION}_armhf.deb`;
}

/** The command on the board, without its shell: Node of the tree on the board's processor, which sees the tree's libraries alone. */
export const EMULATOR = ['qemu-arm-static', '-cpu', 'cortex-a9', '-L', TREE] as const;
export const NODE = `${TREE}/usr/lib/pitayad/bin/node`;
export const NODE_OPTIONS = environment('PITAYAD_RELEASE_NODE_OPTIONS').split(' ');
export const PROGRAM = `${TREE}/usr/lib/pitayad/pitayad.cjs`;

const execute = promisify(execFile);

/** Runs a program to its end and gives both its streams and its status. */
export async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ stdout: string; stderr: string; status: number }> {
  const options = { env: { ...process.env, LC_ALL: 'C.UTF-8', ...env }, maxBuffer: 1 << 26, timeout: 240_000 };
  try {
    return { ...(await execute(program, [...args], options)), status: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout?: string; stderr?: string; code?: number };
    if (typeof code !== 'number') throw error;
    return { stdout: stdout ?? '', stderr: stderr ?? '', status: code };
  }
}

/** The same, and it has to succeed. */
export async function succeed(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout, stderr, status } = await run(program, args, env);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}
