#!/usr/bin/env node
/**
 * `pitayad simulate` where scripts look for the co-simulation of PyRPL's Verilog (`$COSIM`): the same options, the port
 * as the last word, and the first line in its words. `PITAYAD_SIMULATE` has further options.
 */
const { join } = require('node:path');

const [port, ...options] = process.argv.slice(2).reverse();
const more = (process.env.PITAYAD_SIMULATE ?? '').split(' ').filter(Boolean);
process.argv = [process.argv[0], 'pitayad', 'simulate', ...options.reverse(), ...more, '--port', port];

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text, ...rest) => write(String(text).replace(/^pitayad simulate/, 'cosim'), ...rest);
require(join(__dirname, '../../dist/pitayad.cjs'));
