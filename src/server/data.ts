/** What the instrument measures as PyMoDAQ's data objects, and their bytes, made once for all who get the same trace. */
import type { ModuleDescription } from '../fpga/description.ts';
import { type Curve, isTrace, type Measurement, type Trace } from '../fpga/instrument/instrument.ts';
import { encodeParts } from './wire/encode.ts';
import { evenlySpaced } from './wire/trace-arrays.ts';
import {
  axis,
  type DataToExport,
  data,
  dataToExport,
  type ExtraAttribute,
  type Form,
  floats,
  floatsOf,
  fromPlain,
  str,
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
  // Engines give keys sooner than entries.
  return Object.keys(attributes).map((name): ExtraAttribute => [name, fromPlain(attributes[name])]);
}

/** One DataRaw, named after the module: active channels in V over an axis `Time` in s. */
function traceData(trace: Trace, { title }: ModuleDescription): DataToExport {
  const length = trace.channels[0]?.counts.length ?? 0;
  const raw = data('DataRaw', {
    timestamp: trace.timestamp,
    name: title,
    units: 'V',
    dim: 'Data1D',
    data: trace.channels.map(({ volts }) => floatsOf(volts)),
    labels: trace.channels.map(({ label }) => label),
    axes: [axis('Time', 's', evenlySpaced(trace.t0, trace.dt, length))],
    extra: attributesOf(trace),
  });
  return dataToExport(title, [raw], trace.timestamp);
}

/** A message that may be on its way to several peers. */
export interface SharedMessage {
  /** To be sent one after the other, and not to be changed. */
  readonly parts: readonly Uint8Array[];
  /** To be called once by each who got them, when they have left: what was measured lies in them. */
  readonly sent: () => void;
}

/** Gives `Done` and the measurement, in a form. The parts hold the measurement's own memory. */
export type TraceEncoder = (trace: Measurement, module: ModuleDescription, form: Form) => readonly Uint8Array[];

/** Parts of one acquisition whose messages are kept for others: whole traces, previews, a zoom or two. */
const MAX_PARTS = 8;

/** Encodes each trace once a form, however many want it, and whatever parts of the same acquisition others get. */
export function traceEncoder(): TraceEncoder {
  interface Part {
    readonly trace: Measurement;
    readonly messages: { readonly form: Form; readonly parts: readonly Uint8Array[] }[];
    /** How many have asked for it. */
    asked: number;
  }
  /** Of the newest acquisition. No Map, for the reason that bag.ts gives. */
  let known: Part[] = [];

  const begin = (trace: Measurement): Part => {
    const part = { trace, messages: [], asked: 0 };
    const others = known.length >= MAX_PARTS ? [] : known.filter((each) => ofOneAcquisition(each.trace, trace));
    known = [...others, part];
    return part;
  };

  return (trace, module, form) => {
    const part = known.find((each) => each.trace === trace) ?? begin(trace);
    const { messages } = part;
    const made = messages.find((each) => each.form === form)?.parts;
    const parts = made ?? encodeParts(form, [str('Done'), measurementData(trace, module)]);
    if (!made) messages.push({ form, parts });
    part.asked++;
    // Nobody else will ask.
    if ('recipients' in trace && part.asked >= trace.recipients) known = known.filter((each) => each !== part);
    return parts;
  };
}

function ofOneAcquisition(one: Measurement, other: Measurement): boolean {
  return one.module === other.module && one.attributes.number === other.attributes.number;
}
