/**
 * The oscilloscope: two channels of 16384 samples, 125 MS/s divided by a power of two. Both channels are always
 * recorded, into ring buffers. Sources: PyRPL red_pitaya_scope.v, hardware_modules/scope.py.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { block, type Memory, roundHalfEven } from '../fields.ts';
import { fpgaModule, type ValuesOf } from '../module.ts';
import { bool, choice, oneOf, powersOfTwo } from '../parameters/choices.ts';
import { always, level, type SignalOf, signalIn } from '../parameters/levels.ts';
import { derived, fixed, integer, real } from '../parameters/numbers.ts';
import { scaleOf, software } from '../parameters/parameter.ts';
import type { RegisterFile } from '../registers.ts';
import { comparatorLimits, withinComparator } from '../volts.ts';
import { dsp, signal } from './dsp.ts';
import { timestamps } from './timestamps.ts';

/** Samples of one channel. */
export const SAMPLES = 16384;

/** Largest and smallest count of samples that may be stored after the trigger; 0 ends in the trigger's own clock. */
const MAX_DELAY = 2 ** 32 - 1;
const MIN_DELAY = 1;

/** Samples after the trigger when the trigger is to be in the middle. */
const CENTRE = SAMPLES / 2;

/** Longest delay that makes sense to give: the register, at the slowest sampling. */
const LONGEST_DELAY = (MAX_DELAY - CENTRE) * (65536 / CLOCK_HZ);

const BASE = 0x4010_0000;
const at = block(BASE);

/** Registers by which an acquisition is run; those of parameters are in the table below. */
export const scopeRegisters = {
  /** 1: start writing samples, await the trigger. Arm only after `reset`. */
  arm: at(0x00, { bits: 1, access: 'command' }),
  /** 1: stop writing, pointers 0, trigger source off. */
  reset: at(0x00, { bits: 1, shift: 1, access: 'command' }),
  /** 1: writing goes on after the trigger, for ever. */
  keepArmed: at(0x00, { bits: 1, shift: 3, access: 'command' }),
  /** Samples are being written: armed or filling. */
  writing: at(0x00, { bits: 1, access: 'r' }),
  /** Triggered, and counting down. */
  countingDown: at(0x00, { bits: 1, shift: 2, access: 'r' }),
  /** What fires it (TRIGGER_SOURCES); 1 fires at once. Goes back to 0 at the end and on reset. */
  source: at(0x04, { bits: 4, access: 'command' }),
  /** Samples to store after the trigger. */
  delay: at(0x10),
  /** Index of the sample written last: now, and when the trigger was recognised. */
  writePointer: at(0x18, { bits: 14, access: 'r' }),
  writePointerAtTrigger: at(0x1c, { bits: 14, access: 'r' }),
  /** Samples written since arming; stands still during the countdown. */
  samplesSinceArm: at(0x2c, { access: 'r' }),
} as const;

/** Bits of the word at `writing`: an acquisition is over when none of them is set. */
export const BUSY_BITS = 0b101;

/** Ring buffers, oldest sample at (pointer at trigger + delay + 1) mod 16384. */
export const scopeMemories = {
  ch1: { address: BASE + 0x1_0000, words: SAMPLES },
  ch2: { address: BASE + 0x2_0000, words: SAMPLES },
} as const satisfies Record<string, Memory>;

export const TRIGGER_SOURCES = {
  immediately: 1,
  off: 0,
  ch1_positive_edge: 2,
  ch1_negative_edge: 3,
  ch2_positive_edge: 4,
  ch2_negative_edge: 5,
  ext_positive_edge: 6,
  ext_negative_edge: 7,
  asg0: 8,
  asg1: 9,
  dsp: 10,
} as const;

export type TriggerSource = keyof typeof TRIGGER_SOURCES;

const decimation = oneOf(at(0x14, { bits: 17 }), powersOfTwo(0, 16), {
  help: 'Clocks of 8 ns per sample. Sets duration and sampling_time too.',
  default: 8,
});

/** A slack for decimals that are no binary fractions: 1.048576 ms is what decimation 8 gives. */
const SLACK = 1e-9;

const voltageNow = (help: string, field: ReturnType<typeof at>, signal: SignalOf) => level(field, { help, signal });

/** The signal that the trigger looks at. */
const triggering: SignalOf = {
  needs: ['trigger_source', 'input1', 'input2'],
  of: ({ trigger_source, input1, input2 }) => String(String(trigger_source).startsWith('ch2') ? input2 : input1),
};

export const scope = fpgaModule(
  {
    name: 'scope',
    title: 'Scope',
    help: 'Oscilloscope: two channels of 16384 samples, up to 125 MS/s.',
    grabs: true,
    parts: true,
    registers: scopeRegisters,
    memories: scopeMemories,
    constraints: [
      {
        of: ['threshold', 'hysteresis'],
        sentence: (values, board) => comparatorLimits(scaleOf(board, triggering.of(values))),
        holds: (values, board) =>
          withinComparator(values.threshold, values.hysteresis, scaleOf(board, triggering.of(values))),
      },
      {
        of: ['ch1_active', 'ch2_active'],
        sentence: 'one channel at least must be active',
        holds: ({ ch1_active, ch2_active }) => ch1_active || ch2_active,
      },
    ],
  },
  {
    input1: signal(dsp('asg0').input, { help: 'Signal recorded as channel 1.', label: 'Input 1', default: 'in1' }),
    input2: signal(dsp('asg1').input, { help: 'Signal recorded as channel 2.', label: 'Input 2', default: 'in2' }),
    ch1_active: bool(software, { help: 'Channel 1 is part of the trace.', label: 'Channel 1 active', default: true }),
    ch2_active: bool(software, { help: 'Channel 2 is part of the trace.', label: 'Channel 2 active', default: true }),
    duration: derived(decimation, {
      help: 'Length of a trace: 16384 samples. The next longer possible one is taken. For a clock of 125 MHz; the time axis of a trace is that of the clock as it is configured.',
      unit: 's',
      min: SAMPLES / CLOCK_HZ,
      step: SAMPLES / CLOCK_HZ,
      max: (SAMPLES * 65536) / CLOCK_HZ,
      fromOrigin: (factor) => (SAMPLES * factor) / CLOCK_HZ,
      toOrigin: (wanted) => powerOfTwo(Math.ceil(Math.log2(((wanted * CLOCK_HZ) / SAMPLES) * (1 - SLACK)))),
    }),
    decimation,
    sampling_time: derived(decimation, {
      help: 'Time from sample to sample. The next shorter possible one is taken.',
      unit: 's',
      min: 1 / CLOCK_HZ,
      step: 1 / CLOCK_HZ,
      max: 65536 / CLOCK_HZ,
      fromOrigin: (factor) => factor / CLOCK_HZ,
      toOrigin: (wanted) => powerOfTwo(Math.floor(Math.log2(wanted * CLOCK_HZ * (1 + SLACK)))),
    }),
    average: bool(at(0x28, { bits: 1 }), {
      help: 'A sample is the mean of the clocks that it stands for, not one of them.',
      default: true,
    }),
    trigger_source: choice(software, TRIGGER_SOURCES, {
      help: 'What starts a trace. ext: pin DIO0_P of the expansion connector; dsp: the trig module. Used when a trace is armed.',
    }),
    trigger_delay: real(software, {
      help: 'Time of the trace’s middle after the trigger; negative: more of what was before. Limited by the buffer. Used when a trace is armed; of no effect when triggered immediately.',
      unit: 's',
      min: -(CENTRE * 65536) / CLOCK_HZ,
      max: LONGEST_DELAY,
      step: 1 / CLOCK_HZ,
      home: 0,
    }),
    threshold: level(at(0x08, { bits: 14, signed: true }), {
      signal: triggering,
      help: 'Level at which an edge triggers, of either channel.',
      home: 0,
    }),
    hysteresis: level(at(0x20, { bits: 14, signed: true }), {
      signal: triggering,
      difference: true,
      help: 'How far beyond the threshold the signal must have been before an edge counts, of either channel.',
      min: 0,
      default: 20 / 8192,
    }),
    rolling_mode: bool(software, {
      help: 'Shows the signal continuously without a trigger; of effect when a trace lasts longer than 0.1 s. The newest sample is the last one, at time 0 (PyRPL may show it as the oldest).',
    }),
    trace_average: integer(software, {
      help: 'Number of traces that are averaged into one.',
      min: 1,
      max: 100_000,
      default: 1,
    }),
    trigger_debounce: fixed(at(0x90, { bits: 20 }), {
      // PyRPL takes the register for signed and stops at 4.19 ms.
      help: 'Time after an external or generator trigger during which further ones are ignored, up to 8.39 ms (PyRPL: 4.19 ms).',
      unit: 's',
      scale: 1 / CLOCK_HZ,
      default: 62500 / CLOCK_HZ,
    }),
    voltage_in1: voltageNow(
      'Voltage at input in1 right now, whatever channel 1 records.',
      dsp('in1').now,
      always('in1'),
    ),
    voltage_in2: voltageNow(
      'Voltage at input in2 right now, whatever channel 2 records.',
      dsp('in2').now,
      always('in2'),
    ),
    voltage_ch1: voltageNow(
      'The signal of channel 1 right now (PyRPL calls this voltage_in1).',
      at(0x154, { bits: 14, signed: true, access: 'r' }),
      signalIn('input1'),
    ),
    voltage_ch2: voltageNow(
      'The signal of channel 2 right now (PyRPL calls this voltage_in2).',
      at(0x158, { bits: 14, signed: true, access: 'r' }),
      signalIn('input2'),
    ),
    ch1_firstpoint: voltageNow(
      'First sample in the memory of channel 1 (not of the trace: that begins anywhere).',
      block(scopeMemories.ch1.address)(0, { bits: 14, signed: true, access: 'r' }),
      signalIn('input1'),
    ),
    ch2_firstpoint: voltageNow(
      'First sample in the memory of channel 2 (not of the trace: that begins anywhere).',
      block(scopeMemories.ch2.address)(0, { bits: 14, signed: true, access: 'r' }),
      signalIn('input2'),
    ),
    pretrig_ok: bool(at(0x16c, { bits: 1, access: 'r' }), {
      help: 'Enough samples were written since arming; before that, triggers are ignored.',
    }),
    ...timestamps(at),
  },
);

export type ScopeValues = ValuesOf<typeof scope>;

/** Samples to store after the trigger. 16384 for "immediately": with less, a software trigger would be lost. */
export function delayRegister(values: Pick<ScopeValues, 'trigger_source' | 'trigger_delay' | 'sampling_time'>): number {
  if (values.trigger_source === 'immediately') return SAMPLES;
  const samples = roundHalfEven(values.trigger_delay / values.sampling_time) + CENTRE;
  return Math.min(MAX_DELAY, Math.max(MIN_DELAY, samples));
}

/** Starts an acquisition with the trigger of `values`; gives the delay register that unrolling needs. 3 or 4 words. */
export async function arm(
  registers: RegisterFile,
  values: Pick<ScopeValues, 'trigger_source' | 'trigger_delay' | 'sampling_time'>,
): Promise<number> {
  const delay = delayRegister(values);
  await registers.write([scopeRegisters.reset, 1]);
  await registers.write([scopeRegisters.delay, delay]);
  await registers.write([scopeRegisters.arm, 1]);
  await registers.write([scopeRegisters.source, TRIGGER_SOURCES[values.trigger_source]]);
  return delay;
}

/** Starts endless recording without a trigger. */
export async function armRolling(registers: RegisterFile): Promise<void> {
  await registers.write([scopeRegisters.reset, 1]);
  await registers.write([scopeRegisters.delay, SAMPLES]);
  await registers.write([scopeRegisters.source, TRIGGER_SOURCES.off]);
  await registers.write([scopeRegisters.arm, 1]);
}

/** Stops whatever is running. The memory keeps what it has; the pointers are 0. */
export async function halt(registers: RegisterFile): Promise<void> {
  await registers.write([scopeRegisters.reset, 1]);
}

/** 2^exponent, held to the decimations that there are. */
function powerOfTwo(exponent: number): number {
  return exponent > 0 ? 2 ** Math.min(16, exponent) : 1;
}
