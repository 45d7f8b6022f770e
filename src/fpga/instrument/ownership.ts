/**
 * Who may write which module. Ownership belongs to a name; connections with one name own together. A module that
 * nobody owns may be written by anyone.
 *
 * Who wants to own what another has waits for it, if asked to, and gets it in the order of asking; or takes it over, if
 * told to. When the last connection of an owner is lost its modules are kept for a while (the grace period), so that it
 * finds them as they were when it is back.
 */
import { Refusal } from '../../errors.ts';
import type { AttachMode, AttachOptions, Client, Holder } from './instrument.ts';

export interface Ownership {
  /**
   * At once, or after a wait that ends when the module is free.
   * @throws Refusal that names the holder; the promise is rejected with one when the time is up, the client leaves or
   *   `signal` says so
   */
  attach(client: Client, module: string, mode: AttachMode, options?: AttachOptions): Promise<void> | undefined;
  /** Gives up the client's part in the module; free when no other connection of its owner attached it as `own`. */
  detach(client: Client, module: string): void;
  /**
   * The connection is gone. What its name owned is free now or, unless it left `forGood`, after the grace period.
   * Gives the modules that became free now.
   */
  leave(client: Client, forGood?: boolean): string[];
  /** @throws Refusal that names the holder, unless the client may write the module */
  check(client: Client, module: string): void;
  /**
   * Takes a module for a measurement made in the client's name: until the returned function is called nobody else
   * writes it. The claim on it stays as it was.
   * @param by the instrument that takes it: `networkanalyzer`
   * @throws Refusal that names the holder
   */
  reserve(client: Client, module: string, by: string): () => void;
  holder(module: string): Holder | undefined;
  holders(): Record<string, Holder>;
  /** Ends all waiting. */
  close(): void;
}

export interface OwnershipOptions {
  /** Seconds since 1970. */
  readonly now?: () => number;
  /** How long modules of an owner that was lost are kept, in s. */
  readonly gracePeriod?: number;
  /** Told when a module changes hands by itself, or against its holder's will. */
  readonly event?: (event: OwnershipEvent) => void;
}

export interface OwnershipEvent {
  readonly what: 'free after the grace period' | 'taken over' | 'given to who waited';
  readonly module: string;
  readonly from: string;
  readonly to?: string;
}

interface Claim {
  owner: string;
  readonly since: number;
  /** Connections that attached as `own`. */
  readonly clients: Set<Client>;
  /** The owner is lost; until when the module is kept for it. */
  grace?: { readonly until: number; readonly timer: NodeJS.Timeout };
  /** Whom it was taken from. */
  readonly takenFrom?: string;
}

interface Waiter {
  readonly client: Client;
  enter(): void;
  fail(why: string): void;
}

/** Who may wait for one module. */
const MAX_WAITING = 32;

/** Longest wait and grace period, in s: what a timer takes. */
const LONGEST = 2_000_000;

export function ownership(options: OwnershipOptions = {}): Ownership {
  const { now = () => Date.now() / 1e3, gracePeriod = 0, event = () => undefined } = options;
  const claims = new Map<string, Claim>();
  const queues = new Map<string, Waiter[]>();
  /** Connections that were ever seen, with the name that they had then. */
  const names = new Map<Client, string>();
  /** Modules that a measurement has for itself, and who measures. */
  const reserved = new Map<string, string>();

  /** Learns of connections, of their renaming, and of owners that are back. */
  function see(client: Client): void {
    const before = names.get(client);
    if (before === client.owner) return;
    names.set(client, client.owner);
    for (const claim of claims.values()) if (claim.owner === client.owner) endGrace(claim);
    if (before === undefined) return;
    for (const [module, claim] of claims) {
      // The old name lives on in its other connections; without any, what it owned goes along with the connection.
      if (claim.owner !== before || !claim.clients.has(client)) continue;
      if (connections(before) === 0) {
        claim.owner = client.owner;
        admitNamesakes(module);
      } else {
        claim.clients.delete(client);
        if (claim.clients.size === 0) free(module);
      }
    }
  }

  function connections(owner: string): number {
    return [...names.values()].filter((name) => name === owner).length;
  }

  function endGrace(claim: Claim): void {
    clearTimeout(claim.grace?.timer);
    delete claim.grace;
  }

  function take(client: Client, module: string, takenFrom?: string): void {
    const claim = { owner: client.owner, since: now(), clients: new Set([client]) };
    claims.set(module, takenFrom === undefined ? claim : { ...claim, takenFrom });
  }

  /** Connections that waited for what their own name has by now own it too. */
  function admitNamesakes(module: string): void {
    const owner = claims.get(module)?.owner;
    for (const waiter of [...(queues.get(module) ?? [])]) if (waiter.client.owner === owner) waiter.enter();
  }

  /** Nobody has it any more; whoever waits first has it now. */
  function free(module: string): void {
    const claim = claims.get(module);
    if (!claim) return;
    endGrace(claim);
    claims.delete(module);
    const next = queues.get(module)?.[0];
    if (!next) return;
    next.enter();
    admitNamesakes(module);
    event({ what: 'given to who waited', module, from: claim.owner, to: next.client.owner });
  }

  function refusal(module: string, { owner, since, grace }: Claim, consequence: string): Refusal {
    const kept = grace ? ` (whose connection is lost; kept until ${shown(grace.until)} UTC)` : '';
    return new Refusal(
      `${module} is held by ${owner} since ${shown(since)} UTC${kept}, ${consequence}; nothing was changed.`,
    );
  }

  function wait(client: Client, module: string, seconds: number, signal: AbortSignal | undefined): Promise<void> {
    const queue = queues.get(module) ?? [];
    queues.set(module, queue);
    if (queue.length >= MAX_WAITING)
      throw new Refusal(`${queue.length} wait for ${module} already; nothing was changed.`);
    return new Promise((resolve, reject) => {
      const over = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stopped);
        const at = queue.indexOf(waiter);
        if (at >= 0) queue.splice(at, 1);
      };
      const waiter: Waiter = {
        client,
        enter() {
          over();
          const claim = claims.get(module);
          if (claim) claim.clients.add(client);
          else take(client, module);
          resolve();
        },
        fail(why) {
          over();
          reject(new Refusal(why));
        },
      };
      const stopped = (): void => waiter.fail(`The wait for ${module} was stopped; nothing was changed.`);
      const timer = setTimeout(() => {
        const claim = claims.get(module);
        const holder = claim ? refusal(module, claim, `and was not free within ${seconds} s`).message : '';
        waiter.fail(holder || `${module} was not free within ${seconds} s; nothing was changed.`);
      }, seconds * 1e3);
      signal?.addEventListener('abort', stopped, { once: true });
      queue.push(waiter);
    });
  }

  function own(client: Client, module: string, wanted: AttachOptions): Promise<void> | undefined {
    const { timeout = 0, takeOver = false, signal } = wanted;
    const claim = claims.get(module);
    if (!claim) {
      take(client, module);
      return undefined;
    }
    if (claim.owner === client.owner) {
      claim.clients.add(client);
      return undefined;
    }
    if (takeOver) {
      endGrace(claim);
      take(client, module, claim.owner);
      admitNamesakes(module);
      event({ what: 'taken over', module, from: claim.owner, to: client.owner });
      return undefined;
    }
    if (timeout > 0) return wait(client, module, Math.min(timeout, LONGEST), signal);
    throw refusal(module, claim, `so that ${client.owner} cannot own it (share it, wait for it or take it over)`);
  }

  /** The client's part in the claim. */
  function giveUp(client: Client, module: string): void {
    const claim = claims.get(module);
    if (claim?.clients.delete(client) && claim.clients.size === 0) free(module);
  }

  return {
    attach(client, module, mode, wanted = {}) {
      see(client);
      if (mode === 'own') return own(client, module, wanted);
      giveUp(client, module);
      return undefined;
    },

    detach(client, module) {
      see(client);
      if (claims.get(module)?.owner === client.owner) giveUp(client, module);
    },

    leave(client, forGood = false) {
      see(client);
      names.delete(client);
      for (const waiter of [...queues.values()].flat()) {
        if (waiter.client === client) waiter.fail('The client that waited has left.');
      }
      const gone: string[] = [];
      for (const [module, claim] of [...claims]) {
        claim.clients.delete(client);
        if (claim.owner !== client.owner || connections(claim.owner) > 0 || claim.grace) continue;
        if (forGood || gracePeriod <= 0) {
          gone.push(module);
          free(module);
          continue;
        }
        const timer = setTimeout(() => {
          free(module);
          event({ what: 'free after the grace period', module, from: claim.owner });
        }, Math.min(gracePeriod, LONGEST) * 1e3);
        timer.unref();
        claim.grace = { until: now() + gracePeriod, timer };
      }
      return gone;
    },

    check(client, module) {
      see(client);
      const user = reserved.get(module);
      if (user !== undefined) {
        throw new Refusal(`${module} is in use by ${user}, so that it cannot be written; nothing was changed.`);
      }
      const claim = claims.get(module);
      if (!claim || claim.owner === client.owner) return;
      const how = claim.takenFrom === client.owner ? `who took it over from ${client.owner}, ` : '';
      throw refusal(module, claim, `${how}so that ${client.owner} cannot write it`);
    },

    reserve(client, module, by) {
      this.check(client, module);
      reserved.set(module, `${by}, for ${client.owner}`);
      return () => reserved.delete(module);
    },

    holder(module) {
      const claim = claims.get(module);
      return claim && { owner: claim.owner, since: claim.since };
    },

    holders() {
      const all: Record<string, Holder> = {};
      for (const module of new Set([...claims.keys(), ...reserved.keys()])) {
        const claim = claims.get(module);
        const user = reserved.get(module);
        const waiting = (queues.get(module) ?? []).map(({ client }) => client.owner);
        all[module] = {
          ...(claim ? { owner: claim.owner, since: claim.since } : {}),
          ...(claim?.grace ? { kept_until: claim.grace.until } : {}),
          ...(waiting.length > 0 ? { waiting } : {}),
          ...(user === undefined ? {} : { in_use_by: user }),
        };
      }
      return all;
    },

    close() {
      for (const claim of claims.values()) endGrace(claim);
      for (const waiter of [...queues.values()].flat()) waiter.fail('pitayad ends.');
    },
  };
}

/** Seconds since 1970 as `2024-02-29 12:30:05`. */
function shown(time: number): string {
  return new Date(time * 1e3).toISOString().replace('T', ' ').slice(0, 19);
}
