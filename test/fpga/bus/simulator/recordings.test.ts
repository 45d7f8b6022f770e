/**
 * The stepped simulator answers as PyRPL's Verilog did, word for word and clock for clock. (Two counts would be allowed
 * in samples; none are needed.)
 */
import assert from 'node:assert';
import { test } from 'uvu';
import { replay } from './replay.ts';

const TOLERANCE = 2;

/** All recordings but that of the trigger block. */
const RECORDINGS = [
  ...['reset_values', 'write_masks', 'housekeeping', 'outputs', 'slow_outputs', 'generator'],
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

test('recording trigger_block, but for what the simulator lacks: its output signal and its input filter', async () => {
  const output = 0x4033_0010;
  // The output is what the scope's first channel recorded.
  const recorded = (address: number): boolean => address >= 0x4011_0000 && address < 0x4012_0000;
  const { compared, differences } = await replay(
    'trigger_block',
    TOLERANCE,
    (address, note) => address !== output && !recorded(address) && note !== 'filtered input',
  );
  assert.ok(compared > 100, `${compared}`);
  assert.equal(differences.length, 0, differences.slice(0, 5).join('\n'));
});

test.run();
