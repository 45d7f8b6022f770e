/**
 * The slow analog outputs, 0 … 1.8 V on pins 17 to 20 of connector E2: two follow a signal (pwm0, pwm1), two hold a
 * level (ams.dac2, ams.dac3). Sources: PyRPL red_pitaya_ams.v, red_pitaya_pwm.sv, hardware_modules/{pwm,ams}.py.
 */
import { block, type Field } from '../fields.ts';
import { fpgaModule } from '../module.ts';
import { acceptReal } from '../parameters/judging.ts';
import type { Parameter } from '../parameters/parameter.ts';
import { dsp, signal } from './dsp.ts';

function pwm(name: 'pwm0' | 'pwm1') {
  return fpgaModule(
    {
      name,
      title: `Slow output ${name.slice(-1)}`,
      help: 'Analog output of 0 … 1.8 V that follows a signal: −1 V gives 0 V, 0 gives 0.9 V, +1 V gives 1.8 V. It needs an external low-pass of 1 kHz or less.',
    },
    {
      input: signal(dsp(name).input, {
        help: 'Signal that the output follows; off gives 0.9 V, not 0 V.',
        default: 'off',
        off: 'off',
      }),
    },
  );
}

export const pwm0 = pwm('pwm0');
export const pwm1 = pwm('pwm1');

/** Highest output, in V: the supply of the pins. */
const SUPPLY = 1.8;
/** The duty cycle has 256 steps; a pattern of 16 bits makes some of 16 periods one step longer. */
const STEPS = 256;
const PATTERN_BITS = 16;

function bitsSet(pattern: number): number {
  let count = 0;
  for (let rest = pattern; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
}

/** A level of a slow output: bits 23 … 16 are the duty cycle, below is the pattern. */
function slowLevel(field: Field, label: string, help: string): Parameter<number> {
  const limits = { min: 0, max: SUPPLY, unit: 'V' };
  const readonly = field.access === 'r';
  return {
    kind: 'number',
    label,
    help,
    ...limits,
    default: 0,
    readonly,
    volatile: readonly,
    ...(readonly ? {} : { home: 0, off: 0 }),
    fields: [field],
    accept: (value, refuse) => acceptReal(value, limits, refuse),
    encode: (value) => {
      const level = (Math.min(SUPPLY, Math.max(0, value)) / SUPPLY) * STEPS;
      const whole = Math.min(STEPS - 1, Math.floor(level));
      const more = Math.round((level - whole) * PATTERN_BITS);
      return [whole * 2 ** PATTERN_BITS + 2 ** more - 1];
    },
    decode: ([word = 0]) =>
      (SUPPLY * (Math.floor(word / 2 ** PATTERN_BITS) + bitsSet(word & 0xffff) / PATTERN_BITS)) / STEPS,
  };
}

const at = block(0x4040_0000);
const register = (offset: number, access: 'rw' | 'r'): Field => at(offset, { bits: 24, access });
const FOLLOWS = 'Level of the slow output right now; it follows the input of';

export const ams = fpgaModule(
  {
    name: 'ams',
    title: 'Slow outputs and inputs',
    grabs: true,
    help: 'Levels of the four slow analog outputs, 0 … 1.8 V, in steps of 0.44 mV. On a board a grab brings the slow analog inputs AI0 … AI3, the supplies and the temperature of the chip.',
    actuator: 'dac2',
  },
  {
    dac0: slowLevel(register(0x20, 'r'), 'Slow output 0', `${FOLLOWS} pwm0.`),
    dac1: slowLevel(register(0x24, 'r'), 'Slow output 1', `${FOLLOWS} pwm1.`),
    dac2: slowLevel(register(0x28, 'rw'), 'Slow output 2', 'Level of slow output 2.'),
    dac3: slowLevel(register(0x2c, 'rw'), 'Slow output 3', 'Level of slow output 3.'),
  },
);
