/** What the instrument measures as PyMoDAQ's data objects, and their bytes, made once for all who get the same trace. */
import type { ModuleDescription } from '../fpga/description.ts';
import type { Trace } from '../fpga/instrument/instrument.ts';
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
  fromPlain,
  str,
  type WireValue,
} from './wire/values.ts';

/** One DataRaw, named after the module: active channels in V over an axis `Time` in s. */
export function traceData(trace: Trace, { title }: ModuleDescription): DataToExport {
  const length = trace.channels[0]?.counts.length ?? 0;
  const extra = Object.entries(trace.attributes).map(([name, value]): ExtraAttribute => [name, fromPlain(value)]);
  const raw = data('DataRaw', {
    timestamp: trace.timestamp,
    name: title,
    units: 'V',
    dim: 'Data1D',
    data: trace.channels.map(({ counts, gain, offset }) => scaled(counts, gain, offset)),
    labels: trace.channels.map(({ label }) => label),
    axes: [axis('Time', 's', evenlySpaced(trace.t0, trace.dt, length))],
    extra,
  });
  return dataToExport(title, [raw], trace.timestamp);
}

/** Bytes that may be on their way to several peers. */
export interface SharedBytes {
  readonly bytes: Uint8Array;
  /** To be called once by each who got them, when they have left. */
  readonly sent: () => void;
}

/** Gives the bytes of `Done` and the trace, in a form. */
export type TraceEncoder = (trace: Trace, module: ModuleDescription, form: Form) => SharedBytes;

/** Parts of one acquisition whose bytes are kept for others: whole traces, previews, a zoom or two. */
const MAX_PARTS = 8;

/**
 * Encodes each trace once a form, however many want it, and whatever parts of the same acquisition others get. The
 * buffer goes back to the pool when the last has sent it and a newer acquisition is there.
 */
export function traceEncoder(pool: BufferPool): TraceEncoder {
  interface Entry {
    readonly bytes: Uint8Array;
    users: number;
    current: boolean;
  }
  /** Of the newest acquisition. */
  const parts = new Map<Trace, Map<Form, Entry>>();

  const release = (entry: Entry): void => {
    if (!entry.current && entry.users === 0) pool.give(entry.bytes);
  };

  const retire = (trace: Trace): void => {
    for (const entry of parts.get(trace)?.values() ?? []) {
      entry.current = false;
      release(entry);
    }
    parts.delete(trace);
  };

  return (trace, module, form) => {
    const entries = parts.get(trace) ?? new Map<Form, Entry>();
    if (!parts.has(trace)) {
      for (const other of [...parts.keys()]) {
        if (!ofOneAcquisition(other, trace) || parts.size >= MAX_PARTS) retire(other);
      }
      parts.set(trace, entries);
    }
    let entry = entries.get(form);
    if (!entry) {
      const objects: WireValue[] = [str('Done'), traceData(trace, module)];
      entry = { bytes: encode(form, objects, pool.take), users: 0, current: true };
      entries.set(form, entry);
    }
    const used = entry;
    used.users++;
    return {
      bytes: used.bytes,
      sent: () => {
        used.users--;
        release(used);
      },
    };
  };
}

function ofOneAcquisition(one: Trace, other: Trace): boolean {
  return one.module === other.module && one.attributes.number === other.attributes.number;
}
