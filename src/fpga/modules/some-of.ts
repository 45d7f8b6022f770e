/** A parameter that is one or several of some names, as text: `in1, pid0`. */
import { nearest } from '../../nearest.ts';
import { show } from '../parameters/judging.ts';
import type { Parameter, Words } from '../parameters/parameter.ts';

interface SomeOfOptions extends Words {
  /** As in `needs at least one signal`. */
  readonly what: string;
  /** As in `takes signals like "in1, pid0"`. */
  readonly like: string;
  readonly default: string;
}

/** Takes a text of names with commas between, or a list of names; each name counts once. */
export function someOf(known: readonly string[], options: SomeOfOptions): Parameter<string> {
  const { what, like, ...words } = options;
  return {
    kind: 'text',
    unit: '',
    ...words,
    readonly: false,
    volatile: false,
    fields: [],
    accept(value, refuse) {
      const items: readonly unknown[] = Array.isArray(value) ? value : [value];
      const names = items.flatMap((one) => (typeof one === 'string' ? namesIn(one) : [one]));
      const found = names.map((one) => {
        if (typeof one === 'string' && known.includes(one)) return one;
        const near = typeof one === 'string' ? nearest(one, known) : undefined;
        return refuse(
          `takes ${what}s like "${like}", not ${show(one)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
        );
      });
      if (found.length === 0) return refuse(`needs at least one ${what}`);
      return [...new Set(found)].join(', ');
    },
    encode: () => [],
    decode: () => words.default,
  };
}

/** The names of a value of such a parameter. */
export function namesIn(text: string): string[] {
  return text.split(',').map((one) => one.trim());
}
