/** Plays a recording of PyRPL's Verilog (see ../golden/README.md) on the simulator and says what differs. */
import { readFileSync } from 'node:fs';
import { parseInputModel } from '../../../../src/fpga/bus/simulator/front-end.ts';
import { openSimulator } from '../../../../src/fpga/bus/simulator/simulator.ts';

const FOLDER = new URL('../golden/', import.meta.url);

type Op =
  | readonly ['w' | 'r' | 'trace', number, number, readonly number[]]
  | readonly ['table', number, number, string]
  | readonly ['run', number, number]
  | readonly ['adc', number, 1 | 2, string]
  | readonly ['pins', number, 'p' | 'n', number]
  | readonly ['note', number, string];

interface Recording {
  readonly name: string;
  readonly ops: readonly Op[];
}

export function load<T = Recording>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as T;
}

const tables = load<Record<string, readonly number[]>>('tables');

/**
 * @param tolerance in counts, for samples of traces; registers must agree.
 * @param judged whether a read is compared; all are by default.
 */
export async function replay(
  name: string,
  tolerance: number,
  judged: (address: number, note: string) => boolean = () => true,
): Promise<{ compared: number; differences: string[] }> {
  const simulator = openSimulator({
    timing: { clock: 'stepped' },
    repeated: true,
    frontEnd: [parseInputModel('const:0', 1), parseInputModel('const:0', 2)],
  });
  const differences: string[] = [];
  let compared = 0;
  let note = '';
  for (const [step, op] of load(name).ops.entries()) {
    if (simulator.clocks !== op[1]) {
      differences.push(`step ${step}: clock ${simulator.clocks}, recorded ${op[1]}`);
      break;
    }
    if (op[0] === 'w') await simulator.writeBlock(op[2], Uint32Array.from(op[3]));
    else if (op[0] === 'table') await simulator.writeBlock(op[2], Uint32Array.from(tables[op[3]] ?? []));
    else if (op[0] === 'run') simulator.advance(op[2]);
    else if (op[0] === 'adc') simulator.connect(op[2], parseInputModel(op[3], op[2]));
    else if (op[0] === 'pins') simulator.putOutside(op[2], op[3]);
    else if (op[0] === 'note') note = op[2];
    else {
      const words = await simulator.readBlock(op[2], op[3].length);
      if (!judged(op[2], note)) continue;
      const slack = op[0] === 'trace' ? tolerance : 0;
      for (const [k, wanted] of op[3].entries()) {
        const word = words[k] ?? 0;
        const got = op[0] === 'trace' ? (word << 18) >> 18 : word;
        compared++;
        if (Math.abs(got - wanted) > slack) {
          const where = `0x${(op[2] + 4 * k).toString(16)}`;
          differences.push(`step ${step} (${note}) clock ${op[1]} ${op[0]} ${where}: ${got}, recorded ${wanted}`);
        }
      }
    }
  }
  return { compared, differences };
}
