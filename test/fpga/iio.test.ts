/** The slow analog inputs, on a folder of files as Linux shows them. Not yet seen on a board. */
import assert from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { readSlowInputs } from '../../src/fpga/iio.ts';
import { client, refusal, timed } from './instrument/fixture.ts';

function board(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-iio-'));
  for (const [path, content] of Object.entries(files)) {
    const [device = '', file = ''] = path.split('/');
    const folder = join(root, 'sys/bus/iio/devices', device);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, file), `${content}\n`);
  }
  return root;
}

test('inputs by the labels of the connector, supplies by the names of the kernel, the temperature in °C', async () => {
  const root = board({
    'iio:device0/name': 'xadc',
    'iio:device0/in_voltage11_raw': '2048',
    'iio:device0/in_voltage9_raw': '0',
    'iio:device0/in_voltage0_raw': '1675',
    'iio:device0/in_voltage3_vccpint_raw': '1365',
    'iio:device0/in_voltage3_vccpint_scale': '0.732421875',
    'iio:device0/in_voltage13_raw': '77',
    'iio:device0/in_voltage_scale': '0.244140625',
    'iio:device0/in_temp0_raw': '2530',
    'iio:device0/in_temp0_offset': '-2219',
    'iio:device0/in_temp0_scale': '123.040771484',
    'iio:device0/in_voltage10_raw': 'what?',
    'iio:device1/name': 'gyroscope',
    'iio:device1/in_voltage11_raw': '1',
    'iio:device1/in_voltage_scale': '1',
  });
  const found = Object.fromEntries((await readSlowInputs(root)).map(({ label, value }) => [label, value]));
  rmSync(root, { recursive: true });
  assert.deepEqual(Object.keys(found), ['5 V supply', 'AI0', 'AI1', 'chip', 'vccpint']);
  const near = (label: string, value: number) =>
    assert.ok(Math.abs((found[label] ?? Number.NaN) - value) < 1e-3, `${label}: ${found[label]}`);
  near('AI0', 0.5 / 0.143);
  near('AI1', 0);
  near('5 V supply', 1675 / 4096 / 0.0818);
  near('vccpint', 0.99976);
  near('chip', 38.2657);
});

test('where there is no such converter, a grab says so', async () => {
  assert.deepEqual(await readSlowInputs(board({})), []);
  const { instrument } = await timed();
  assert.match(await refusal(instrument.grab(client('alice'), 'ams').result), /this computer has none/);
  await instrument.close();
});

test.run();
