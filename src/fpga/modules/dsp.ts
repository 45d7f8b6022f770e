/**
 * The routing of signals: each signal of the FPGA has a window with its input selector and its way to the outputs.
 * Sources: PyRPL red_pitaya_dsp.v, hardware_modules/dsp.py.
 */
import { block, type Field } from '../fields.ts';
import { bool, choice } from '../parameters/choices.ts';
import { volts } from '../parameters/levels.ts';
import type { Place, Words } from '../parameters/parameter.ts';

/** Every signal that can be an input, by its code. */
export const SIGNALS = {
  pid0: 0,
  pid1: 1,
  pid2: 2,
  trig: 3,
  iir: 4,
  iq0: 5,
  iq1: 6,
  iq2: 7,
  asg0: 8,
  asg1: 9,
  in1: 10,
  in2: 11,
  out1: 12,
  out2: 13,
  /** Second quadrature of iq2. */
  iq2_2: 14,
  /** Zero. */
  off: 15,
} as const;

export type Signal = keyof typeof SIGNALS;

/** Whatever has a window: the signals, and the slow outputs in the place of the converters' inputs. */
const WINDOWS = { ...SIGNALS, pwm0: 10, pwm1: 11 } as const;

export const OUTPUTS = { off: 0, out1: 1, out2: 2, both: 3 } as const;

/** Code of the first window beyond those with an input selector, and with a way to the outputs. */
const SELECTORS = 12;
const SOURCES = 10;

export interface Window {
  /** Code of the signal that goes in. */
  readonly input: Field;
  readonly outputDirect: Field;
  /** The sum at out1 (out2) does not fit, at this moment. */
  readonly saturated1: Field;
  readonly saturated2: Field;
  /** The signal at this moment, in counts. */
  readonly now: Field;
}

function window(code: number): Window {
  const at = block(0x4030_0000 + code * 0x1_0000);
  return {
    input: at(0x0, { bits: 4, access: code < SELECTORS ? 'rw' : 'r' }),
    outputDirect: at(0x4, { bits: 2, access: code < SOURCES ? 'rw' : 'r' }),
    saturated1: at(0x8, { bits: 1, access: 'r' }),
    saturated2: at(0x8, { bits: 1, shift: 1, access: 'r' }),
    now: at(0x10, { bits: 14, signed: true, access: 'r' }),
  };
}

const windows = new Map<number, Window>();

/** The window of a signal (or slow output): the same at each call, so that a register has one `Field`. */
export function dsp(signal: keyof typeof WINDOWS): Window {
  const code = WINDOWS[signal];
  const known = windows.get(code) ?? window(code);
  windows.set(code, known);
  return known;
}

/**
 * The bit that lets a module run: 0 pauses a pid, and holds the oscillator of an iq at its start. One register for all
 * modules, seen in every window; here always by that of pid0, so that there is one shadow of it.
 */
export function sync(module: Signal): Field {
  const code = SIGNALS[module];
  const known = syncs.get(code) ?? block(0x4030_0000)(0xc, { bits: 1, shift: code });
  syncs.set(code, known);
  return known;
}

const syncs = new Map<number, Field>();

/** The module's signal at this moment. PyRPL takes 8191 counts for 1 V here, and 8192 elsewhere. */
export function present(module: Signal) {
  return volts(dsp(module).now, {
    help: 'The signal that leaves the module right now. PyRPL takes 8191 counts for 1 V here, not 8192.',
    label: 'Output signal',
  });
}

/** Which signal goes in. */
export function signal(field: Place, options: Words & { readonly default: Signal }) {
  return choice(field, SIGNALS, options);
}

/** To which outputs a module's signal is added. */
export function outputDirect(field: Place) {
  return choice(field, OUTPUTS, {
    help: 'Outputs to which the signal is added; their sum is cut off at ±1 V.',
    label: 'Output',
    off: 'off',
  });
}

/** Whether an output, not this module alone, is cut off at this moment. */
export function saturation(source: Signal) {
  return {
    out1_saturated: bool(dsp(source).saturated1, { help: 'The sum of all signals at out1 is beyond ±1 V right now.' }),
    out2_saturated: bool(dsp(source).saturated2, { help: 'The sum of all signals at out2 is beyond ±1 V right now.' }),
  };
}
