import assert from 'node:assert';
import { test } from 'uvu';
import { block, type Field, type Memory } from '../../src/fpga/fields.ts';
import { fpgaModule } from '../../src/fpga/module.ts';
import { moduleTable } from '../../src/fpga/module-table.ts';
import { modules } from '../../src/fpga/modules/modules.ts';
import { bool } from '../../src/fpga/parameters/choices.ts';
import { derived, integer } from '../../src/fpga/parameters/numbers.ts';

const at = block(0x4030_0000);
const words = { help: 'For the test.' };
const declare = (name: string, field: Field) =>
  fpgaModule({ name, title: name, help: '' }, { a: integer(field, words) });

test('the instrument’s own table holds', () => {
  const names = modules.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of ['scope', 'asg1', 'pid2', 'iq0', 'trig', 'hk']) assert.ok(names.includes(name), name);
});

test('every description is fit for a settings tree', () => {
  const units = ['', 'V', 's', 'Hz', 'deg', 'us'];
  for (const { description } of modules) {
    assert.ok(description.title && description.help);
    for (const { name, label, help, unit, kind, min, max, choices, default: usual, home } of description.parameters) {
      const where = `${description.name}.${name}`;
      assert.match(name, /^[a-z][A-Za-z0-9_]*$/, where);
      assert.ok(label !== '' && help.endsWith('.'), where);
      assert.ok(units.includes(unit), `${where}: ${unit}`);
      assert.equal(kind === 'choice', choices !== undefined, where);
      if (choices)
        assert.ok(
          choices.some((one) => one === usual),
          where,
        );
      if (typeof usual === 'number' && min !== undefined && max !== undefined)
        assert.ok(usual >= min && usual <= max, where);
      if (home !== undefined) assert.ok(kind === 'number' || kind === 'integer', where);
    }
  }
});

test('two parameters that claim one bit are found, in one module and across modules', () => {
  const [low, high] = [at(4, { bits: 8 }), at(4, { bits: 2, shift: 7 })];
  assert.throws(() => moduleTable(declare('one', low), declare('two', high)), /two\.a and one\.a claim the same bits/);
  const both = fpgaModule({ name: 'both', title: '', help: '' }, { a: integer(low, words), b: bool(high, words) });
  assert.throws(() => moduleTable(both), /both\.b and both\.a/);
  const hidden = fpgaModule(
    { name: 'hidden', title: '', help: '', registers: { command: at(4, { bits: 1, access: 'command' }) } },
    { a: integer(low, words) },
  );
  assert.throws(() => moduleTable(hidden), /claim the same bits of 0x40300004/);
});

test('one field may serve several parameters, when it is the same one', () => {
  const origin = integer(at(4, { bits: 8 }), words);
  const twice = derived(origin, {
    ...words,
    unit: 's',
    min: 0,
    max: 510,
    toOrigin: (x) => x / 2,
    fromOrigin: (x) => 2 * x,
  });
  const module = fpgaModule({ name: 'one', title: '', help: '' }, { origin, twice });
  assert.equal(moduleTable(module).length, 1);
});

test('memories that lie over each other are found', () => {
  const withMemory = (name: string, table: Memory) =>
    fpgaModule({ name, title: '', help: '', memories: { table } }, {});
  const first = withMemory('one', { address: 0x4021_0000, words: 16384 });
  assert.throws(() => moduleTable(first, withMemory('two', { address: 0x4021_fffc, words: 1 })), /same memory/);
  assert.equal(moduleTable(first, withMemory('two', { address: 0x4022_0000, words: 1 })).length, 2);
});

test('names that are taken or that XML and Python would not take are found', () => {
  const field = at(4, { bits: 8 });
  assert.throws(() => moduleTable(declare('one', field), declare('one', at(8))), /Two modules are called one/);
  assert.throws(() => moduleTable(declare('1st', field)), /no name/);
  assert.throws(
    () => moduleTable(fpgaModule({ name: 'one', title: '', help: '' }, { 'a b': integer(field, words) })),
    /a b is no name/,
  );
});

test('limits that leave nothing, and a home outside, are found', () => {
  const of = (options: { min?: number; max?: number; home?: number }) =>
    fpgaModule({ name: 'one', title: '', help: '' }, { a: integer(at(4), { ...words, ...options }) });
  assert.throws(() => moduleTable(of({ min: 3, max: 2 })), /leave nothing/);
  assert.throws(() => moduleTable(of({ max: 2, home: 3 })), /home is out of limits/);
});

test.run();
