/** The release as files: the same each time, in order for Debian and for systemd, and runnable on the board's processor. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { BITSTREAM_SHA256 } from '../../src/board.ts';
import { BUILDS, EMULATOR, NODE, NODE_OPTIONS, PROGRAM, packageIn, run, succeed, TREE, VERSION } from './release.ts';

const test = suite('files of the release');

test('two builds are the same, byte for byte', async () => {
  const listing = (folder: string): string[] =>
    readdirSync(join(folder, 'tree'), { recursive: true, encoding: 'utf8' }).sort();
  assert.deepEqual(listing(BUILDS[0]), listing(BUILDS[1]));
  const [first, second] = await Promise.all(
    BUILDS.map(async (folder) => (await succeed('sha256sum', [packageIn(folder)])).split(' ')[0]),
  );
  if (first !== second) {
    const { stdout } = await run('diff', ['-rq', BUILDS[0], BUILDS[1]]);
    assert.fail(`the packages differ:\n${stdout}`);
  }
});

test('lintian finds no error', async () => {
  const { stdout, stderr, status } = await run('lintian', ['--no-cfg', '--fail-on', 'error', packageIn(BUILDS[0])]);
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test('all that is in the package is root’s, and says what it is', async () => {
  const path = packageIn(BUILDS[0]);
  for (const line of (await succeed('dpkg-deb', ['--contents', path])).trim().split('\n')) {
    assert.match(line, /^(d|-)rw[x-]r-[x-]r-[x-] root\/root /);
  }
  const field = async (name: string): Promise<string> => (await succeed('dpkg-deb', ['--field', path, name])).trim();
  assert.equal(await field('Version'), VERSION);
  assert.equal(await field('Architecture'), 'armhf');
  // Nothing of the system's C library, which is another one in each generation of its OS.
  assert.doesNotMatch(await field('Depends'), /libc/);
});

test('the FPGA’s design is the one that the daemon was made for, and its licence is there', async () => {
  const folder = join(TREE, 'usr/lib/pitayad/fpga');
  const [sum] = (await succeed('sha256sum', [join(folder, 'red_pitaya.bin')])).split(' ');
  assert.equal(sum, BITSTREAM_SHA256);
  assert.match(readFileSync(join(folder, 'LICENSE'), 'utf8'), /MIT License\s+Copyright .* PyRPL authors/);
  const unit = readFileSync(join(TREE, 'lib/systemd/system/pitayad-fpga.service'), 'utf8');
  assert.ok(unit.includes(`--sha256 ${BITSTREAM_SHA256}`), unit);
});

/** A file system with the units and what they lean on. */
function systemOfUnits(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-units-'));
  for (const part of ['lib', 'usr/bin', 'usr/share']) cpSync(join(TREE, part), join(folder, part), { recursive: true });
  const targets = ['basic', 'sysinit', 'multi-user', 'network', 'shutdown'].map((name) => `${name}.target`);
  for (const name of targets) {
    const from = `/lib/systemd/system/${name}`;
    if (existsSync(from)) copyFileSync(from, join(folder, 'lib/systemd/system', name));
  }
  // What the units start of the system.
  mkdirSync(join(folder, 'bin'));
  for (const program of ['sh', 'sleep', 'rm', 'chmod']) copyFileSync(`/bin/${program}`, join(folder, 'bin', program));
  return folder;
}

test('systemd-analyze verifies the units without a word, and finds the daemon well fenced', async () => {
  const folder = systemOfUnits();
  try {
    const units = ['pitayad.service', 'pitayad-fpga.service', 'pitayad-retry.service'];
    const paths = units.map((name) => join(folder, 'lib/systemd/system', name));
    const options = [`--root=${folder}`, '--recursive-errors=no', '--man=no', 'verify', ...paths];
    const { stdout, stderr, status } = await run('systemd-analyze', options);
    assert.equal(`${stdout}${stderr}`, '');
    assert.equal(status, 0);

    const security = [`--root=${folder}`, 'security', '--offline=true', '--threshold=30', 'pitayad.service'];
    const judged = await run('systemd-analyze', security);
    const exposure = Number(/exposure level for pitayad.service: ([\d.]+)/.exec(judged.stdout)?.[1]);
    assert.ok(exposure <= 3, judged.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an old systemd is spared what it would misunderstand, a newer one is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-generator-'));
  const generator = join(TREE, 'lib/systemd/system-generators/pitayad-generator');
  const dropIn = join(folder, 'out/pitayad.service.d/old-systemd.conf');
  try {
    for (const [said, old] of [
      ['systemd 252 (252.38-1~deb12u1)\n+PAM +AUDIT', false],
      ['systemd 249 (249.11-0ubuntu3.12)\n+PAM', false],
      ['', false],
      ['systemd 229\n+PAM +AUDIT', true],
    ] as const) {
      writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\ncat <<END\n${said}\nEND\n`, { mode: 0o755 });
      await succeed('sh', [generator, join(folder, 'out')], { PATH: `${folder}:${process.env.PATH}` });
      assert.equal(existsSync(dropIn), old, said);
    }
    const unit = readFileSync(join(TREE, 'lib/systemd/system/pitayad.service'), 'utf8');
    const taken = readFileSync(dropIn, 'utf8');
    // All that systemd makes of seccomp.
    for (const setting of ['SystemCallFilter', 'SystemCallArchitectures', 'RestrictAddressFamilies']) {
      assert.ok(unit.includes(`${setting}=`) && taken.includes(`\n${setting}=\n`), setting);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a daemon that gave up is started again; one that was stopped is not, however long that took', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pitayad-retry-'));
  const unit = readFileSync(join(TREE, 'lib/systemd/system/pitayad-retry.service'), 'utf8');
  const script = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(unit)?.[1] ?? assert.fail(unit);
  const log = join(folder, 'log');
  const fake = `#!/bin/sh
case $1 in
show) echo "Result=$RESULT" ;;
is-active) exit $FPGA ;;
*) echo "$*" >>${log} ;;
esac
`;
  writeFileSync(join(folder, 'systemctl'), fake, { mode: 0o755 });
  try {
    for (const [RESULT, FPGA, starts] of [
      ['start-limit-hit', '0', true],
      ['exit-code', '0', true],
      ['watchdog', '0', true],
      ['timeout', '0', false],
      ['start-limit-hit', '3', false],
    ] as const) {
      writeFileSync(log, '');
      await succeed('sh', ['-c', script], { PATH: `${folder}:${process.env.PATH}`, RESULT, FPGA });
      assert.equal(/^start .*pitayad\.service$/m.test(readFileSync(log, 'utf8')), starts, `${RESULT}, ${FPGA}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('Node runs on its own C library and takes what was compiled before', async () => {
  const report =
    'const { header, sharedObjects } = process.report.getReport(); JSON.stringify([header.glibcVersionRuntime, sharedObjects])';
  const [program, ...emulator] = EMULATOR;
  const answer = JSON.parse(await succeed(program, [...emulator, NODE, '-p', report])) as [string, string[]];
  assert.equal(answer[0], '2.36');
  const outside = answer[1].filter((path) => !path.startsWith('/usr/lib/pitayad/lib/'));
  assert.deepEqual(outside, []);

  const start = await run(program, [...emulator, NODE, ...NODE_OPTIONS, PROGRAM, '--version'], { PITAYAD_START: '1' });
  assert.equal(start.stdout, `${VERSION}\n`);
  assert.equal(start.stderr, 'compiled before: true\n');
});

test.run();
