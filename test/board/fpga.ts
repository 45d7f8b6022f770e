/** Plays the FPGA in the memory that a guest takes for its registers: what it is, and a scope that is triggered at once. */
import type { RegisterBus } from '../../src/fpga/bus/bus.ts';
import { SAMPLES, scopeMemories, scopeRegisters } from '../../src/fpga/modules/scope.ts';

/** Registers by which PyRPL's image is known: filter stages and widths of pid, iir and iq, as its Verilog has them. */
const IDENTITY = [
  [0x4030_020c, 24],
  [0x4030_0204, 32],
  [0x4034_0204, 29],
  [0x4035_0214, 24],
  [0x4035_0208, 32],
] as const;

/** Writes the identity of PyRPL's image, or of none. */
export async function presetIdentity(registers: RegisterBus, right = true): Promise<void> {
  for (const [address, value] of IDENTITY) await registers.write(address, right ? value : value + 1);
}

/** Samples of a channel as the ring buffer has them, oldest first: 14 bits, different in every trace. */
export function samplesOf(channel: number, number: number): Int16Array {
  return Int16Array.from({ length: SAMPLES }, (_, k) => ((k * (7 + 4 * channel) + number * 1237) % 16_383) - 8191);
}

export interface PlayedScope {
  /** Traces made so far; the last one is `samplesOf(channel, traces)`. */
  readonly traces: number;
  /** From now on every trace is a new one, or the last one again. */
  renew(fresh: boolean): void;
  stop(): Promise<void>;
}

const { arm, source, writePointer, writePointerAtTrigger } = scopeRegisters;

/** While the source of the trigger is set, it is triggered: the trace is put in place, then source and arming go back. */
export function playScope(registers: RegisterBus): PlayedScope {
  let traces = 0;
  let fresh = true;
  let playing = true;

  async function trigger(): Promise<void> {
    if (fresh || traces === 0) {
      traces++;
      // Anywhere in the ring.
      const pointer = (traces * 5003) % SAMPLES;
      for (const [channel, memory] of [scopeMemories.ch1, scopeMemories.ch2].entries()) {
        const samples = samplesOf(channel, traces);
        const ring = new Uint32Array(SAMPLES);
        // With a delay of 16384 samples the oldest one is behind the pointer at the trigger.
        for (const [k, sample] of samples.entries()) ring[(pointer + 1 + k) % SAMPLES] = sample & 0x3fff;
        await registers.writeBlock(memory.address, ring);
      }
      await registers.write(writePointer.address, pointer);
      await registers.write(writePointerAtTrigger.address, pointer);
    }
    await registers.write(source.address, 0);
    await registers.write(arm.address, 0);
  }

  const over = (async () => {
    while (playing) {
      if (((await registers.read(source.address)) & 0xf) !== 0) await trigger();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();

  return {
    get traces() {
      return traces;
    },
    renew(wanted) {
      fresh = wanted;
    },
    async stop() {
      playing = false;
      await over;
    },
  };
}
