/** What a `grab` brought, for a shell: plain values for JSON, CSV for people. */
import { type BoardAnswer, ConnectionError } from './server/client.ts';
import { toFloats } from './server/wire/dtype.ts';
import { type Data, type NdArray, toPlain } from './server/wire/values.ts';

/** Channels of one unit. */
export interface Measured {
  readonly name: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Absent: single values. */
  readonly axis?: { readonly label: string; readonly units: string; readonly values: readonly number[] };
  readonly units: string;
  readonly labels: readonly string[];
  /** One array a label. */
  readonly data: readonly (readonly number[])[];
}

/**
 * A trace is one; other modules measure several quantities, over the same axis.
 * @throws ConnectionError: the answer is no measurement
 */
export function measuredIn({ payload }: BoardAnswer): readonly Measured[] {
  const [object] = payload;
  const all = object?.type === 'DataToExport' ? object.data : [];
  if (all.length === 0) throw new ConnectionError('The board answers a grab with something that is no measurement.');
  return all.map(plain);
}

function plain({ name, timestamp, extra, axes, units, labels, data }: Data): Measured {
  const [axis] = axes;
  return {
    name,
    timestamp,
    attributes: Object.fromEntries(extra.map(([key, value]) => [key, toPlain(value)])),
    ...(axis ? { axis: { label: axis.label, units: axis.units, values: numbersOf(axis.values) } } : {}),
    units,
    labels,
    data: data.map(numbersOf),
  };
}

function numbersOf(array: NdArray): number[] {
  const numbers = toFloats(array);
  if (!numbers) throw new ConnectionError(`The board sends an array of ${array.dtype}, which are no real numbers.`);
  return [...numbers];
}

/** As people read it: 12 digits are more than a converter has. */
export function short(value = Number.NaN): string {
  return String(Number(value.toPrecision(12)));
}

/** A line of column names with units, then a line a point; a single line of values where there is no axis. */
export function csv(all: readonly Measured[]): string {
  const axis = all[0]?.axis;
  const columns = all.flatMap(({ name, units, labels, data }) =>
    labels.map((label, k) => ({
      head: withUnit(all.length > 1 ? `${name} ${label}` : label, units),
      values: data[k] ?? [],
    })),
  );
  if (axis) columns.unshift({ head: withUnit(axis.label, axis.units), values: axis.values });
  const lines = (columns[0]?.values ?? []).map((_, k) => columns.map(({ values }) => short(values[k])).join(','));
  return [columns.map(({ head }) => head).join(','), ...lines].join('\n');
}

function withUnit(name: string, unit: string): string {
  return unit === '' ? name : `${name} (${unit})`;
}
