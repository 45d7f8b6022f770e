/**
 * A process that saves one state after the other until it is killed; for the test of power cuts. It tells by lines which
 * state it has (`set N`) and which is on the disk for certain (`saved N`).
 *
 *     node --import tsx state-writer.ts FILE FIRST
 */
import { stateFile } from '../../../src/fpga/instrument/state.ts';
import { silent } from './fixture.ts';

const [path = '', first = '1'] = process.argv.slice(2);
let number = Number(first);

/** Long enough not to fit in one block of a disk. */
const collect = async () => ({
  asg0: { frequency: number },
  filler: { text: 'x'.repeat(20_000) },
  asg1: { frequency: number },
});

const file = stateFile({ path, log: silent, intervalMs: 0, collect });
for (;;) {
  process.stdout.write(`set ${number}\n`);
  file.touch();
  do await new Promise((resolve) => setImmediate(resolve));
  while (file.status.unsaved);
  process.stdout.write(`saved ${number}\n`);
  number++;
}
