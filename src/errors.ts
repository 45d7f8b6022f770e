/**
 * The few kinds of error that pitayad tells apart. Each message is one sentence (or two) that a user can act on:
 * what was wrong, what is allowed.
 */

/** Root of all errors that pitayad raises on purpose; anything else that surfaces is a bug. */
export class PitayadError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The client asked for what cannot be done (its fault). Nothing was changed; its connection goes on. */
export class Refusal extends PitayadError {}

/** The bytes from a peer are not the protocol (its fault). `inStep` tells whether the next message can still be found. */
export class ProtocolError extends PitayadError {
  constructor(
    message: string,
    readonly inStep: boolean = false,
  ) {
    super(message);
  }
}

/** The registers did not answer, or not as the hardware would (the board's fault, or the way to it). */
export class BusError extends PitayadError {}

/** A file, an option or an environment that pitayad cannot start with (the installer's fault); ends with status 2. */
export class ConfigurationError extends PitayadError {}
