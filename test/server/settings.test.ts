/** Parameters as PyMoDAQ's XML and back, for every parameter that there is; and XML that nobody should trust. */
import assert from 'node:assert';
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { test } from 'uvu';
import { Refusal } from '../../src/errors.ts';
import type { ModuleDescription, ParameterDescription, Value } from '../../src/fpga/description.ts';
import { parameterXml, readParameterXml, settingsXml, unitsXml, valueFromText } from '../../src/server/settings.ts';
import { timed } from '../fpga/instrument/fixture.ts';

const { instrument } = await timed();
const present = new Map<string, Record<string, Value>>();
for (const { name } of instrument.modules) present.set(name, await instrument.get(name));
await instrument.close();

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
  readonly children: Element[];
}

/** Any well-formed XML as a tree, by the parser's own events. */
function parse(xml: string): Element {
  const root: Element = { name: '', attributes: {}, text: '', children: [] };
  const open = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => assert.fail(error));
  parser.on('opentag', ({ name, attributes }) => {
    const element: Element = { name, attributes: { ...attributes }, text: '', children: [] };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const last = open.at(-1);
    if (last) last.text += text;
  });
  parser.on('closetag', () => void open.pop());
  parser.write(xml).close();
  const [only, ...more] = root.children;
  assert.ok(only && more.length === 0);
  return only;
}

function of(kind: ParameterDescription['kind'], more: Partial<ParameterDescription> = {}): ParameterDescription {
  return { name: 'p', label: 'P', help: '', kind, unit: '', readonly: false, default: 0, ...more };
}

/** Values that a parameter may have: the present one, its default, its limits, its choices. */
function valuesOf(module: ModuleDescription, { name, ...parameter }: ParameterDescription): Value[] {
  const now = present.get(module.name)?.[name];
  assert.ok(now !== undefined, `${module.name}.${name} has a value`);
  const { min, max, choices = [], kind } = parameter;
  return [
    now,
    parameter.default,
    ...choices,
    ...(kind === 'bool' ? [true, false] : []),
    ...(kind === 'number' ? [min, max, 1e-9, 123.456].filter((value) => value !== undefined) : []),
    ...(kind === 'integer' ? [min, max, 7].filter((value) => value !== undefined) : []),
  ];
}

test('every value of every parameter of every module comes back from its XML', () => {
  let count = 0;
  for (const module of instrument.modules) {
    for (const parameter of module.parameters) {
      for (const value of valuesOf(module, parameter)) {
        const sent = readParameterXml(parameterXml(parameter, value));
        assert.equal(sent.name, parameter.name);
        assert.deepEqual(valueFromText(parameter, sent.text), value, `${module.name}.${parameter.name}: ${value}`);
        count++;
      }
    }
  }
  assert.ok(count > 300, `${count} values`);
});

test('a tree has all parameters of its module, in order, with what PyMoDAQ needs to show them', () => {
  for (const module of instrument.modules) {
    const values = present.get(module.name) ?? {};
    const xml = settingsXml(module, values);
    assert.match(xml, /^[\x20-\x7e]*$/, 'ASCII, and no line breaks');
    const { name, attributes, children } = parse(xml);
    assert.deepEqual([name, attributes.type, attributes.title], [module.name, 'group', module.title]);
    assert.deepEqual(
      children.map((child) => child.name),
      module.parameters.map((parameter) => parameter.name),
    );
    for (const [k, parameter] of module.parameters.entries()) {
      const child = children[k];
      assert.ok(child);
      const { type, title, visible, removable, readonly, limits, suffix, tip } = child.attributes;
      assert.deepEqual([visible, removable, readonly], ['1', '0', parameter.readonly ? '1' : '0']);
      assert.deepEqual([title, suffix ?? '', tip], [parameter.label, parameter.unit, parameter.help]);
      assert.ok(['float', 'int', 'bool', 'led', 'list', 'str'].includes(type ?? ''), `${parameter.name}: ${type}`);
      if (limits === undefined) continue;
      // It is evaluated as Python at the other end: plain literals, and nothing else.
      const literal = /^(?:'[\w .+\-^()/]*'|-?[\d.]+(?:e[+-]?\d+)?)$/;
      const items = limits.slice(1, -1).split(', ');
      assert.ok(
        items.every((item) => literal.test(item)),
        limits,
      );
      if (parameter.kind === 'choice') {
        assert.match(limits, /^\[.*\]$/);
        assert.deepEqual(
          items.map((item) => item.replaceAll("'", '')),
          parameter.choices?.map(String),
        );
      } else {
        assert.match(limits, /^\(.*\)$/);
        assert.deepEqual(items.map(Number), [parameter.min, parameter.max]);
      }
    }
  }
});

test('an actuator’s tree begins with the unit of its axis', () => {
  const [, asg0] = instrument.modules;
  assert.ok(asg0);
  const [first] = parse(settingsXml(asg0, present.get('asg0') ?? {}, [unitsXml('V')])).children;
  assert.deepEqual([first?.name, first?.text, first?.attributes.readonly], ['units', 'V', '1']);
});

test('whatever stands in a text is text in the XML, as far as XML can hold it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (text, wild) => {
      const xml = parameterXml(of('text', { help: text, label: wild }), text);
      assert.match(xml, /^[\x20-\x7e]*$/);
      const { attributes, text: back } = parse(xml);
      const held = [...text].map((char) => (char < ' ' && !'\t\n\r'.includes(char) ? ' ' : char)).join('');
      assert.equal(back, held);
      assert.equal(attributes.tip, held);
    }),
  );
});

test('what PyMoDAQ writes is read: attributes in any order, entities, references, CDATA, declarations', () => {
  for (const [xml, name, text] of [
    ['<a type="float">1</a>', 'a', '1'],
    ['<a/>', 'a', ''],
    ['<?xml version="1.0" encoding="utf-8"?>\n<a type="str">x</a>\n', 'a', 'x'],
    ['\n  <level title="Level (V)" limits="(-1.0, 1.0)" show_pb="0">0.5</level>', 'level', '0.5'],
    ['<a>&lt;&amp;&gt;&quot;&apos;&#233;&#x1F600;</a>', 'a', '<&>"\'é😀'],
    ['<a><![CDATA[<b>]]></a>', 'a', '<b>'],
    ['<!-- c --><a>1<!-- d -->2</a><!-- e -->', 'a', '12'],
    ['<a x="&lt;">1</a>', 'a', '1'],
    ['\ufeff<a>1</a>', 'a', '1'],
  ] as const) {
    assert.deepEqual(readParameterXml(xml), { name, text }, xml);
  }
});

test('XML that is none, is too much, or could do something is refused in a sentence', () => {
  const laughs = Array.from({ length: 9 }, (_, k) => `<!ENTITY l${k + 1} "${`&l${k};`.repeat(10)}">`).join('');
  for (const [xml, reason] of [
    ['', /is empty|cannot be read/],
    ['   ', /is empty|cannot be read/],
    ['0.5', /cannot be read/],
    ['<a>', /cannot be read/],
    ['<a>1</b>', /cannot be read/],
    ['<a>1</a><b>2</b>', /cannot be read|one element/],
    ['<a>1</a>2', /cannot be read/],
    ['<a b=1>1</a>', /cannot be read/],
    ['<a x="1" x="2">1</a>', /cannot be read/],
    ['<a>&nope;</a>', /cannot be read/],
    ['<a>&#0;</a>', /cannot be read/],
    ['<a>\0</a>', /cannot be read/],
    ['<1a>1</1a>', /cannot be read/],
    ['<!DOCTYPE a><a>1</a>', /document type/],
    ['<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>1</a>', /document type/],
    ['<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', /document type/],
    [`<!DOCTYPE a [<!ENTITY l0 "lol">${laughs}]><a>&l9;</a>`, /document type/],
    ['<g type="group"><a>1</a></g>', /one element, of a parameter and not of a group/],
    [`${'<a>'.repeat(10_000)}${'</a>'.repeat(10_000)}`, /one element|more than the 65536/],
    [`<a>${'<b>'.repeat(9000)}`, /one element/],
    [`<a>${'x'.repeat(65_536)}</a>`, /has 65543 characters, more than the 65536/],
  ] as const) {
    assert.throws(
      () => readParameterXml(xml),
      (error) => {
        assert.ok(error instanceof Refusal, String(error));
        assert.match(error.message, reason, xml.slice(0, 60));
        assert.match(error.message, /nothing was changed/);
        assert.ok(error.message.length < 400, error.message);
        return true;
      },
    );
  }
});

test('any text is read or refused, and nothing else', () => {
  const piece = fc.constantFrom('<a>', '</a>', '<a/>', '<!DOCTYPE', '<![CDATA[', ']]>', '<?', '?>', '&', ';', '#', '"');
  const soup = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 5 }))).map((all) => all.join(''));
  fc.assert(
    fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (xml) => {
      try {
        const { name, text } = readParameterXml(xml);
        assert.ok(name.length > 0 && text.length <= xml.length);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('texts that people and PyMoDAQ write become values; others stay texts, to be refused by the parameter', () => {
  const choices = of('choice', { choices: ['HV', 'LV', 'ch1_positive_edge'] });
  const numbers = of('choice', { choices: [1, 8, 0.5] });
  for (const [parameter, text, value] of [
    [of('number'), '0.25', 0.25],
    [of('number'), ' -1e-09 ', -1e-9],
    [of('number'), '+.5', 0.5],
    [of('number'), 'nan', Number.NaN],
    [of('number'), '-inf', Number.NEGATIVE_INFINITY],
    [of('number'), '0x10', '0x10'],
    [of('number'), '1_000', '1_000'],
    [of('number'), '', ''],
    [of('number'), '__import__("os")', '__import__("os")'],
    [of('integer'), '5', 5],
    [of('integer'), '3.7', 3],
    [of('integer'), '1e3', 1000],
    [of('integer'), 'nan', Number.NaN],
    [of('integer'), 'many', 'many'],
    [of('bool'), '1', true],
    [of('bool'), '0', false],
    [of('bool'), 'True', true],
    [of('bool'), 'constructor', 'constructor'],
    [of('bool'), '__proto__', '__proto__'],
    [of('bool'), 'yes', 'yes'],
    [choices, "str('HV')", 'HV'],
    [choices, "'LV'", 'LV'],
    [choices, '"LV"', 'LV'],
    [choices, 'ch1_positive_edge', 'ch1_positive_edge'],
    [choices, "str('XV')", 'XV'],
    [numbers, 'int(8)', 8],
    [numbers, '8', 8],
    [numbers, '8.0', 8],
    [numbers, 'float(0.5)', 0.5],
    [numbers, 'int(9)', '9'],
    [of('numbers'), '[1.0, -2.5e3]', [1, -2500]],
    [of('numbers'), '(1, 2,)', [1, 2]],
    [of('numbers'), '', []],
    [of('numbers'), '[1, two]', '[1, two]'],
    [of('text'), ' as it is ', ' as it is '],
  ] as const) {
    assert.deepEqual(valueFromText(parameter, text), value, `${parameter.kind}: ${text}`);
  }
});

test('no text breaks the reading of a value', () => {
  const parameters = instrument.modules.flatMap((module) => module.parameters);
  fc.assert(
    fc.property(fc.constantFrom(...parameters, of('numbers')), fc.string({ unit: 'binary' }), (parameter, text) => {
      const value = valueFromText(parameter, text);
      assert.ok(['number', 'string', 'boolean'].includes(typeof value) || Array.isArray(value));
    }),
    { numRuns: 1000 },
  );
});

test('numbers are Python’s', () => {
  for (const [kind, value, text] of [
    ['number', 1, '1.0'],
    ['number', -0.5, '-0.5'],
    ['number', 1e21, '1e+21'],
    ['number', Number.NaN, 'nan'],
    ['number', Number.POSITIVE_INFINITY, 'inf'],
    ['number', Number.NEGATIVE_INFINITY, '-inf'],
    ['integer', 3, '3'],
    ['numbers', [1, 0.5], '[1.0, 0.5]'],
  ] as const) {
    assert.equal(readParameterXml(parameterXml(of(kind), value)).text, text);
  }
});

test('a choice that could be more than a name in Python never leaves', () => {
  assert.throws(() => parameterXml(of('choice', { choices: ["a' + exit() + '"] }), 'a'), /no plain name/);
});

test.run();
