/**
 * Takes recordings with the scope: arms it, waits, reads, averages. When a setting of the scope changes meanwhile, it is
 * begun anew with the new settings: a recording has one set of settings from its first sample to its last. One that is
 * already being read goes out with the settings that it was made with.
 */
import { halt } from '../modules/scope.ts';
import { toVolts } from '../volts.ts';
import {
  type Armed,
  channelsOf,
  finished,
  isRolling,
  lostBetween,
  type Newest,
  type Phase,
  snapshot,
  start,
  startRolling,
  type Watch,
} from './acquisition.ts';
import { nap } from './nap.ts';
import { type ChannelName, type ChannelSamples, type Destination, reading } from './reading.ts';
import type { RecorderTools } from './recorder.ts';
import { type Recording, type Settings, sum } from './recording.ts';
import { progressOf, type Run, refuseHopeless } from './run.ts';
import type { ScopeSettings } from './scope-settings.ts';
import { type Part, timeAxis, tracePoints } from './trace.ts';

/** Progress is told of what lasts longer than this, and then again after each of these, in ms. */
const PROGRESS_AFTER_MS = 500;
const PROGRESS_EVERY_MS = 250;

/** Time of a whole trace's point 0, and the step, in s. */
export interface TimeAxis {
  readonly t0: number;
  readonly dt: number;
}

/** Who wants a recording. */
export interface Order {
  /** Nobody does any more. */
  unwanted(): boolean;
  /** It begins, maybe anew. */
  begins(): void;
  /** The first of its acquisitions was armed. */
  armed(): void;
  /** What of a trace of `total` points is wanted by now; the same until it begins anew. */
  part(axis: TimeAxis, total: number): Part;
}

export interface Taker {
  /**
   * Takes one with one set of settings; undefined: nobody wants it any more.
   * @throws Refusal, BusError
   */
  take(run: Run, order: Order): Promise<Recording | undefined>;
  /** Looks at once whether it is still wanted, and with which settings. */
  wake(): void;
  /** Endless recording goes on between two recordings of it. */
  readonly isRolling: boolean;
  /** Whatever was begun is of no use any more. @param stop the hardware, too */
  abandon(stop: boolean): Promise<void>;
}

export function taker(tools: RecorderTools, settings: ScopeSettings): Taker {
  const { registers, counters } = tools;
  const rest = nap();
  /** What endless recording was started with; undefined: it is not running. */
  let rolling: Settings | undefined;
  /** What the last snapshot of it ended with. */
  let shown: Newest | undefined;

  async function take(run: Run, order: Order): Promise<Recording | undefined> {
    for (let attempts = 0; !order.unwanted(); attempts++) {
      run.phase = 'starting';
      order.begins();
      await settings.settled();
      if (order.unwanted()) break;
      const present = settings.begin();
      if (attempts > 0) counters.rearmed++;
      const recording = await (isRolling(present.values) ? roll(run, order, present) : measure(run, order, present));
      if (recording) return recording;
      run.lease.giveBack();
    }
    return undefined;
  }

  /** undefined: it must be begun anew, or nobody wants it any more. */
  async function measure(run: Run, order: Order, present: Settings): Promise<Recording | undefined> {
    const { values } = present;
    refuseHopeless(values);
    const channels = channelsOf(values);
    const total = tracePoints(values.decimation);
    const averages = values.trace_average > 1;
    const mean = sum();
    let read: readonly ChannelSamples[] = [];
    let clipped = false;
    let part: Part | undefined;
    rolling = undefined;
    for (run.trace = 0; run.trace < values.trace_average; run.trace++) {
      run.phase = 'filling';
      // A short acquisition leaves none.
      await rest.turn();
      const armed = await start(registers, values);
      counters.acquisitions++;
      run.armed = armed;
      if (run.trace === 0) order.armed();
      const wanted = (): Part => {
        part = order.part(axisOf(armed), total);
        return part;
      };
      const trace = reading(registers, armed, channels, wanted, destinations(run, present, averages));
      const ending = await finished(registers, armed, watch(run, order), trace.ahead);
      // A write that began before the end may have spoilt the last samples.
      await settings.settled();
      if (ending === 'interrupted' || settings.outdated || order.unwanted()) return undefined;
      run.phase = 'reading';
      read = await trace.rest(ending);
      clipped ||= read.some((samples) => samples.clipped);
      if (averages) {
        mean.add(read.map(({ counts }) => counts));
        run.lease.giveBack();
      }
    }
    if (order.unwanted() || !run.armed || !part) return undefined;
    const counts = averages ? mean.mean() : read.map((samples) => samples.counts);
    const volts = averages
      ? channels.map((channel, k) => toVolts(counts[k] ?? new Int16Array(0), present.conversions[channel]))
      : read.map((samples) => samples.volts);
    const { t0, dt } = axisOf(run.armed);
    // The ring has every sample between its first and its last.
    return { settings: present, channels, counts, volts, part, t0, dt, clipped, overwritten: 0, lost: 0 };
  }

  const axisOf = ({ values, delay }: Armed): TimeAxis =>
    timeAxis({
      decimation: values.decimation,
      delay,
      immediately: values.trigger_source === 'immediately',
      clock: tools.clock,
    });

  /** As `measure`. */
  async function roll(run: Run, order: Order, present: Settings): Promise<Recording | undefined> {
    const { values } = present;
    if (rolling !== present) {
      run.phase = 'filling';
      await startRolling(registers);
      counters.acquisitions++;
      rolling = present;
      shown = undefined;
    }
    run.phase = 'triggered';
    const channels = channelsOf(values);
    const taken = await snapshot(registers, values, channels, watch(run, order), destinations(run, present, false));
    await settings.settled();
    if (!taken || settings.outdated || order.unwanted()) return undefined;
    run.phase = 'reading';
    const points = taken.channels[0]?.counts.length ?? 0;
    const lost = shown ? lostBetween(shown, taken.newest, points) : 0;
    shown = taken.newest;
    const dt = values.decimation * tools.clock;
    return {
      settings: present,
      channels,
      counts: taken.channels.map(({ counts }) => counts),
      volts: taken.channels.map(({ volts }) => volts),
      part: { start: 0, points },
      t0: points > 0 ? -(points - 1) * dt : 0,
      dt,
      clipped: taken.channels.some((samples) => samples.clipped),
      overwritten: taken.overwritten,
      lost,
    };
  }

  /** Volts of single traces that are averaged are not wanted. */
  const destinations =
    (run: Run, { conversions }: Settings, averages: boolean) =>
    (channel: ChannelName): Destination => {
      const memory = run.lease.memory();
      return averages ? { memory } : { memory, conversion: conversions[channel] };
    };

  const watch = (run: Run, order: Order): Watch => {
    const interrupted = (): boolean => order.unwanted() || settings.outdated;
    return {
      interrupted,
      entered(phase: Phase, end?: number) {
        run.phase = phase;
        run.end = end;
      },
      async until(time: number) {
        for (;;) {
          const due = Math.max(run.since + PROGRESS_AFTER_MS, (run.toldAt ?? 0) + PROGRESS_EVERY_MS);
          await rest.until(Math.min(time, due));
          if (interrupted()) return;
          const now = performance.now();
          if (now >= due) {
            run.toldAt = now;
            tools.progress({ module: 'scope', ...progressOf(run, settings.present().values, now) });
          }
          if (now >= time) return;
        }
      },
    };
  };

  return {
    take,
    wake: rest.wake,
    get isRolling() {
      return rolling !== undefined;
    },
    async abandon(stop) {
      rolling = undefined;
      if (stop) await halt(registers);
    },
  };
}
