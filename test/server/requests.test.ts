/** Objects of the wire to requests: every object is one, or is refused in a sentence. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { Refusal } from '../../src/errors.ts';
import {
  type BadRequest,
  boolField,
  dictionary,
  fromWord,
  namesField,
  opening,
  openings,
  payloadOf,
  type Request,
  recordField,
  textField,
} from '../../src/server/requests.ts';
import {
  bytes,
  dataActuator,
  float,
  floats,
  fromPlain,
  int,
  list,
  path,
  str,
  toPlain,
  type WireValue,
} from '../../src/server/wire/values.ts';
import { commands, offeringWords, type Word, words } from '../../src/server/words.ts';
import { wireValue } from './wire/arbitrary.ts';

/** The request that an object is by itself. */
function request(object: WireValue): Request | BadRequest {
  const first = opening(object);
  assert.equal(first.what, 'request');
  return first.what === 'request' ? first.request : { refusal: '' };
}

function wellFormed(made: Request | BadRequest): void {
  if ('refusal' in made) {
    assert.match(made.refusal, /nothing was changed\.$/);
    assert.ok(made.refusal.length < 600, made.refusal);
    return;
  }
  const row = commands[made.command];
  assert.ok(row);
  const known: readonly string[] = [...row.fields, 'value', 'units'];
  for (const key of Object.keys(made.fields)) assert.ok(known.includes(key), `${made.command}.${key}`);
}

const wordNames = Object.keys(words) as Word[];
const commandNames = Object.keys(commands);

test('what is asked again is not looked at again, unless there is more in it than plain values', () => {
  const open = openings();
  const requestOf = (object: WireValue) => {
    const first = open(object);
    return first.what === 'request' ? first.request : assert.fail(first.what);
  };
  const grab = fromPlain({ command: 'grab', module: 'scope' });
  assert.deepEqual(requestOf(grab), { command: 'grab', fields: { module: 'scope' } });
  assert.equal(requestOf(grab), requestOf(grab));
  assert.deepEqual(requestOf(fromPlain({ command: 'grab', module: 'iq0' })), {
    command: 'grab',
    fields: { module: 'iq0' },
  });
  const configure = fromPlain({ command: 'configure', module: 'pid0', config: { inputfilter: [0, 1] } });
  const [first, second] = [requestOf(configure), requestOf(configure)];
  assert.deepEqual(first, second);
  assert.notEqual(first, second);
});

test('every word opens as itself, and every command becomes its request, as a dictionary and as JSON', () => {
  for (const word of wordNames) assert.deepEqual(opening(str(word)), { what: 'word', word });
  for (const word of offeringWords) assert.deepEqual(opening(str(word)), { what: 'offer', word });
  for (const [command, { fields }] of Object.entries(commands)) {
    const all = Object.fromEntries(fields.map((name, k) => [name, k]));
    const wanted = { command, fields: all, id: 5 };
    const sent = { ...all, command, id: 5 };
    assert.deepEqual(request(fromPlain(sent)), wanted);
    assert.deepEqual(request(str(JSON.stringify(sent))), wanted);
    assert.deepEqual(request(str(`  \n${JSON.stringify(sent, undefined, 2)}\n`)), wanted);
  }
  for (const word of wordNames) {
    assert.deepEqual(request(fromPlain({ command: word })), { command: words[word].command, fields: {} });
  }
});

test('what is no request is refused, with the nearest that is', () => {
  for (const [object, reason] of [
    [str(''), /no word "" \(there are Send Data 0D,/],
    [str('grab'), /no word "grab"/],
    [str('pingg'), /no word "pingg" \(did you mean ping\?\)/],
    [str('toString'), /no word "toString"/],
    [str('__proto__'), /no word "__proto__"/],
    [str('x'.repeat(100_000)), /no word "x{40}…"/],
    [int(5), /A request is a word or a command dictionary, not a int/],
    [list([str('ping')]), /not a list/],
    [bytes('ping'), /not a bytes/],
    [fromPlain({}), /needs a text under the key command/],
    [fromPlain({ command: 5 }), /needs a text under the key command/],
    [fromPlain({ command: null }), /needs a text under the key command/],
    [fromPlain({ command: 'Ping' }), /no command "Ping" \(did you mean ping\?\)/],
    [fromPlain({ command: 'constructor' }), /no command "constructor"/],
    [fromPlain({ command: 'ping', module: 'scope' }), /command ping has no field "module" \(it has none\)/],
    [fromPlain({ command: 'grab', point: 5 }), /grab has no field "point" \(did you mean points\?\)/],
    [fromPlain({ command: 'ping', id: [] }), /id must be a number, or a text of at most 100/],
    [fromPlain({ command: 'ping', id: null }), /id must be/],
    [fromPlain({ command: 'ping', id: 'x'.repeat(101) }), /id must be/],
    [{ type: 'dict', items: [[int(1), str('ping')]] } as WireValue, /names as keys and plain values/],
    [{ type: 'dict', items: [[str('command'), floats([1])]] } as WireValue, /names as keys and plain values/],
    [str('{"command": "ping"'), /The command is no JSON/],
    [str('{'), /The command is no JSON/],
    [str(`{"command": "ping", "id": "${'x'.repeat(262_144)}"}`), /at most 262144 characters/],
    [str(`{"a": ${'['.repeat(100_000)}`), /at most 16 structures in each other/],
    [str(`{"a": ${'{"a": '.repeat(20)}1${'}'.repeat(21)}`), /at most 16 structures in each other/],
  ] as const) {
    const made = request(object);
    assert.ok('refusal' in made);
    assert.match(made.refusal, reason);
    wellFormed(made);
  }
});

test('the id of a refused dictionary comes back, if it is one', () => {
  for (const sent of [{ command: 'nope', id: 7 }, { id: 7 }, { command: 'ping', nope: 1, id: 7 }]) {
    for (const object of [fromPlain(sent), str(JSON.stringify(sent))]) {
      const made = request(object);
      assert.ok('refusal' in made);
      assert.equal(made.id, 7);
    }
  }
});

test('a key of a dictionary is a key, whatever its name', () => {
  const made = request(str('{"command": "configure", "config": {"__proto__": {"amplitude": 1}}}'));
  assert.ok('command' in made);
  const config = recordField(made.fields, 'config');
  assert.deepEqual(Object.keys(config ?? {}), ['__proto__']);
  assert.equal(({} as { amplitude?: unknown }).amplitude, undefined);
});

test('what follows a word becomes the fields of its command', () => {
  assert.deepEqual(fromWord('move_abs', [dataActuator('a', 0.5, 'mV', 0)]), {
    command: 'move_abs',
    fields: { value: 0.5, units: 'mV' },
  });
  assert.deepEqual(fromWord('move_rel', [float(-2)]), { command: 'move_rel', fields: { value: -2, units: '' } });
  assert.deepEqual(fromWord('set_info', [path(['a', 'b']), bytes('<b>ü</b>')]), {
    command: 'set_info',
    fields: { path: ['a', 'b'], xml: '<b>ü</b>' },
  });
  assert.deepEqual(fromWord('set_info', [path(['b']), str('<b/>')]), {
    command: 'set_info',
    fields: { path: ['b'], xml: '<b/>' },
  });
  for (const dtype of ['<f4', '>f8', '<i2', '|u1', '>i8']) {
    const sample = {
      '<f4': '0000803f',
      '>f8': '3ff0000000000000',
      '<i2': '0100',
      '|u1': '01',
      '>i8': '0000000000000001',
    };
    const raw = Buffer.from(sample[dtype as keyof typeof sample], 'hex');
    const data = { ...dataActuator('a', 0, '', 0), data: [{ type: 'ndarray', dtype, shape: [1], bytes: raw }] };
    assert.deepEqual(fromWord('move_abs', [data as WireValue]), {
      command: 'move_abs',
      fields: { value: 1, units: '' },
    });
  }
});

test('the wrong thing after a word is refused', () => {
  const empty = { ...dataActuator('a', 0, '', 0), data: [] } as WireValue;
  const two = { ...dataActuator('a', 0, '', 0), data: [floats([1]), floats([2])] } as WireValue;
  const complex = {
    ...dataActuator('a', 0, '', 0),
    data: [{ type: 'ndarray', dtype: '<c16', shape: [1], bytes: new Uint8Array(16) }],
  } as WireValue;
  for (const [word, payload, reason] of [
    ['move_abs', [], /followed by a DataActuator with one value/],
    ['move_abs', [str('1')], /DataActuator with one value, not a str/],
    ['move_abs', [empty], /DataActuator with one value/],
    ['move_abs', [two], /DataActuator with one value/],
    ['move_abs', [complex], /DataActuator with one value/],
    ['move_abs', [{ ...dataActuator('a', 0, '', 0), data: [floats([])] }], /DataActuator with one value/],
    ['set_info', [str('a'), bytes('<a/>')], /followed by the path as a list of strings, not a str/],
    ['set_info', [list([int(1)]), bytes('<a/>')], /the path as a list of strings/],
    ['set_info', [path(['a']), int(1)], /followed by XML, not a int/],
  ] as const) {
    const made = fromWord(word, payload as readonly WireValue[]);
    assert.ok('refusal' in made);
    assert.match(made.refusal, reason);
    wellFormed(made);
  }
});

test('any object of the wire is a request or is refused, in either place', () => {
  const anyObject = wireValue('v5').map(({ value }) => value);
  const likely = fc
    .record(
      {
        command: fc.oneof(fc.constantFrom(...commandNames, ...wordNames), fc.string(), fc.anything()),
        id: fc.oneof(fc.integer(), fc.string(), fc.anything()),
        module: fc.anything(),
        config: fc.anything(),
        value: fc.anything(),
        path: fc.anything(),
      },
      { requiredKeys: [] },
    )
    .map((plain) => JSON.stringify(plain) ?? '{')
    .chain((text) =>
      fc.oneof(
        fc.constant(str(text)),
        fc.nat(text.length).map((end) => str(text.slice(0, end))),
      ),
    );
  const judge = (object: WireValue): void => {
    const first = opening(object);
    if (first.what === 'request') wellFormed(first.request);
    else assert.ok(object.type === 'str');
  };
  fc.assert(fc.property(anyObject, judge), { numRuns: 500 });
  fc.assert(fc.property(likely, judge), { numRuns: 1000 });
  fc.assert(
    fc.property(fc.constantFrom(...wordNames), anyObject, anyObject, (word, one, two) => {
      wellFormed(fromWord(word, [one, two].slice(0, payloadOf(word).length)));
    }),
    { numRuns: 500 },
  );
});

test('a dictionary is a dict in v5 and JSON in v4', () => {
  const plain = { a: 1, b: [0.5, 'x', null, true] };
  assert.deepEqual(toPlain(dictionary('v5', plain)), plain);
  const four = dictionary('v4', plain);
  assert.deepEqual(four.type === 'str' && JSON.parse(four.value), plain);
});

test('fields of the wrong type are refused by name', () => {
  const fields = { text: 'a', flag: true, names: ['a'], record: { a: 1 }, nothing: null };
  assert.equal(textField(fields, 'text'), 'a');
  assert.equal(boolField(fields, 'flag'), true);
  assert.deepEqual(namesField(fields, 'names'), ['a']);
  assert.deepEqual(recordField(fields, 'record'), { a: 1 });
  for (const read of [textField, boolField, namesField, recordField]) {
    assert.equal(read(fields, 'absent'), undefined);
    const wrong = Object.keys(fields).filter((name) => {
      try {
        read(fields, name);
        return false;
      } catch (error) {
        assert.ok(error instanceof Refusal);
        assert.match(error.message, new RegExp(`^${name} must be .*nothing was changed\\.$`));
        return true;
      }
    });
    assert.equal(wrong.length, 4, `${read.name}: ${wrong}`);
  }
  assert.throws(() => namesField({ path: ['a', 1] }, 'path'), Refusal);
});

test.run();
