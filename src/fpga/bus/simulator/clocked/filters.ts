/**
 * A chain of first-order filters, clock by clock (PyRPL red_pitaya_filter_block.v, red_pitaya_lpf_block.v). Each stage
 * runs whether it is on or not. One that is off passes its input on at once; a low-pass shows it two clocks later, a
 * high-pass one.
 */

const ON = 0x80;
const HIGH_PASS = 0x40;

export interface Filters {
  /** A byte a stage, the first one lowest. */
  set(word: number): void;
  /** Output now; `input` is seen by it later, unless all stages are off. */
  step(input: number): number;
  /** Output after so many clocks in which the input stays as it is, without the delays of the stages. */
  leap(input: number, clocks: number): number;
}

interface Stage {
  on: boolean;
  highPass: boolean;
  /** Of the difference so much is added each clock, in parts of a count. */
  share: number;
  /** Low-passed input, in parts of a count. */
  state: number;
  /** Of the input to the low-passed one, a clock ago. */
  difference: number;
}

export interface FiltersOptions {
  readonly stages: number;
  /** A count has 2^lowest parts: a stage of shift s adds 2^(s − lowest) of the difference. */
  readonly lowest: number;
  readonly shiftBits: number;
  /** Bits of the signal; a difference that has more comes around. */
  readonly bits: number;
}

export function filters({ stages, lowest, shiftBits, bits }: FiltersOptions): Filters {
  const parts = 2 ** lowest;
  const range = 2 ** bits;
  const all = Array.from(
    { length: stages },
    (): Stage => ({ on: false, highPass: false, share: 1, state: 0, difference: 0 }),
  );

  const around = (value: number): number => {
    const within = ((value % range) + range) % range;
    return within >= range / 2 ? within - range : within;
  };

  return {
    set(word) {
      for (const [k, stage] of all.entries()) {
        const byte = (word >>> (8 * k)) & 0xff;
        stage.on = (byte & ON) !== 0;
        stage.highPass = (byte & HIGH_PASS) !== 0;
        stage.share = 2 ** Math.min(byte & (2 ** shiftBits - 1), lowest);
      }
    },

    step(input) {
      let passing = input;
      for (const stage of all) {
        const low = Math.floor(stage.state / parts);
        const shown = stage.highPass ? around(stage.difference) : low;
        stage.state += stage.difference * stage.share;
        stage.difference = passing - low;
        if (stage.on) passing = shown;
      }
      return passing;
    },

    leap(input, clocks) {
      let passing = input;
      for (const stage of all) {
        const left = (1 - stage.share / parts) ** clocks;
        stage.state = passing * parts + (stage.state - passing * parts) * left;
        const low = Math.floor(stage.state / parts);
        stage.difference = passing - low;
        if (stage.on) passing = stage.highPass ? around(stage.difference) : low;
      }
      return passing;
    },
  };
}
