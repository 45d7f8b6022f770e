/**
 * Publishes a service with bonjour-service, by itself: one responder a network interface. It adds what that package
 * leaves out: it announces on every interface, not on the default one alone; tells only addresses that can be connected
 * to; follows the addresses as they change; looks whether a name is in use, and takes another; keeps every error of the
 * network to itself.
 */
import type { EventEmitter } from 'node:events';
import { networkInterfaces } from 'node:os';
import { Bonjour } from 'bonjour-service';
import type { Logger } from 'pino';
import { type Announcement, numbered, SERVICE_TYPE, type Service } from './discovery.ts';
import { type Interfaces, isLoopback, type Link, linksOf, ownAddresses } from './links.ts';
import { addressRecords, type Claim, type Conflict, conflictIn, type Packet, trimmed } from './records.ts';

/** How often the addresses of this machine are looked at, in ms. */
const LOOK_EVERY_MS = 2000;

/** RFC 6762, 8.1: a name is asked for three times in a row, 250 ms apart. */
const PROBES = 3;
const PROBE_EVERY_MS = 250;

/** A goodbye that takes longer is not waited for. */
const GOODBYE_MS = 500;

/** After a failed start (port 5353 taken by a program that does not share it), in ms. */
const RETRY_MS = 30_000;

/** The part of bonjour-service and multicast-dns that its types keep to themselves. */
interface Mdns extends EventEmitter {
  query(packet: { questions: { name: string; type: string }[] }, done: () => void): void;
  respond(packet: Packet | Packet['answers'], rinfo?: unknown, done?: (error?: Error | null) => void): void;
}
interface Server {
  readonly mdns: Mdns;
  register(records: Packet['answers']): void;
}

/** What happens on one interface. */
interface Responder {
  readonly link: Link;
  /** Takes the service back (`farewell`) or falls silent. */
  end(farewell: boolean): Promise<void>;
}

interface ResponderEvents {
  up(): void;
  conflict(kind: Conflict): void;
  failed(error: Error): void;
  own(): ReadonlySet<string>;
}

/** @param interfaces As `os.networkInterfaces()`; may throw. */
export function announceByBonjour(
  service: Service,
  log: Logger,
  interfaces: () => Interfaces = networkInterfaces,
): Announcement {
  const responders = new Map<string, Responder>();
  /** Interfaces that did not work, until when they are left alone. */
  const pauses = new Map<string, number>();
  let own: ReadonlySet<string> = new Set();
  let instanceNumber = 1;
  let hostNumber = 1;
  let conflicts = 0;
  let quietUntil = 0;
  let links = '';
  let unreadable = false;
  let stopped = false;

  function name(): string {
    return numbered(service.name, instanceNumber, [' (', ')']);
  }

  function host(): string {
    return numbered(service.host, hostNumber, ['-', '']);
  }

  /** Brings the responders in line with the interfaces that there are now. */
  function look(): void {
    if (stopped) return;
    const now = performance.now();
    const wanted = new Map<string, Link>();
    try {
      const present = interfaces();
      own = ownAddresses(present);
      for (const link of linksOf(service.listensOn, present)) wanted.set(keyOf(link, present), link);
      unreadable = false;
    } catch (error) {
      if (!unreadable) log.warn({ reason: messageOf(error) }, 'discovery cannot see the network interfaces');
      unreadable = true;
      return;
    }
    const described = [...wanted.values()].map((link) => `${link.name}: ${link.addresses.join(' ')}`).join(', ');
    if (described !== links) log.debug({ links: described || 'none' }, 'discovery: addresses to announce');
    links = described;

    for (const [key, { end }] of responders) {
      if (wanted.has(key)) continue;
      responders.delete(key);
      // Without a goodbye: the next announcement of the link replaces its addresses, while clients keep the service.
      void end(![...wanted.values()].some((link) => link.name === key.split(' ')[0]));
    }
    for (const [key, link] of wanted) {
      if (responders.has(key) || (pauses.get(key) ?? 0) > now || quietUntil > now) continue;
      pauses.delete(key);
      start(key, link);
    }
  }

  function start(key: string, link: Link): void {
    const claim = claimOf(name(), host(), service.port);
    const events: ResponderEvents = {
      up: () => log.info({ name: name(), on: link.name, addresses: link.addresses, port: service.port }, 'announced'),
      own: () => own,
      conflict: (kind) => {
        // Later ones of the same names, by other interfaces, are answered by the same change.
        if (responders.has(key)) rename(kind, key);
      },
      failed: (error) => {
        log.warn(
          { on: link.name, reason: error.message },
          'discovery does not work on this interface; trying again later',
        );
        pauses.set(key, performance.now() + RETRY_MS);
        void responders.get(key)?.end(false);
        responders.delete(key);
      },
    };
    try {
      responders.set(key, openResponder({ ...service, name: name(), host: host() }, claim, link, log, events));
    } catch (error) {
      events.failed(error as Error);
    }
  }

  /** Takes another name; the longer, the more often that was necessary. */
  function rename(kind: Conflict, where: string): void {
    const before = { name: name(), host: host() };
    if (kind === 'host') hostNumber += 1;
    else instanceNumber += 1;
    conflicts += 1;
    log.warn({ before, now: { name: name(), host: host() } }, 'another board has this name on the network');
    quietUntil = performance.now() + Math.min(60_000, 250 * 2 ** Math.min(conflicts, 10) * (0.5 + Math.random()));
    for (const [key, { end }] of responders) void end(key !== where);
    responders.clear();
    setTimeout(look, quietUntil - performance.now() + 1).unref();
  }

  look();
  if (responders.size === 0) log.info({ reason: whyNot(service.listensOn) }, 'not announced');
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();

  return {
    get name() {
      return name();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await Promise.all([...responders.values()].map(({ end }) => end(true)));
      responders.clear();
    },
  };
}

function whyNot(listensOn: string): string {
  if (isLoopback(listensOn)) return `nothing outside this computer can connect to ${listensOn}`;
  return 'there is no network; it is announced as soon as there is one';
}

/** Different whenever a link has to be announced anew: another address, or another device by the same name. */
function keyOf(link: Link, interfaces: Interfaces): string {
  const device = (interfaces[link.name] ?? []).map((info) => [info.mac, info.scopeid ?? '']).join();
  return `${link.name} ${link.sender} ${link.addresses.join(' ')} ${device}`;
}

function claimOf(name: string, host: string, port: number): Claim {
  return { instance: `${name}._${SERVICE_TYPE}._tcp.local`, target: `${host}.local`, port };
}

/**
 * Looks whether the names are free on the link, then announces the service and answers for it.
 * @throws Error if no socket can be opened.
 */
function openResponder(service: Service, claim: Claim, link: Link, log: Logger, events: ResponderEvents): Responder {
  // Bound to all addresses, since a socket of one address gets no multicast; `interface` is where it sends and joins.
  const options = { interface: link.sender, bind: '0.0.0.0' };
  const bonjour = new Bonjour(options as object, (error: Error) => trouble(error));
  const server = Reflect.get(bonjour, 'server') as Server;
  const { mdns } = server;
  const timers = new Set<NodeJS.Timeout>();
  let published: { readonly stop: CallableFunction } | undefined;
  let ended = false;

  function trouble(error: unknown): void {
    log.debug({ on: link.name, reason: messageOf(error) }, 'discovery: the network refused a message');
  }

  mdns.on('error', (error: Error) => {
    if (!ended) events.failed(error);
  });
  mdns.on('warning', trouble);
  mdns.on('response', (packet: Packet) => {
    if (ended) return;
    const conflict = conflictIn(packet, claim, events.own());
    if (conflict === 'instance' || (conflict === 'host' && published === undefined)) events.conflict(conflict);
  });

  // The one way out of every message: announcements, answers, goodbyes.
  const respond = mdns.respond.bind(mdns);
  mdns.respond = (packet, rinfo, done) => {
    const callback = typeof rinfo === 'function' ? (rinfo as typeof done) : done;
    const whole = 'answers' in packet ? packet : { answers: packet };
    const message = trimmed(whole, claim, link.addresses);
    if (message === undefined) callback?.();
    else
      respond(message, undefined, (error) => {
        if (error) trouble(error);
        callback?.(error);
      });
  };

  function later(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      then();
    }, ms);
    timer.unref();
    timers.add(timer);
  }

  function probe(left: number): void {
    if (left === 0) {
      publish();
      return;
    }
    const questions = [claim.instance, claim.target].map((name) => ({ name, type: 'ANY' }));
    mdns.query({ questions }, () => undefined);
    later(PROBE_EVERY_MS, () => probe(left - 1));
  }

  function publish(): void {
    try {
      server.register(addressRecords(claim.target, link.addresses));
      const { name, port, txt } = service;
      published = bonjour.publish({ name, type: SERVICE_TYPE, port, host: claim.target, txt, probe: false });
      events.up();
    } catch (error) {
      events.failed(error as Error);
    }
  }

  later(Math.random() * PROBE_EVERY_MS, () => probe(PROBES));

  return {
    link,
    end(farewell) {
      if (ended) return Promise.resolve();
      ended = true;
      for (const timer of timers) clearTimeout(timer);
      return new Promise((resolve) => {
        const close = (): void => {
          clearTimeout(limit);
          try {
            bonjour.destroy(() => resolve());
          } catch (error) {
            trouble(error);
            resolve();
          }
        };
        const limit = setTimeout(close, GOODBYE_MS);
        try {
          if (farewell && published) published.stop(close);
          else close();
        } catch (error) {
          trouble(error);
          close();
        }
      });
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
