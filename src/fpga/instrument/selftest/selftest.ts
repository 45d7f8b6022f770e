/**
 * The self-test: takes all modules, carries out the checks one after the other with all outputs off in between, and
 * gives everything back as it was. The same battery runs on a board, on the simulator and on PyRPL's Verilog.
 */
import { PitayadError, Refusal } from '../../../errors.ts';
import type { ModuleDescription } from '../../description.ts';
import { dsp } from '../../modules/dsp.ts';
import { show } from '../../parameters/judging.ts';
import { VOLTS_PER_COUNT } from '../../volts.ts';
import { type Client, isTrace, type Measurement } from '../instrument.ts';
import { offValues } from '../off.ts';
import type { RecorderTools, Reservation } from '../recorder.ts';
import { type Bench, type Check, LOOPS, type Loop, PLAIN } from './bench.ts';
import { busChecks } from './bus-checks.ts';
import { type Figure, type Finding, type SelftestReport, within } from './figures.ts';
import { loopChecks } from './loop-checks.ts';
import { signalChecks } from './signal-checks.ts';

const CHECKS: readonly Check[] = [...busChecks, ...signalChecks, ...loopChecks];

/** Readings of a signal that are averaged. */
const SAMPLED = 64;

/** Wait for one trace, in s. */
const DEFAULT_TIMEOUT = 10;
const LONGEST_TIMEOUT = 3600;

export interface SelftestOptions {
  readonly loop: Loop;
  /** Longest wait for one trace, in s. */
  readonly timeout: number;
}

/** @throws Refusal: an option that there is not, or a value that it cannot have */
export function checkSelftestOptions(options: Readonly<Record<string, unknown>>): SelftestOptions {
  const { loop = LOOPS[0], timeout = DEFAULT_TIMEOUT, ...others } = options;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Refusal(`A self-test has no option ${show(other)}; there are loop and timeout.`);
  const known = LOOPS.find((one) => one === loop);
  if (!known) throw new Refusal(`The loop of a self-test is ${LOOPS.join(' or ')}, not ${show(loop)}.`);
  if (typeof timeout !== 'number' || !(timeout > 0 && timeout <= LONGEST_TIMEOUT)) {
    throw new Refusal(
      `The timeout of a self-test is more than 0 and at most ${LONGEST_TIMEOUT} s, not ${show(timeout)}.`,
    );
  }
  return { loop: known, timeout };
}

/**
 * @param modules all that there are
 * @param signal ends it: the promise is then rejected with the signal's reason, after everything was given back
 * @throws Refusal where somebody owns a module
 */
export async function selftest(
  tools: RecorderTools,
  modules: readonly ModuleDescription[],
  client: Client,
  options: SelftestOptions,
  signal: AbortSignal,
): Promise<SelftestReport> {
  const names = modules.map(({ name }) => name);
  const reservation = await tools.reserve(client, names, 'selftest', signal);
  try {
    const bench = benchOn(tools, reservation, options);
    const findings: Finding[] = [];
    for (const [k, check] of CHECKS.entries()) {
      signal.throwIfAborted();
      tools.progress({ module: 'selftest', fraction: k / CHECKS.length, text: check.name });
      for (const module of modules) {
        const off = offValues(module);
        if (Object.keys(off).length > 0) await reservation.configure(module.name, off);
      }
      await reservation.configure('hk', { digital_loop: options.loop === 'digital' });
      findings.push(...(await carryOut(check, bench)));
    }
    return { passed: findings.every(({ passed }) => passed), findings };
  } finally {
    await reservation.release();
  }
}

async function carryOut({ name, run }: Check, bench: Bench): Promise<Finding[]> {
  const findings: Finding[] = [];
  const judged = (figure: Figure): Finding => ({ check: name, passed: within(figure), figure });
  try {
    for await (const figure of run(bench)) findings.push(judged(figure));
  } catch (error) {
    if (!(error instanceof PitayadError)) throw error;
    findings.push({ check: name, passed: false, failure: error.message });
  }
  return findings;
}

function benchOn(tools: RecorderTools, reservation: Reservation, { loop, timeout }: SelftestOptions): Bench {
  const grab = async (module: string): Promise<Measurement> => reservation.grab(module, { timeout }).result;
  return {
    registers: tools.registers,
    loop,

    async set(module, values) {
      const taken = await reservation.configure(module, values);
      return Object.fromEntries(Object.entries(taken).map(([name, value]) => [name, Number(value)]));
    },

    async record(config) {
      await reservation.configure('scope', { ...PLAIN, ...config });
      const trace = await grab('scope');
      if (!isTrace(trace)) throw new Refusal('The scope brought no trace.');
      return trace.channels.map(({ counts, gain, offset }) => ({
        values: Float64Array.from(counts, (count) => count * gain + offset),
        t0: trace.t0,
        dt: trace.dt,
      }));
    },

    async sample(signals) {
      const means: Record<string, number> = {};
      for (const signal of signals) {
        let total = 0;
        for (let k = 0; k < SAMPLED; k++) total += await tools.registers.read(dsp(signal).now);
        means[signal] = (total / SAMPLED) * VOLTS_PER_COUNT;
      }
      return means;
    },
  };
}
