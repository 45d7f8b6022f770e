/**
 * Who may write which module. Ownership belongs to a name; connections with one name own together. A module that
 * nobody owns may be written by anyone. It is free again when the name's last connection is gone.
 */
import { Refusal } from '../../errors.ts';
import type { AttachMode, Client, Holder } from './instrument.ts';

export interface Ownership {
  /** @throws Refusal that names the holder */
  attach(client: Client, module: string, mode: AttachMode): void;
  /** Gives up the client's part in the module; free when no other connection of its owner attached it as `own`. */
  detach(client: Client, module: string): void;
  /** The connection is gone. Gives the modules that became free. */
  leave(client: Client): string[];
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
}

interface Claim {
  owner: string;
  readonly since: number;
  /** Connections that attached as `own`. */
  readonly clients: Set<Client>;
}

export function ownership(now: () => number = () => Date.now() / 1e3): Ownership {
  const claims = new Map<string, Claim>();
  /** Connections that were ever seen, with the name that they had then. */
  const names = new Map<Client, string>();
  /** Modules that a measurement has for itself, and who measures. */
  const reserved = new Map<string, string>();

  /** Learns of connections and of their renaming. */
  function see(client: Client): void {
    const before = names.get(client);
    if (before === client.owner) return;
    names.set(client, client.owner);
    if (before === undefined) return;
    for (const claim of claims.values()) {
      // The old name lives on in its other connections; without any, what it owned goes along with the connection.
      if (claim.owner !== before || !claim.clients.has(client)) continue;
      if (connections(before) === 0) claim.owner = client.owner;
      else claim.clients.delete(client);
    }
  }

  function connections(owner: string): number {
    return [...names.values()].filter((name) => name === owner).length;
  }

  function refuseHeld(module: string, { owner, since }: Claim, wanted: string): never {
    const when = new Date(since * 1e3).toISOString().replace('T', ' ').slice(0, 19);
    throw new Refusal(`${module} is held by ${owner} since ${when} UTC, ${wanted}; nothing was changed.`);
  }

  return {
    attach(client, module, mode) {
      see(client);
      const claim = claims.get(module);
      if (mode === 'share') {
        if (claim?.clients.delete(client) && claim.clients.size === 0) claims.delete(module);
        return;
      }
      if (!claim) claims.set(module, { owner: client.owner, since: now(), clients: new Set([client]) });
      else if (claim.owner === client.owner) claim.clients.add(client);
      else refuseHeld(module, claim, `so that ${client.owner} cannot own it (attaching as share is possible)`);
    },

    detach(client, module) {
      see(client);
      const claim = claims.get(module);
      if (claim?.owner !== client.owner) return;
      claim.clients.delete(client);
      if (claim.clients.size === 0) claims.delete(module);
    },

    leave(client) {
      see(client);
      names.delete(client);
      const free: string[] = [];
      for (const [module, claim] of claims) {
        claim.clients.delete(client);
        if (claim.owner !== client.owner || connections(claim.owner) > 0) continue;
        claims.delete(module);
        free.push(module);
      }
      return free;
    },

    reserve(client, module, by) {
      this.check(client, module);
      reserved.set(module, `${by}, for ${client.owner}`);
      return () => reserved.delete(module);
    },

    check(client, module) {
      see(client);
      const user = reserved.get(module);
      if (user !== undefined) {
        throw new Refusal(`${module} is in use by ${user}, so that it cannot be written; nothing was changed.`);
      }
      const claim = claims.get(module);
      if (claim && claim.owner !== client.owner) refuseHeld(module, claim, `so that ${client.owner} cannot write it`);
    },

    holder(module) {
      const claim = claims.get(module);
      return claim && { owner: claim.owner, since: claim.since };
    },

    holders() {
      return Object.fromEntries([...claims].map(([module, { owner, since }]) => [module, { owner, since }]));
    },
  };
}
