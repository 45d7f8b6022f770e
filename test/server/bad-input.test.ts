/**
 * What a client can do wrong, and what comes back: over real TCP, in both forms. Whatever it was, no register is
 * written, no value changes, and the connection, or at least every other one, goes on.
 */
import assert from 'node:assert';
import { suite } from 'uvu';
import type { Value } from '../../src/fpga/description.ts';
import {
  bytes,
  dataActuator,
  dict,
  type Form,
  float,
  floats,
  int,
  list,
  none,
  path,
  str,
  type WireValue,
} from '../../src/server/wire/values.ts';
import { pause } from '../fpga/instrument/fixture.ts';
import { type Connected, type Served, served } from './door.ts';
import { forms, sentence } from './peer.ts';

/** A message that is begun must be whole within this time, in ms. */
const MESSAGE_MS = 200;

const u32 = (value: number): Buffer => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(value);
  return four;
};
const text = (value: string | Buffer): Buffer => Buffer.concat([u32(value.length), Buffer.from(value)]);
/** A message of the form, with these parts as they are. */
const message = (form: Form, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return form === 'v5' ? Buffer.concat([u32(body.length), body]) : body;
};

/** What may be said of the connection after the answer. */
type After = 'goes on' | 'end' | 'reset';

interface Mistake {
  readonly what: string;
  /** Default: both. */
  readonly in?: readonly Form[];
  /** What it connects as; '': nothing is said before. Default ACTUATOR. */
  readonly as?: string;
  readonly make: (peer: Connected, served: Served) => void | Promise<void>;
  /** The sentence of its `Error`; none: there is no answer. */
  readonly answer?: RegExp;
  /** Plain text, since the peer speaks no form. */
  readonly plain?: true;
  /** Default: it goes on. */
  readonly after?: After;
}

const amplitude = (value: unknown) => (peer: Connected) =>
  peer.command({ command: 'configure', module: 'asg0', config: { frequency: 1e5, amplitude: value } });
const configure = (config: Record<string, WireValue>) => (peer: Connected) =>
  peer.say(dict({ command: str('configure'), module: str('asg0'), config: dict(config) }));
const move = (data: WireValue) => (peer: Connected) => peer.say('move_abs', data);
const setInfo = (xml: string) => (peer: Connected) => peer.say('set_info', path(['asg0', 'offset']), bytes(xml));

const nested = (form: Form): Buffer => {
  const [open, inner] =
    form === 'v5'
      ? [Buffer.concat([text('list'), u32(1)]), Buffer.concat([text('list'), u32(0)])]
      : [Buffer.concat([u32(1), text('list')]), u32(0)];
  return message(form, ...Array.from({ length: 10_000 }, () => open), inner);
};

const mistakes: readonly Mistake[] = [
  {
    what: 'a wrong client type',
    as: 'GRABER',
    make: () => undefined,
    answer: /first word must be GRABBER or ACTUATOR, not "GRABER" \(did you mean GRABBER\?\); nothing was changed/,
    after: 'end',
  },
  {
    what: 'a web browser',
    in: ['v5'],
    as: '',
    make: (peer) => peer.raw(Buffer.from('GET / HTTP/1.1\r\nHost: board\r\n\r\n')),
    answer: /port for PyMoDAQ.*HTTP request.*nothing was changed/,
    plain: true,
    after: 'end',
  },
  {
    what: 'noise in place of a type word',
    in: ['v5'],
    as: '',
    make: (peer) => peer.raw(Buffer.from([0, 0, 0, 200, 1, 2, 3])),
    answer: /type word, GRABBER or ACTUATOR/,
    plain: true,
    after: 'end',
  },
  {
    what: 'an unknown word',
    make: (peer) => peer.say('Send Data 3D'),
    answer: /no word "Send Data 3D" \(did you mean Send Data \dD\?\); nothing was changed/,
  },
  {
    what: 'an unknown command',
    make: (peer) => peer.command({ command: 'explode' }),
    answer: /no command "explode".*(there are attach, detach|did you mean).*nothing was changed/,
  },
  {
    what: 'a dictionary without a command',
    make: (peer) => peer.command({ module: 'scope' }),
    answer: /needs a text under the key command/,
  },
  {
    what: 'an unknown field',
    make: (peer) => peer.command({ command: 'grab', modul: 'scope' }),
    answer: /grab has no field "modul" \(did you mean module\?\)/,
  },
  {
    what: 'an unknown module',
    make: (peer) => peer.command({ command: 'configure', module: 'asg2', config: { amplitude: 1 } }),
    answer: /no module "asg2" \(did you mean asg0\?\); there are scope, asg0, asg1, /,
  },
  {
    what: 'a module named as Object’s own',
    make: (peer) => peer.command({ command: 'get', module: '__proto__' }),
    answer: /no module "__proto__"/,
  },
  {
    what: 'an unknown parameter beside a good one',
    make: (peer) => peer.command({ command: 'configure', module: 'asg0', config: { amplitude: 1, constructor: 1 } }),
    answer: /asg0 has no parameter "constructor"/,
  },
  {
    what: 'a value out of range',
    make: amplitude(1.5),
    answer: /asg0\.amplitude must be from 0 to 1 V, not 1\.5; noth/,
  },
  { what: 'an infinite number', make: amplitude(Number.POSITIVE_INFINITY), answer: /must be a (finite )?number/ },
  {
    what: 'a position out of range',
    make: move(dataActuator('o', 5, 'V', 0)),
    answer: /must be from -1 to 1 V, not 5/,
  },
  { what: 'a text for a number', make: amplitude('much'), answer: /asg0\.amplitude must be a number, not "much"/ },
  { what: 'a truth value for a number', make: amplitude(true), answer: /amplitude must be a number, not true/ },
  { what: 'nothing for a number', make: amplitude(null), answer: /amplitude must be a number, not null/ },
  { what: 'a list for a number', make: amplitude([0.5]), answer: /amplitude must be a number, not a list of 1/ },
  { what: 'a structure for a number', make: amplitude({ value: 1 }), answer: /must be a number, not a structure/ },
  {
    what: 'an array for a number',
    in: ['v5'],
    make: configure({ amplitude: floats([0.5]) }),
    answer: /dictionary has names as keys and plain values/,
  },
  { what: 'NaN', make: move(dataActuator('offset', Number.NaN, 'V', 0)), answer: /must be a finite number, not NaN/ },
  {
    what: 'NaN in a dictionary',
    in: ['v5'],
    make: configure({ amplitude: float(Number.NaN), offset: float(0.5) }),
    answer: /amplitude must be a finite number, not NaN/,
  },
  {
    what: 'NaN in JSON',
    make: (peer) => peer.say('{"command": "configure", "module": "asg0", "config": {"amplitude": NaN}}'),
    answer: /no JSON/,
  },
  {
    what: 'NaN in a list',
    in: ['v5'],
    make: configure({ offset: float(0.5), amplitude: list([float(0), float(Number.NaN)]) }),
    answer: /amplitude must be a number, not a list of 2/,
  },
  {
    what: 'NaN in an array of positions',
    make: (peer) =>
      peer.say('move_rel', { ...dataActuator('o', 0, 'V', 0), data: [floats([0.1, Number.NaN])] } as WireValue),
    answer: /followed by a DataActuator with one value/,
  },
  {
    what: 'NaN in a path',
    make: (peer) => peer.say('set_info', list([float(Number.NaN)]), bytes('<offset type="float">0.5</offset>')),
    answer: /followed by the path as a list of strings/,
  },
  ...['0.5', true, null, [0.5], { value: 0.5 }].map(
    (value): Mistake => ({
      what: `${JSON.stringify(value)} for a position`,
      make: (peer) => peer.command({ command: 'move_abs', value }),
      answer: /move_abs needs value, a number; nothing was changed/,
    }),
  ),
  {
    what: 'a move that says not where to',
    make: (peer) => peer.command({ command: 'move_rel' }),
    answer: /move_rel needs value, a number; nothing was changed/,
  },
  { what: 'a unit that does not fit', make: move(dataActuator('o', 1, 'kg', 0)), answer: /unit "kg" does not fit/ },
  {
    what: 'a whole number beyond 64 bits’ use',
    in: ['v5'],
    make: configure({ amplitude: int(2n ** 63n) }),
    answer: /amplitude must be a number/,
  },
  { what: 'None in place of a request', in: ['v5'], make: (peer) => peer.say(none), answer: /not a None/ },
  { what: 'a number in place of a request', in: ['v5'], make: (peer) => peer.say(int(1)), answer: /not a int/ },
  {
    what: 'a length of 4 GB',
    make: (peer) => peer.raw(u32(0xffff_fff0)),
    answer: /4294967280 bytes.*nothing was changed/,
    after: 'end',
  },
  {
    what: 'a list of 4 GB',
    in: ['v4'],
    make: (peer) => {
      peer.say('set_info');
      peer.raw(u32(0xffff_fff0));
    },
    answer: /4294967280 items.*nothing was changed/,
    after: 'end',
  },
  {
    what: 'a message that is cut short, then silence',
    make: (peer) => {
      peer.say('move_abs');
      peer.raw(message(peer.form, text('DataActuator')).subarray(0, 9));
    },
    answer: new RegExp(`did not come whole within ${MESSAGE_MS / 1000} s.*nothing was changed`),
    after: 'end',
  },
  {
    what: 'a word without its payload, then silence',
    make: (peer) => peer.say('move_abs'),
    answer: /did not come whole/,
    after: 'end',
  },
  {
    what: 'a message whose bytes trickle in for ever',
    make: async (peer) => {
      for (const byte of text('x'.repeat(100)).subarray(0, 20)) {
        if (peer.ended !== undefined) return;
        peer.raw(Uint8Array.of(byte));
        await new Promise((resolve) => setTimeout(resolve, MESSAGE_MS / 8));
      }
    },
    answer: /did not come whole/,
    after: 'end',
  },
  {
    what: '10,000 nested lists',
    in: ['v5'],
    make: (peer) => peer.raw(nested('v5')),
    answer: /more than 32 containers in each other.*nothing was changed/,
  },
  {
    what: '10,000 nested lists',
    in: ['v4'],
    make: (peer) => {
      peer.say('set_info');
      peer.raw(nested('v4'));
    },
    answer: /more than 32 containers in each other.*nothing was changed/,
    after: 'end',
  },
  {
    what: '10,000 nested lists in JSON',
    make: (peer) => peer.say(`{"command": ${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
    answer: /at most 16 structures in each other/,
  },
  {
    what: 'invalid UTF-8',
    make: (peer) =>
      peer.raw(
        peer.form === 'v5'
          ? message('v5', text('str'), text(Buffer.from([0x70, 0xff, 0xfe])))
          : text(Buffer.from([0x70, 0xff, 0xfe])),
      ),
    answer: /not valid UTF-8.*nothing was changed/,
  },
  { what: 'XML that is none', make: setInfo('<offset>0.5'), answer: /XML of a parameter cannot be read/ },
  {
    what: 'XML with entities',
    make: setInfo('<!DOCTYPE o [<!ENTITY e "0.5">]><offset type="float">&e;</offset>'),
    answer: /must not have a document type|cannot be read/,
  },
  {
    what: 'XML of a megabyte',
    make: setInfo(`<offset type="float">${' '.repeat(900_000)}0.5</offset>`),
    answer: /more than the 65536 that are read/,
  },
  {
    what: 'a second owner',
    make: async (peer, { dial }) => {
      const first = await dial('v5', 'ACTUATOR');
      await first.reply({ command: 'attach', mode: 'own', owner: 'alice' });
      peer.command({ command: 'attach', module: 'asg0', mode: 'own', owner: 'bob' });
    },
    answer: /asg0 is held by alice since .* UTC.*nothing was changed/,
  },
  {
    what: 'a write to what another owns',
    make: async (peer, { dial }) => {
      const first = await dial('v5', 'ACTUATOR');
      await first.reply({ command: 'attach', mode: 'own', owner: 'alice' });
      peer.command({ command: 'attach', module: 'asg0', mode: 'share', owner: 'bob' });
      assert.equal((await peer.told()).word, 'Reply');
      peer.say('move_abs', dataActuator('offset', 0.5, 'V', 0));
    },
    answer: /asg0 is held by alice since .* UTC, so that bob cannot write it; nothing was changed/,
  },
  {
    what: 'a grab that brings a trigger that is off',
    make: (peer) => peer.command({ command: 'grab', module: 'scope', config: { trigger_source: 'off' } }),
    answer: /trigger_source off no trace would ever come.*Nothing was changed/,
  },
  {
    what: 'a word of an instrument',
    make: async (peer) => {
      peer.say('ping');
      await peer.told();
      peer.say('position_is');
    },
    answer: /position_is is a word of an instrument/,
  },
  {
    what: 'a stock PyMoDAQ 4.4 client that offers its own module',
    in: ['v4'],
    as: '',
    make: (peer) => peer.say('GRABBER', 'Infos', bytes('<All_settings title="Detector Settings" type="group"/>')),
    after: 'reset',
  },
  {
    what: 'a stock PyMoDAQ 5 client that offers its own module',
    in: ['v5'],
    as: '',
    make: (peer) => peer.say('ACTUATOR', 'Infos', bytes('<settings title="Settings" type="group"/>')),
    after: 'reset',
  },
];

type Values = Record<string, Record<string, Value>>;

const test = suite<{ served: Served; witness: Connected }>('bad input');

test.before(async (context) => {
  context.served = await served({ messageMs: MESSAGE_MS });
  context.witness = await context.served.dial('v5', 'GRABBER');
});

test.after(({ served }) => served.close());

async function values({ instrument }: Served): Promise<Values> {
  const all: Values = {};
  for (const { name } of instrument.modules) all[name] = await instrument.get(name);
  return all;
}

for (const mistake of mistakes) {
  for (const form of mistake.in ?? forms) {
    test(`${form}: ${mistake.what}`, async ({ served, witness }) => {
      const { make, answer, plain, after = 'goes on', as = 'ACTUATOR' } = mistake;
      const opened: Connected[] = [];
      const dial: Served['dial'] = async (...how) => {
        const one = await served.dial(...how);
        opened.push(one);
        return one;
      };
      const peer = await dial(form, as);
      if (as === 'ACTUATOR') {
        peer.say('ping');
        assert.equal((await peer.told()).word, 'pong');
      }
      const before = await values(served);
      const { wordsWritten } = served.bus.traffic;
      await make(peer, { ...served, dial });

      if (plain) {
        assert.equal(await peer.over(), 'end');
        assert.match(peer.received.toString(), answer ?? /never/);
      } else if (answer) {
        const { word, payload } = await peer.told();
        assert.equal(word, 'Error', sentence(payload));
        assert.match(sentence(payload), answer);
      }
      if (after === 'goes on') {
        peer.say('ping');
        assert.equal((await peer.told()).word, 'pong');
        peer.say('check_position');
        assert.equal((await peer.told()).word, 'position_is');
        assert.equal(peer.unread, 0, 'one answer and no more');
      } else {
        assert.equal(await peer.over(), after);
      }
      assert.equal(served.bus.traffic.wordsWritten, wordsWritten, 'no register was written');
      assert.deepEqual(await values(served), before);
      assert.equal((await witness.ask({ command: 'ping' })).word, 'pong', 'others go on');

      for (const { socket } of opened) socket.destroy();
      for (let held = true; held; held = opened.length > 1 && (await isHeld(served))) await pause(1);
    });
  }
}

/** Whether somebody still owns something. */
async function isHeld({ instrument }: Served): Promise<boolean> {
  const { holders } = await instrument.status();
  return Object.keys(holders ?? {}).length > 0;
}

for (const form of forms) {
  test(`${form}: a grab on a trigger that is off`, async ({ served }) => {
    const peer = await served.dial(form, 'GRABBER');
    await peer.reply({ command: 'configure', config: { trigger_source: 'off' } });
    const { wordsWritten } = served.bus.traffic;
    peer.say('Send Data 1D');
    const { word, payload } = await peer.told();
    assert.equal(word, 'Error');
    assert.match(sentence(payload), /trigger_source off no trace would ever come; it can be immediately, ch1_pos/);
    assert.equal(served.bus.traffic.wordsWritten, wordsWritten);
    await peer.reply({ command: 'configure', config: { trigger_source: 'immediately' } });
    peer.say('Send Data 1D');
    assert.equal((await peer.told()).word, 'Done');
    peer.socket.destroy();
  });
}

test('nothing of all that is left: a grab and a move as ever', async ({ served }) => {
  const [viewer, mover] = [await served.dial('v4', 'GRABBER'), await served.dial('v5', 'ACTUATOR')];
  viewer.say('Send Data 1D');
  assert.equal((await viewer.told()).word, 'Done');
  await mover.reply({ command: 'attach', mode: 'share', owner: 'alice' });
  assert.equal((await mover.ask({ command: 'move_abs', value: 0.5 })).word, 'move_done');
});

test.run();
