/**
 * What a driver may ask of the FPGA's register bus. Three implementations (devmem, monitor, simulator) promise the
 * same, so that a driver cannot tell them apart.
 *
 * - Addresses are physical (0x4000_0000 … 0x407f_ffff) and multiples of 4; values are unsigned 32-bit words.
 * - Accesses take effect in the order of the calls. A block may overlap single accesses that were called after it.
 * - What the AXI bridge would refuse is refused: an unaligned address, one outside the window, one that no block of
 *   the FPGA acknowledges. Refused means a rejected promise (`BusError`) and no effect.
 */
export interface RegisterBus {
  /** How users know it: `devmem`, `monitor:HOST:PORT`, `simulator`. */
  readonly name: string;

  /**
   * Seconds that the time of the FPGA has fallen behind that of the wall, because it is worked out more slowly. Hardware
   * never does.
   */
  readonly lag?: number;

  /** Clocks through which closed loops are taken at a time, if they are worked out; with more than 1 they are near the truth. */
  readonly step?: number;

  /** What it carried so far. A word over the AXI bus costs 100–200 ns: words are what drivers economise. */
  readonly traffic: Readonly<BusTraffic>;

  /** One word, 0 … 2^32 − 1. */
  read(address: number): Promise<number>;

  /** One word; `value` is taken modulo 2^32. */
  write(address: number, value: number): Promise<void>;

  /**
   * `words` consecutive words from `address` on (a memory of the FPGA, not a FIFO). `into`, of that length, is filled
   * and returned if given: fresh memory for each trace costs as much time as to fill it.
   */
  readBlock(address: number, words: number, into?: Uint32Array): Promise<Uint32Array>;

  /** Consecutive words to `address` and up. */
  writeBlock(address: number, values: Uint32Array): Promise<void>;

  /** Ends all access; later calls are rejected. Outputs of the FPGA stay as they are. */
  close(): Promise<void>;
}

/** Words carried by a bus since it was opened. */
export interface BusTraffic {
  wordsRead: number;
  wordsWritten: number;
}

/** Where the FPGA's registers are in the physical address space (fabric's GP0 port). */
export const FPGA_WINDOW = { base: 0x4000_0000, bytes: 0x0080_0000 } as const;

/** The FPGA's clock in Hz: one sample of the converters, one step of every block, 8 ns. */
export const CLOCK_HZ = 125e6;
