import assert from 'node:assert';
import { test } from 'uvu';
import { Refusal } from '../../../src/errors.ts';
import { ownership } from '../../../src/fpga/instrument/ownership.ts';
import { client } from './fixture.ts';

test('what nobody owns may be written by anyone', () => {
  const owners = ownership();
  owners.attach(client('bob'), 'asg0', 'share');
  owners.check(client('alice'), 'asg0');
  owners.check(client('bob'), 'asg0');
  assert.equal(owners.holder('asg0'), undefined);
});

test('what is owned is refused to others, with the holder’s name and since when', () => {
  const owners = ownership(() => Date.UTC(2024, 1, 29, 12, 30, 5) / 1e3);
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

test.run();
