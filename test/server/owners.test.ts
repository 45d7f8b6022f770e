/** Ownership between clients that connect by TCP: refused by name, served when free, kept for who comes back. */
import assert from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import { type Connected, type Served, served } from './door.ts';
import { forms, sentence } from './peer.ts';

/** In s. */
const GRACE = 0.3;

const OWN = { command: 'attach', module: 'pid0', mode: 'own' };
const SET = { command: 'configure', module: 'pid0', config: { p: 2 } };

for (const form of forms) {
  const between = (what: string, run: (dial: () => Promise<Connected>, all: Served) => Promise<void>) =>
    test(`${form}: ${what}`, async () => {
      const all = await served({}, undefined, { gracePeriod: GRACE });
      try {
        await run(() => all.dial(form, 'GRABBER'), all);
      } finally {
        await all.close();
      }
    });

  between('a second owner is refused by name, and may not write; it may look', async (dial) => {
    const [alice, bob] = [await dial(), await dial()];
    await alice.reply({ ...OWN, owner: 'alice' });
    assert.match(await bob.refused({ ...OWN, owner: 'bob' }), /pid0 is held by alice.*nothing was changed/);
    assert.match(await bob.refused(SET), /held by alice/);
    assert.deepEqual(await bob.reply({ command: 'get', module: 'pid0', parameters: ['p'] }), { p: 0 });
  });

  between('one that waits is served when the module is given up', async (dial) => {
    const [alice, bob] = [await dial(), await dial()];
    await alice.reply({ ...OWN, owner: 'alice' });
    const waiting = bob.reply({ ...OWN, owner: 'bob', owner_timeout: 10 });
    await sleep(50);
    await alice.reply({ command: 'detach', module: 'pid0' });
    assert.equal((await waiting).owner, 'bob');
    assert.match(await alice.refused(SET), /held by bob/);
    await bob.reply(SET);
  });

  between('a killed owner’s modules are kept for a while, then free', async (dial) => {
    const [alice, bob] = [await dial(), await dial()];
    await alice.reply({ ...OWN, owner: 'alice' });
    alice.socket.resetAndDestroy();
    await sleep(50);
    assert.match(await bob.refused(SET), /held by alice/);
    const { holders } = (await bob.reply({ command: 'status' })) as {
      holders: Record<string, { owner: string; kept_until?: number }>;
    };
    const left = (holders.pid0?.kept_until ?? 0) - Date.now() / 1e3;
    assert.ok(left > 0 && left <= GRACE, `${left} s`);
    // Who waits has it as soon as it is free.
    await bob.reply({ ...OWN, owner: 'bob', owner_timeout: 10 });
    await bob.reply(SET);
  });

  between('an owner that comes back in time finds its module as it was', async (dial) => {
    const [alice, bob] = [await dial(), await dial()];
    await alice.reply({ ...OWN, owner: 'alice' });
    await alice.reply(SET);
    alice.socket.resetAndDestroy();
    await sleep(50);
    const again = await dial();
    await again.reply({ ...OWN, owner: 'alice' });
    await sleep(GRACE * 1e3 + 100);
    assert.match(await bob.refused({ ...SET, config: { p: 1 } }), /held by alice/);
    assert.deepEqual(await again.reply({ command: 'get', module: 'pid0', parameters: ['p'] }), { p: 2 });
    await again.reply({ ...SET, config: { p: 3 } });
  });

  between('off withdraws what anybody sent before and still waits', async (dial, { bus }) => {
    bus.lasts = undefined;
    const [alice, bob] = [await dial(), await dial()];
    await bob.reply({ command: 'configure', module: 'scope', config: { trigger_source: 'ch1_positive_edge' } });
    bob.command({ command: 'grab', module: 'scope', timeout: 0.5 });
    bob.command({ command: 'configure', module: 'asg0', config: { output_direct: 'out1' } });
    await sleep(50);
    await alice.reply({ command: 'attach', mode: 'own', module: 'pid0', owner: 'alice' });
    await alice.reply({ command: 'off' });
    assert.match(sentence((await bob.told()).payload), /waited for trigger ch1_positive_edge/);
    const later = sentence((await bob.told()).payload);
    assert.match(later, /stopped by alice, who switched all outputs off; nothing was changed/);
    const now = await bob.reply({ command: 'get', module: 'asg0', parameters: ['output_direct'] });
    assert.deepEqual(now, { output_direct: 'off' });
  });

  between('taken over by who says so; Quit frees at once', async (dial) => {
    const [alice, bob, eve] = [await dial(), await dial(), await dial()];
    await alice.reply({ ...OWN, owner: 'alice' });
    await bob.reply({ ...OWN, owner: 'bob', take_over: true });
    assert.match(await alice.refused(SET), /held by bob/);
    bob.say('Quit');
    await bob.over();
    await eve.reply({ ...OWN, owner: 'eve' });
  });
}

test.run();
