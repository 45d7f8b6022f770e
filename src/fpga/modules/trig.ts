/**
 * The trigger at full rate: a comparator that marks an edge of any signal, or what phase asg0 had then. Sources: PyRPL
 * red_pitaya_trigger_block.v, hardware_modules/trig.py.
 */
import { block } from '../fields.ts';
import { filterStage } from '../filter.ts';
import { fpgaModule } from '../module.ts';
import { bool, choice } from '../parameters/choices.ts';
import { level, signalIn } from '../parameters/levels.ts';
import { phase } from '../parameters/numbers.ts';
import { type Parameter, scaleOf } from '../parameters/parameter.ts';
import { comparatorLimits, withinComparator } from '../volts.ts';
import { dsp, outputDirect, present, saturation, signal } from './dsp.ts';
import { timestamps } from './timestamps.ts';

const window = dsp('trig');
const at = block(window.input.address);

const SOURCES = { off: 0, pos_edge: 1, neg_edge: 2, both_edge: 3 } as const;
const OUTPUT_SIGNALS = { TTL: 0, asg0_phase: 1 } as const;

const armed: Parameter<boolean> = {
  ...bool(at(0x100, { bits: 1, access: 'command' }), {
    help: 'Waits for an edge. Setting it arms; it cannot be disarmed but by trigger_source off.',
  }),
  volatile: true,
  momentary: true,
  accept: (value, refuse) =>
    value === true || value === 1 ? true : refuse('can be set to true only: trigger_source off ends the waiting'),
};

export const trig = fpgaModule(
  {
    name: 'trig',
    title: 'Trigger',
    help: 'Marks edges of a signal at full rate: as a pulse, or by the phase that generator asg0 had. Source dsp of the scope.',
    actuator: 'threshold',
    constraints: [
      {
        of: ['threshold', 'hysteresis'],
        sentence: ({ input }, board) => comparatorLimits(scaleOf(board, input)),
        holds: ({ threshold, hysteresis, input }, board) =>
          withinComparator(threshold, hysteresis, scaleOf(board, input)),
      },
    ],
  },
  {
    input: signal(window.input, { help: 'Signal whose edges count.', default: 'in1' }),
    output_direct: outputDirect(window.outputDirect),
    output_signal: choice(at(0x10c, { bits: 1 }), OUTPUT_SIGNALS, {
      help: 'TTL: 1 V for one clock of 8 ns at each trigger. asg0_phase: the phase of asg0 at the last trigger, ±1 V for ±180°.',
    }),
    trigger_source: choice(at(0x108, { bits: 2 }), SOURCES, { help: 'Which edges count.' }),
    threshold: level(at(0x118, { bits: 14, signed: true }), {
      help: 'Level of the edge.',
      home: 0,
      signal: signalIn('input'),
    }),
    hysteresis: level(at(0x11c, { bits: 14, signed: true }), {
      signal: signalIn('input'),
      difference: true,
      help: 'How far beyond the threshold the signal must have been before an edge counts.',
      min: 0,
    }),
    phase_offset: phase(at(0x110, { bits: 14 }), { help: 'Added to the phase of asg0.', home: 0 }),
    auto_rearm: bool(at(0x104, { bits: 1 }), { help: 'Armed again by itself after each trigger.' }),
    phase_abs: bool(at(0x104, { bits: 1, shift: 1 }), { help: 'The phase is given without its sign.' }),
    inputfilter: filterStage(at(0x120, { bits: 8 }), {
      help: 'Corner of the input filter in Hz: positive low-pass, negative high-pass, 0 off. The nearest possible one is taken.',
      label: 'Input filter',
      lowest: 27,
    }),
    armed,
    ...timestamps(at),
    current_output_signal: present('trig'),
    ...saturation('trig'),
  },
);
