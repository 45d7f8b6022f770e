/**
 * The filter of arbitrary shape: up to 14 sections of second order, designed from zeros and poles. Sources: PyRPL
 * red_pitaya_iir_block.v, hardware_modules/iir/iir.py.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { type Complex, multiply, turn } from '../complex.ts';
import { block, type Memory } from '../fields.ts';
import { filterDelay, filterResponse, filterStage } from '../filter.ts';
import { fpgaModule } from '../module.ts';
import { bool, list, text } from '../parameters/choices.ts';
import { integer, real } from '../parameters/numbers.ts';
import { software } from '../parameters/parameter.ts';
import { dsp, outputDirect, present, saturation, signal } from './dsp.ts';
import {
  COEFFICIENT_WORDS,
  coefficientWords,
  type Design,
  design,
  LOOPS,
  response,
  SECTIONS,
  type Unfit,
} from './iir-design.ts';
import { roots, rootsOf } from './roots.ts';

const window = dsp('iir');
const at = block(window.input.address);
const on = at(0x104, { bits: 1 });
const loops = at(0x100, { bits: 10 });

/** Cannot be read back. */
const coefficients: Memory = { address: window.input.address + 0x8000, words: COEFFICIENT_WORDS };

/** Where numbers did not fit, by bit; the flags stay until the filter is switched off. */
const OVERFLOWS = ['a1·y1', 'a2·y2', 'sum of a section', 'b0·x0', 'b1·x1', '', 'output'];
const OUTPUT_FLAG = 1 << 6;

/** PyRPL says "sum and internal saturation" of whatever it is. */
function overflowText([bits = 0, clocks = 0]: readonly number[]): string {
  // While no section is computed, the last one is added to the sum again and again, which nobody hears but the flag.
  const meant = clocks > SECTIONS ? bits & ~OUTPUT_FLAG : bits;
  return OVERFLOWS.filter((_, k) => meant & (1 << k)).join(', ') || 'no overflow';
}

interface Shape {
  readonly zeros: string;
  readonly poles: string;
  readonly gain: number;
  readonly loops: number;
}

const remembered: { key?: string; design: Design | Unfit } = { design: { unfit: '' } };

/** The design of a shape; the last one is remembered. */
/** @param correction the real clock over the nominal one */
function designed({ zeros, poles, gain, loops: wanted }: Shape, correction: number): Design | Unfit {
  const key = `${zeros}/${poles}/${gain}/${wanted}/${correction}`;
  if (remembered.key !== key) {
    const own = (text: string): Complex[] =>
      rootsOf(text).map(({ re, im }) => ({ re: re / correction, im: im / correction }));
    remembered.design = design(own(zeros), own(poles), gain, wanted);
    remembered.key = key;
  }
  return remembered.design;
}

const nonzero = ({ re, im }: Complex): string | undefined =>
  re === 0 && im === 0 ? 'must not be 0 Hz, since gain is that of a constant signal' : undefined;

const overflow = at(0x108, { bits: 7, access: 'r' });

const parameters = {
  input: signal(window.input, { help: 'Signal that is filtered.', default: 'in1' }),
  loops: {
    ...integer(loops, {
      help: 'Clocks of 8 ns a sample: fewer for fast filters, more for slow ones. Becomes as large as the zeros and poles need.',
      ...LOOPS,
      default: LOOPS.min,
    }),
    // 0 after the FPGA is loaded.
    decode: (raw: readonly number[]) => Math.max(raw[0] ?? 0, LOOPS.min),
  },
  zeros: roots(nonzero, {
    help: 'Zeros in Hz, such as -300+40000j, -50000; a complex one stands for its conjugate too. Where there are more zeros than poles, fast poles are added.',
  }),
  poles: roots(
    (root) => (root.re < 0 ? undefined : 'must have real parts below 0 Hz, or the filter would not be stable'),
    { help: 'Poles in Hz, with real parts below 0; a complex one stands for its conjugate too.' },
  ),
  gain: real(software, {
    help: 'Gain of a constant signal, exactly (PyRPL’s design misses it, and fails with fewer zeros than poles).',
    default: 1,
    home: 1,
  }),
  output_direct: outputDirect(window.outputDirect),
  inputfilter: filterStage(at(0x120, { bits: 8 }), {
    help: 'Corner of the input filter in Hz: positive low-pass, negative high-pass, 0 off. The nearest possible one is taken.',
    label: 'Input filter',
    lowest: 17,
    shiftBits: 3,
  }),
  on: bool(on, { help: 'The filter runs. Off: its output is 0, and it forgets what it had.' }),
  bypass: bool(at(0x104, { bits: 1, shift: 1 }), { help: 'The signal passes with the input filter alone.' }),
  coefficients: list({
    help: 'Coefficients of the sections, b0, b1, a1, a2 of each: y[n] = b0·x[n] + b1·x[n−1] + a1·y[n−1] + a2·y[n−2].',
  }),
  overflow_bitfield: integer(overflow, {
    help: 'Where numbers did not fit since the filter was switched on, a bit each: a1·y1, a2·y2, sum of a section, b0·x0, b1·x1, none, output.',
  }),
  overflow: text([overflow, loops], overflowText, {
    help: `The same in words (PyRPL says the same of every overflow). Switching off and on clears it. With more than ${SECTIONS} loops nothing is said of the output: the hardware's flag then comes up without a reason.`,
  }),
  current_output_signal: present('iir'),
  ...saturation('iir'),
};

export const iir = fpgaModule(
  {
    name: 'iir',
    title: 'IIR filter',
    help: 'Filter of arbitrary shape, given by zeros and poles. Changing its shape starts it anew, from 0.',
    actuator: 'gain',
    memories: { coefficients },
    inMemory: ['zeros', 'poles', 'gain'],
    constraints: [
      {
        of: ['zeros', 'poles', 'gain', 'loops'],
        sentence: (values, board) => {
          const found = designed(values, board.frequencyCorrection);
          return `this filter cannot be had: ${'unfit' in found ? found.unfit : ''}`;
        },
        holds: (values, board) => !('unfit' in designed(values, board.frequencyCorrection)),
      },
    ],
    derive: (values, board) => {
      const found = designed(values, board.frequencyCorrection);
      return 'unfit' in found ? {} : { coefficients: found.sections.flatMap(({ b0, b1, a1, a2 }) => [b0, b1, a1, a2]) };
    },
    response: (values, frequency, { clock, extraDelay }) => {
      const input = [values.inputfilter];
      const delayed = multiply(
        filterResponse(input, frequency),
        turn(-2 * Math.PI * frequency * (filterDelay(input) * clock + extraDelay)),
      );
      const found = designed(values, 1 / (CLOCK_HZ * clock));
      return values.bypass || 'unfit' in found ? delayed : multiply(delayed, response(found, frequency, clock));
    },
    async write({ registers, board, present: before, next, given, raw }) {
      const shaping = (['zeros', 'poles', 'gain', 'loops'] as const).some(
        (name) => given.has(name) && next[name] !== before[name],
      );
      // Nobody knows what a filter that was never set up would do.
      const unknown = registers.memoryContent(coefficients) === undefined && next.on && !before.on;
      const plain = (['input', 'output_direct', 'inputfilter', 'bypass'] as const).filter((name) => given.has(name));
      const found = designed(next, board.frequencyCorrection);
      if ((shaping || unknown) && !('unfit' in found)) {
        await registers.write([on, 0]);
        await registers.write(...raw(...plain), [loops, found.loops]);
        const words = coefficientWords(found.sections);
        await registers.writeMemory(coefficients, words.join(), () => words);
        await registers.write(...raw('on'));
      } else await registers.write(...raw(...plain, ...(given.has('on') ? (['on'] as const) : [])));
    },
  },
  parameters,
);
