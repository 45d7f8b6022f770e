import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { Refusal } from '../../../src/errors.ts';
import { ownership } from '../../../src/fpga/instrument/ownership.ts';
import { client, pause } from './fixture.ts';

test('what nobody owns may be written by anyone', () => {
  const owners = ownership();
  owners.attach(client('bob'), 'asg0', 'share');
  owners.check(client('alice'), 'asg0');
  owners.check(client('bob'), 'asg0');
  assert.equal(owners.holder('asg0'), undefined);
});

test('what is owned is refused to others, with the holder’s name and since when', () => {
  const owners = ownership({ now: () => Date.UTC(2024, 1, 29, 12, 30, 5) / 1e3 });
  const [alice, bob] = [client('alice'), client('bob')];
  owners.attach(alice, 'asg0', 'own');
  owners.check(alice, 'asg0');
  owners.check(bob, 'asg1');
  owners.attach(bob, 'asg0', 'share');
  const sentence = /asg0 is held by alice since 2024-02-29 12:30:05 UTC.*nothing was changed\.$/;
  assert.throws(() => owners.check(bob, 'asg0'), sentence);
  assert.throws(() => owners.attach(bob, 'asg0', 'own'), sentence);
  assert.throws(() => owners.check(bob, 'asg0'), Refusal);
  assert.deepEqual(owners.holders(), { asg0: { owner: 'alice', since: Date.UTC(2024, 1, 29, 12, 30, 5) / 1e3 } });
});

test('connections with one name own together, and the last of them sets free', () => {
  const owners = ownership();
  const [first, second, bob] = [client('lab'), client('lab'), client('bob')];
  owners.attach(first, 'scope', 'own');
  owners.attach(second, 'asg0', 'share');
  owners.check(second, 'scope');
  assert.deepEqual(owners.leave(first), []);
  assert.throws(() => owners.check(bob, 'scope'), Refusal);
  owners.attach(client('lab'), 'scope', 'share');
  assert.throws(() => owners.check(bob, 'scope'), Refusal, 'attaching to share gives up nothing of another connection');
});

test('the last connection of a name sets free all it owned', () => {
  const owners = ownership();
  const [alice, bob] = [client('alice'), client('bob')];
  owners.attach(alice, 'scope', 'own');
  owners.attach(alice, 'asg0', 'own');
  owners.attach(bob, 'asg1', 'own');
  assert.deepEqual(owners.leave(alice).sort(), ['asg0', 'scope']);
  owners.attach(bob, 'scope', 'own');
  assert.equal(owners.holder('asg1')?.owner, 'bob');
  assert.deepEqual(owners.leave(client('nobody')), []);
});

test('detaching, or attaching to share, gives up what the connection owned', () => {
  for (const giveUp of ['detach', 'share'] as const) {
    const owners = ownership();
    const [alice, bob] = [client('alice'), client('bob')];
    owners.attach(alice, 'scope', 'own');
    if (giveUp === 'detach') owners.detach(alice, 'scope');
    else owners.attach(alice, 'scope', 'share');
    owners.check(bob, 'scope');
  }
});

test('detaching does not touch what others own', () => {
  const owners = ownership();
  const [alice, twin, bob] = [client('alice'), client('alice'), client('bob')];
  owners.attach(alice, 'scope', 'own');
  owners.attach(twin, 'scope', 'own');
  owners.detach(bob, 'scope');
  owners.detach(twin, 'scope');
  assert.equal(owners.holder('scope')?.owner, 'alice');
});

test('a connection that takes another name takes along what it alone owned', () => {
  const owners = ownership();
  const alice = client('192.168.1.7');
  owners.attach(alice, 'scope', 'own');
  alice.owner = 'alice';
  owners.check(alice, 'scope');
  assert.equal(owners.holder('scope')?.owner, 'alice');
  assert.deepEqual(owners.leave(alice), ['scope']);
});

test('a connection that takes another name leaves behind what others own with it', () => {
  const owners = ownership();
  const [one, two] = [client('lab'), client('lab')];
  owners.attach(one, 'scope', 'own');
  owners.attach(two, 'scope', 'own');
  two.owner = 'bob';
  assert.throws(() => owners.check(two, 'scope'), Refusal);
  assert.deepEqual(owners.leave(two), []);
  assert.deepEqual(owners.leave(one), ['scope']);
});

test('who waits gets the module when it is free, in the order of asking', async () => {
  const events: string[] = [];
  const owners = ownership({ event: ({ what, from, to }) => events.push(`${what}: ${from} to ${to}`) });
  const [alice, bob, carol] = [client('alice'), client('bob'), client('carol')];
  owners.attach(alice, 'pid0', 'own');
  const order: string[] = [];
  const bobs = owners.attach(bob, 'pid0', 'own', { timeout: 5 })?.then(() => order.push('bob'));
  const carols = owners.attach(carol, 'pid0', 'own', { timeout: 5 })?.then(() => order.push('carol'));
  assert.deepEqual(owners.holders().pid0?.waiting, ['bob', 'carol']);
  owners.detach(alice, 'pid0');
  await bobs;
  assert.equal(owners.holder('pid0')?.owner, 'bob');
  owners.check(bob, 'pid0');
  assert.throws(() => owners.check(alice, 'pid0'), /held by bob/);
  owners.leave(bob);
  await carols;
  assert.deepEqual(order, ['bob', 'carol']);
  assert.deepEqual(events, ['given to who waited: alice to bob', 'given to who waited: bob to carol']);
});

test('a wait ends with a sentence: the time is up, the client leaves, or it is stopped', async () => {
  const owners = ownership();
  owners.attach(client('alice'), 'pid0', 'own');
  await assert.rejects(
    owners.attach(client('bob'), 'pid0', 'own', { timeout: 0.02 }) ?? Promise.resolve(),
    /pid0 is held by alice since .*and was not free within 0\.02 s; nothing was changed\.$/,
  );
  const carol = client('carol');
  const waiting = owners.attach(carol, 'pid0', 'own', { timeout: 5 });
  owners.leave(carol);
  await assert.rejects(waiting ?? Promise.resolve(), /has left/);
  const stop = new AbortController();
  const stopped = owners.attach(client('dave'), 'pid0', 'own', { timeout: 5, signal: stop.signal });
  stop.abort();
  await assert.rejects(stopped ?? Promise.resolve(), /was stopped/);
  assert.equal(owners.holders().pid0?.waiting, undefined);
});

test('the modules of a lost owner are kept for a while, for it and nobody else', async () => {
  const owners = ownership({ gracePeriod: 0.1 });
  const [alice, bob] = [client('alice'), client('bob')];
  owners.attach(alice, 'pid0', 'own');
  assert.deepEqual(owners.leave(alice), []);
  assert.ok(owners.holders().pid0?.kept_until);
  assert.throws(() => owners.check(bob, 'pid0'), /held by alice .*whose connection is lost; kept until/);
  const again = client('alice');
  owners.check(again, 'pid0');
  assert.equal(owners.holders().pid0?.kept_until, undefined, 'back in time');
  await pause(150);
  assert.throws(() => owners.check(bob, 'pid0'), Refusal, 'it is no longer lost');
  owners.leave(again);
  const given = owners.attach(bob, 'pid0', 'own', { timeout: 5 });
  await given;
  assert.equal(owners.holder('pid0')?.owner, 'bob');
});

test('who says goodbye is not waited for', () => {
  const owners = ownership({ gracePeriod: 60 });
  const [alice, bob] = [client('alice'), client('bob')];
  owners.attach(alice, 'pid0', 'own');
  assert.deepEqual(owners.leave(alice, true), ['pid0']);
  owners.attach(bob, 'pid0', 'own');
});

test('taken over: the former owner is refused by name, and told why', () => {
  const owners = ownership({ gracePeriod: 60 });
  const [alice, bob] = [client('alice'), client('bob')];
  owners.attach(alice, 'pid0', 'own');
  assert.equal(owners.attach(bob, 'pid0', 'own', { takeOver: true }), undefined);
  assert.throws(() => owners.check(alice, 'pid0'), /held by bob .*who took it over from alice/);
  owners.leave(bob);
  // Also from one that is lost.
  owners.attach(alice, 'pid0', 'own', { takeOver: true });
  owners.check(alice, 'pid0');
});

test('a reserved module is written by nobody, and belongs to its owner again afterwards', () => {
  const owners = ownership();
  const [alice, bob] = [client('alice'), client('bob')];
  owners.attach(alice, 'iq2', 'own');
  assert.throws(() => owners.reserve(bob, 'iq2', 'networkanalyzer'), /held by alice/);
  const release = owners.reserve(alice, 'iq2', 'networkanalyzer');
  assert.throws(() => owners.check(alice, 'iq2'), /in use by networkanalyzer, for alice/);
  assert.throws(() => owners.reserve(alice, 'iq2', 'other'), /in use by/);
  assert.equal(owners.holders().iq2?.in_use_by, 'networkanalyzer, for alice');
  release();
  owners.check(alice, 'iq2');
  assert.throws(() => owners.check(bob, 'iq2'), /held by alice/);
});

test('whatever happens in whatever order, a module has one owner, who is there or waited for, and nobody waits in vain', async () => {
  const NAMES = ['alice', 'bob', 'carol'];
  const MODULES = ['pid0', 'iq2'];
  const step = fc.record({
    who: fc.nat(4),
    module: fc.constantFrom(...MODULES),
    what: fc.constantFrom('own', 'wait', 'take', 'share', 'detach', 'leave', 'quit', 'check'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const owners = ownership({ gracePeriod: 1000 });
      const people = Array.from({ length: 5 }, (_, k) => client(NAMES[k % NAMES.length] ?? ''));
      const here = new Set<number>();
      const waits = new Set<Promise<void>>();
      try {
        for (const { who, module, what } of steps) {
          const person = people[who];
          if (!person) continue;
          const before = owners.holder(module)?.owner;
          const may = before === undefined || before === person.owner;
          try {
            if (what === 'leave' || what === 'quit') {
              owners.leave(person, what === 'quit');
              here.delete(who);
            } else {
              here.add(who);
              if (what === 'own') owners.attach(person, module, 'own');
              else if (what === 'take') owners.attach(person, module, 'own', { takeOver: true });
              else if (what === 'share') owners.attach(person, module, 'share');
              else if (what === 'detach') owners.detach(person, module);
              else if (what === 'check') owners.check(person, module);
              else {
                const wait = owners.attach(person, module, 'own', { timeout: 1000 });
                if (wait) waits.add(wait.catch(() => undefined));
              }
              if (what === 'own' || what === 'check') assert.ok(may, `${person.owner} has ${module} of ${before}`);
              if (what === 'own' || what === 'take') assert.equal(owners.holder(module)?.owner, person.owner);
            }
          } catch (error) {
            assert.ok(error instanceof Refusal, String(error));
            assert.ok(!may, `${person.owner} is refused ${module} of ${before}`);
          }
          for (const [name, { owner, waiting = [], kept_until }] of Object.entries(owners.holders())) {
            assert.ok(owner !== undefined, `they wait for ${name}, which is free`);
            const present = [...here].some((k) => people[k]?.owner === owner);
            assert.equal(kept_until === undefined, present, `${owner} of ${name}`);
            assert.ok(!waiting.includes(owner), `${owner} waits for what it has`);
          }
        }
      } finally {
        owners.close();
      }
      await Promise.all(waits);
    }),
    { numRuns: 300 },
  );
});

test.run();
