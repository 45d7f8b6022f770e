/**
 * Measurements that take a while and that several may want: one runs at a time. Who asks while it runs shares the next
 * one, so that no result is older than the request for it; `fresh: false` joins the running one. A request may end by
 * itself (time-out, withdrawn) without disturbing the others; when none is left, the measurement ends.
 */
import { Refusal } from '../../errors.ts';
import type { Counters } from './counters.ts';
import type { Client, Curve, Grab, GrabOptions, Progress } from './instrument.ts';

/** Added to what a measurement is expected to last, where the request names no time-out, in s. */
const DEFAULT_MARGIN = 5;

/** Progress is told of what lasts longer than this, and then again after each of these, in ms. */
const PROGRESS_AFTER_MS = 500;
const PROGRESS_EVERY_MS = 100;

/** What a measurement works with. */
export interface Run {
  /** On whose behalf it is made. */
  readonly client: Client;
  /** Aborted when nobody wants the result any more. */
  readonly signal: AbortSignal;
  /** How far it is, and points that came since the last call that told anything. */
  progress(fraction: number, text: string, points?: () => Progress['points']): void;
}

export interface RunsOptions {
  readonly module: string;
  readonly counters: Counters;
  tell(progress: Progress): void;
  /** What a measurement begun now would last, in s. */
  expected(): number;
  measure(run: Run): Promise<Curve>;
}

export interface Runs {
  grab(client: Client, options: Omit<GrabOptions, 'config'>): Grab<Curve>;
  stop(by: string): Promise<void>;
  running(): Record<string, unknown> | undefined;
}

interface Request {
  readonly client: Client;
  settle(outcome: Curve | Error): void;
}

interface Current {
  readonly requests: Set<Request>;
  readonly over: AbortController;
  readonly since: number;
  fraction: number;
  text: string;
  ended: Promise<void>;
}

export function runs({ module, counters, tell, expected, measure }: RunsOptions): Runs {
  let current: Current | undefined;
  const waiting = new Set<Request>();

  function begin(): void {
    const [first] = waiting;
    if (current || !first) return;
    const requests = new Set(waiting);
    waiting.clear();
    const over = new AbortController();
    const since = performance.now();
    const run: Current = { requests, over, since, fraction: 0, text: 'starting', ended: Promise.resolve() };
    current = run;
    let toldAt = since + PROGRESS_AFTER_MS - PROGRESS_EVERY_MS;
    const progress: Run['progress'] = (fraction, text, points) => {
      Object.assign(run, { fraction, text });
      const now = performance.now();
      if (now < toldAt + PROGRESS_EVERY_MS) return;
      toldAt = now;
      const news = points?.();
      tell({ module, fraction, text, ...(news ? { points: news } : {}) });
    };
    run.ended = measure({ client: first.client, signal: over.signal, progress })
      .then(
        (curve) => curve,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      )
      .then((outcome) => {
        current = undefined;
        if (!(outcome instanceof Error)) counters.measurements++;
        for (const request of [...requests]) request.settle(outcome);
        begin();
      });
  }

  function drop(request: Request): void {
    waiting.delete(request);
    if (!current?.requests.delete(request)) return;
    if (current.requests.size === 0) current.over.abort(new Refusal(`Nobody waits for ${module} any more.`));
  }

  return {
    grab(client, { fresh = true, timeout }) {
      let timer: NodeJS.Timeout | undefined;
      let settle: Request['settle'] = () => undefined;
      const result = new Promise<Curve>((resolve, reject) => {
        settle = (outcome) => {
          clearTimeout(timer);
          drop(request);
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        };
      });
      const request: Request = { client, settle: (outcome) => settle(outcome) };
      const left = current ? (1 - current.fraction) * expected() : 0;
      const seconds = timeout ?? expected() + left + DEFAULT_MARGIN;
      timer = setTimeout(
        () => {
          counters.timeouts++;
          const doing = current?.requests.has(request) ? current.text : 'a measurement for others was still running';
          request.settle(new Refusal(`${module} was not done within ${seconds.toPrecision(4)} s: ${doing}.`));
        },
        Math.min(seconds * 1e3, 2 ** 31 - 1),
      );
      if (!fresh && current && !current.over.signal.aborted) current.requests.add(request);
      else waiting.add(request);
      begin();
      return {
        result,
        stop: (by) => request.settle(new Refusal(`The grab was stopped by ${by}.`)),
      };
    },

    async stop(by) {
      const ended = current?.ended;
      const stopped = new Refusal(`The measurement of ${module} was stopped by ${by}.`);
      for (const request of [...waiting, ...(current?.requests ?? [])]) request.settle(stopped);
      await ended;
    },

    running() {
      if (!current) return undefined;
      const { requests, fraction, text, since } = current;
      return { fraction, text, requests: requests.size + waiting.size, seconds: (performance.now() - since) / 1e3 };
    },
  };
}
