import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type CardConfig, readCardConfig } from '../../src/config/card.ts';
import { addOptions, readConfig } from '../../src/config/command-line.ts';
import { parseConfig } from '../../src/config/file.ts';
import { settings } from '../../src/config/settings.ts';
import { ConfigurationError } from '../../src/errors.ts';

interface Context {
  folder: string;
  file: string;
  copy: string;
  read(): CardConfig;
}

const test = suite<Context>('configuration on the card');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-card-'));
  context.file = join(context.folder, 'fat.yaml');
  context.copy = join(context.folder, 'state/pitayad.yaml');
  context.read = () => readCardConfig(context.file, context.copy);
});

test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

test('no file, no settings, nothing to say', ({ read, copy }) => {
  assert.deepEqual(read(), { values: {}, remarks: [] });
  assert.ok(!existsSync(copy));
});

test('its settings stand between the file of root and the command line', ({ folder, file, read }) => {
  const root = join(folder, 'config.yaml');
  writeFileSync(root, 'in1: LV\nmax_clients: 3\ngrace_period: 1\n');
  writeFileSync(file, 'in1: HV\ngrace_period: 2\n');
  const command = addOptions(new Command('serve'));
  command.parse(['--config', root, '--grace-period', '5'], { from: 'user' });
  const config = readConfig(command, read().values);
  assert.deepEqual([config.in1, config.max_clients, config.grace_period, config.in2], ['HV', 3, 5, 'LV']);
});

test('as editors of other systems save it', ({ file, read }) => {
  writeFileSync(file, '\ufeff# jumpers\r\nin1: HV\r\nin2: HV\r\n');
  assert.deepEqual(read(), { values: { in1: 'HV', in2: 'HV' }, remarks: [] });
});

test('the last good one holds when it is gone, and when it is wrong; the sentence is told', ({ file, copy, read }) => {
  writeFileSync(file, 'in1: HV\n');
  read();
  assert.equal(readFileSync(copy, 'utf8'), 'in1: HV\n');

  writeFileSync(file, 'in1: XV\n');
  const wrong = read();
  assert.deepEqual(wrong.values, { in1: 'HV' });
  assert.equal(wrong.remarks.length, 1);
  assert.match(
    wrong.remarks[0] ?? '',
    /fat\.yaml, line 1: in1 must be LV or HV, not "XV"; what holds is the last good/,
  );

  rmSync(file);
  const gone = read();
  assert.deepEqual(gone.values, { in1: 'HV' });
  assert.match(gone.remarks[0] ?? '', /fat\.yaml is gone; what holds is the last good one/);

  writeFileSync(file, '# all as it was\n');
  assert.deepEqual(read(), { values: {}, remarks: [] });
  assert.equal(readFileSync(copy, 'utf8'), '# all as it was\n');
});

test('wrong from the first on: none of its settings hold', ({ file, copy, read }) => {
  for (const text of ['in1: HV\nin3: LV\n', '- a', 'x'.repeat(70_000), '\0\x01\x02', '\xff\xfei\x00n\x00']) {
    writeFileSync(file, text, 'latin1');
    const { values, remarks } = read();
    assert.deepEqual(values, {});
    assert.equal(remarks.length, 1, text.slice(0, 20));
    assert.match(remarks[0] ?? '', /none of its settings hold$/);
    assert.ok(!existsSync(copy));
  }
});

test('a copy that is damaged, or cannot be written, is told and does no harm', ({ folder, file, copy, read }) => {
  mkdirSync(join(folder, 'state'));
  writeFileSync(copy, 'in1: [\n');
  const damaged = read();
  assert.deepEqual(damaged.values, {});
  assert.match(damaged.remarks.join('\n'), /the last good configuration of the card: .*pitayad\.yaml, line/);

  rmSync(join(folder, 'state'), { recursive: true });
  writeFileSync(join(folder, 'state'), 'a file where the folder should be');
  writeFileSync(file, 'in2: HV\n');
  const { values, remarks } = read();
  assert.deepEqual(values, { in2: 'HV' });
  assert.match(remarks.join('\n'), /the last good configuration of the card/);
});

test('it may set no names of files, no way to the registers, no address to listen at', () => {
  const roots = ['bus', 'board', 'front_end', 'eeprom', 'listen', 'state'];
  const refused = Object.keys(settings).filter((key) => {
    try {
      parseConfig(`${key}: {}\n`, 'pitayad.yaml', 'card');
      return false;
    } catch (error) {
      assert.ok(error instanceof ConfigurationError);
      const root = error.message.endsWith(`: ${key} cannot be set on the card, only in /etc/pitayad/config.yaml`);
      return root;
    }
  });
  for (const key of roots) assert.ok(refused.includes(key), key);
  for (const key of ['in1', 'in2', 'calibration', 'allowed_networks', 'discovery', 'dial']) {
    assert.ok(!refused.includes(key), key);
  }
  const files = Object.entries(settings).filter(([, { kind }]) => kind.placeholder === 'FILE');
  assert.ok(files.length > 0 && files.every(([key]) => refused.includes(key)));
});

test('any bytes give settings or a remark', ({ file, read }) => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map(Buffer.from)), (bytes) => {
      writeFileSync(file, bytes);
      const { values, remarks } = read();
      assert.ok(typeof values === 'object' && remarks.every((remark) => remark.length > 0));
    }),
    { numRuns: 60 },
  );
});

test.run();
