/** The man page pitayad(8), made from the commands as they are declared in src/commands.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleOptions } from '../bundle.mjs';
import { root } from '../tools.mjs';

/**
 * @param date Seconds since 1970.
 * @returns {Promise<string>} man(7)
 */
export async function manPage(version, date) {
  const program = await declared();
  const help = program.createHelp();
  const day = new Date(date * 1000).toISOString().slice(0, 10);
  const subcommands = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  return [
    `.TH PITAYAD 8 "${day}" "pitayad ${version}" "System Administration"`,
    '.ad l',
    '.SH NAME',
    `pitayad \\- ${roff(program.description().replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    '.B pitayad',
    '.I COMMAND',
    '[\\fIOPTION\\fR ...]',
    '.SH DESCRIPTION',
    'Loads the PyRPL design into the FPGA of a Red Pitaya once after each boot (pitayad\\-fpga.service, as root), and',
    'serves its scope, signal generators, PIDs and lock\\-ins to PyMoDAQ (pitayad.service, as user pitayad).',
    'An upgrade, a restart or a crash of the daemon leaves the FPGA with its outputs and locks as it is.',
    '.SH COMMANDS',
    ...subcommands.flatMap((command) => describe(help, command)),
    '.SH FILES',
    ...entry('/etc/pitayad/config.yaml', 'settings; each is an option of \\fBpitayad serve\\fR too'),
    ...entry('/opt/redpitaya/pitayad.yaml', 'the same, on the FAT partition of the card, to be edited on any PC'),
    ...entry('/var/lib/pitayad', 'state of the instrument, and setups that were saved; kept by upgrades'),
    ...entry('/var/lib/pitayad\\-releases', 'the release before the last upgrade, for \\fBpitayad rollback\\fR'),
    ...entry('/usr/share/pitayad', 'the PyMoDAQ plug\\-ins, to be installed on the PC with pip'),
    '.SH EXIT STATUS',
    '0: done; 1: it could not be done; 2: an option or the configuration is wrong, and nothing was started.',
    '',
  ].join('\n');
}

async function declared() {
  const esbuild = await import('esbuild');
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-man-'));
  try {
    const outfile = join(folder, 'commands.cjs');
    await esbuild.build({ ...bundleOptions(outfile), entryPoints: [join(root, 'src/commands.ts')] });
    await esbuild.stop();
    return createRequire(outfile)(outfile).commands();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function describe(help, command) {
  const usage = help.commandUsage(command).replace(/^pitayad /, '');
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  return [
    `.SS ${roff(`pitayad ${usage}`)}`,
    roff(`${help.commandDescription(command)}.`),
    ...options.flatMap((option) => entry(roff(help.optionTerm(option)), roff(help.optionDescription(option)))),
  ];
}

function entry(term, text) {
  return ['.TP', `.B ${term}`, text];
}

/** Text that roff prints as it is. */
function roff(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
