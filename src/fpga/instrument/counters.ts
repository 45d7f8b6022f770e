/** What happened since the start, by name; for `status` and the status page. */
export interface Counters {
  /** Requests for a trace. */
  grabs: number;
  /** Times that the scope was armed. */
  acquisitions: number;
  /** Acquisitions (averages count once) that ended with a trace. */
  traces: number;
  /** Measurements of other modules that brought their result. */
  measurements: number;
  /** Grabs that got a trace together with another one. */
  shared: number;
  /** Acquisitions begun anew because a setting changed. */
  rearmed: number;
  timeouts: number;
  /** Grabs ended by `stop`. */
  stopped: number;
  /** Grabs given up by those who asked for them. */
  withdrawn: number;
  /** Acquisitions that the bus ended. */
  failed: number;
  /** Parameters that changed. */
  changes: number;
  /** Writes refused because another owner holds the module. */
  refusedByOwner: number;
}

export function newCounters(): Counters {
  return {
    grabs: 0,
    acquisitions: 0,
    traces: 0,
    measurements: 0,
    shared: 0,
    rearmed: 0,
    timeouts: 0,
    stopped: 0,
    withdrawn: 0,
    failed: 0,
    changes: 0,
    refusedByOwner: 0,
  };
}
