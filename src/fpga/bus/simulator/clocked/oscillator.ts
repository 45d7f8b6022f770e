/**
 * The oscillator of a lock-in (PyRPL red_pitaya_iq_fgen_block.v): a phase of 32 bits, a quarter of a sine of 2048
 * points, and four outputs of 17 bits three clocks later.
 */

const POINTS = 2048;
const INDEX = POINTS - 1;
/** Bits of the phase below those that choose a point. */
const BELOW = 19;
const MIRRORED = 2 ** 30;
const QUARTER_TURN = 2 ** 30;

const QUARTER = Int32Array.from({ length: POINTS }, (_, k) =>
  Math.round(65535 * Math.sin(((k + 0.5) / POINTS) * (Math.PI / 2))),
);

/** Of a phase of 32 bits: −65535 … 65535. */
function sine(phase: number): number {
  const index = (phase >>> BELOW) & INDEX;
  const value = QUARTER[phase & MIRRORED ? INDEX - index : index] as number;
  return phase < 0 ? -value : value;
}

export interface Oscillator {
  readonly sin: number;
  readonly cos: number;
  /** With the start phase: for the demodulation. */
  readonly shiftedSin: number;
  readonly shiftedCos: number;
  step(): void;
  /** Goes on by so many clocks; the outputs follow within three more. */
  skip(clocks: number): void;
  set(settings: {
    readonly step: number;
    readonly startPhase: number;
    readonly modulationAt2f: number;
    readonly demodulationAt2f: number;
  }): void;
}

/** @param on otherwise the phase stands at 0, and so do the outputs. */
export function oscillator(on: () => boolean): Oscillator {
  let [phase, step, start] = [0, 0, 0];
  /** Bits: sine, cosine. */
  let [modulation, demodulation] = [0, 0];
  // What is on its way: a clock and two clocks before the outputs.
  const [first, second, out] = [new Int32Array(4), new Int32Array(4), new Int32Array(4)];

  return {
    get sin() {
      return out[0] as number;
    },
    get cos() {
      return out[1] as number;
    },
    get shiftedSin() {
      return out[2] as number;
    },
    get shiftedCos() {
      return out[3] as number;
    },

    set(settings) {
      step = settings.step | 0;
      start = settings.startPhase | 0;
      modulation = settings.modulationAt2f;
      demodulation = settings.demodulationAt2f;
    },

    step() {
      const running = on();
      if (running) out.set(second);
      else out.fill(0);
      second.set(first);
      const twice = (phase << 1) | 0;
      first[0] = sine(modulation & 1 ? twice : phase);
      first[1] = sine(((modulation & 2 ? twice : phase) + QUARTER_TURN) | 0);
      first[2] = sine(((demodulation & 1 ? twice : phase) + start) | 0);
      first[3] = sine(((demodulation & 2 ? twice : phase) + start + QUARTER_TURN) | 0);
      phase = running ? (phase + step) | 0 : 0;
    },

    skip(clocks) {
      phase = on() ? (phase + Math.imul(step, clocks % 2 ** 32)) | 0 : 0;
    },
  };
}
