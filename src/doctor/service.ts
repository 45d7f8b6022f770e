/** Whether the daemon runs, as which version, with which configuration, and where it is reached. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BITSTREAM_SHA256, VERSION } from '../board.ts';
import { CARD_FILE } from '../config/card.ts';
import { parseConfig, textOf } from '../config/file.ts';
import { CONFIG_FILE, STATE_FOLDER } from '../config/settings.ts';
import { ConfigurationError } from '../errors.ts';
import { LECO_PORT } from '../server/leco/door.ts';
import { PYMODAQ_PORT } from '../server/listen.ts';
import { daemonOf, error, type Finding, namesIn, ok, type Patient, textIn, warning } from './patient.ts';

/** Where the package puts the program. */
const PROGRAM = 'usr/lib/pitayad';
const DESIGN = `${PROGRAM}/fpga/red_pitaya.bin`;
const PACKAGES = 'var/lib/dpkg/status';

/** What systemd says of a unit that does what it should. */
const UP: Readonly<Record<string, string>> = { 'pitayad-fpga.service': 'exited', 'pitayad.service': 'running' };

export function configFindings({ root }: Patient): Finding[] {
  const found: Finding[] = [];
  for (const [file, author] of [
    [CONFIG_FILE, 'root'],
    [CARD_FILE, 'card'],
  ] as const) {
    try {
      const text = textOf(join(root, file));
      if (text === undefined) continue;
      const count = Object.keys(parseConfig(text, file, author)).length;
      found.push(ok('configuration', `${file}: ${count} ${count === 1 ? 'setting' : 'settings'}`));
    } catch (reason) {
      if (!(reason instanceof ConfigurationError)) throw reason;
      const remedy = `mend ${file}, then sudo systemctl restart pitayad (docs/configuration.md)`;
      // The card's file never keeps the board from serving.
      found.push((author === 'card' ? warning : error)('configuration', reason.message, remedy));
    }
  }
  return found.length > 0 ? found : [ok('configuration', 'no file: everything at its default')];
}

export async function unitFindings({ unitStates }: Patient): Promise<Finding[]> {
  const found: Finding[] = [];
  const states = await unitStates(Object.keys(UP));
  for (const [k, [unit, up]] of Object.entries(UP).entries()) {
    const state = states[k];
    if (state === undefined) continue;
    if (state === up) found.push(ok('service', `${unit}: ${state}`));
    else
      found.push(
        error('service', `${unit}: ${state}`, `journalctl -u ${unit} -n 20 says why; sudo systemctl start ${unit}`),
      );
  }
  return found;
}

/** Of the door that nothing works without. */
export function portFindings(patient: Patient): Finding[] {
  const port = patient.config.listen?.port ?? PYMODAQ_PORT;
  const listens = listeningPorts(patient).has(port);
  const daemon = daemonOf(patient);
  if (daemon) {
    if (listens) return [ok('port', `process ${daemon.pid} listens on ${port}`)];
    const says = `the daemon runs (process ${daemon.pid}), but nobody listens on port ${port}`;
    return [warning('port', says, 'it may be starting, or have been given another port: --port there')];
  }
  if (!listens)
    return [warning('port', `no daemon runs; port ${port} is free`, 'sudo systemctl start pitayad, or pitayad serve')];
  const remedy = `end it (sudo ss -ltnp | grep ${port} names it), or set listen to another port`;
  return [error('port', `port ${port} is taken by another program`, remedy)];
}

/** A board is a Coordinator of LECO too, unless it signs in elsewhere. */
export function lecoFindings(patient: Patient): Finding[] {
  const { leco, leco_coordinator: elsewhere } = patient.config;
  if (leco === 'off' || (leco === undefined && elsewhere !== undefined) || !daemonOf(patient)) return [];
  const port = leco?.port ?? LECO_PORT;
  if (listeningPorts(patient).has(port)) return [ok('port', `${port} is open for LECO`)];
  const remedy = 'journalctl -u pitayad | grep LECO says why; leco: off ends this warning';
  return [warning('port', `nobody listens on port ${port} (LECO)`, remedy)];
}

/** Local TCP ports in state LISTEN (0A), of IPv4 and IPv6. */
function listeningPorts(patient: Patient): Set<number> {
  const lines = ['proc/net/tcp', 'proc/net/tcp6'].flatMap((path) => (textIn(patient, path) ?? '').split('\n'));
  const ports = lines.flatMap((line) => {
    const port = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /.exec(line)?.[1];
    return port === undefined ? [] : [Number.parseInt(port, 16)];
  });
  return new Set(ports);
}

export function versionFindings(patient: Patient): Finding[] {
  const found = [ok('versions', `pitayad ${VERSION}, Node ${process.versions.node}`)];
  const packaged = /^Package: pitayad\n(?:(?!\n)[^\n]*\n)*?Version: (\S+)$/m.exec(textIn(patient, PACKAGES) ?? '')?.[1];
  if (packaged !== undefined && packaged.split('-')[0] !== VERSION) {
    found.push(
      warning('versions', `the package that is installed is ${packaged}`, 'call /usr/bin/pitayad, not another one'),
    );
  }
  const program = namesIn(patient, PROGRAM);
  if (program.length > 0 && !namesIn(patient, `${PROGRAM}/native`).some((name) => name.startsWith('linux-arm-'))) {
    found.push(error('versions', `the add-ons are missing in /${PROGRAM}/native`, 'install pitayad again'));
  }
  const expected = patient.config.bitstream_sha256 ?? BITSTREAM_SHA256;
  const path = patient.config.bitstream?.replace(/^\//, '') ?? DESIGN;
  const actual = sha256Of(patient, path);
  if (actual !== undefined && actual !== expected) {
    const says = `/${path} is not the design that is expected (${actual.slice(0, 8)}, not ${expected.slice(0, 8)})`;
    found.push(error('versions', says, 'install pitayad again, or give bitstream_sha256 with your own bitstream'));
  }
  return found;
}

function sha256Of({ root }: Patient, path: string): string | undefined {
  try {
    return createHash('sha256')
      .update(readFileSync(join(root, path)))
      .digest('hex');
  } catch {
    return undefined;
  }
}

/** Saved settings that could not be used are set aside, for their owner to look at. */
export function stateFindings(patient: Patient): Finding[] {
  const folder = STATE_FOLDER.replace(/^\//, '');
  const aside = namesIn(patient, folder).filter((name) => /\.(damaged|newer)$/.test(name));
  return aside.map((name) =>
    warning('state', `/${folder}/${name} was set aside`, 'look whether the settings are right; then delete it'),
  );
}
