/**
 * `node build.mjs sdcard IMAGE --out FILE`: an SD-card image of Red Pitaya's own OS, with pitayad in it. Needs no root
 * rights; the image that was given is only read.
 */
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { addCardOptions, asInFile } from '../../../src/config/command-line.ts';
import { ConfigurationError } from '../../../src/errors.ts';
import { endChildrenOnSignals, Missing } from '../../tools.mjs';
import { stageRelease } from '../stage.mjs';
import { checksumLine, progressLine } from './copy.ts';
import { makeCard, type Wishes } from './make.ts';
import { unpackPackage } from './package.ts';
import { CARD_CONFIG, publicKey, textFile } from './wishes.ts';

interface Options {
  readonly out: string;
  readonly package?: string;
  readonly sshKey?: string;
  readonly address?: string;
  readonly gateway?: string;
  readonly dns?: string;
  readonly config?: string;
}

function command(): Command {
  const made = new Command('node build.mjs sdcard')
    .description(
      'Makes an SD-card image of the Red Pitaya OS with pitayad in it, which serves at its first start. Takes the image that Red Pitaya offers for download (.img, or packed as .zip or .xz), which stays as it is. Write the outcome to a card as you would have written theirs.',
    )
    .argument('<IMAGE>', 'image of the Red Pitaya OS 1.04, 2.x or 3.x')
    .requiredOption('--out <FILE>', 'the image to be made; a file of that name must not exist')
    .option('--package <FILE>', 'a release, pitayad_VERSION_armhf.deb (default: one is built from this repository)')
    .option('--ssh-key <FILE>', 'public key (….pub) with which root may log in')
    .option(
      '--address <ADDRESS/BITS>',
      'fixed address of the board, such as 192.168.1.20/24; dhcp: none, also none of before',
    )
    .option('--gateway <ADDRESS>', 'way out of the network, with --address')
    .option('--dns <ADDRESS,…>', 'name servers, with --address')
    .option('--config <FILE>', `settings of the board, put onto the card as ${CARD_CONFIG}, where any PC can edit them`)
    .addHelpText(
      'after',
      `\nThe settings are put into ${CARD_CONFIG}. Needs the packages e2fsprogs and mtools, and unzip or xz-utils for packed images. Not yet run on hardware.`,
    )
    .exitOverride();
  made.optionsGroup?.(`Settings for ${CARD_CONFIG}:`);
  addCardOptions(made);
  return made;
}

function wishesOf(options: Options, made: Command): Wishes {
  const { sshKey, address, gateway, dns, config } = options;
  if (address === undefined && (gateway !== undefined || dns !== undefined)) {
    throw new ConfigurationError('--gateway and --dns take --address beside them');
  }
  return {
    sshKey: sshKey === undefined ? undefined : publicKey(textFile(sshKey), sshKey),
    network: address === undefined ? undefined : { address, gateway, dns },
    config: config === undefined ? undefined : { text: textFile(config), name: config },
    settings: asInFile(made),
  };
}

/** Gives the exit status: 0, the image is there; 1, it could not be made; 2, something that was given is wrong. */
async function sdcard(args: readonly string[]): Promise<number> {
  endChildrenOnSignals();
  const made = command();
  try {
    made.parse(args, { from: 'user' });
    const options = made.opts<Options>();
    const [input = ''] = made.args;
    const progress = progressLine(process.stderr);
    const { package: deb } = options;
    const stage = (scratch: string) =>
      deb === undefined ? stageRelease({ folder: join(scratch, 'release') }) : unpackPackage(deb, scratch);
    const { sha256, remarks } = await makeCard(input, options.out, stage, wishesOf(options, made), progress);
    for (const remark of remarks) process.stdout.write(`${remark}\n`);
    process.stdout.write(`${checksumLine(sha256, options.out)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const known = error instanceof ConfigurationError || error instanceof Missing;
    process.stderr.write(`sdcard: ${known ? '' : 'failed: '}${(error as Error).message}\n`);
    return error instanceof ConfigurationError ? 2 : 1;
  }
}

process.exitCode = await sdcard(process.argv.slice(2));
