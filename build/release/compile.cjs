/**
 * Run by the board's Node, with the board's options: starts a release's bundle as `pitayad serve` does, as far as the
 * line that says that it serves, and writes what V8 has compiled by then. Arguments: the bundle, its name on the board, the
 * file to write.
 *
 * The outcome is the same each time: hashes of names begin with a fixed seed (given beside, `--hash-seed`), and nothing that
 * was compiled is thrown away. V8 compares these options with those that it has when it reads: they are set back.
 */
'use strict';
const fs = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname } = require('node:path');
const v8 = require('node:v8');
const { Script } = require('node:vm');

const [bundle, filename, out] = process.argv.splice(2);
const setFlags = v8.setFlagsFromString;
// What the daemon sets for itself would count as another option.
v8.setFlagsFromString = () => {};
process.argv[1] = bundle;
process.argv.push('serve', '--bus', 'simulator', '--listen', '127.0.0.1:0', '--no-discovery');
process.argv.push('--log-format', 'json', '--config', '/dev/null');

const script = new Script(wrap(fs.readFileSync(bundle, 'latin1')), {
  filename,
  importModuleDynamically: (name) => import(name),
});
const write = fs.writeSync;
fs.writeSync = (fd, data, ...more) => {
  const written = write(fd, data, ...more);
  if (String(data).includes('"msg":"serving"')) {
    for (const flag of ['--hash-seed=0', '--random-seed=0', '--flush-bytecode']) setFlags(flag);
    fs.writeFileSync(out, script.createCachedData());
    process.exit(0);
  }
  return written;
};
const own = { exports: {} };
script.runInThisContext().call(own.exports, own.exports, createRequire(bundle), own, bundle, dirname(bundle));
