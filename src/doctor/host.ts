/** Clock, memory and room of the board. */
import { SYNCHRONISED } from '../fpga/instrument/clock.ts';
import { error, type Finding, ok, type Patient, statIn, textIn, warning } from './patient.ts';

const MB = 1e6;

/** A clock that says less is that of a board whose battery-less clock was never set. */
const BEFORE = 2025;

export function clockFindings(patient: Patient): Finding[] {
  const now = patient.now();
  const says = now.toISOString().slice(0, 16).replace('T', ' ');
  const remedy = 'timedatectl status; the board needs a time server (NTP) in its network';
  if (statIn(patient, SYNCHRONISED.slice(1))) return [ok('clock', `set by the network: ${says} UTC`)];
  if (now.getUTCFullYear() < BEFORE) return [error('clock', `was never set: ${says} UTC`, remedy)];
  return [warning('clock', `not set by the network (${says} UTC): data carry clock_synchronised = 0`, remedy)];
}

/** Folder, what is enough, what is too little, and what to do: in MB. Logs have a small file system of their own. */
const ROOMS = [
  { folder: '/', enough: 200, least: 20, remedy: 'sudo apt-get clean; sudo journalctl --vacuum-size=20M' },
  {
    folder: '/var/log',
    enough: 0.5,
    least: 0,
    remedy: 'delete the largest file in /var/log (du -a /var/log | sort -n)',
  },
] as const;

export function roomFindings({ room }: Patient): Finding[] {
  return ROOMS.flatMap(({ folder, enough, least, remedy }) => {
    const found = room(folder);
    if (!found) return [];
    const free = found.free / MB;
    const says = `${folder}: ${free < 10 ? free.toFixed(1) : Math.round(free)} MB free of ${Math.round(found.total / MB)}`;
    if (free <= least) return [error('space', says, remedy)];
    return [free < enough ? warning('space', says, remedy) : ok('space', says)];
  });
}

/** The daemon needs some 90 MB at most. */
const ENOUGH_MEMORY = 100;
const LEAST_MEMORY = 30;

export function memoryFindings(patient: Patient): Finding[] {
  const kilobytes = /^MemAvailable:\s*(\d+) kB$/m.exec(textIn(patient, 'proc/meminfo') ?? '')?.[1];
  if (kilobytes === undefined) return [];
  const free = Number(kilobytes) / 1e3;
  const says = `${Math.round(free)} MB to be had`;
  const remedy = 'ps aux --sort=-rss | head names who has it (Jupyter, a web application)';
  if (free < LEAST_MEMORY) return [error('memory', says, remedy)];
  return [free < ENOUGH_MEMORY ? warning('memory', says, remedy) : ok('memory', says)];
}
