'use strict';
// Runs bundle.cjs, with what V8 had compiled of it when the release was built: a board's processor takes longer to
// compile than to do all else that a start takes. Where V8 does not accept that (another version, other options of
// Node), it compiles as ever.
const { readFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

const filename = join(__dirname, 'bundle.cjs');
let cachedData;
try {
  cachedData = readFileSync(join(__dirname, 'bundle.compiled'));
} catch {
  // It is not needed.
}
// The bundle is ASCII.
const script = new Script(wrap(readFileSync(filename, 'latin1')), {
  filename,
  cachedData,
  importModuleDynamically: (name) => import(name),
});
const compiled = cachedData !== undefined && script.cachedDataRejected === false;
if (process.env.PITAYAD_START) process.stderr.write(`compiled before: ${compiled}\n`);
const bundle = { exports: {} };
script.runInThisContext().call(bundle.exports, bundle.exports, createRequire(filename), bundle, filename, __dirname);
