/**
 * A network of the test's own: two computers, `pc` and `board`, joined by a cable. Each is a network namespace of Linux,
 * so that nothing gets to the network of the machine. Needs root or user namespaces, and the program `ip`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export type Computer = 'pc' | 'board';

export interface Lan {
  /** Starts a program on a computer. */
  start(on: Computer, program: string, ...args: string[]): ChildProcess;
  /** Runs a program on a computer to its end, which must be good. */
  run(on: Computer, program: string, ...args: string[]): void;
  /** Ends every program that was started, and the network. */
  close(): Promise<void>;
}

/** Both hold until the test's end of the pipe is closed, even if that test is killed. */
const SCRIPT = `
set -e
exec 3<&0
ip link set lo up
ip link add pc type veth peer name board
unshare -n cat <&3 &
BOARD=$!
while [ "$(readlink /proc/$BOARD/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.02; done
ip link set board netns $BOARD
ip address add 10.77.0.1/24 dev pc
ip link set pc up
nsenter -t $BOARD -n sh -ec 'ip link set lo up; ip address add 10.77.0.2/24 dev board; ip link set board up'
echo ready $$ $BOARD
cat <&3
`;

/** What is missing for a network of one's own; undefined: nothing. */
export function lanIsMissing(): string | undefined {
  if (process.platform !== 'linux') return 'Linux';
  if (spawnSync('ip', ['-V']).error) return 'the program ip (apt-get install iproute2)';
  const { status, error } = spawnSync('unshare', [...userNamespace(), '-n', 'true']);
  return error || status !== 0 ? 'the right to make network namespaces (root, or user namespaces)' : undefined;
}

export async function openLan(): Promise<Lan> {
  const keeper = spawn('unshare', [...userNamespace(), '-n', 'sh', '-c', SCRIPT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const started = new Set<ChildProcess>();
  const [line] = (await Promise.race([
    once(createInterface(keeper.stdout), 'line'),
    once(keeper, 'exit').then(() => ['the network could not be made']),
  ])) as [string];
  const [, pc, board] = /^ready (\d+) (\d+)$/.exec(line) ?? [];
  if (pc === undefined || board === undefined) throw new Error(line);

  const command = (on: Computer, program: string, args: readonly string[]): [string, string[]] => {
    const user = userNamespace().length > 0 ? ['-U', '--preserve-credentials'] : [];
    return ['nsenter', ['-t', on === 'pc' ? pc : board, ...user, '-n', program, ...args]];
  };

  return {
    start(on, program, ...args) {
      const child = spawn(...command(on, program, args), { stdio: ['ignore', 'pipe', 'pipe'] });
      started.add(child);
      return child;
    },
    run(on, program, ...args) {
      const { status, stderr, error } = spawnSync(...command(on, program, args), { encoding: 'utf8' });
      if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
    },
    async close() {
      const ended = [...started].filter(isRunning).map((child) => {
        child.kill('SIGKILL');
        return once(child, 'exit');
      });
      await Promise.all(ended);
      keeper.stdin.end();
      if (isRunning(keeper)) await once(keeper, 'exit');
    },
  };
}

/** Takes the computers of the network from its addresses to those that they give themselves when nobody gives them any. */
export function linkLocal(lan: Lan): void {
  for (const [on, old, fresh] of [
    ['pc', '10.77.0.1/24', '169.254.10.1/16'],
    ['board', '10.77.0.2/24', '169.254.10.2/16'],
  ] as const) {
    lan.run(on, 'ip', 'address', 'add', fresh, 'dev', on, 'scope', 'link');
    lan.run(on, 'ip', 'address', 'del', old, 'dev', on);
  }
}

export function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function userNamespace(): string[] {
  return process.getuid?.() === 0 ? [] : ['-r'];
}
