/**
 * `node build.mjs release`: the staged tree and the Debian package, in dist/release. Options:
 *
 *     --node FILE                 another Node 20 or 22 for armv7, as nodejs.org packs it
 *     --bitstream FILE            another FPGA design, with --bitstream-sha256 HEX and, if need be, --overlay FILE
 *     --c-library FOLDER          another C library for armhf, untested
 *     --tree                      the tree alone, without the package
 */
import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { say } from '../tools.mjs';
import { NODE_OPTIONS } from './bundle.mjs';
import { buildDeb } from './deb.mjs';
import { sha256 } from './pieces.mjs';
import { stageRelease } from './stage.mjs';

export { NODE_OPTIONS };

const options = {
  node: { type: 'string' },
  bitstream: { type: 'string' },
  'bitstream-sha256': { type: 'string' },
  overlay: { type: 'string' },
  'c-library': { type: 'string' },
  tree: { type: 'boolean' },
};

/** What `stageRelease` takes, from words of the command line. */
export function releaseOptions(args) {
  const { values } = parseArgs({ args, options });
  return {
    node: values.node,
    bitstream: values.bitstream,
    bitstreamSha256: values['bitstream-sha256'],
    overlay: values.overlay,
    cLibrary: values['c-library'],
    treeOnly: values.tree ?? false,
  };
}

/** Tree and package, by options as `stageRelease` has them. */
export async function buildRelease(chosen) {
  const staged = await stageRelease(chosen);
  return { ...staged, package: await buildDeb(staged) };
}

export async function release(args) {
  const { treeOnly, ...chosen } = releaseOptions(args);
  const made = treeOnly ? await stageRelease(chosen) : await buildRelease(chosen);
  const bytes = made.files.reduce((sum, file) => sum + file.bytes, 0);
  say(`${made.tree}: pitayad ${made.version}, ${made.files.length} files, ${(bytes / 1e6).toFixed(1)} MB`);
  if (treeOnly) return;
  const { size } = statSync(made.package);
  say(`${made.package}: ${(size / 1e6).toFixed(1)} MB, SHA-256 ${sha256(made.package)}`);
}
