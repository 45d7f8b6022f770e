/** Bytes as real PyMoDAQ sends them: its requests are understood, and a module that offers itself is recognised. */
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import type { Form } from '../../src/server/wire/values.ts';
import { keptLog } from '../fpga/instrument/fixture.ts';
import { bench } from './by-hand.ts';
import { sentence } from './peer.ts';

interface Recording {
  readonly recording: string;
  readonly form: Form;
}

interface Offer extends Recording {
  readonly hex: string;
}

interface Requests extends Recording {
  readonly as: string;
  readonly requests: readonly { readonly command: string; readonly hex: string }[];
}

function recorded<T>(name: string): readonly T[] {
  return JSON.parse(readFileSync(new URL(`recorded/${name}.json`, import.meta.url), 'utf8'));
}

for (const { recording, form, hex } of recorded<Offer>('offers')) {
  test(`${recording}: a module that offers itself is reset, however its bytes come, and the log says what to do`, async () => {
    const { join, bus, instrument } = await bench();
    const all = Buffer.from(hex, 'hex');
    const written = bus.traffic.wordsWritten;
    for (const size of [all.length, 1, 7, 1448]) {
      const { log, lines } = keptLog();
      const { peer, sends } = join(form, '', { log });
      for (let k = 0; k < all.length && peer.ended === undefined; k += size) peer.raw(all.subarray(k, k + size));
      assert.equal(peer.ended, 'reset');
      assert.equal(sends.length, 0);
      const warning = lines.find(({ level }) => level === 40);
      assert.match(`${warning?.msg}`, /TCP\/IP options.*PitayadScope or PitayadASG/);
    }
    assert.equal(bus.traffic.wordsWritten, written);
    await instrument.close();
  });
}

/** What each request of a stock TCPServer is answered, by who is asked. Its instruments are in µm, ours are not. */
const expected: Readonly<Record<string, Readonly<Record<string, readonly RegExp[]>>>> = {
  ACTUATOR: {
    get_actuator_value: [/^position_is/],
    check_position: [/^position_is/],
    move_abs: [/^Error .*unit "µm" does not fit/, /^Error .*asg0\.offset must be from -1 to 1 V, not 500/],
    move_rel: [/^Error .*unit "µm" does not fit/],
    move_home: [/^move_done/],
    stop_motion: [/^move_done/],
    set_info: [/^Error .*asg0 has no parameter "epsilon"/],
    'Send Data 0D': [/^Error .*asg0 measures nothing; what can be grabbed: scope/],
    Hello: [/^Error .*no word "Hello"/],
  },
  GRABBER: {
    'Send Data 0D': [/^Done/],
    'Send Data 1D': [/^Done/],
    'Send Data': [/^Error .*no word "Send Data" \(did you mean Send Data/],
    set_info: [/^Error .*scope has no parameter "Amp"/],
    get_axis: [/^Error .*no word/],
    x_axis: [/^Error .*no word/],
    Status: [/^Error .*no word/],
    Hello: [/^Error .*no word/],
  },
};

for (const { recording, form, as, requests } of recorded<Requests>('requests')) {
  test(`${recording}: each request of a stock server has one answer`, async () => {
    const { join, instrument } = await bench();
    const { peer } = join(form, as);
    const before = { ...(await instrument.get('asg0')), ...(await instrument.get('hk')) };
    for (const { command, hex } of requests) {
      peer.raw(Buffer.from(hex, 'hex'));
      if (command === 'Quit') break;
      const { word, payload } = await peer.told();
      const answer = `${word} ${sentence(payload)}`;
      const wanted = expected[as]?.[command];
      assert.ok(wanted, `${command} is in no table`);
      assert.ok(
        wanted.some((pattern) => pattern.test(answer)),
        `${command}: ${answer}`,
      );
      assert.equal(peer.unread, 0, command);
    }
    assert.equal(peer.ended, requests.at(-1)?.command === 'Quit' ? 'end' : undefined);
    assert.deepEqual({ ...(await instrument.get('asg0')), ...(await instrument.get('hk')) }, before);
    await instrument.close();
  });
}

test.run();
