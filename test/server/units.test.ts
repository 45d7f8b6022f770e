/** Units of positions: prefixes of the parameter's own, and nothing else. */
import assert from 'node:assert';
import fc from 'fast-check';
import { test } from 'uvu';
import { Refusal } from '../../src/errors.ts';
import { factorOf } from '../../src/server/units.ts';

test('what a unit is in terms of the parameter’s', () => {
  for (const [units, own, factor] of [
    ['', 'V', 1],
    ['', '', 1],
    ['V', 'V', 1],
    ['mV', 'V', 1e-3],
    ['uV', 'V', 1e-6],
    ['µV', 'V', 1e-6], // micro sign
    ['μV', 'V', 1e-6], // Greek mu
    ['nV', 'V', 1e-9],
    ['kV', 'V', 1e3],
    ['cV', 'V', 1e-2],
    ['dV', 'V', 1e-1],
    ['daV', 'V', 10],
    ['decivolt', 'V', 1e-1],
    ['THz', 'Hz', 1e12],
    ['dHz', 'Hz', 1e-1],
    ['volt', 'V', 1],
    ['millivolt', 'V', 1e-3],
    ['Hz', 'Hz', 1],
    ['kHz', 'Hz', 1e3],
    ['MHz', 'Hz', 1e6],
    ['mHz', 'Hz', 1e-3],
    ['kilohertz', 'Hz', 1e3],
    ['megahertz', 'Hz', 1e6],
    ['deg', 'deg', 1],
    ['°', 'deg', 1],
    ['degree', 'deg', 1],
    ['degrees', 'deg', 1],
    ['mdeg', 'deg', 1e-3],
    ['s', 's', 1],
    ['ms', 's', 1e-3],
    ['ns', 's', 1e-9],
    ['us', 'us', 1],
  ] as const) {
    assert.equal(factorOf(units, own), factor, `${units} of ${own}`);
  }
});

test('any other unit is refused, with what is allowed', () => {
  for (const [units, own] of [
    ['Hz', 'V'],
    ['mv', 'V'],
    ['MV ', 'V'],
    ['mmV', 'V'],
    ['ddV', 'V'],
    ['m', 'V'],
    ['V/s', 'V'],
    ['rad', 'deg'],
    ['min', 's'],
    ['constructorV', 'V'],
    ['__proto__V', 'V'],
    ['V', ''],
    ['m', ''],
    ['x'.repeat(1000), 'V'],
  ] as const) {
    assert.throws(
      () => factorOf(units, own),
      (error) => {
        assert.ok(error instanceof Refusal, `${units} of ${own}`);
        assert.match(error.message, own === '' ? /the parameter has none/ : new RegExp(`allowed are ${own}, `));
        assert.match(error.message, /nothing was changed/);
        assert.ok(error.message.length < 200);
        return true;
      },
    );
  }
});

test('whatever is sent as a unit gives a power of ten or a refusal', () => {
  const bit = fc.constantFrom('m', 'k', 'µ', 'V', 'Hz', 'deg', 'volt', ' ', '1');
  const soup = fc.array(bit, { maxLength: 4 }).map((all) => all.join(''));
  fc.assert(
    fc.property(fc.oneof(soup, fc.string()), fc.constantFrom('V', 'Hz', 's', 'deg', ''), (units, own) => {
      try {
        const exponent = Math.log10(factorOf(units, own));
        assert.ok(Number.isInteger(Math.round(exponent)) && Math.abs(exponent - Math.round(exponent)) < 1e-12);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
      }
    }),
  );
});

test.run();
