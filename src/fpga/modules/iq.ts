/**
 * The three lock-ins: an oscillator, demodulation of a signal with it, filters, and modulation of the result. Sources:
 * PyRPL red_pitaya_iq_block.v and its parts, hardware_modules/iq.py.
 */
import { multiply, real, turn } from '../complex.ts';
import { block, type Field } from '../fields.ts';
import { filter, filterDelay, filterResponse, filterStage } from '../filter.ts';
import { fpgaModule } from '../module.ts';
import { bool, choice } from '../parameters/choices.ts';
import { level, outputIn, volts } from '../parameters/levels.ts';
import { frequency, gain, phase } from '../parameters/numbers.ts';
import { type Parameter, software } from '../parameters/parameter.ts';
import type { FieldValue, RegisterFile } from '../registers.ts';
import { dsp, outputDirect, present, saturation, signal, sync } from './dsp.ts';

/** `quadrature_hf` of PyRPL is not built in: its signal is 0, as that of off. */
const OUTPUT_SIGNALS = { quadrature: 0, output_direct: 1, pfd: 2, off: 3, quadrature_hf: 4 } as const;

/** Two bits, of sine and cosine; they are set together. */
const AT_2F = { off: 0, on: 3 } as const;

/** One step of the amplitude's register, in V; only steps of 16 act. */
const AMPLITUDE_STEP = 2 ** -17;
/** Fractional bits of gain. */
const GAIN_BITS = 11;

type IqName = 'iq0' | 'iq1' | 'iq2';

function iq(name: IqName) {
  const window = dsp(name);
  const at = block(window.input.address);
  // Only iq2 has four stages of the quadrature filter.
  const stages = name === 'iq2' ? 4 : 2;
  const loopGain = gain(at(0x110, { bits: 18, signed: true }), {
    help: 'Gain from the input at the frequency of the oscillator to output_direct: 1 gives back the amplitude.',
    scale: 2 ** -GAIN_BITS,
    home: 0,
  });
  /** One register for each quadrature. */
  const twoGains: Parameter<number> = {
    ...loopGain,
    fields: [...loopGain.fields, at(0x11c, { bits: 18, signed: true })],
    encode: (value, board, others) => {
      const [raw] = loopGain.encode(value, board, others);
      return [raw, raw];
    },
  };
  return fpgaModule(
    {
      name,
      title: `Lock-in ${name.slice(-1)}`,
      help: 'Demodulates a signal at the frequency of its oscillator, and modulates an output with the result and with a sine of its own.',
      actuator: 'frequency',
      registers: iqRegisters(name),
      // The band-pass from the input to output_direct.
      response: (values, frequency, { clock, extraDelay }) => {
        const { bandwidth, acbandwidth, gain: factor, phase: angle } = values;
        const offset = frequency - values.frequency;
        const demodulation = (2 + filterDelay(bandwidth)) * clock;
        const modulation = (3 + filterDelay([-acbandwidth])) * clock + extraDelay;
        return multiply(
          real(factor),
          filterResponse(bandwidth, offset),
          turn(-2 * Math.PI * (offset * demodulation + frequency * modulation)),
          filterResponse([-acbandwidth], frequency),
          turn((angle * Math.PI) / 180),
        );
      },
      async write({ registers, given, raw }) {
        await registers.write(...raw(...given));
        if (given.has('synchronize_iqs')) await synchronize(registers);
      },
    },
    {
      input: signal(window.input, { help: 'Signal that is demodulated.', default: 'in1' }),
      acbandwidth: positive(
        filterStage(at(0x120, { bits: 8 }), {
          help: 'Corner of the high-pass before demodulation in Hz, 0 off. The nearest possible one is taken.',
          label: 'AC bandwidth',
          lowest: 22,
        }),
      ),
      frequency: frequency(iqFrequency(name), {
        help: 'Of the oscillator. The phase goes on when it changes.',
      }),
      bandwidth: filter(at(0x124), {
        help: `Corners of the ${stages} filters behind the demodulation in Hz: positive low-pass, negative high-pass, 0 off. The nearest possible ones are taken.`,
        stages,
        lowest: 24,
      }),
      quadrature_factor: gain(at(0x118, { bits: 18, signed: true }), {
        help: 'Whole-numbered gain of the demodulated signal: a sine of 1 V peak in phase gives 0.5 V times this.',
        scale: 1,
        default: 1,
      }),
      output_signal: choice(at(0x10c, { bits: 4 }), OUTPUT_SIGNALS, {
        help: 'What the module’s signal is: the demodulated quadrature, the modulated output, or the integral of the phase-frequency detector. quadrature_hf is not built in, and gives 0.',
      }),
      gain: twoGains,
      amplitude: level(at(0x114, { bits: 18, signed: true }), {
        help: 'Amplitude of the sine that is put out, peak; steps of 0.12 mV act.',
        signal: outputIn('output_direct'),
        difference: true,
        step: AMPLITUDE_STEP,
        neverZero: true,
        min: -1,
        max: 1,
        home: 0,
      }),
      phase: phase(at(0x104), {
        help: 'Of the demodulation: +90° turns the measured phasor by +90°.',
        inverted: true,
        home: 0,
      }),
      output_direct: outputDirect(window.outputDirect),
      modulation_at_2f: choice(at(0x100, { bits: 2, shift: 2 }), AT_2F, {
        help: 'The output is modulated at twice the frequency.',
        label: 'Modulation at 2f',
      }),
      demodulation_at_2f: choice(at(0x100, { bits: 2, shift: 4 }), AT_2F, {
        help: 'The input is demodulated at twice the frequency.',
        label: 'Demodulation at 2f',
      }),
      pfd_on: bool(at(0x100, { bits: 1, shift: 1 }), {
        help: 'The phase-frequency detector counts; off sets its integral to 0.',
        label: 'PFD on',
        default: true,
      }),
      pfd_integral: volts(at(0x150, { bits: 14, signed: true, access: 'r' }), {
        // PyRPL divides by 14, the number of bits.
        help: 'Integral of the phase-frequency detector: 1 V are 8192 turns (PyRPL divides by 14).',
        label: 'PFD integral',
      }),
      on: bool(sync(name), {
        help: 'The oscillator runs. Off: it stands at its start, and all that it drives is 0. PyRPL writes a bit that the hardware ignores.',
        default: true,
      }),
      synchronize_iqs: synchronizing,
      current_output_signal: present(name),
      ...saturation(name),
    },
  );
}

/** A command that looks like a parameter: it concerns the oscillators of all three, and is never true afterwards. */
const synchronizing: Parameter<boolean> = {
  ...bool(software, {
    help: 'Setting it starts the oscillators of all three lock-ins together, from their start phases. PyRPL does so whenever a lock-in is set up, which shifts the phase of the others.',
    label: 'Synchronize lock-ins',
  }),
  momentary: true,
  volatile: true,
  accept: (value, refuse) => (value === true || value === 1 ? true : refuse('can be set to true only')),
};

const OSCILLATORS = ['iq0', 'iq1', 'iq2'] as const;

/** Those that are on are stopped at once, and started at once. */
async function synchronize(registers: RegisterFile): Promise<void> {
  const running: FieldValue[] = [];
  for (const name of OSCILLATORS) if ((await registers.read(sync(name))) === 1) running.push([sync(name), 1]);
  await registers.write(...running.map(([field]): FieldValue => [field, 0]));
  await registers.write(...running);
}

/** The bandwidth of a high-pass, given as a positive number: the register wants a negative corner. */
function positive(stage: Parameter<number>): Parameter<number> {
  const { limits, widest } = stage;
  return {
    ...stage,
    min: 0,
    ...(limits && { limits: (board, others) => ({ ...limits(board, others), min: 0 }) }),
    ...(widest && { widest: (board) => ({ ...widest(board), min: 0 }) }),
    accept: (value, refuse) => {
      const corner = stage.accept(value, refuse);
      return corner < 0 ? refuse(`must be from 0 to ${stage.max} Hz, not ${corner}`) : corner;
    },
    encode: (corner, board) => stage.encode(-corner, board),
    decode: (raw, board) => Math.abs(stage.decode(raw, board)),
  };
}

const frequencies = new Map<IqName, Field>();

/** Register of the oscillator; writing it begins the sums of a network analysis. */
export function iqFrequency(name: IqName): Field {
  const known = frequencies.get(name) ?? block(dsp(name).input.address)(0x108);
  frequencies.set(name, known);
  return known;
}

/** Registers by which a network analysis is run; each write of the frequency begins the sums anew. */
export function iqRegisters(name: IqName) {
  const at = block(dsp(name).input.address);
  const half = (offset: number) => at(offset, { bits: 31, access: 'r' });
  return {
    /** Clocks that are summed up. */
    naAverages: at(0x130),
    /** Clocks that pass before. */
    naSleepcycles: at(0x134),
    /** 31 bits each: sum = low + 2^31 · high, 62 bits signed. */
    naILow: half(0x140),
    naIHigh: half(0x144),
    naQLow: half(0x148),
    naQHigh: half(0x14c),
    /** The sums are not complete. */
    naBusy: at(0x140, { bits: 1, shift: 31, access: 'r' }),
  } as const;
}

export const iq0 = iq('iq0');
export const iq1 = iq('iq1');
export const iq2 = iq('iq2');
