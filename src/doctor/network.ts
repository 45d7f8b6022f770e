/** Whether the machine is in a network, and found there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RUNNING, SERVICE_FILE } from '../discovery/avahi.ts';
import { daemonOf, error, type Finding, ok, type Patient, statIn, textIn, warning } from './patient.ts';

const isLinkLocal = (address: string): boolean => /^(169\.254\.|fe[89ab])/i.test(address);

export function networkFindings(patient: Patient): Finding[] {
  const infos = Object.entries(patient.interfaces()).flatMap(([name, list = []]) =>
    list.filter(({ internal }) => !internal).map(({ address }) => ({ name, address })),
  );
  if (infos.length === 0) {
    return [
      error('network', 'no interface has an address', 'plug the cable in; look at its lights; wait half a minute'),
    ];
  }
  const described = (list: typeof infos): string => list.map(({ name, address }) => `${name} ${address}`).join(', ');
  const global = infos.filter(({ address }) => !isLinkLocal(address));
  if (global.length > 0) return [ok('network', described(global))];
  const says = `only link-local addresses (${described(infos)}): nobody gave the board one`;
  return [
    warning('network', says, 'fine for a cable straight to the PC; else look for the DHCP server of the network'),
  ];
}

/** Avahi's file is the daemon's to fill: it is empty while the daemon does not run. */
export function discoveryFindings(patient: Patient): Finding[] {
  const { root, config } = patient;
  const choice = config.discovery ?? 'auto';
  if (choice === 'off')
    return [warning('mDNS', 'switched off (discovery: off)', 'type the board’s address in PyMoDAQ')];
  const avahi = existsSync(join(root, RUNNING));
  if (choice === 'bonjour' || (choice === 'auto' && !avahi)) {
    return [ok('mDNS', 'pitayad announces the board itself while it runs')];
  }
  if (!avahi) return [error('mDNS', 'avahi does not run', 'sudo systemctl start avahi-daemon, or discovery: auto')];
  const file = statIn(patient, SERVICE_FILE);
  if (!daemonOf(patient)) return [ok('mDNS', 'avahi runs, and will announce the board when the daemon does')];
  if (file !== undefined && file.size > 0) {
    const name = /<name>([^<]*)</.exec(textIn(patient, SERVICE_FILE) ?? '')?.[1];
    return [ok('mDNS', `announced by avahi${name === undefined ? '' : ` as ${name}`}`)];
  }
  if (choice === 'auto')
    return [ok('mDNS', 'avahi runs, but takes nothing from us: pitayad announces the board itself')];
  const says = `avahi runs, but /${SERVICE_FILE} says nothing`;
  return [
    error('mDNS', says, 'sudo systemd-tmpfiles --create, then sudo systemctl restart pitayad; or discovery: bonjour'),
  ];
}
