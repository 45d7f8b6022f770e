/**
 * House keeping: identity of the chip, LEDs, pins of the expansion connector, and the digital loop.
 * Sources: PyRPL red_pitaya_hk.v, hardware_modules/hk.py.
 */
import { block } from '../fields.ts';
import { fpgaModule } from '../module.ts';
import { bool, choice, text } from '../parameters/choices.ts';
import { integer } from '../parameters/numbers.ts';
import type { Parameter } from '../parameters/parameter.ts';

const at = block(0x4000_0000);

const PIN_NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const SIDES = { P: 0, N: 4 } as const;

type Pin = `expansion_${keyof typeof SIDES}${(typeof PIN_NUMBERS)[number]}`;

/**
 * Level of a pin. Unlike PyRPL, which makes a pin an output whenever it is looked at, only writing does, and only
 * after the level is there.
 */
function pins(): Record<Pin | `${Pin}_output`, Parameter<boolean>> {
  const table: Partial<Record<Pin | `${Pin}_output`, Parameter<boolean>>> = {};
  for (const side of ['P', 'N'] as const) {
    for (const n of PIN_NUMBERS) {
      const field = (offset: number) => ({ bits: 1, shift: n, address: offset + SIDES[side] });
      const bit = (offset: number, access: 'rw' | 'r') => at(field(offset).address, { bits: 1, shift: n, access });
      const [direction, out, input] = [bit(0x10, 'rw'), bit(0x18, 'rw'), bit(0x20, 'r')];
      const label = `DIO${n}_${side}`;
      table[`expansion_${side}${n}`] = {
        ...bool(out, {
          label,
          help: `Level of pin ${label}, 3.3 V logic. Setting it makes the pin an output, unless the same request makes it an input; of an input, the level outside is read. Reading changes nothing (PyRPL makes an output of what it looks at).`,
        }),
        fields: [out, direction, input],
        volatile: true,
        encode: (value) => [Number(value), undefined, undefined],
        decode: ([written, isOutput, level]) => (isOutput ? written === 1 : level === 1),
      };
      table[`expansion_${side}${n}_output`] = bool(direction, {
        label: `${label} is output`,
        help: `Pin ${label} drives, in place of listening.`,
      });
    }
  }
  return table as Record<Pin | `${Pin}_output`, Parameter<boolean>>;
}

export const hk = fpgaModule(
  {
    name: 'hk',
    title: 'House keeping',
    help: 'Identity of the board, LEDs, pins of the expansion connector.',
    complete: (given) => {
      const completed: Record<string, boolean | number | string> = { ...given };
      for (const key of Object.keys(given).filter((one) => /^expansion_[PN]\d$/.test(one))) {
        const direction = `${key}_output`;
        if (completed[direction] === undefined) completed[direction] = true;
        else if (completed[direction] === false) delete completed[key];
      }
      return completed;
    },
  },
  {
    id: choice(
      at(0x00, { bits: 4, access: 'r' }),
      { prototype0: 0, release1: 1 },
      { help: 'Version of the house keeping.' },
    ),
    dna: text([at(0x04, { access: 'r' }), at(0x08, { bits: 25, access: 'r' })], dnaText, {
      help: 'Number of this chip (57 bits, in hexadecimal).',
      label: 'DNA',
    }),
    led: integer(at(0x30, { bits: 8 }), {
      help: 'Yellow LEDs, one bit each. 256 and more is refused (PyRPL shows 0).',
      label: 'LEDs',
    }),
    digital_loop: bool(at(0x0c, { bits: 1 }), {
      help: 'Inside the FPGA, in1 and in2 get the signals of out1 and out2 in place of the converters’.',
    }),
    ...pins(),
  },
);

function dnaText([low = 0, high = 0]: readonly number[]): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
