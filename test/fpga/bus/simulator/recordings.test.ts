/**
 * The stepped simulator answers as PyRPL's Verilog did, word for word and clock for clock. (Two counts would be allowed
 * in samples; none are needed.)
 */
import assert from 'node:assert';
import { test } from 'uvu';
import { replay } from './replay.ts';

const TOLERANCE = 2;

const RECORDINGS = [
  ...['reset_values', 'write_masks', 'housekeeping', 'outputs', 'slow_outputs', 'generator', 'trigger_block'],
  ...['scope_full_trace', 'scope_decimations', 'scope_delays', 'scope_modes', 'scope_triggers'],
  ...['pid_p', 'pid_i', 'pid_pi', 'pid_limits', 'pid_filters', 'pid_closed_loop'],
  ...['iq_demodulation', 'iq_output', 'iq_sums', 'iir'],
  ...['sine', 'square', 'ramp'].flatMap((wave) => [1, 2, 3].map((k) => `scope_${wave}_${k}`)),
];

for (const name of RECORDINGS) {
  test(`recording ${name}`, async () => {
    const { compared, differences } = await replay(name, TOLERANCE);
    assert.ok(compared > 0);
    assert.equal(differences.length, 0, differences.slice(0, 5).join('\n'));
  });
}

test.run();
