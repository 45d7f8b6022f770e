/** The golden vectors (see README.md), and what a receiver has to know about them. */
import { readFileSync } from 'node:fs';
import type { Form, Kind } from '../../../src/server/wire/values.ts';

interface Described {
  readonly type: string;
}

export interface Vector {
  readonly form: Form;
  readonly name: string;
  /** Notation of each object, in order. */
  readonly sent: readonly Described[];
  /** As the stock reader rebuilt them, where it could. */
  readonly rebuilt: readonly Described[];
  readonly hex: string | null;
}

interface Entry {
  readonly kind: 'object' | 'message';
  readonly name: string;
  readonly value: Described | readonly Described[];
  readonly decoded_value?: Described | readonly Described[] | null;
  readonly hex: string | null;
  readonly 'on_5.3.8'?: { readonly value: Entry['value']; readonly hex: string };
}

function several(value: Entry['decoded_value']): readonly Described[] {
  if (!value) return [];
  return Array.isArray(value) ? value : [value as Described];
}

export function vectors(form: Form): Vector[] {
  const file = new URL(`./vectors-${form}.json`, import.meta.url);
  const entries: readonly Entry[] = JSON.parse(readFileSync(file, 'utf8')).vectors;
  return entries.flatMap((entry) => {
    const { name, hex } = entry;
    const first = { form, name, hex, sent: several(entry.value), rebuilt: several(entry.decoded_value) };
    const newer = entry['on_5.3.8'];
    if (!newer) return [first];
    return [first, { form, name: `${name} of 5.3.8`, hex: newer.hex, sent: several(newer.value), rebuilt: [] }];
  });
}

const kinds: Readonly<Record<string, Kind>> = {
  str: 'string',
  bytes: 'bytes',
  bool: 'scalar',
  int: 'scalar',
  float: 'scalar',
  complex: 'scalar',
  ndarray: 'array',
  list: 'list',
  Axis: 'axis',
  DataToExport: 'dte',
  DataScan: 'dte',
  DataToActuators: 'dte',
  ParameterWithPath: 'parameter',
};

/** As what a reader of v4 has to read an object of that type. */
export function kindOf({ type }: Described): Kind {
  return kinds[type] ?? (type.startsWith('numpy.') ? 'scalar' : 'dwa');
}
