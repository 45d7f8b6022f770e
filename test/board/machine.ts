/**
 * A Red Pitaya in an emulator: QEMU's Zynq board with a card image, its network port reached by forwarded ports, its
 * console a root shell that takes commands. The FPGA's registers are memory that this machine sees as a file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegisterBus } from '../../src/fpga/bus/bus.ts';
import { FPGA_WINDOW } from '../../src/fpga/bus/bus.ts';
import { openDevmem } from '../../src/fpga/bus/devmem.ts';

const MIB = 1 << 20;
/** What Linux is told of; a Red Pitaya has as much. */
const LINUX_MIB = 512;
/** With it the memory reaches over the FPGA's window, which Linux does not know of. */
const MEMORY_MIB = 1280;

export interface MachineOptions {
  readonly kernel: string;
  readonly deviceTree: string;
  /** What is written to it is forgotten. */
  readonly card: string;
  /** The guest's memory, a file that is made; absent: nothing answers where the FPGA would be. */
  readonly memory?: string;
  /** Kernel arguments. */
  readonly append?: string;
  /** Port of the guest that is forwarded. */
  readonly port: number;
}

export interface Answer {
  readonly output: string;
  readonly status: number;
}

export interface Machine {
  /** The forwarded port, on 127.0.0.1. */
  readonly port: number;
  /** The very memory that the guest has where the FPGA's registers would be. */
  readonly registers: RegisterBus | undefined;
  /** All that came over the console so far. */
  console(): string;
  /** Runs one line of shell as root in the guest. @throws Error: it does not end in time, or the machine is gone */
  shell(line: string, seconds?: number): Promise<Answer>;
  /** Once more: no difference. */
  stop(): Promise<void>;
}

/** Creates the file of a guest's memory, and opens the part of it that stands for the registers. */
export function openRegisters(memory: string): RegisterBus {
  const fd = openSync(memory, 'w');
  ftruncateSync(fd, MEMORY_MIB * MIB);
  closeSync(fd);
  return openDevmem({ path: memory, offset: FPGA_WINDOW.base });
}

export async function startMachine(options: MachineOptions, registers?: RegisterBus): Promise<Machine> {
  const { kernel, deviceTree, card, memory, append = '', port: guestPort } = options;
  const port = await freePort();
  const size = memory === undefined ? LINUX_MIB : MEMORY_MIB;
  const args = [
    // There is one processor, and often one for the emulator too: a thread for each that is emulated costs more than it brings.
    ...['-accel', 'tcg,thread=single'],
    ...['-M', `xilinx-zynq-a9${memory === undefined ? '' : ',memory-backend=ram'}`, '-m', `${size}M`],
    ...(memory === undefined
      ? []
      : ['-object', `memory-backend-file,id=ram,size=${size}M,mem-path=${memory},share=on`]),
    ...['-kernel', kernel, '-dtb', deviceTree, '-append', `${kernelArguments} ${append}`],
    ...['-drive', `if=sd,format=raw,file=${card},snapshot=on`],
    ...['-nic', `user,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:${guestPort}`],
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
  ];
  const qemu = spawn('qemu-system-arm', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const over = once(qemu, 'exit');
  const text = listen(qemu);
  let last = 0;

  async function heard(pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const found = pattern.exec(text());
      if (found) return found;
      if (qemu.exitCode !== null) throw new Error(`the emulator ended\n${text().slice(-2000)}`);
      if (performance.now() > end) throw new Error(`the board says nothing for ${seconds} s\n${text().slice(-2000)}`);
      await sleep(20);
    }
  }

  await heard(/console ready/, 600);
  let stopped: Promise<void> | undefined;

  return {
    port,
    registers,
    console: text,

    async shell(line, seconds = 120) {
      const mark = `<${++last}>`;
      qemu.stdin?.write(`{ ${line}\n} 2>&1 </dev/null | base64 -w 60; echo "${mark} \${PIPESTATUS[0]} end"\n`);
      const [, status] = await heard(new RegExp(`^${mark} (\\d+) end`, 'm'), seconds);
      const before = text().split(new RegExp(`^${mark} \\d+ end`, 'm'))[0] ?? '';
      const since = before.split(/^<\d+> \d+ end|^console ready/m).at(-1) ?? '';
      const lines = since.split('\n').filter((one) => /^[A-Za-z0-9+/]{2,60}={0,2}$/.test(one));
      return { output: Buffer.from(lines.join(''), 'base64').toString('utf8'), status: Number(status) };
    },

    stop() {
      stopped ??= (async () => {
        qemu.kill('SIGKILL');
        await over;
        await registers?.close();
      })();
      return stopped;
    },
  };
}

const kernelArguments = [
  ...[
    'console=ttyPS0,115200',
    'root=/dev/mmcblk0p2',
    'ro',
    'rootfstype=ext4',
    'rootwait',
    'maxcpus=1',
    `mem=${LINUX_MIB}M`,
  ],
  ...['uio_pdrv_genirq.of_id=generic-uio', 'net.ifnames=0', 'biosdevname=0'],
  // With its libraries at the same address in every process the emulator translates them once, not once each.
  'norandmaps',
  // The card is a file that is forgotten, and an emulated card is slow: what is written may stay in memory.
  ...['rootflags=noauto_da_alloc,data=writeback,commit=900', 'sysctl.vm.dirty_writeback_centisecs=0'],
  ...['sysctl.vm.dirty_ratio=90', 'sysctl.vm.dirty_background_ratio=80'],
  // The console is for the shell: the rest is in the journal.
  ...['quiet', 'loglevel=1', 'systemd.show_status=no', 'systemd.log_target=kmsg', 'systemd.log_level=notice'],
].join(' ');

function listen(qemu: ChildProcess): () => string {
  let text = '';
  for (const stream of [qemu.stdout, qemu.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece.replaceAll('\r', '');
    });
  }
  return () => text;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
