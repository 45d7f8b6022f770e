/**
 * Who gets which trace of the scope. One acquisition runs at a time, and everybody who asked before it was armed
 * shares it; who asks while it runs shares the next, so that a trace is never older than the request for it
 * (`fresh: false` joins the running one). A request may end by itself (time-out, withdrawn) without disturbing the
 * others; when none is left, the acquisition ends.
 */
import { Bag } from '../../bag.ts';
import { Refusal } from '../../errors.ts';
import type { TypedDriver } from '../module.ts';
import { dsp } from '../modules/dsp.ts';
import type { ScopeValues } from '../modules/scope.ts';
import { isRolling, shortestTime } from './acquisition.ts';
import { deadlines } from './deadlines.ts';
import type { Measurement, Statistics, Trace } from './instrument.ts';
import type { Lease } from './lending.ts';
import type { Recorder, RecorderTools } from './recorder.ts';
import { type Recording, traceOf } from './recording.ts';
import { progressOf, type Run, refuseHopeless, runs, whyNotOver } from './run.ts';
import { scopeSettings } from './scope-settings.ts';
import { statisticsOf, windowOf } from './statistics.ts';
import { type Order, type TimeAxis, taker } from './taking.ts';
import { type Part, partOf, tracePoints, union } from './trace.ts';

/** Added to the duration of an acquisition where the request names no time-out, in s. */
const DEFAULT_MARGIN = 5;

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

/** A run, and who shares it. */
interface Shared {
  readonly run: Run;
  readonly requests: Bag<Request>;
  /** What will be read; known from the first reading on. */
  part: Part | undefined;
}

/** Its `writing` must see every change of the scope's settings. */
export function scopeRecorder(tools: RecorderTools, driver: TypedDriver<ScopeValues>): Recorder {
  const { registers, counters } = tools;
  const waiting = new Bag<Request>();
  const limits = deadlines(expire);
  const settings = scopeSettings(driver, tools.scaleOf, () => current && recordings.wake());
  const recordings = taker(tools, settings);
  const begin = runs();
  let current: Shared | undefined;
  let working = false;
  let number = 0;

  // ---------------------------------------------------------------- requests

  /** @param seconds from now, unless the request names its own time-out. */
  function setDeadline(request: Request, seconds: number): void {
    const { since, timeout } = request;
    limits.set(request, timeout === undefined ? performance.now() + seconds * 1e3 : since + timeout * 1e3);
  }

  /** From arming on, the default time-out is that of the acquisition. */
  function prolong(shared: Shared): void {
    const seconds = lasting(shared);
    for (const request of shared.requests) if (request.timeout === undefined) setDeadline(request, seconds);
  }

  /** Default time-out from now on, in s. */
  function lasting(shared: Shared | undefined): number {
    const armed = shared?.run.armed;
    if (!armed || isRolling(armed.values)) return DEFAULT_MARGIN;
    return shortestTime(armed) * armed.values.trace_average + DEFAULT_MARGIN;
  }

  function expire(request: Request): void {
    counters.timeouts++;
    const waited = ((performance.now() - request.since) / 1e3).toFixed(3);
    request.fail(new Refusal(`scope brought no trace within ${waited} s: ${waitingFor(request)}.`));
    drop(request);
  }

  function waitingFor(request: Request): string {
    const { values } = settings.present();
    if (!current) return 'a setting was being written';
    const { run, requests } = current;
    if (requests.has(request)) return whyNotOver(run, values);
    return `an acquisition for others was still running (${progressOf(run, values, performance.now()).text})`;
  }

  /** Takes a settled request out; the last one ends the acquisition. */
  function drop(request: Request): void {
    limits.remove(request);
    waiting.delete(request);
    if (current?.requests.delete(request) && current.requests.size === 0) recordings.wake();
  }

  function add(request: Request): void {
    setDeadline(request, lasting(current));
    if (current && canJoin(current, request)) {
      current.requests.add(request);
      return;
    }
    waiting.add(request);
    if (working) return;
    working = true;
    queueMicrotask(() => void work());
  }

  function canJoin({ run, requests, part }: Shared, request: Request): boolean {
    // One that nobody wants any more is about to end.
    if (requests.size === 0) return false;
    if (run.phase === 'starting') return true;
    if (request.fresh) return false;
    if (part === undefined) return true;
    if (request.statistics || run.phase === 'reading') return false;
    const wanted = partOf(tracePoints(settings.present().values.decimation), request.part);
    return wanted.start >= part.start && wanted.start + wanted.points <= part.start + part.points;
  }

  // ---------------------------------------------------------------- acquisitions

  async function work(): Promise<void> {
    while (waiting.size > 0) {
      const run = begin();
      const shared: Shared = { run, requests: new Bag(waiting.takeAll()), part: undefined };
      current = shared;
      try {
        const recording = await recordings.take(run, orderOf(shared));
        if (recording) deliver(shared, recording, await registers.readWord(dsp('asg0').saturated1));
        else await recordings.abandon(waiting.size === 0);
      } catch (error) {
        if (!(error instanceof Refusal)) counters.failed++;
        for (const request of shared.requests) {
          request.fail(error);
          drop(request);
        }
        // What made it fail may well make this fail too.
        await recordings.abandon(run.armed !== undefined && waiting.size === 0).catch(() => undefined);
      }
      current = undefined;
    }
    working = false;
  }

  const orderOf = (shared: Shared): Order => ({
    unwanted: () => shared.requests.size === 0,
    begins() {
      shared.part = undefined;
    },
    armed: () => prolong(shared),
    part(axis, total) {
      shared.part ??= partFor(shared.requests, axis, total);
      return shared.part;
    },
  });

  /** What all want who have asked by now. */
  function partFor(requests: Iterable<Request>, axis: TimeAxis, total: number): Part {
    const parts: Part[] = [];
    for (const request of requests) {
      const part = wantedPart(request, axis, total);
      if (part) parts.push(part);
    }
    return union(parts);
  }

  /** undefined: there is nothing of what it asks for, and it was told so. */
  function wantedPart(request: Request, axis: TimeAxis, total: number): Part | undefined {
    if (!request.statistics) return partOf(total, request.part);
    try {
      return windowOf(request.statistics, axis, total);
    } catch (error) {
      request.fail(error);
      drop(request);
      return undefined;
    }
  }

  /** @param saturation word whose bits tell which outputs are cut off at this moment */
  function deliver({ run, requests }: Shared, recording: Recording, saturation: number): void {
    counters.traces++;
    counters.shared += requests.size - 1;
    number++;
    const clockSynchronised = tools.clockSynchronised();
    const { board, isCalibrated } = tools;
    const timestamp = Date.now() / 1e3;
    const facts = { number, board, clockSynchronised, isCalibrated, saturation, timestamp };
    const { values } = recording.settings;
    const total = isRolling(values) ? recording.part.points : tracePoints(values.decimation);
    if (run.toldAt !== undefined) tools.progress({ module: 'scope', fraction: 1, text: 'done' });
    const parts: { readonly part: Part; readonly requests: Request[] }[] = [];
    let holders = 0;
    for (const request of requests) {
      const part = wantedPart(request, recording, total);
      if (!part) continue;
      holders++;
      const same = parts.find((each) => each.part.start === part.start && each.part.points === part.points);
      if (same) same.requests.push(request);
      else parts.push({ part, requests: [request] });
    }
    run.lease.share(holders);
    for (const { part, requests } of parts) {
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

    writing: settings.writing,

    async stop(by) {
      const all = [...waiting, ...(current?.requests ?? [])];
      counters.stopped += all.length;
      for (const request of all) {
        request.fail(new Refusal(`The acquisition of scope was stopped by ${by}.`));
        drop(request);
      }
      if (!working && recordings.isRolling) await recordings.abandon(true);
    },

    running() {
      if (!current) return undefined;
      const { run, requests } = current;
      const now = performance.now();
      return {
        since: Date.now() / 1e3 - (now - run.since) / 1e3,
        phase: run.phase,
        requests: requests.size,
        waiting: waiting.size,
        ...progressOf(run, settings.present().values, now),
      };
    },
  };
}
