/** What a viewer that asks is sent besides whole measurements: single values for 0D, and a grab that failed. */
import type { ModuleDescription } from '../../fpga/description.ts';
import { type Curve, isTrace, type Measurement, type Trace } from '../../fpga/instrument/instrument.ts';
import { measurementData, type TraceEncoder } from '../data.ts';
import { encode } from '../wire/encode.ts';
import { evenlySpaced } from '../wire/trace-arrays.ts';
import { axis, type DataToExport, data, dataToExport, floats, str } from '../wire/values.ts';

/** The mean of each channel over the trace, in V. */
function meanData(trace: Trace, { title }: ModuleDescription): DataToExport {
  const { timestamp, channels } = trace;
  const means = data('DataRaw', {
    timestamp,
    name: title,
    units: 'V',
    dim: 'Data0D',
    data: channels.map(({ counts, gain, offset }) => floats([meanOf(counts) * gain + offset])),
    labels: channels.map(({ label }) => label),
  });
  return dataToExport(title, [means], timestamp);
}

function meanOf(counts: Trace['channels'][number]['counts']): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum / counts.length;
}

/** Makes data of NaN alone. */
type Absence = (timestamp: number) => DataToExport;

/** NaN in the shape of this measurement, so that what stores many of them can go on. */
function absenceOf(measurement: Measurement, module: ModuleDescription): Absence {
  if (!isTrace(measurement)) return (timestamp) => measurementData(withoutValues(measurement, timestamp), module);
  // The numbers themselves are not kept.
  const { t0, dt, channels } = measurement;
  const length = channels[0]?.counts.length ?? 0;
  const labels = channels.map(({ label }) => label);
  return (timestamp) =>
    dataToExport(
      module.title,
      [
        data('DataRaw', {
          timestamp,
          name: module.title,
          units: 'V',
          dim: 'Data1D',
          data: labels.map(() => floats(new Float64Array(length).fill(Number.NaN))),
          labels,
          axes: [axis('Time', 's', evenlySpaced(t0, dt, length))],
        }),
      ],
      timestamp,
    );
}

function withoutValues(curve: Curve, timestamp: number): Curve {
  const quantities = curve.quantities.map((quantity) => ({
    ...quantity,
    channels: quantity.channels.map(({ label, values }) => ({
      label,
      values: new Float64Array(values.length).fill(Number.NaN),
    })),
  }));
  return { ...curve, timestamp, quantities };
}

/** A single NaN, where nothing was ever measured. */
function singleAbsence({ title }: ModuleDescription): Absence {
  return (timestamp) =>
    dataToExport(title, [data('DataRaw', { timestamp, name: title, data: [floats([Number.NaN])] })], timestamp);
}

/** What one viewer is sent. */
export interface Viewed {
  /** Single values are wanted. */
  means: boolean;
  /** `Done` and a measurement, as wanted; whole ones are those that everybody gets. */
  readonly encode: TraceEncoder;
  /** In place of the next measurement. */
  absence(timestamp: number): DataToExport;
}

export function openViewed(module: ModuleDescription, encodeTrace: TraceEncoder): Viewed {
  let absence: Absence = singleAbsence(module);
  const viewed: Viewed = {
    means: false,
    encode(measurement, of, form) {
      if (!viewed.means || !isTrace(measurement)) {
        absence = absenceOf(measurement, of);
        return encodeTrace(measurement, of, form);
      }
      absence = singleAbsence(of);
      return [encode(form, [str('Done'), meanData(measurement, of)])];
    },
    absence: (timestamp) => absence(timestamp),
  };
  return viewed;
}
