/** The table of words: it agrees with itself. */
import assert from 'node:assert';
import { test } from 'uvu';
import { kinds } from '../../src/server/wire/values.ts';
import {
  answers,
  commands,
  offeringWords,
  typeWords,
  unasked,
  words,
  wordsAsMarkdown,
} from '../../src/server/words.ts';
import { timed } from '../fpga/instrument/fixture.ts';

test('every word, answer and field in the tables is there for a reader', () => {
  const text = wordsAsMarkdown();
  for (const name of [...Object.keys({ ...commands, ...words, ...answers, ...unasked })]) {
    assert.ok(text.includes(`| \`${name}\` |`), name);
  }
  for (const { fields, help } of Object.values(commands)) {
    assert.ok(text.includes(help));
    for (const field of fields) assert.ok(text.includes(`\`${field}\``), field);
  }
});

test('every word stands for a command that has the fields of its payload', () => {
  for (const [word, { command, payload }] of Object.entries(words)) {
    const { fields }: { fields: readonly string[] } = commands[command];
    for (const { field, kind } of payload) {
      assert.ok(kinds.includes(kind), word);
      // A position becomes a value with its unit.
      const needed = field === 'position' ? ['value', 'units'] : [field];
      for (const each of needed) assert.ok(fields.includes(each), `${word}: ${each}`);
    }
  }
});

test('no word has two meanings', () => {
  for (const name of [...Object.keys(words), ...Object.keys(commands)]) {
    assert.ok(!offeringWords.includes(name) && !Object.hasOwn(answers, name) && !Object.hasOwn(unasked, name), name);
    assert.ok(!name.startsWith('{') && name === name.trim(), name);
  }
  for (const name of Object.keys(words)) {
    const { command } = words[name as keyof typeof words];
    // As a command, a word that is one means the same.
    if (Object.hasOwn(commands, name)) assert.equal(command, name);
  }
});

test('a type word begins on a module that there is', async () => {
  const { instrument } = await timed();
  assert.equal(instrument.describe(typeWords.GRABBER).grabs, true);
  assert.ok(instrument.describe(typeWords.ACTUATOR).actuator);
  await instrument.close();
});

test.run();
