/**
 * The three PID controllers: proportional and integral part, four input filters, limits. Sources: PyRPL
 * red_pitaya_pid_block.v, hardware_modules/pid.py.
 */
import { CLOCK_HZ } from '../bus/bus.ts';
import { add, multiply, real, turn } from '../complex.ts';
import { block } from '../fields.ts';
import { filter, filterDelay, filterResponse } from '../filter.ts';
import { fpgaModule, ordered } from '../module.ts';
import { bool, choice } from '../parameters/choices.ts';
import { level, outputIn, signalIn } from '../parameters/levels.ts';
import { fixed, gain, ofClock } from '../parameters/numbers.ts';
import { VOLTS_PER_COUNT } from '../volts.ts';
import { dsp, outputDirect, present, saturation, signal, sync } from './dsp.ts';

/** Fractional bits of p. */
const P_BITS = 12;
/** Unity-gain frequency of one step of i, in Hz: the integrator has 32 fractional bits and advances each clock. */
const I_STEP = CLOCK_HZ / (2 ** 32 * 2 * Math.PI);

/** Which gains stop while the controller is paused: one bit each, 1 i, 2 p, 4 d (which is not built in). */
const PAUSE_GAINS = { off: 0, i: 1, p: 2, pi: 3, d: 4, id: 5, pd: 6, pid: 7 } as const;

function pid(name: 'pid0' | 'pid1' | 'pid2') {
  const window = dsp(name);
  const at = block(window.input.address);
  const partner = { pid0: 'pid1', pid1: 'pid0', pid2: undefined }[name];
  const counts = (offset: number) => at(offset, { bits: 14, signed: true });
  return fpgaModule(
    {
      name,
      title: `PID ${name.slice(-1)}`,
      help: 'Controller: output = p · error + integral of i · error, error = filtered input − setpoint. The sign is not inverted: stable feedback on a plant with positive gain takes negative p and i.',
      actuator: 'setpoint',
      constraints: [ordered('min_voltage', 'max_voltage')],
      // Without the limits. PyRPL counts 3 clocks for the proportional part too, which has 4.
      response: ({ p, i, inputfilter }, frequency, { clock, extraDelay }) => {
        const lag = (seconds: number) => turn(-2 * Math.PI * frequency * seconds);
        const integral = multiply({ re: 0, im: -i / frequency }, lag(clock));
        const delay = (3 + filterDelay(inputfilter)) * clock + extraDelay;
        return multiply(add(real(p), integral), filterResponse(inputfilter, frequency), lag(delay));
      },
    },
    {
      input: signal(window.input, { help: 'Signal that is controlled.', default: 'in1' }),
      output_direct: outputDirect(window.outputDirect),
      setpoint: level(counts(0x104), { help: 'What the input is to become.', home: 0, signal: signalIn('input') }),
      p: gain(at(0x108, { bits: 24, signed: true }), {
        help: 'Proportional gain. Never rounded to 0: the smallest is 1/4096.',
        scale: 2 ** -P_BITS,
        label: 'P',
        home: 0,
      }),
      i: ofClock(
        gain(at(0x10c, { bits: 24, signed: true }), {
          help: 'Frequency at which the integral part alone has gain 1. Never rounded to 0.',
          unit: 'Hz',
          scale: I_STEP,
          label: 'I',
          home: 0,
        }),
      ),
      ival: {
        ...fixed(at(0x100, { bits: 16, signed: true, access: 'command' }), {
          help: 'Value of the integrator, beyond the output’s range too: −4 … 3.9999 V. Setting it makes the integrator go on from there. 4 V is refused (PyRPL takes it, and sets −4 V).',
          unit: 'V',
          scale: VOLTS_PER_COUNT,
          label: 'Integrator',
          home: 0,
          off: 0,
        }),
        volatile: true,
        momentary: true,
      },
      inputfilter: filter(at(0x120), {
        help: 'Corners of the four input filters in Hz: positive low-pass, negative high-pass, 0 off. The nearest possible ones are taken.',
        label: 'Input filter',
        stages: 4,
        lowest: 24,
      }),
      min_voltage: level(counts(0x124), { help: 'Lowest output.', default: -1, signal: outputIn('output_direct') }),
      max_voltage: level(counts(0x128), { help: 'Highest output.', default: 1, signal: outputIn('output_direct') }),
      pause_gains: choice(at(0x12c, { bits: 3 }), PAUSE_GAINS, {
        help: 'Which parts stop while paused is set: the integrator holds its value, the proportional part gives 0. d is not built in.',
        default: 'pid',
      }),
      paused: bool(sync(name), {
        help: 'The parts named in pause_gains stand still.',
        inverted: true,
      }),
      differential_mode_enabled: bool(at(0x12c, { bits: 1, shift: 3 }), {
        help:
          partner === undefined
            ? 'The setpoint is replaced by 0: this controller has no partner.'
            : `The setpoint is replaced by the filtered input of ${partner}.`,
        label: 'Differential mode',
      }),
      current_output_signal: present(name),
      ...saturation(name),
    },
  );
}

export const pid0 = pid('pid0');
export const pid1 = pid('pid1');
export const pid2 = pid('pid2');
