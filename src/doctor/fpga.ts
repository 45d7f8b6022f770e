/** What is in the FPGA, who else uses it, and whether the daemon may. No register is touched. */
import { loadedImage } from '../fpga/bitstream/loaded.ts';
import { rivalProcesses, rivalUnits } from '../fpga/bitstream/rivals.ts';
import { lockHolder } from '../fpga/bus/lock.ts';
import { fpgaState, loadedDesign } from '../fpga/bus/operating.ts';
import { daemonOf, error, type Finding, ok, type Patient, statIn, textIn, warning } from './patient.ts';

const RELOAD = 'sudo pitayad reload (outputs and locks are lost)';
const DEVMEM = 'dev/mem';
/** Group write. */
const GROUP_WRITES = 0o020;
/** Bit of CAP_SYS_RAWIO in a capability mask (linux/capability.h). */
const SYS_RAWIO = 1n << 17n;

export function fpgaFindings({ root }: Patient): Finding[] {
  const state = fpgaState(root);
  if (!state) {
    const says = 'the kernel shows no FPGA (neither fpga_manager nor xdevcfg)';
    return [error('FPGA', says, 'boot Red Pitaya’s own OS: another kernel lacks the driver')];
  }
  if (!state.operating) return [error('FPGA', `not configured: ${state.file} says ${state.says}`, RELOAD)];
  const design = loadedDesign(root);
  const sha256 = loadedImage(root);
  if (sha256 !== undefined) return [ok('FPGA', `runs the design that pitayad loaded (${sha256.slice(0, 8)})`)];
  if (design === undefined) return [error('FPGA', 'configured, but nobody says with which design', RELOAD)];
  if (!/pyrpl|pitayad/i.test(design)) return [error('FPGA', `runs another design: ${design}`, RELOAD)];
  return [
    warning('FPGA', 'runs PyRPL’s design, loaded by another program or left by pitayad, which was stopped', RELOAD),
  ];
}

export async function rivalFindings(patient: Patient): Promise<Finding[]> {
  const units = await rivalUnits(patient.unitStates);
  const found = [
    ...units.map((unit) =>
      error(
        'other users',
        `${unit} is up, and loads its own design when it likes`,
        `sudo systemctl stop ${unit}, then ${RELOAD}`,
      ),
    ),
    ...rivalProcesses(patient.root).map(({ pid, name, whose }) =>
      error(
        'other users',
        `${name} (process ${pid}) accesses the FPGA for ${whose}`,
        `end ${whose}, or sudo kill ${pid}`,
      ),
    ),
  ];
  const holder = lockHolder(patient.root, DEVMEM);
  const daemon = daemonOf(patient);
  if (holder !== undefined && holder.pid !== daemon?.pid) {
    found.push(error('other users', `${holder.name} has the registers`, `end it: sudo kill ${holder.pid}`));
  }
  return found.length > 0 ? found : [ok('other users', 'nobody else uses the FPGA')];
}

/** Where pitayad runs as a user of its own: that user's rights. */
export function rightsFindings(patient: Patient): Finding[] {
  const device = statIn(patient, DEVMEM);
  if (!device) return [error('rights', 'there is no /dev/mem', 'boot Red Pitaya’s own OS: this kernel lacks it')];
  const user = textIn(patient, 'etc/passwd')
    ?.split('\n')
    .find((line) => line.startsWith('pitayad:'));
  if (user === undefined) {
    const says = 'there is no user pitayad: the daemon is not installed as a service, and needs root';
    return [warning('rights', says, 'install the package (docs/install.md), or start it by sudo')];
  }
  const group = groupOf(patient, device.gid);
  const isMember = group?.members.includes('pitayad') || user.split(':')[3] === String(device.gid);
  if ((device.mode & GROUP_WRITES) === 0 || !isMember) {
    const mode = (device.mode & 0o777).toString(8);
    const says = `/dev/mem (mode ${mode}, group ${group?.name ?? device.gid}) is not the user pitayad’s to write`;
    return [
      error('rights', says, 'sudo udevadm trigger --subsystem-match=mem; if that does not help, install pitayad again'),
    ];
  }
  const daemon = daemonOf(patient);
  const mask = daemon && /^CapEff:\s*([0-9a-f]+)$/m.exec(textIn(patient, `proc/${daemon.pid}/status`) ?? '')?.[1];
  if (mask && (BigInt(`0x${mask}`) & SYS_RAWIO) === 0n) {
    const says = 'the daemon runs without CAP_SYS_RAWIO, and cannot open /dev/mem';
    return [error('rights', says, 'start it by systemctl start pitayad, which gives it that')];
  }
  return [ok('rights', 'the user pitayad may open /dev/mem')];
}

function groupOf(patient: Patient, gid: number): { name: string; members: string[] } | undefined {
  for (const line of (textIn(patient, 'etc/group') ?? '').split('\n')) {
    const [name = '', , id, members = ''] = line.split(':');
    if (id === String(gid)) return { name, members: members.split(',') };
  }
  return undefined;
}
