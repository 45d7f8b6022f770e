/** What the instrument measures as PyMoDAQ's data objects, and their bytes, made once for all who get the same trace. */
import type { ModuleDescription } from '../fpga/description.ts';
import { type Curve, isTrace, type Measurement, type Trace } from '../fpga/instrument/instrument.ts';
import type { BufferPool } from './wire/buffers.ts';
import { encode } from './wire/encode.ts';
import { evenlySpaced, scaled } from './wire/trace-arrays.ts';
import {
  axis,
  type DataToExport,
  data,
  dataToExport,
  type ExtraAttribute,
  type Form,
  floats,
  fromPlain,
  str,
  type WireValue,
} from './wire/values.ts';

/** What a module measured. */
export function measurementData(measurement: Measurement, module: ModuleDescription): DataToExport {
  return isTrace(measurement) ? traceData(measurement, module) : curveData(measurement, module);
}

/** One DataRaw a quantity, named after it, over one axis; or of single values. */
function curveData(curve: Curve, { title }: ModuleDescription): DataToExport {
  const { timestamp, axis: over, quantities } = curve;
  const axes = over ? [axis(over.label, over.unit, floats(over.values))] : [];
  const parts = quantities.map(({ name, unit, channels }) =>
    data('DataRaw', {
      timestamp,
      name,
      units: unit,
      dim: over ? 'Data1D' : 'Data0D',
      data: channels.map(({ values }) => floats(values)),
      labels: channels.map(({ label }) => label),
      errors: channels.some(({ errors }) => errors)
        ? channels.map(({ values, errors }) => floats(errors ?? new Float64Array(values.length)))
        : [],
      axes,
      extra: attributesOf(curve),
    }),
  );
  return dataToExport(title, parts, timestamp);
}

function attributesOf({ attributes }: Measurement): ExtraAttribute[] {
  return Object.entries(attributes).map(([name, value]): ExtraAttribute => [name, fromPlain(value)]);
}

/** One DataRaw, named after the module: active channels in V over an axis `Time` in s. */
function traceData(trace: Trace, { title }: ModuleDescription): DataToExport {
  const length = trace.channels[0]?.counts.length ?? 0;
  const raw = data('DataRaw', {
    timestamp: trace.timestamp,
    name: title,
    units: 'V',
    dim: 'Data1D',
    data: trace.channels.map(({ counts, gain, offset }) => scaled(counts, gain, offset)),
    labels: trace.channels.map(({ label }) => label),
    axes: [axis('Time', 's', evenlySpaced(trace.t0, trace.dt, length))],
    extra: attributesOf(trace),
  });
  return dataToExport(title, [raw], trace.timestamp);
}

/** Bytes that may be on their way to several peers. */
export interface SharedBytes {
  readonly bytes: Uint8Array;
  /** To be called once by each who got them, when they have left. */
  readonly sent: () => void;
}

/** Gives the bytes of `Done` and the measurement, in a form. */
export type TraceEncoder = (trace: Measurement, module: ModuleDescription, form: Form) => SharedBytes;

/** Parts of one acquisition whose bytes are kept for others: whole traces, previews, a zoom or two. */
const MAX_PARTS = 8;

/**
 * Encodes each trace once a form, however many want it, and whatever parts of the same acquisition others get. The
 * buffer goes back to the pool when the last has sent it and a newer acquisition is there.
 */
export function traceEncoder(pool: BufferPool): TraceEncoder {
  interface Entry {
    readonly form: Form;
    readonly bytes: Uint8Array;
    users: number;
    current: boolean;
  }
  interface Part {
    readonly trace: Measurement;
    readonly entries: Entry[];
    /** How many have asked for it. */
    asked: number;
  }
  /** Of the newest acquisition. No Map, for the reason that bag.ts gives. */
  let parts: Part[] = [];

  const release = (entry: Entry): void => {
    if (!entry.current && entry.users === 0) pool.give(entry.bytes);
  };

  const retire = (part: Part): void => {
    for (const entry of part.entries) {
      entry.current = false;
      release(entry);
    }
  };

  const begin = (trace: Measurement): Part => {
    const full = parts.length >= MAX_PARTS;
    for (const part of parts) if (full || !ofOneAcquisition(part.trace, trace)) retire(part);
    const part = { trace, entries: [], asked: 0 };
    parts = [...parts.filter(({ entries }) => entries.some(({ current }) => current)), part];
    return part;
  };

  return (trace, module, form) => {
    const part = parts.find((each) => each.trace === trace) ?? begin(trace);
    let entry = part.entries.find((each) => each.form === form);
    if (!entry) {
      const objects: WireValue[] = [str('Done'), measurementData(trace, module)];
      entry = { form, bytes: encode(form, objects, pool.take), users: 0, current: true };
      part.entries.push(entry);
    }
    const used = entry;
    used.users++;
    part.asked++;
    // Nobody else will ask: as soon as it is sent its memory, still in the cache, is free for the next.
    if ('recipients' in trace && part.asked >= trace.recipients) {
      retire(part);
      parts = parts.filter((each) => each !== part);
    }
    return {
      bytes: used.bytes,
      sent: () => {
        used.users--;
        release(used);
      },
    };
  };
}

function ofOneAcquisition(one: Measurement, other: Measurement): boolean {
  return one.module === other.module && one.attributes.number === other.attributes.number;
}
