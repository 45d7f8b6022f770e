/** Arbitrary objects of the wire, as far as a form carries them. */
import fc from 'fast-check';
import { holds, parseDtype } from '../../../src/server/wire/dtype.ts';
import {
  type Axis,
  type Data,
  dataClasses,
  dataDims,
  dataDistributions,
  dataSources,
  exportClasses,
  type Form,
  type Kind,
  type NdArray,
  type WireValue,
} from '../../../src/server/wire/values.ts';

/** Like fc.record, but always with objects of the ordinary kind, as decoders make them. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

/** Well-formed text: half a surrogate pair has no UTF-8. */
const text = fc.string({ unit: 'grapheme', maxLength: 20 });

const int = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
  .map((value) => ({ type: 'int', value: Number.isSafeInteger(Number(value)) ? Number(value) : value }) as const);
const smallInt = fc.integer().map((value) => ({ type: 'int', value }) as const);
const float = fc.double().map((value) => ({ type: 'float', value }) as const);
const complex = fc.tuple(fc.double(), fc.double()).map(([re, im]) => ({ type: 'complex', re, im }) as const);
const bool = fc.boolean().map((value) => ({ type: 'bool', value }) as const);
const narrowInt = fc
  .tuple(fc.constantFrom('<i4', '>i4', '<u2', '|u1', '|i1', '>i8', '<u8'), fc.integer())
  .filter(([dtype, value]) => {
    const parsed = parseDtype(dtype);
    return parsed !== undefined && holds(parsed, value);
  })
  .map(([dtype, value]) => ({ type: 'int', value, dtype }) as const);
const narrowFloat = fc
  .tuple(fc.constantFrom('<f4', '>f4'), fc.float())
  .map(([dtype, value]) => ({ type: 'float', value, dtype }) as const);

const str = text.map((value) => ({ type: 'str', value }) as const);
const bytes = fc
  .uint8Array({ maxLength: 30 })
  .map((value) => ({ type: 'bytes', bytes: new Uint8Array(value) }) as const);

const ndarray: fc.Arbitrary<NdArray> = fc
  .tuple(
    fc.constantFrom('<f8', '>f8', '<f4', '<i2', '>i4', '<u8', '|u1', '|b1', '<c16', '<c8', '<U3'),
    fc.array(fc.nat(4), { maxLength: 3 }),
  )
  .chain(([dtype, shape]) => {
    const parsed = parseDtype(dtype);
    const length = shape.reduce((product, each) => product * each, parsed?.size ?? 0);
    // Text has to be characters; of numbers any bytes will do.
    const content =
      parsed?.kind === 'text'
        ? fc.constant(new Uint8Array(length))
        : fc.uint8Array({ minLength: length, maxLength: length });
    return content.map((all) => ({ type: 'ndarray', dtype, shape, bytes: new Uint8Array(all) }) as const);
  });

function axis(form: Form): fc.Arbitrary<Axis> {
  return record({
    type: form === 'v5' ? fc.constantFrom('Axis', 'NavAxis') : fc.constant('Axis' as const),
    label: text,
    units: text,
    values: ndarray,
    index: fc.nat(3),
    spreadOrder: fc.nat(3),
  });
}

function data(form: Form, value: fc.Arbitrary<WireValue>): fc.Arbitrary<Data> {
  return record({
    type: fc.constantFrom(...dataClasses),
    timestamp: fc.double(),
    name: text,
    units: text,
    source: fc.constantFrom(...dataSources),
    dim: fc.constantFrom(...dataDims),
    distribution: fc.constantFrom(...dataDistributions),
    data: fc.array(ndarray, { maxLength: 3 }),
    labels: fc.array(text, { maxLength: 3 }),
    origin: text,
    navIndexes: fc.array(fc.nat(3), { maxLength: 3 }),
    axes: fc.array(axis(form), { maxLength: 2 }),
    errors: fc.array(ndarray, { maxLength: 2 }),
    extra: fc.array(fc.tuple(text, value), { maxLength: 3 }),
  });
}

/** With the kind as which a reader of v4 has to read it. */
export function wireValue(form: Form): fc.Arbitrary<{ readonly kind: Kind; readonly value: WireValue }> {
  const { value, dte, dwa, list } = fc.letrec<{
    value: WireValue;
    list: WireValue;
    dwa: Data;
    dte: WireValue;
    tuple: WireValue;
    dict: WireValue;
    parameter: WireValue;
    thread: WireValue;
  }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(str, bytes, bool, int, smallInt, float, complex, narrowInt, narrowFloat, ndarray, axis(form)),
      tie('list'),
      tie('parameter'),
      tie('dwa'),
      tie('dte'),
      ...(form === 'v5' ? [fc.constant({ type: 'None' } as const), tie('tuple'), tie('dict'), tie('thread')] : []),
    ),
    list: fc.array(tie('value'), { maxLength: 4 }).map((items) => ({ type: 'list', items }) as const),
    tuple: fc.array(tie('value'), { maxLength: 4 }).map((items) => ({ type: 'tuple', items }) as const),
    dict: fc
      .uniqueArray(fc.tuple(fc.oneof(str, smallInt), tie('value')), { maxLength: 4, selector: ([key]) => key.value })
      .map((items) => ({ type: 'dict', items }) as const),
    parameter: fc
      .tuple(fc.array(text, { maxLength: 3 }), text)
      .map(([path, xml]) => ({ type: 'ParameterWithPath', path, xml }) as const),
    thread: fc
      .tuple(text, tie('value'), fc.array(tie('value'), { maxLength: 2 }))
      .map(([command, attribute, items]) => {
        const kwargs = { type: 'dict', items: [] } as const;
        return { type: 'ThreadCommand', command, attribute, args: { type: 'tuple', items }, kwargs } as const;
      }),
    dwa: data(form, tie('value')),
    dte: record({
      type: fc.constantFrom(...exportClasses),
      timestamp: fc.double(),
      name: text,
      data: fc.array(tie('dwa'), { maxLength: 2 }),
      extra: form === 'v5' ? fc.array(fc.tuple(text, tie('value')), { maxLength: 2 }) : fc.constant([]),
    }),
  }));
  const as = (kind: Kind, each: fc.Arbitrary<WireValue>) => each.map((found) => ({ kind, value: found }));
  const top = [
    as('string', str),
    as('bytes', bytes),
    as('scalar', fc.oneof(bool, int, float, complex, narrowInt, narrowFloat)),
    as('array', ndarray),
    as('axis', axis(form)),
    as('list', list),
    as('dwa', dwa),
    as('dte', dte),
  ];
  return form === 'v5' ? fc.oneof(...top, as('list', value)) : fc.oneof(...top);
}
