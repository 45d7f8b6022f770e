/** Parameters that are a level in volts: of a signal within the FPGA, or of an input or output with a scale of its own. */
import { type Field, saturate } from '../fields.ts';
import { NOMINAL_SCALE, type Scale, VOLTS_PER_COUNT } from '../volts.ts';
import { acceptReal } from './judging.ts';
import { clip, fixed, type NumberOptions } from './numbers.ts';
import { type Board, type Others, type Parameter, placed, scaleOf } from './parameter.ts';

/** A level within the FPGA: 8192 counts are 1 V. Up to ±1 V unless said otherwise; +1 V becomes 8191 counts. */
export function volts(field: Field, options: Omit<NumberOptions, 'unit'>): Parameter<number> {
  return fixed(field, { unit: 'V', min: -1, max: 1, scale: VOLTS_PER_COUNT, ...options });
}

/** Which signal a level belongs to: by its name, or by the values of other parameters. */
export interface SignalOf {
  readonly needs: readonly string[];
  of(others: Others): string;
}

/** The signal that another parameter names. */
export const signalIn = (parameter: string): SignalOf => ({
  needs: [parameter],
  of: (others) => String(others[parameter]),
});

/** The output at which a module is heard: out1 where it is both, none where it is off. */
export const outputIn = (parameter: string): SignalOf => ({
  needs: [parameter],
  of: (others) => (others[parameter] === 'both' ? 'out1' : String(others[parameter])),
});

export const always = (signal: string): SignalOf => ({ needs: [], of: () => signal });

/**
 * A level of a signal that may be one of the board's inputs or outputs: in its volts, as jumper and calibration have
 * them. When another signal is chosen, the register stays, and the same level is another voltage.
 */
export function level(
  field: Field,
  options: Omit<NumberOptions, 'unit'> & {
    readonly signal: SignalOf;
    /** A difference of levels: an offset does not matter. */
    readonly difference?: true;
    /** Nominal volts of one step; default: a count. */
    readonly step?: number;
    /** Never 0 unless it is 0: the smallest step of its sign is taken instead. */
    readonly neverZero?: true;
  },
): Parameter<number> {
  const { signal, difference, step = VOLTS_PER_COUNT, neverZero, min = -1, max = 1, ...rest } = options;
  const scaled = (scale: Scale): Scale => ({
    gain: (scale.gain / VOLTS_PER_COUNT) * step,
    offset: difference ? 0 : (scale.offset * VOLTS_PER_COUNT) / step,
  });
  const here = (board: Board, others: Others): Scale => scaled(scaleOf(board, signal.of(others)));
  const limitsAt = ({ gain: perStep, offset }: Scale) => ({
    min: (min / step - offset) * perStep,
    max: (max / step - offset) * perStep,
  });
  return {
    kind: 'number',
    default: 0,
    ...rest,
    unit: 'V',
    min,
    max,
    step,
    ...placed([field]),
    needs: signal.needs,
    accept: (value, refuse) => acceptReal(value, {}, refuse),
    encode: (value, board, others = {}) => {
      const { gain: perStep, offset } = here(board, others);
      const raw = saturate(clip(value / perStep + offset, min / step, max / step), field);
      return [neverZero && raw === 0 && value !== 0 ? Math.sign(value) : raw];
    },
    decode: ([raw = 0], board, others = {}) => {
      const { gain: perStep, offset } = here(board, others);
      return (raw - offset) * perStep;
    },
    limits: (board, others) => limitsAt(here(board, others)),
    widest: (board) => {
      const all = [NOMINAL_SCALE, ...(signal.needs.length > 0 ? Object.values(board.scales) : [here(board, {})])];
      const known = all.map((scale) => limitsAt(scaled(scale)));
      return { min: Math.min(...known.map((one) => one.min)), max: Math.max(...known.map((one) => one.max)) };
    },
  };
}
