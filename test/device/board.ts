/** What the tests of this folder share: programs for the board's processor, run under emulation. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The add-ons that `node build.mjs native --target armv7` makes. */
export const NATIVE_FOLDER = `${ROOT}/dist/native/linux-arm-115`;

/** The emulator and the C library that Node for armv7 runs on. */
const QEMU = ['qemu-arm-static', '-L', '/usr/arm-linux-gnueabihf'] as const;

/** Node for armv7 with its emulator in front, and arguments: what to spawn. */
export function boardNode(...args: string[]): { program: string; args: string[] } {
  const node = process.env.PITAYAD_NODE_ARMV7;
  if (node === undefined) throw new Error('run these tests by: node build.mjs test device');
  const [program, ...emulator] = QEMU;
  return { program, args: [...emulator, node, ...args] };
}

export const run = promisify(execFile);

/** Runs Node for armv7 to its end and gives what it printed. */
export async function runOnBoard(...args: string[]): Promise<string> {
  const node = boardNode(...args);
  const { stdout } = await run(node.program, node.args, { maxBuffer: 1 << 26, timeout: 240_000 });
  return stdout;
}
