/** What is taken of PyRPL's configurations. */
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import { ConfigurationError } from '../src/errors.ts';
import { type Imported, importPyrpl } from '../src/import-pyrpl.ts';

const lab = readFileSync(new URL('import-pyrpl/lab.yml', import.meta.url), 'utf8');

const reasonOf = ({ remarks }: Imported, entry: string): string | undefined =>
  remarks.find((remark) => remark.entry === entry)?.reason;

test('a configuration that PyRPL wrote itself', () => {
  const { modules, setups } = importPyrpl(lab);
  assert.deepEqual(modules.pid0, {
    i: 10.000527898530768,
    input: 'in1',
    inputfilter: [9716.419185321407, -9.486376108968424, 0, 0],
    max_voltage: 0.800048828125,
    min_voltage: -0.5,
    output_direct: 'out1',
    p: -0.10009765625,
    setpoint: 0.0999755859375,
  });
  assert.equal(modules.scope?.duration, 0.016777216);
  assert.equal(modules.pwm0?.input, 'pid1');
  assert.equal(modules.hk?.led, 5);
  // A state is one of every module of its kind.
  for (const name of ['pid0', 'pid1', 'pid2']) {
    const values = setups[`${name}-slow_lock`]?.[name];
    assert.deepEqual([values?.p, values?.pause_gains, values?.paused], [-2.5, 'off', false]);
  }
  assert.deepEqual(Object.keys(setups['iq2-pdh'] ?? {}), ['iq2']);
  assert.ok(setups['asg1-scan'] && setups['scope-view']);
});

test('every entry of it is taken or told', () => {
  const imported = importPyrpl(lab);
  const told = new Set(imported.remarks.map(({ entry }) => entry));
  let section = '';
  let state = '';
  let entries = 0;
  for (const line of lab.split('\n')) {
    const [, indent = '', quoted = ''] = /^( *)([^\s-][^:]*):/.exec(line) ?? [];
    const key = quoted.replaceAll("'", '');
    if (key === '') continue;
    if (indent.length === 0) section = key;
    else if (indent.length === 2 && section.endsWith('_states')) state = key;
    else if (indent.length <= 4 && (indent.length === 2 || section.endsWith('_states'))) {
      const place = section.endsWith('_states') ? `${section}.${state}` : section;
      const kind = section.replace(/_states$/, '');
      const taken = section.endsWith('_states')
        ? Object.entries(imported.setups).some(
            ([name, setup]) =>
              name.endsWith(`-${state.replaceAll(' ', '_')}`) &&
              Object.entries(setup).some(([module, values]) => module.startsWith(kind) && key in values),
          )
        : key in (imported.modules[section] ?? {});
      assert.ok(taken || told.has(`${place}.${key}`) || told.has(place), `${place}.${key} is lost`);
      entries++;
    }
  }
  assert.ok(entries > 150, `${entries}`);
});

test('what concerns the screen or the PC alone is named, with the reason', () => {
  const imported = importPyrpl(lab);
  assert.match(reasonOf(imported, 'scope_states.view.xy_mode') ?? '', /screen/);
  assert.match(reasonOf(imported, 'scope.curve_name') ?? '', /curves/);
  assert.match(reasonOf(imported, 'redpitaya.hostname') ?? '', /PC to the board/);
  assert.match(reasonOf(imported, 'redpitaya.frequency_correction') ?? '', /configuration of pitayad/);
  assert.match(reasonOf(imported, 'lockbox.sequence') ?? '', /no lockbox/);
  assert.match(reasonOf(importPyrpl('pid7: {p: 1}'), 'pid7.p') ?? '', /no such module \(the nearest is pid/);
  assert.match(reasonOf(importPyrpl('pid0: {setpiont: 1}'), 'pid0.setpiont') ?? '', /nearest is setpoint/);
});

test('values as PyRPL and Python write them', () => {
  const { modules, remarks } = importPyrpl(`
pid0:
  input: adc1
  output_direct: off
  p: 1e1
  inputfilter: 1000
  paused: yes
  ival: 0.5
  setpoint: 3
  max_voltage: high
iq0:
  acbandwidth: [20000.0]
  bandwidth: !!python/tuple [1000.0, 0]
iq1: {bandwidth: [1.0e+10, -500]}
asg0: {waveform: 'sine', frequency: '1e3'}
`);
  assert.deepEqual(modules.pid0, {
    input: 'in1',
    output_direct: 'off',
    p: 10,
    inputfilter: [1000, 0, 0, 0],
    paused: true,
    setpoint: 1,
  });
  assert.deepEqual(modules.iq0, { acbandwidth: 20000, bandwidth: [1000, 0] });
  assert.deepEqual(modules.asg0, { frequency: 1000 });
  const [highest = 0, other] = (modules.iq1?.bandwidth ?? []) as readonly number[];
  assert.ok(highest > 3e6 && highest < 4e6 && other === -500, `${highest}, ${other}`);
  assert.deepEqual(
    remarks.map(({ entry, taken }) => [entry, taken]),
    [
      ['pid0.ival', undefined],
      ['pid0.setpoint', 1],
      ['pid0.max_voltage', undefined],
      ['iq1.bandwidth', modules.iq1?.bandwidth],
      ['asg0.waveform', undefined],
    ],
  );
  assert.match(remarks[4]?.reason ?? '', /must be one of sin, .*did you mean sin/);
});

test('states whose names are alike or unfit for a file each get a setup', () => {
  const { setups } = importPyrpl('hk_states: {"a/b": {led: 1}, "a b": {led: 2}, "../../etc": {led: 3}}');
  assert.deepEqual(setups, {
    'hk-a_b': { hk: { led: 1 } },
    'hk-a_b_2': { hk: { led: 2 } },
    'hk-.._.._etc': { hk: { led: 3 } },
  });
});

test('what is no configuration is refused', () => {
  for (const text of [
    '',
    '- a\n- b',
    'a: [',
    'just words',
    '\0',
    `${'['.repeat(20_000)}`,
    'a: *b',
    `${' '.repeat(600)}a: 1`,
  ]) {
    assert.throws(() => importPyrpl(text), ConfigurationError, text.slice(0, 20));
  }
  const laughs = Array.from({ length: 12 }, (_, k) => `l${k + 1}: &l${k + 1} [${Array(9).fill(`*l${k}`).join(', ')}]`);
  assert.throws(() => importPyrpl(['l0: &l0 [lol]', ...laughs].join('\n')), ConfigurationError);
});

test('whatever the file holds, it is taken, told or refused', () => {
  const word = fc.constantFrom(
    'pid0',
    'pid_states',
    'scope',
    'p',
    'input',
    'inputfilter',
    '__proto__',
    'constructor',
    'x',
  );
  const file = fc.dictionary(word, fc.oneof(fc.jsonValue(), fc.dictionary(word, fc.jsonValue())));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        file.map((content) => JSON.stringify(content)),
      ),
      (text) => {
        try {
          const { modules, setups, remarks } = importPyrpl(text);
          for (const { reason } of remarks) assert.equal(typeof reason, 'string');
          for (const name of Object.keys(setups)) assert.match(name, /^[A-Za-z0-9_.-]{1,64}$/);
          for (const values of Object.values(modules)) assert.ok(Object.keys(values).length > 0);
        } catch (error) {
          assert.ok(error instanceof ConfigurationError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
