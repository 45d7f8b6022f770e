/** What an acquisition brought, and the traces that are cut from it for those who asked. */
import type { ScopeValues } from '../modules/scope.ts';
import type { Scale } from '../volts.ts';
import type { Conversion } from './conversion.ts';
import type { Trace, TraceChannel } from './instrument.ts';
import type { ChannelName } from './reading.ts';
import type { Part } from './trace.ts';

/** The scope's settings, and what follows from them for every trace. */
export interface Settings {
  readonly values: ScopeValues;
  /** All that can be set, in JSON. */
  readonly text: string;
  readonly inputs: Readonly<Record<ChannelName, string>>;
  readonly conversions: Readonly<Record<ChannelName, Conversion>>;
}

/** @param text as in the result */
export function settingsOf(values: ScopeValues, text: string, scaleOf: (signal: string) => Scale): Settings {
  const inputs = { ch1: values.input1 ?? 'off', ch2: values.input2 ?? 'off' };
  const conversion = (input: string): Conversion => {
    const { gain, offset } = scaleOf(input);
    return { gain, offset: -offset * gain || 0 };
  };
  return { values, text, inputs, conversions: { ch1: conversion(inputs.ch1), ch2: conversion(inputs.ch2) } };
}

export interface Recording {
  /** That it was made with. */
  readonly settings: Settings;
  readonly channels: readonly ChannelName[];
  /** One array a channel; means of several traces are Float64Arrays. */
  readonly counts: readonly (Int16Array | Float64Array)[];
  readonly volts: readonly Float64Array[];
  /** Where it is in the whole trace. */
  readonly part: Part;
  /** Time of the whole trace's point 0, and the step, in s. */
  readonly t0: number;
  readonly dt: number;
  /** A sample of it is at the end of the range. */
  readonly clipped: boolean;
  /** Points left out at the old end because they were overwritten while being read. */
  readonly overwritten: number;
  /** Samples that were recorded since the trace before, and are in neither; of endless recording. */
  readonly lost: number;
}

/** What a trace says of itself beyond the recording. */
export interface TraceFacts {
  readonly number: number;
  readonly board: string;
  readonly clockSynchronised: boolean;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** Bit 0: the sum at out1 was cut off when the recording ended, bit 1: that at out2. */
  readonly saturation: number;
  readonly isCalibrated: (signal: string) => boolean;
}

/**
 * A part of a recording, as clients see it. Shares the recording's memory.
 * @param recipients how many grabs get it
 */
export function traceOf(recording: Recording, part: Part, facts: TraceFacts, recipients: number): Trace {
  const { channels, counts, volts, dt } = recording;
  const { values, text, conversions } = recording.settings;
  const from = part.start - recording.part.start;
  const to = from + part.points;
  const inputs = channels.map((channel) => recording.settings.inputs[channel]);
  return {
    module: 'scope',
    timestamp: facts.timestamp,
    channels: channels.map(
      (label, k): TraceChannel => ({
        label,
        input: recording.settings.inputs[label],
        counts: counts[k]?.subarray(from, to) ?? new Int16Array(0),
        volts: volts[k]?.subarray(from, to) ?? new Float64Array(0),
        gain: conversions[label].gain,
        offset: conversions[label].offset,
      }),
    ),
    t0: recording.t0 + part.start * dt,
    dt,
    recipients,
    attributes: {
      number: facts.number,
      decimation: values.decimation,
      inputs: inputs.join(','),
      clipped: recording.clipped,
      out1_saturated: (facts.saturation & 1) !== 0,
      out2_saturated: (facts.saturation & 2) !== 0,
      lost: recording.lost,
      overwritten: recording.overwritten,
      calibrated: inputs.every(facts.isCalibrated),
      clock_synchronised: facts.clockSynchronised,
      board: facts.board,
      module: 'scope',
      settings: text,
    },
  };
}

/** Adds up traces, channel by channel, for their mean. */
export interface Sum {
  add(channels: readonly Int16Array[]): void;
  mean(): Float64Array[];
}

export function sum(): Sum {
  let totals: Float64Array[] = [];
  let traces = 0;
  return {
    add(channels) {
      if (traces === 0) totals = channels.map((counts) => new Float64Array(counts.length));
      traces++;
      for (const [k, counts] of channels.entries()) {
        const total = totals[k];
        if (!total) continue;
        for (let i = 0; i < counts.length; i++) total[i] = (total[i] ?? 0) + (counts[i] ?? 0);
      }
    },
    mean: () => totals.map((total) => total.map((one) => one / traces)),
  };
}
