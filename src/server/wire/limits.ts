/**
 * What a peer may make us hold. Every length, count and depth that comes from outside is compared with one of these
 * before anything is allocated for it.
 */
export interface WireLimits {
  /** Bytes of one complete object with everything in it; the largest that a client sends us is a generator's waveform. */
  readonly messageBytes: number;
  /** Bytes that may wait undecoded, whole and unfinished messages together: more than `messageBytes`, for pipelining. */
  readonly waitingBytes: number;
  /** Bytes of a string, or of bytes: a settings tree in XML is the longest (a few 100 kB for a large dashboard). */
  readonly textBytes: number;
  /** Bytes of the name of a class or of a dtype. PyMoDAQ's longest is `ParameterWithPath`. */
  readonly nameBytes: number;
  /** Items of one list, tuple or dict. */
  readonly items: number;
  /** Objects in one message, whatever their place: each costs some 100 bytes of heap, whatever it costs on the wire. */
  readonly objects: number;
  /** Containers within containers. PyMoDAQ itself needs 5 (list, data to export, data, extra attribute, list). */
  readonly depth: number;
  /** Dimensions of an array (numpy's own limit was 32; PyMoDAQ shows 4). */
  readonly dimensions: number;
}

const MiB = 1024 * 1024;

/** For peers on the network. */
export const defaultLimits: WireLimits = {
  messageBytes: 8 * MiB,
  waitingBytes: 9 * MiB,
  textBytes: MiB,
  nameBytes: 32,
  items: 16_384,
  objects: 65_536,
  depth: 32,
  dimensions: 16,
};

/** For captures that a person decodes: camera frames may be in them. */
export const captureLimits: WireLimits = {
  ...defaultLimits,
  messageBytes: 256 * MiB,
  waitingBytes: 512 * MiB,
  textBytes: 16 * MiB,
};

/** Bytes of the first message of a connection, the type word: 19 at most. */
export const TYPE_WORD_BYTES = 64;
