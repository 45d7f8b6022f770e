/**
 * The two arbitrary signal generators. They share one control word, and writing that word can act: see `source`.
 * Sources: PyRPL red_pitaya_asg.v, red_pitaya_asg_ch.v, hardware_modules/asg.py.
 */
import { block, type Memory } from '../fields.ts';
import { fpgaModule, type ValuesOf, type Writing } from '../module.ts';
import { bool, choice, name } from '../parameters/choices.ts';
import { level, outputIn } from '../parameters/levels.ts';
import { frequency, integer, longInteger, phase } from '../parameters/numbers.ts';
import { VOLTS_PER_COUNT } from '../volts.ts';
import { dsp, outputDirect, saturation } from './dsp.ts';
import { TABLE_WORDS, WAVEFORMS, waveformTable } from './waveforms.ts';

const BASE = 0x4020_0000;

/** Period of the table pointer minus one: all of the table, with 16 bits for fractions of a point. */
const FULL_TABLE = 0x3fff_ffff;

/** Gain 1, in counts. */
const UNITY = 8192;

export const ASG_TRIGGER_SOURCES = {
  off: 0,
  immediately: 1,
  ext_positive_edge: 2,
  ext_negative_edge: 3,
  ext_raw: 4,
  high: 5,
} as const;

/** Those by which an endless generator runs at once. */
const SELF_STARTING: readonly string[] = ['immediately', 'high'];

/** The declaration of generator 0 or 1. */
export function asg(n: 0 | 1) {
  const control = block(BASE);
  const bit = (shift: number, bits = 1) => control(0, { shift: shift + 16 * n, bits });
  const at = block(BASE + 0x20 * n);
  const own = n === 0 ? 'asg0' : 'asg1';

  /** Every write of the control word in which these bits are 1 is a software trigger: it starts a finished burst. */
  const source = bit(0, 3);
  const reset = bit(6);
  const random = bit(12);
  const amplitude = at(0x04, { bits: 14 });
  const cycles = at(0x18);
  const registers = {
    /** 1: the table pointer goes round, 0: it goes back to start_phase. */
    wrap: bit(4),
    /** Period of the table pointer minus one. */
    counterWrap: at(0x08, { bits: 30 }),
  };
  const table: Memory = { address: BASE + 0x1_0000 * (n + 1), words: TABLE_WORDS };

  const parameters = {
    waveform: name(WAVEFORMS, {
      help: 'Shape of one period; noise is normally distributed and white, with the amplitude as its rms value.',
    }),
    amplitude: level(amplitude, {
      help: 'Half of peak to peak; of noise, the rms value.',
      signal: outputIn('output_direct'),
      difference: true,
      min: 0,
      max: 1,
      default: 1,
      home: 0,
    }),
    // PyRPL rounds this one towards minus infinity.
    offset: level(at(0x04, { bits: 14, shift: 16, signed: true }), {
      signal: outputIn('output_direct'),
      help: 'Added to the waveform; the sum is cut off at ±1 V. The nearest step is taken (PyRPL takes the one below).',
      home: 0,
    }),
    frequency: frequency(at(0x10, { bits: 30 }), {
      help: 'Periods per second, in steps of 0.12 Hz. A running generator goes on without a jump of phase.',
    }),
    start_phase: phase(at(0x0c, { bits: 30 }), {
      help: 'Phase at which the waveform starts. Changing it starts an endless generator anew, a triggered one takes it with the next trigger.',
      home: 0,
    }),
    cycles_per_burst: integer(cycles, {
      help: 'Periods after a trigger; 0: without end. Of effect from the next trigger on.',
    }),
    bursts: integer(at(0x1c, { bits: 16 }), {
      // PyRPL's own text calls it the number of bursts.
      help: 'Bursts that follow the first one after a trigger; 0: there is but one. PyRPL calls this the number of bursts; the hardware adds one.',
    }),
    delay_between_bursts: integer(at(0x20), { help: 'Pause between bursts.', unit: 'us' }),
    trigger_source: choice(source, ASG_TRIGGER_SOURCES, {
      help: 'What starts the generator: ext is pin DIO0_P of the expansion connector. Setting it makes a new start; off stops, at the first value of the waveform. Immediately, set again, repeats a burst.',
      off: 'off',
    }),
    random_phase: bool(random, { help: 'The table is read in random order, as for noise.' }),
    on: bool(bit(7), { help: 'Off: the signal is 0, whatever offset is set.', inverted: true, default: true }),
    sm_reset: bool(reset, { help: 'Stopped, and held at the first value of the waveform.', label: 'Reset' }),
    advanced_trigger_reset: bool(bit(9), {
      help: 'The external trigger passes unchanged. The advanced triggers are crossed: this one acts on the other generator.',
      default: true,
    }),
    advanced_trigger_invert: bool(bit(10), { help: 'Inverts the advanced trigger of the other generator.' }),
    advanced_trigger_autorearm: bool(bit(11), { help: 'Arms the advanced trigger of the other generator again.' }),
    advanced_trigger_delay: longInteger(at(0x118), at(0x11c), {
      help: 'Delay of the advanced trigger of the other generator, in clocks of 8 ns.',
    }),
    scopetriggerphase: phase(at(0x114, { bits: 14, access: 'r' }), {
      help: 'Phase of the generator when the scope was last triggered.',
    }),
    ...saturation(own),
    output_direct: outputDirect(dsp(own).outputDirect),
  };
  type Values = ValuesOf<{ parameters: typeof parameters }>;

  /** Writes of the control word for something else must not start a finished burst; other sources must stay in it. */
  const isBurst = ({ trigger_source, cycles_per_burst }: Values): boolean =>
    trigger_source === 'immediately' && cycles_per_burst > 0;

  const isStart = ({ registers: file, given, present, next }: Writing<Values>): boolean => {
    const endless = next.cycles_per_burst === 0;
    if (given.has('trigger_source')) {
      const untouched = file.peek(registers.wrap) !== 1;
      if (isBurst(next) || untouched || next.trigger_source !== present.trigger_source) return true;
    }
    const turned = given.has('start_phase') && next.start_phase !== present.start_phase;
    return turned && endless && SELF_STARTING.includes(next.trigger_source);
  };

  async function write(writing: Writing<Values>): Promise<void> {
    const { registers: file, next, given, raw } = writing;
    const starts = isStart(writing);
    const noise = next.waveform === 'noise';
    const named = (...names: (keyof Values & string)[]) => raw(...names.filter((key) => given.has(key)));

    const putTable = async (): Promise<void> => {
      const wanted =
        (starts && next.trigger_source !== 'off') ||
        given.has('waveform') ||
        (noise && (given.has('amplitude') || given.has('output_direct')));
      // Nominal volts: the table is before the output, whatever the output makes of it.
      const rms = (raw('amplitude')[0]?.[1] ?? 0) * VOLTS_PER_COUNT;
      const content = noise ? `noise ${rms}` : next.waveform;
      if (wanted) await file.writeMemory(table, content, () => waveformTable(next.waveform, rms));
    };
    const putLevels = async (): Promise<void> => {
      const level = noise ? ([amplitude, UNITY] as const) : raw('amplitude')[0];
      const scaled = given.has('amplitude') || given.has('waveform');
      await file.write(...(scaled && level ? [level] : []), ...named('offset'));
    };

    if (next.output_direct === 'off') await file.write(...named('output_direct'));
    if (starts) await file.write([reset, 1], [source, 0]);
    // The table of noise has its level in it, others are scaled: in this order the output is never too large between.
    if (noise) await putTable();
    await putLevels();
    if (!noise) await putTable();
    await file.write(
      ...named(
        'frequency',
        'start_phase',
        'cycles_per_burst',
        'bursts',
        'delay_between_bursts',
        'advanced_trigger_delay',
      ),
    );
    // From burst to endless it stays quiet until the next start: a finished burst is still not to be started.
    if (isBurst(next)) file.setQuiet(source, true);
    const flags = named(
      'random_phase',
      'on',
      'sm_reset',
      'advanced_trigger_reset',
      'advanced_trigger_invert',
      'advanced_trigger_autorearm',
    );
    if (starts) {
      await file.write([registers.counterWrap, FULL_TABLE]);
      await file.write([registers.wrap, 1], ...flags, ...raw('trigger_source', 'sm_reset'));
      file.setQuiet(source, isBurst(next));
    } else {
      await file.write(...flags);
    }
    await file.write(...named('output_direct'));
  }

  return fpgaModule<typeof parameters>(
    {
      name: own,
      title: `Generator ${n}`,
      help: 'Arbitrary signal generator: a table of 16384 points, read at any frequency up to 62.5 MHz.',
      actuator: 'offset',
      registers,
      memories: { table },
      inMemory: ['waveform'],
      constraints: [
        {
          of: ['cycles_per_burst', 'bursts', 'delay_between_bursts'],
          sentence: 'bursts that follow each other need a delay_between_bursts of at least 1 us, or they never end',
          holds: (v) => v.cycles_per_burst === 0 || v.bursts === 0 || v.delay_between_bursts > 0,
        },
      ],
      complete: (given) => ({
        ...(given.waveform === undefined ? {} : { random_phase: given.waveform === 'noise' }),
        ...(given.trigger_source === undefined ? {} : { sm_reset: false }),
        ...(given.trigger_source === undefined || given.trigger_source === 'off' ? {} : { on: true }),
        ...given,
      }),
      write,
      keeps: ({ waveform }) => (waveform === 'noise' ? ['amplitude'] : []),
      recognise: (file) => {
        const immediately = file.peek(source) === ASG_TRIGGER_SOURCES.immediately;
        file.setQuiet(source, immediately && file.peek(cycles) !== 0);
        return file.peek(random) === 1 ? { waveform: 'noise' } : {};
      },
    },
    parameters,
  );
}

export const asg0 = asg(0);
export const asg1 = asg(1);
export type AsgValues = ValuesOf<typeof asg0>;
