/** An acquisition of the scope that runs, or several of them that are averaged, and what people are told of it. */
import { Refusal } from '../../errors.ts';
import { type ScopeValues, TRIGGER_SOURCES } from '../modules/scope.ts';
import { type Armed, isRolling, type Phase, shortestTime } from './acquisition.ts';
import type { Progress } from './instrument.ts';
import { type Lease, lending } from './lending.ts';

export interface Run {
  /** ms of performance.now(). */
  readonly since: number;
  armed: Armed | undefined;
  /** Which trace of the average is being taken, from 0. */
  trace: number;
  phase: Phase | 'starting' | 'reading';
  /** When it will be over, in ms of performance.now(), if that is known. */
  end: number | undefined;
  /** When progress was told last; undefined: never. */
  toldAt: number | undefined;
  /** What its recording lies in. */
  readonly lease: Lease;
}

/** Gives runs, one after the other. */
export function runs(): () => Run {
  const lend = lending();
  return () => ({
    since: performance.now(),
    armed: undefined,
    trace: 0,
    phase: 'starting',
    end: undefined,
    toldAt: undefined,
    lease: lend(),
  });
}

/** How far it is, at a time in ms of performance.now(). */
export function progressOf(run: Run, values: ScopeValues, now: number): Omit<Progress, 'module'> {
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

/** Why it is not over, for a sentence. */
export function whyNotOver(run: Run, values: ScopeValues): string {
  if (run.phase === 'waiting') return `it waited for ${triggerText(values)}, which did not come`;
  if (run.phase === 'filling') return `it was recording what comes before ${triggerText(values)}`;
  const traces = values.trace_average > 1 ? `, trace ${run.trace + 1} of ${values.trace_average}` : '';
  return `the acquisition (${values.duration} s after ${triggerText(values)}${traces}) was not over`;
}

/** @throws Refusal: with these settings no trace would ever come. */
export function refuseHopeless(values: ScopeValues): void {
  if (values.trigger_source !== 'off' || isRolling(values)) return;
  const others = Object.keys(TRIGGER_SOURCES).filter((source) => source !== 'off');
  throw new Refusal(
    `With scope.trigger_source off no trace would ever come; it can be ${others.join(', ')}. Nothing was changed.`,
  );
}

/** What starts the trace, for people. */
function triggerText(values: ScopeValues): string {
  const { trigger_source: source, threshold } = values;
  const edge = source.startsWith('ch');
  const input = source.startsWith('ch1') ? values.input1 : values.input2;
  return edge ? `trigger ${source} at ${Number(threshold.toFixed(4))} V (${input})` : `trigger ${source}`;
}
