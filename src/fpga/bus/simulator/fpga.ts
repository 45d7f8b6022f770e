/** The FPGA as a whole: its blocks, their addresses, and how signals run between them. */
import { type Asg, asg } from './asg.ts';
import type { Block } from './block.ts';
import type { Clocked } from './clocked/clocked.ts';
import { iir } from './clocked/iir.ts';
import { iq } from './clocked/iq.ts';
import { longestLeap } from './clocked/leap.ts';
import { network, STRETCH } from './clocked/network.ts';
import { type Pid, pid } from './clocked/pid.ts';
import { trig } from './clocked/trig.ts';
import { delayOf, type FrontEnd, type InputModel } from './front-end.ts';
import { type Bank, type HouseKeeping, houseKeeping } from './house-keeping.ts';
import { inputSignal, PIN_LATENCY } from './inputs.ts';
import type { Pace } from './plant.ts';
import { randomIndex } from './random-index.ts';
import { CODES, type Routing, routing, SUM_LATENCY } from './routing.ts';
import { type Scope, scope } from './scope.ts';
import { scopeMemory } from './scope-memory.ts';
import { changing, SILENCE, type Signal } from './signal.ts';
import { slowOutputs } from './slow-outputs.ts';
import { type Timeline, timeline } from './timeline.ts';

/** Address bits 22 … 20 choose the region, 19 … 16 the module slot of region 3. */
const REGION_SHIFT = 20;
const REGIONS = 8;
const SLOT_SHIFT = 16;
const DSP_REGION = 3;
const ROUTING_BYTES = 0x14;
/** What a slot puts out now, and the integral of the detector of a lock-in. */
const NOW = 0x10;
const PFD = 0x150;

/** If not exact: a mean over more clocks takes as many only, so that a trace costs some milliseconds at most. */
const CLOCKS_AVERAGED = 32;

/** If not exact: noise whose samples span more clocks than these is taken from elsewhere of its sequence. */
const LONGEST_NOISE = 1_000_000;

/** Clocks that signals are remembered beyond the longest delay of a loop: all stages on the way, and some. */
const STAGES = 64;

export interface Fpga {
  readonly timeline: Timeline;
  readonly generators: Asg['channels'];
  /** What the registers from a physical address on hold now. */
  read(address: number, out: Uint32Array): void;
  /** What the registers from a physical address on hold from now on. */
  write(address: number, words: Uint32Array): void;
  /** Connects an input to something else. */
  connect(input: 1 | 2, model: InputModel): void;
  /** Levels put on the pins of the expansion connector from outside. */
  putOutside(bank: Bank, levels: number): void;
  /** Signed counts of signals now: out1, out2, in1, in2. */
  present(): readonly number[];
  readonly leds: number;
  readonly digitalLoop: boolean;
  /** Memories that outlive a reset pulse: tables of the generators, rings of the scope. */
  readonly memories: readonly (Int32Array | Uint32Array)[];
  /** So many clocks may pass in one go without taking long, at least, unless modules are stepped. */
  affordable(): number;
  /** Whether modules are stepped, which may take longer than the clocks last. */
  steps(): boolean;
  /** Clocks of the longest step that they were taken through last. */
  readonly leapt: number;
}

export interface FpgaOptions {
  readonly frontEnd: FrontEnd;
  /** Asked whenever it matters: costly results are exact to the clock; otherwise they are near the truth, and quick. */
  exact(): boolean;
  /** Has gone through a reset pulse: memories and the digital loop are as they were in this one. */
  readonly memoriesOf?: Fpga;
}

export function fpga({ frontEnd, exact, memoriesOf }: FpgaOptions): Fpga {
  const models: [InputModel, InputModel] = [...frontEnd];
  const longestDelay = (): number => Math.max(...models.flat().map(delayOf));
  let delay = longestDelay();
  const memory = (): number => delay + STAGES;
  const signals: Signal[] = [];
  // Whatever lets a signal change has the scope look at the time before, since that is not kept for long.
  let lookedAt = 0;
  const time: Timeline = timeline((clock) => {
    for (let from = time.now; from < clock; ) {
      // What has a state is stepped, and looked at before it is forgotten.
      const live = modulesWithState.live();
      from = live ? Math.min(clock, from + STRETCH) : clock;
      modulesWithState.advance(from);
      theScope.advance(from);
      if (live && from >= lookedAt + STRETCH) {
        recorded.change(from, theScope.coming);
        for (const pin of pins) if (pin.hasState) pin.settle(from);
        lookedAt = from;
      }
    }
  });
  const changes = (): void => {
    recorded.change(time.now, theScope.coming);
    for (const [k, pin] of pins.entries()) {
      if (!pin.hasState) continue;
      inputs[k]?.change(time.now);
      pin.settle(time.now);
    }
  };
  const sync = (slot: number): boolean => ((paths.read(0, 0x0c) >>> slot) & 1) === 1;
  const pids: readonly Pid[] = [0, 1, 2].map((slot) =>
    pid(
      () => sync(slot),
      () => (slot === 2 ? undefined : pids[1 - slot]),
    ),
  );
  const clocked = new Map<number, Clocked>([
    ...pids.map((one, slot) => [slot, one] as const),
    [
      CODES.trig,
      trig({
        timeline: time,
        phase: (clock) => generators.channels[0].phaseAt(clock),
        wanted: () => theScope.listensToTrig(),
        triggers: (clock) => theScope.trigTriggers(clock),
      }),
    ],
    [CODES.iir, iir()],
    ...[0, 1, 2].map((n) => [CODES.iq0 + n, iq(n === 2 ? 4 : 2, () => sync(CODES.iq0 + n))] as const),
  ]);
  const random = randomIndex(() => (exact() ? Number.POSITIVE_INFINITY : LONGEST_NOISE));
  const generators = asg({ timeline: time, memory, random, changes });
  const directs: Signal[] = [];
  const paths: Routing = routing(time, signals, directs, memory, changes);
  const recorded = scopeMemory(
    (k) => paths.input(CODES.asg0 + k),
    () => (exact() ? Number.POSITIVE_INFINITY : CLOCKS_AVERAGED),
  );
  const theScope: Scope = scope({
    timeline: time,
    memory: recorded,
    channel: (k) => paths.input(CODES.asg0 + k),
    generators: generators.channels.map(({ nextPulse }) => nextPulse),
    exact,
    counts: (on, clock) => {
      for (const channel of generators.channels) channel.scopeCounts(on, clock);
    },
  });
  const pace: Pace = { exact, grain: () => modulesWithState.leapt };
  const pins = models.map((model) => inputSignal(model, paths.outputs, pace));
  const inputs = ([0, 1] as const).map((k) =>
    changing((out, first, stride, count) => {
      // The digital loop goes around the pins.
      const source = hk.digitalLoop ? paths.outputs[k] : (pins[k] ?? SILENCE);
      source.sample(out, first, stride, count);
    }, memory),
  );
  const hk: HouseKeeping = houseKeeping(time, memoriesOf?.digitalLoop ?? false, {
    loopChanges() {
      changes();
      for (const input of inputs) input.change(time.now);
    },
    triggerPinChanged(high) {
      for (const channel of generators.channels) channel.pinChanged(high);
      theScope.pinChanged(high);
    },
  });

  /** Clocks that controllers may take in one step: as few as the quickest of them, and of those who look on, wants. */
  const leap = (slots: readonly number[]): number => {
    const generatorsHeard = [CODES.asg0, CODES.asg1].some(paths.feeds);
    if (exact() || generatorsHeard) return 1;
    let clocks = theScope.samplesEvery();
    for (const slot of slots) {
      const model = hk.digitalLoop ? undefined : models[paths.selected(slot) - CODES.in1];
      const controller = pids[slot];
      if (!model || !controller || pids.some(({ isDifferential }) => isDifferential)) return 1;
      clocks = Math.min(clocks, longestLeap(controller.gains, model));
    }
    return clocks;
  };

  const made = new Map<number, readonly [number, 'signal' | 'second']>([
    ...[...clocked.keys()].map((slot) => [slot, [slot, 'signal']] as const),
    [CODES.iq2_2, [CODES.iq0 + 2, 'second']],
  ]);
  const modulesWithState = network({
    modules: clocked,
    listensTo: paths.selected,
    signals,
    made,
    returning() {
      if (![...clocked.keys()].some(paths.feeds)) return STRETCH;
      const viaPins = hk.digitalLoop ? 0 : PIN_LATENCY + Math.min(...models.flat().map(delayOf));
      const atOutputs = [...clocked.keys()].some((slot) =>
        [CODES.out1, CODES.out2].some((code) => code === paths.selected(slot)),
      );
      return SUM_LATENCY + (atOutputs ? 0 : Math.floor(viaPins));
    },
    memory,
    exact,
    chosen: (slot) => paths.isSelected(slot) || (slot === CODES.iq0 + 2 && paths.isSelected(CODES.iq2_2)),
    feeds: paths.feeds,
    leap,
  });
  for (const [code, [slot, which]] of made) signals[code] = modulesWithState.signal(slot, which);
  for (const slot of clocked.keys()) directs[slot] = modulesWithState.signal(slot, 'direct');

  for (const [k, { output }] of generators.channels.entries()) signals[CODES.asg0 + k] = output;
  for (const [k, input] of inputs.entries()) signals[CODES.in1 + k] = input;

  const regions: readonly (Block | undefined)[] = [
    hk,
    theScope,
    generators,
    undefined,
    slowOutputs(time, (k) => paths.input(CODES.in1 + k)),
  ];

  const one = new Uint32Array(1);
  const dsp: Block = {
    read(offset, out) {
      for (let k = 0; k < out.length; k++) {
        const at = offset + 4 * k;
        const slot = at >>> SLOT_SHIFT;
        const within = at & 0xffff;
        const source = within === NOW || within === PFD ? made.get(slot) : undefined;
        if (source) modulesWithState.look(source[0]);
        if (within < ROUTING_BYTES) out[k] = paths.read(slot, within);
        else {
          clocked.get(slot)?.read(within, one);
          out[k] = one[0] ?? 0;
        }
      }
    },
    write(offset, words) {
      for (const [k, word] of words.entries()) {
        const at = offset + 4 * k;
        const slot = at >>> SLOT_SHIFT;
        const within = at & 0xffff;
        if (within < ROUTING_BYTES) paths.write(slot, within, word);
        else clocked.get(slot)?.write(within, Uint32Array.of(word));
      }
    },
  };

  const blockAt = (address: number): Block | undefined => {
    const region = (address >>> REGION_SHIFT) % REGIONS;
    return region === DSP_REGION ? dsp : regions[region];
  };

  const memories: readonly (Int32Array | Uint32Array)[] = [
    ...generators.channels.map(({ table }) => table),
    ...recorded.rings,
  ];
  for (const [k, memory] of memoriesOf?.memories.entries() ?? []) memories[k]?.set(memory);

  return {
    timeline: time,
    generators: generators.channels,
    read(address, out) {
      const block = blockAt(address);
      if (block) block.read(address & 0xf_ffff, out);
      else out.fill(0);
    },
    write(address, words) {
      const block = blockAt(address);
      block?.write(address & 0xf_ffff, words);
      // Nothing else decides whether a module goes on.
      if (block === dsp || block === hk || theScope.listensToTrig()) modulesWithState.stir();
    },
    connect(k, model) {
      modulesWithState.stir();
      // The pin's register shows it a clock later.
      time.at(time.now + 1, () => {
        changes();
        inputs[k - 1]?.change(time.now);
        models[k - 1] = model;
        delay = longestDelay();
        pins[k - 1] = inputSignal(model, paths.outputs, pace);
      });
    },
    putOutside(bank, levels) {
      modulesWithState.stir();
      hk.putOutside(bank, levels);
    },
    present() {
      const out = new Int32Array(1);
      return [CODES.out1, CODES.out2, CODES.in1, CODES.in2].map((code) => {
        signals[code]?.sample(out, time.now, 1, 1);
        return out[0] ?? 0;
      });
    },
    get leds() {
      return hk.leds;
    },
    get digitalLoop() {
      return hk.digitalLoop;
    },
    get memories() {
      changes();
      return memories;
    },
    affordable: theScope.affordable,
    steps: modulesWithState.live,
    get leapt() {
      return modulesWithState.leapt;
    },
  };
}
