/** The slow analog inputs and the temperature of the chip, as the operating system has them: see iio.ts. */
import { Refusal } from '../../errors.ts';
import { readSlowInputs, type SlowInput } from '../iio.ts';
import type { Curve, Quantity } from './instrument.ts';
import type { Recorder, RecorderTools } from './recorder.ts';
import { runs } from './runs.ts';

const QUANTITIES: readonly (readonly [kind: SlowInput['kind'], name: string, unit: string])[] = [
  ['voltage', 'Voltage', 'V'],
  ['temp', 'Temperature', 'degC'],
];

/** Some file reads. */
const EXPECTED_S = 0.1;

/** @param root Where the file system of the board starts; for tests. */
export function slowInputsRecorder(tools: RecorderTools, root?: string): Recorder {
  let number = 0;

  async function measure(): Promise<Curve> {
    const inputs = await readSlowInputs(root);
    if (inputs.length === 0) {
      throw new Refusal(
        'The slow analog inputs are read by Linux on a board (IIO, xadc), and this computer has none; the slow outputs work as parameters.',
      );
    }
    const quantities = QUANTITIES.flatMap(([kind, name, unit]): Quantity[] => {
      const channels = inputs
        .filter((input) => input.kind === kind)
        .map(({ label, value }) => ({ label, values: Float64Array.of(value) }));
      return channels.length > 0 ? [{ name, unit, channels }] : [];
    });
    return {
      module: 'ams',
      timestamp: Date.now() / 1e3,
      quantities,
      attributes: {
        number: ++number,
        board: tools.board,
        calibrated: false,
        clock_synchronised: tools.clockSynchronised(),
        settings: '{}',
      },
    };
  }

  return runs({ module: 'ams', counters: tools.counters, tell: tools.progress, expected: () => EXPECTED_S, measure });
}
