import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { suite } from 'uvu';
import { addOptions, readConfig } from '../../src/config/command-line.ts';
import { fromFile, parseConfig } from '../../src/config/file.ts';
import { type Config, settings } from '../../src/config/settings.ts';
import { ConfigurationError } from '../../src/errors.ts';
import { parseFrontEnd } from '../../src/fpga/bus/simulator/front-end.ts';

const test = suite<{ folder: string; file(text: string): string }>('configuration');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-config-'));
  context.file = (text) => {
    const path = join(context.folder, 'config.yaml');
    writeFileSync(path, text);
    return path;
  };
});

test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

/** What a command line comes to. */
function given(...words: string[]): Config {
  const command = addOptions(new Command('serve'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  command.parse(words, { from: 'user' });
  return readConfig(command);
}

function refused(run: () => unknown, ...parts: (string | RegExp)[]): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    for (const part of parts) {
      if (typeof part === 'string') assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
      else assert.match(error.message, part);
    }
    return true;
  });
}

test('without anything, what is built in holds', ({ file }) => {
  const config = given('--config', file(''));
  assert.equal(config.bus, undefined);
  assert.equal(config.listen, undefined);
  assert.equal(config.discovery, 'auto');
  assert.equal(config.outputs_on_stop, 'hold');
  assert.equal(config.log_level, 'info');
  assert.deepEqual(config.front_end, parseFrontEnd('loopback'));
  assert.deepEqual(config.allowed_networks, []);
  assert.deepEqual(Object.keys(config).sort(), Object.keys(settings).sort());
});

test('the command line wins over the file, the file over what is built in', ({ file }) => {
  const path = file('listen: 127.0.0.1:1\nlog_level: debug\nmax_clients: 3\n');
  const config = given('--config', path, '--log-level', 'warn', '--listen', '[::1]:0');
  assert.deepEqual(config.listen, { host: '::1', port: 0 });
  assert.equal(config.log_level, 'warn');
  assert.equal(config.max_clients, 3);
});

test('every setting has its option', ({ file }) => {
  const config = given(
    ...[
      '--config',
      file(''),
      '--bus',
      'monitor:rp-f0a1b2.local:2222',
      '--front-end',
      'sine:1e3,0.2;noise',
      '--listen',
      '0.0.0.0:0',
    ],
    ...['--allowed-networks', '198.51.100.0/24,2001:db8::/32', '--no-discovery', '--state', 's.json'],
    ...['--outputs-on-stop', 'zero', '--log-level', 'trace', '--log-format', 'json', '--max-clients', '5'],
    ...['--max-clients-per-host', '3'],
    ...['--max-message-bytes', '65536', '--max-queued-bytes', '1048576', '--save-every-ms', '100'],
    ...['--grace-period', '7', '--in1', 'HV', '--in2', 'LV', '--calibration', 'off', '--eeprom', 'e.bin'],
    ...['--frequency-correction', '1.00002'],
    ...['--board', 'STEM_125-14_v1.0', '--bitstream', 'x.bin', '--bitstream-sha256', 'A1'.repeat(32)],
    ...['--overlay', 'x.dtbo', '--root', '/board'],
    ...['--dial', 'scope@pc.lab,asg0.frequency@[fe80::1%eth0]:7000'],
    ...['--leco', '127.0.0.1:0', '--leco-coordinator', 'pc.lab:12300'],
  );
  assert.deepEqual(config, {
    bus: { kind: 'monitor', host: 'rp-f0a1b2.local', port: 2222 },
    front_end: parseFrontEnd('sine:1e3,0.2;noise'),
    listen: { host: '0.0.0.0', port: 0 },
    leco: { host: '127.0.0.1', port: 0 },
    leco_coordinator: { host: 'pc.lab', port: 12300 },
    allowed_networks: ['198.51.100.0/24', '2001:db8::/32'],
    dial: [
      { host: 'pc.lab', port: 6341, device: 'scope' },
      { host: 'fe80::1%eth0', port: 7000, device: 'asg0.frequency' },
    ],
    discovery: 'off',
    state: 's.json',
    grace_period: 7,
    in1: 'HV',
    in2: 'LV',
    calibration: 'off',
    eeprom: 'e.bin',
    frequency_correction: 1.00002,
    board: 'STEM_125-14_v1.0',
    bitstream: 'x.bin',
    bitstream_sha256: 'a1'.repeat(32),
    overlay: 'x.dtbo',
    root: '/board',
    outputs_on_stop: 'zero',
    save_every_ms: 100,
    log_level: 'trace',
    log_format: 'json',
    max_clients: 5,
    max_clients_per_host: 3,
    max_message_bytes: 65_536,
    max_queued_bytes: 1_048_576,
  });
});

test('a door may be shut, and another program has a port', ({ file }) => {
  assert.equal(given('--leco', 'off').leco, 'off');
  assert.equal(given('--no-leco').leco, 'off');
  assert.equal(given('--config', file('leco: off\n')).leco, 'off');
  assert.equal(given('--config', file('leco: false\n')).leco, 'off');
  assert.equal(given().leco, undefined);
  for (const words of [
    ['--leco', 'on'],
    ['--leco-coordinator', 'pc.lab:0'],
    ['--leco-coordinator', 'off'],
  ]) {
    assert.throws(() => given(...words), /must be HOST:PORT/);
  }
});

test('the file takes the same values', ({ file }) => {
  const path = file(
    "bus: monitor:127.0.0.1:2222\nlisten: '[::]:6341'\ndiscovery: false\nallowed_networks: [198.51.100.0/24, '2001:db8::/32']\n",
  );
  const config = given('--config', path);
  assert.deepEqual(config.bus, { kind: 'monitor', host: '127.0.0.1', port: 2222 });
  assert.deepEqual(config.listen, { host: '::', port: 6341 });
  assert.equal(config.discovery, 'off');
  assert.deepEqual(config.allowed_networks, ['198.51.100.0/24', '2001:db8::/32']);
});

test('servers to dial: one device each, in the file as mappings too', ({ file }) => {
  const path = file('dial:\n  - {host: pc.lab, port: 6342, device: scope}\n  - asg0.frequency@pc.lab\n');
  assert.deepEqual(given('--config', path).dial, [
    { host: 'pc.lab', port: 6342, device: 'scope' },
    { host: 'pc.lab', port: 6341, device: 'asg0.frequency' },
  ]);
  for (const wrong of [
    'pc.lab',
    '[scope]',
    '[scope@pc.lab, asg0@pc.lab:6341]',
    '[{host: pc.lab, device: scope, prot: 1}]',
    '[{host: pc.lab, port: 0, device: scope}]',
    '["scope@a b"]',
    '["a.b.c@pc.lab"]',
  ]) {
    refused(() => parseConfig(`dial: ${wrong}\n`, 'c.yaml'), 'dial must be a list such as');
  }
});

test('an unknown key is refused with the nearest one and its line', () => {
  refused(
    () => parseConfig('bus: devmem\nlisten_to: 1\n', 'c.yaml'),
    'c.yaml, line 2',
    'listen_to',
    'did you mean listen?',
  );
  refused(() => parseConfig('zzzzzzzzzzzz: 1\n', 'c.yaml'), 'there are bus,');
  for (const name of ['__proto__', 'constructor', 'toString', '<<']) {
    refused(() => parseConfig(`${name}: {}\n`, 'c.yaml'), 'is not a setting');
  }
});

test('a value of the wrong type is refused with a sentence that says what is allowed', () => {
  const wrong: [string, string][] = [
    ['bus: fpga', 'devmem, simulator or monitor:HOST:PORT'],
    ['bus: monitor:host:0', 'devmem, simulator or monitor:HOST:PORT'],
    ['listen: 6341', 'HOST:PORT'],
    ['listen: 127.0.0.1:65536', 'up to 65535'],
    ["listen: '::1:6341'", 'in brackets'],
    ['discovery: no', 'auto, avahi, bonjour, off, true (auto) or false (off), not "no"'],
    ['max_clients: "5"', 'an integer from 1 to 1000, not "5"'],
    ['max_clients: 1.5', 'an integer'],
    ['max_clients: .nan', 'an integer'],
    ['max_clients: 0', 'from 1 to'],
    ['state: {a: 1}', 'the name of a file, not {"a":1}'],
    ['state: ""', 'the name of a file'],
    ['log_level: verbose', 'error, warn, info, debug or trace'],
    ['allowed_networks: 10.0.0.0/8', 'a list of'],
    ['allowed_networks: [10.0.0.0/33]', 'a list of'],
    ['allowed_networks: [example.org]', 'a list of'],
    ['front_end: 5', 'the name of an input model'],
    ['front_end: cosine', 'c.yaml, line 2: front_end: there is no input model "cosine"; there are const,'],
    ['outputs_on_stop:', 'hold or zero, not null'],
  ];
  for (const [text, part] of wrong) refused(() => parseConfig(`\n${text}\n`, 'c.yaml'), 'c.yaml, line 2', part);
});

test('options are judged as the file is', ({ file }) => {
  const config = file('');
  refused(() => given('--config', config, '--max-clients', '1e3'), '--max-clients must be an integer', '"1e3"');
  refused(() => given('--config', config, '--listen', ':6341'), '--listen must be HOST:PORT');
  refused(() => given('--config', config, '--bus', 'usb'), '--bus must be devmem');
});

test('what is no configuration at all is refused', ({ folder, file }) => {
  refused(() => parseConfig('- a\n- b\n', 'c.yaml'), 'KEY: VALUE');
  refused(() => parseConfig('bus: devmem\nbus: simulator\n', 'c.yaml'), 'line 2', 'unique');
  refused(() => parseConfig('listen: [::]:6341\n', 'c.yaml'), 'line 1');
  refused(() => parseConfig('a: &a [x]\nstate: [*a, *nowhere]\n', 'c.yaml'), 'c.yaml');
  refused(() => fromFile(join(folder, 'absent.yaml')), 'absent.yaml');
  refused(() => given('--config', join(folder, 'absent.yaml')), 'absent.yaml');
  refused(() => fromFile(folder), 'cannot read the configuration');
  refused(() => fromFile(file(`state: ${'x'.repeat(70_000)}\n`)), 'at most 65536');
  refused(() => parseConfig(`state: ${'['.repeat(30_000)}`, 'c.yaml'), 'too deep');
  refused(() => parseConfig('- '.repeat(30_000), 'c.yaml'), 'too deep');
  assert.deepEqual(fromFile(join(folder, 'absent.yaml'), { mayBeAbsent: true }), {});
});

test('aliases do not blow up', () => {
  const levels = Array.from({ length: 12 }, (_, k) => `x${k + 1}: &x${k + 1} [${Array(9).fill(`*x${k}`).join(', ')}]`);
  refused(() => parseConfig(`state: &x0 a\n${levels.join('\n')}\n`, 'c.yaml'), 'c.yaml');
});

test('any text is understood or refused, nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 200 }), fc.json()), (text) => {
      try {
        parseConfig(text, 'c.yaml');
      } catch (error) {
        assert.ok(error instanceof ConfigurationError, String((error as Error).stack));
      }
    }),
    { numRuns: 500 },
  );
});

test.run();
