/**
 * Who gets which trace of the scope. One acquisition runs at a time, and everybody who asked before it was armed
 * shares it; who asks while it runs shares the next, so that a trace is never older than the request for it
 * (`fresh: false` joins the running one). A request may end by itself (time-out, withdrawn) without disturbing the
 * others; when none is left, the acquisition ends.
 *
 * When a setting of the scope changes during an acquisition, that acquisition is begun anew with the new settings: a
 * trace has one set of settings from its first sample to its last, and it is the one that its attributes name. An
 * acquisition that is already being read goes out with the settings that it was made with.
 */
import { Bag } from '../../bag.ts';
import { Refusal } from '../../errors.ts';
import type { TypedDriver } from '../module.ts';
import { dsp } from '../modules/dsp.ts';
import { halt, type ScopeValues, TRIGGER_SOURCES } from '../modules/scope.ts';
import { toVolts } from '../volts.ts';
import {
  type Armed,
  channelsOf,
  finished,
  isRolling,
  lostBetween,
  type Newest,
  type Phase,
  shortestTime,
  snapshot,
  start,
  startRolling,
} from './acquisition.ts';
import { deadlines } from './deadlines.ts';
import type { Measurement, Progress, Statistics, Trace } from './instrument.ts';
import { type Lease, lending } from './lending.ts';
import { nap } from './nap.ts';
import { type ChannelName, type ChannelSamples, type Destination, reading } from './reading.ts';
import type { Recorder, RecorderTools } from './recorder.ts';
import { type Recording, type Settings, settingsOf, sum, traceOf } from './recording.ts';
import { statisticsOf, windowOf } from './statistics.ts';
import { type Part, partOf, timeAxis, tracePoints, union } from './trace.ts';

/** Added to the duration of an acquisition where the request names no time-out, in s. */
const DEFAULT_MARGIN = 5;

/** Progress is told of what lasts longer than this, and then again after each of these, in ms. */
const PROGRESS_AFTER_MS = 500;
const PROGRESS_EVERY_MS = 250;

interface Request {
  readonly fresh: boolean;
  readonly part: Partial<Part>;
  /** In place of the part: its window. */
  readonly statistics: Statistics | undefined;
  /** ms of performance.now(). */
  readonly since: number;
  /** In s; undefined: the default. */
  readonly timeout: number | undefined;
  deliver(trace: Trace, lease: Lease): void;
  fail(error: unknown): void;
}

/** The acquisition that runs, or several of them that are averaged. */
interface Run {
  readonly requests: Bag<Request>;
  readonly since: number;
  armed: Armed | undefined;
  /** Which trace of the average is being taken, from 0. */
  trace: number;
  phase: Phase | 'starting' | 'reading';
  end: number | undefined;
  /** What will be read; known from the first reading on. */
  part: Part | undefined;
  toldAt: number | undefined;
  readonly lease: Lease;
}

/** Its `writing` must see every change of the scope's settings. */
export function scopeRecorder(tools: RecorderTools, driver: TypedDriver<ScopeValues>): Recorder {
  const { registers, counters } = tools;
  const waiting = new Bag<Request>();
  const limits = deadlines(expire);
  const rest = nap();
  let current: Run | undefined;
  let working = false;
  /** Writes of settings under way, and who waits for their end. */
  let writers = 0;
  let writersGone: (() => void)[] = [];
  /** A setting changed since the running acquisition was armed. */
  let outdated = false;
  /** What endless recording was started with; undefined: it is not running. */
  let rolling: Settings | undefined;
  /** What the last snapshot of it ended with. */
  let shown: Newest | undefined;
  let known: Settings | undefined;
  let number = 0;
  const lend = lending();

  const settable = driver.description.parameters.filter((parameter) => !parameter.readonly).map(({ name }) => name);

  /** As they are now; made once a change. */
  function settings(): Settings {
    if (known) return known;
    const values = driver.values;
    const entries = Object.entries(values).filter(([name]) => settable.includes(name));
    known = settingsOf(values, JSON.stringify(Object.fromEntries(entries)), tools.scaleOf);
    return known;
  }

  // ---------------------------------------------------------------- requests

  /** @param seconds from now, unless the request names its own time-out. */
  function setDeadline(request: Request, seconds: number): void {
    const { since, timeout } = request;
    limits.set(request, timeout === undefined ? performance.now() + seconds * 1e3 : since + timeout * 1e3);
  }

  /** From arming on, the default time-out is that of the acquisition. */
  function prolong(run: Run): void {
    const seconds = lasting(run);
    for (const request of run.requests) if (request.timeout === undefined) setDeadline(request, seconds);
  }

  function expire(request: Request): void {
    counters.timeouts++;
    const waited = ((performance.now() - request.since) / 1e3).toFixed(3);
    request.fail(new Refusal(`scope brought no trace within ${waited} s: ${waitingFor(request)}.`));
    drop(request);
  }

  function waitingFor(request: Request): string {
    const run = current;
    const { values } = settings();
    if (!run) return 'a setting was being written';
    if (!run.requests.has(request)) {
      return `an acquisition for others was still running (${progressOf(run, performance.now()).text})`;
    }
    if (run.phase === 'waiting') return `it waited for ${triggerText(values)}, which did not come`;
    if (run.phase === 'filling') return `it was recording what comes before ${triggerText(values)}`;
    const traces = values.trace_average > 1 ? `, trace ${run.trace + 1} of ${values.trace_average}` : '';
    return `the acquisition (${values.duration} s after ${triggerText(values)}${traces}) was not over`;
  }

  /** Takes a settled request out; the last one ends the acquisition. */
  function drop(request: Request): void {
    limits.remove(request);
    waiting.delete(request);
    if (current?.requests.delete(request) && unwanted(current)) rest.wake();
  }

  function add(request: Request): void {
    const run = current;
    // One that nobody wants any more is about to end.
    const joins = run && !unwanted(run) && (run.phase === 'starting' || (!request.fresh && canJoin(run, request)));
    if (joins) {
      run.requests.add(request);
      setDeadline(request, lasting(run));
      return;
    }
    waiting.add(request);
    setDeadline(request, lasting(run));
    if (working) return;
    working = true;
    queueMicrotask(() => void work());
  }

  function canJoin(run: Run, request: Request): boolean {
    if (run.part === undefined) return true;
    if (request.statistics) return false;
    const wanted = partOf(tracePoints(settings().values.decimation), request.part);
    return (
      run.phase !== 'reading' &&
      wanted.start >= run.part.start &&
      wanted.start + wanted.points <= run.part.start + run.part.points
    );
  }

  /** Default time-out from now on, in s. */
  function lasting(run: Run | undefined): number {
    const armed = run?.armed;
    if (!armed || isRolling(armed.values)) return DEFAULT_MARGIN;
    return shortestTime(armed) * armed.values.trace_average + DEFAULT_MARGIN;
  }

  // ---------------------------------------------------------------- acquisitions

  async function work(): Promise<void> {
    while (waiting.size > 0) {
      const run: Run = {
        requests: new Bag(waiting.takeAll()),
        since: performance.now(),
        armed: undefined,
        trace: 0,
        phase: 'starting',
        end: undefined,
        part: undefined,
        toldAt: undefined,
        lease: lend(),
      };
      current = run;
      try {
        const recording = await carryOut(run);
        if (recording) deliver(run, recording, await registers.readWord(dsp('asg0').saturated1));
      } catch (error) {
        rolling = undefined;
        if (!(error instanceof Refusal)) counters.failed++;
        for (const request of run.requests) {
          request.fail(error);
          drop(request);
        }
        // What made it fail may well make this fail too.
        if (run.armed && waiting.size === 0) await halt(registers).catch(() => undefined);
      }
      current = undefined;
    }
    working = false;
  }

  /** Volts of single traces that are averaged are not wanted. */
  const destinationFor =
    (run: Run, { conversions }: Settings, averages: boolean) =>
    (channel: ChannelName): Destination => {
      const memory = run.lease.memory();
      return averages ? { memory } : { memory, conversion: conversions[channel] };
    };

  const unwanted = (run: Run): boolean => run.requests.size === 0;

  /** Measures until there is a recording made with one set of settings; undefined when nobody wants it any more. */
  async function carryOut(run: Run): Promise<Recording | undefined> {
    for (let attempts = 0; !unwanted(run); attempts++) {
      run.phase = 'starting';
      run.part = undefined;
      await writesEnd();
      if (unwanted(run)) break;
      outdated = false;
      if (attempts > 0) counters.rearmed++;
      const present = settings();
      const recording = await (isRolling(present.values) ? roll(run, present) : measure(run, present));
      if (recording) return recording;
    }
    if (waiting.size === 0) await halt(registers);
    rolling = undefined;
    return undefined;
  }

  function writesEnd(): Promise<void> {
    return writers === 0 ? Promise.resolve() : new Promise((resolve) => writersGone.push(resolve));
  }

  /** undefined: it must be begun anew, or nobody wants it any more. */
  async function measure(run: Run, present: Settings): Promise<Recording | undefined> {
    const { values } = present;
    refuseHopeless(values);
    const channels = channelsOf(values);
    const total = tracePoints(values.decimation);
    const averages = values.trace_average > 1;
    const mean = sum();
    let read: readonly ChannelSamples[] = [];
    let clipped = false;
    rolling = undefined;
    for (run.trace = 0; run.trace < values.trace_average; run.trace++) {
      run.phase = 'filling';
      // A short acquisition leaves none.
      await rest.turn();
      const armed = await start(registers, values);
      counters.acquisitions++;
      run.armed = armed;
      if (run.trace === 0) prolong(run);
      const destination = destinationFor(run, present, averages);
      const trace = reading(registers, armed, channels, () => partFor(run, armed, total), destination);
      const ending = await finished(registers, armed, watch(run), trace.ahead);
      // A write that began before the end may have spoilt the last samples.
      await writesEnd();
      if (ending === 'interrupted' || outdated || unwanted(run)) {
        run.lease.giveBack();
        return undefined;
      }
      run.phase = 'reading';
      read = await trace.rest(ending);
      clipped ||= read.some((samples) => samples.clipped);
      if (averages) {
        mean.add(read.map(({ counts }) => counts));
        run.lease.giveBack();
      }
    }
    if (unwanted(run) || !run.armed || !run.part) return undefined;
    const counts = averages ? mean.mean() : read.map((samples) => samples.counts);
    const volts = averages
      ? channels.map((channel, k) => toVolts(counts[k] ?? new Int16Array(0), present.conversions[channel]))
      : read.map(({ volts }) => volts);
    // The ring has every sample between its first and its last.
    const whole = { overwritten: 0, lost: 0 };
    return { settings: present, channels, counts, volts, part: run.part, ...axisOf(run.armed), clipped, ...whole };
  }

  const axisOf = ({ values, delay }: Armed): { t0: number; dt: number } =>
    timeAxis({
      decimation: values.decimation,
      delay,
      immediately: values.trigger_source === 'immediately',
      clock: tools.clock,
    });

  /** What all want who have asked by the time of the first reading. */
  function partFor(run: Run, armed: Armed, total: number): Part {
    if (run.part) return run.part;
    const parts: Part[] = [];
    for (const request of run.requests) {
      const part = wantedPart(request, axisOf(armed), total);
      if (part) parts.push(part);
    }
    run.part = union(parts);
    return run.part;
  }

  /** undefined: there is nothing of what it asks for, and it was told so. */
  function wantedPart(request: Request, axis: { t0: number; dt: number }, total: number): Part | undefined {
    if (!request.statistics) return partOf(total, request.part);
    try {
      return windowOf(request.statistics, axis, total);
    } catch (error) {
      request.fail(error);
      drop(request);
      return undefined;
    }
  }

  async function roll(run: Run, present: Settings): Promise<Recording | undefined> {
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
    const taken = await snapshot(registers, values, channels, watch(run), destinationFor(run, present, false));
    await writesEnd();
    if (!taken || outdated || unwanted(run)) return undefined;
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

  const watch = (run: Run) => ({
    interrupted: () => unwanted(run) || outdated,
    entered(phase: Phase, end?: number) {
      run.phase = phase;
      run.end = end;
    },
    async until(time: number) {
      for (;;) {
        const due = Math.max(run.since + PROGRESS_AFTER_MS, (run.toldAt ?? 0) + PROGRESS_EVERY_MS);
        await rest.until(Math.min(time, due));
        if (unwanted(run) || outdated) return;
        const now = performance.now();
        if (now >= due) {
          run.toldAt = now;
          tools.progress({ module: 'scope', ...progressOf(run, now) });
        }
        if (now >= time) return;
      }
    },
  });

  function progressOf(run: Run, now: number): Omit<Progress, 'module'> {
    const { values } = settings();
    if (run.phase === 'waiting') return { text: `waiting for ${triggerText(values)}` };
    const begun = run.armed?.at ?? now;
    const whole = run.armed ? shortestTime(run.armed) * 1e3 : 1;
    const left = run.phase === 'triggered' && run.end !== undefined ? run.end - now : whole - (now - begun);
    const done = Math.min(1, Math.max(0, 1 - left / whole));
    const many = values.trace_average > 1;
    return {
      fraction: (run.trace + done) / values.trace_average,
      text: many ? `recording trace ${run.trace + 1} of ${values.trace_average}` : 'recording',
    };
  }

  // ---------------------------------------------------------------- traces

  /** @param saturation word whose bits tell which outputs are cut off at this moment */
  function deliver(run: Run, recording: Recording, saturation: number): void {
    counters.traces++;
    counters.shared += run.requests.size - 1;
    number++;
    const clockSynchronised = tools.clockSynchronised();
    const { board, isCalibrated } = tools;
    const timestamp = Date.now() / 1e3;
    const facts = { number, board, clockSynchronised, isCalibrated, saturation, timestamp };
    const { values } = recording.settings;
    const total = isRolling(values) ? recording.part.points : tracePoints(values.decimation);
    if (run.toldAt !== undefined) tools.progress({ module: 'scope', fraction: 1, text: 'done' });
    const byPart = new Map<string, { readonly part: Part; readonly requests: Request[] }>();
    for (const request of run.requests) {
      const part = wantedPart(request, recording, total);
      if (!part) continue;
      const key = `${part.start}+${part.points}`;
      const same = byPart.get(key) ?? { part, requests: [] };
      same.requests.push(request);
      byPart.set(key, same);
    }
    run.lease.share(run.requests.size);
    for (const { part, requests } of byPart.values()) {
      const trace = traceOf(recording, part, facts, requests.length);
      for (const request of requests) {
        request.deliver(trace, run.lease);
        drop(request);
      }
    }
  }

  // ---------------------------------------------------------------- doors

  return {
    refuseHopeless: (values) => refuseHopeless({ ...driver.values, ...values }),

    grab(_client, wanted) {
      counters.grabs++;
      let request: Request | undefined;
      let held: Lease | undefined;
      const result = new Promise<Measurement>((resolve, reject) => {
        const { fresh = true, timeout, start: first, points, statistics } = wanted;
        request = {
          fresh,
          timeout,
          statistics,
          part: { ...(first === undefined ? {} : { start: first }), ...(points === undefined ? {} : { points }) },
          since: performance.now(),
          deliver(trace, lease) {
            held = lease;
            resolve(statistics ? statisticsOf(trace) : trace);
          },
          fail: reject,
        };
        add(request);
      });
      // Whoever only stops it need not look at the result.
      result.catch(() => undefined);
      return {
        result,
        stop(by) {
          if (!request || !(waiting.has(request) || current?.requests.has(request))) return;
          counters.withdrawn++;
          request.fail(new Refusal(`The grab was stopped by ${by}.`));
          drop(request);
        },
        release() {
          held?.release();
          held = undefined;
        },
      };
    },

    async writing(write, changed) {
      writers++;
      try {
        const outcome = await write();
        if (changed(outcome)) invalidate();
        return outcome;
      } catch (error) {
        // Nobody knows how much was written.
        invalidate();
        throw error;
      } finally {
        writers--;
        if (writers === 0) {
          const gone = writersGone;
          writersGone = [];
          for (const resume of gone) resume();
        }
      }
    },

    async stop(by) {
      const all = [...waiting, ...(current?.requests ?? [])];
      counters.stopped += all.length;
      for (const request of all) {
        request.fail(new Refusal(`The acquisition of scope was stopped by ${by}.`));
        drop(request);
      }
      if (!working && rolling) {
        rolling = undefined;
        await halt(registers);
      }
    },

    running() {
      if (!current) return undefined;
      return {
        since: Date.now() / 1e3 - (performance.now() - current.since) / 1e3,
        phase: current.phase,
        requests: current.requests.size,
        waiting: waiting.size,
        ...progressOf(current, performance.now()),
      };
    },
  };

  function invalidate(): void {
    known = undefined;
    outdated = true;
    if (current) rest.wake();
  }
}

/** @throws Refusal: with these settings no trace would ever come. */
function refuseHopeless(values: ScopeValues): void {
  if (values.trigger_source !== 'off' || isRolling(values)) return;
  const others = Object.keys(TRIGGER_SOURCES).filter((source) => source !== 'off');
  throw new Refusal(
    `With scope.trigger_source off no trace would ever come; it can be ${others.join(', ')}. Nothing was changed.`,
  );
}

/** What starts the trace, for people. */
export function triggerText(values: ScopeValues): string {
  const { trigger_source: source, threshold } = values;
  const edge = source.startsWith('ch');
  const input = source.startsWith('ch1') ? values.input1 : values.input2;
  return edge ? `trigger ${source} at ${Number(threshold.toFixed(4))} V (${input})` : `trigger ${source}`;
}
