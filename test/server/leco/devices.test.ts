/** Actors follow from the declarations, and so do the units of what they move. */
import assert from 'node:assert';
import { test } from 'uvu';
import { modules } from '../../../src/fpga/modules/modules.ts';
import { devicesOf } from '../../../src/server/leco/devices.ts';
import { fineUnit } from '../../../src/server/leco/fine-unit.ts';

const devices = devicesOf(modules.map(({ description }) => description));
const moved = (name: string) => {
  const parameter = devices.find((device) => device.name === name)?.moved;
  assert.ok(parameter, name);
  return parameter;
};

test('every number that can be written is an actuator, every module that measures a viewer', () => {
  const names = devices.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { description } of modules) {
    if (description.grabs) assert.ok(devices.find(({ name }) => name === description.name)?.grabs, description.name);
    if (description.actuator !== undefined) assert.equal(moved(description.name).name, description.actuator);
    for (const { name, kind, readonly } of description.parameters) {
      const movable = !readonly && (kind === 'number' || kind === 'integer');
      assert.equal(names.includes(`${description.name}_${name}`), movable, `${description.name}_${name}`);
    }
  }
  for (const name of names) assert.match(name, /^[a-z][A-Za-z0-9_]*$/);
});

test('no step of any parameter is within an epsilon of 1', () => {
  for (const { name, moved: parameter } of devices) {
    if (!parameter) continue;
    const { unit, factor } = fineUnit(parameter);
    if (parameter.step === undefined) continue;
    const finest = unit === 'udeg' || unit === 'ns';
    assert.ok(
      factor < parameter.step || finest,
      `${name}: 1 ${unit} is ${factor} ${parameter.unit}, a step ${parameter.step}`,
    );
  }
});

test('units that a laboratory would choose', () => {
  for (const [name, unit, factor] of [
    ['asg0', 'uV', 1e-6],
    ['asg0_frequency', 'mHz', 1e-3],
    ['asg0_start_phase', 'udeg', 1e-6],
    ['asg0_delay_between_bursts', 'ns', 1e-3],
    ['pid0', 'uV', 1e-6],
    ['pid0_p', 'ppm', 1e-6],
    ['pid0_i', 'mHz', 1e-3],
    ['iq0', 'mHz', 1e-3],
    ['iq0_quadrature_factor', 'percent', 1e-2],
    ['scope_trace_average', 'percent', 1e-2],
    ['scope_trigger_delay', 'ns', 1e-9],
    ['scope_sampling_time', 'ns', 1e-9],
    ['scope_duration', 'us', 1e-6],
    ['networkanalyzer_rbw', 'Hz', 1],
  ] as const) {
    assert.deepEqual(fineUnit(moved(name)), { unit, factor }, name);
  }
});

test.run();
