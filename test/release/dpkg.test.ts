/**
 * What dpkg makes of the package: installed, upgraded, rolled back, removed and purged, in a Debian of its own (a
 * chroot of this machine's processor: the package's scripts do not run the board's programs). systemd is told by name only:
 * what it would have been told to do is looked at here, what it does is seen on the emulated board.
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { BUILDS, packageIn, succeed, VERSION } from './release.ts';

const NEWER = `${VERSION}+test1`;
const TOLD = 'var/log/systemctl';
const CONFIG = 'etc/pitayad/config.yaml';
const BY_USER = 'in1: HV\n';
const AVAHI = 'etc/avahi/services/pitayad.service';

/** In the place of systemctl, where no systemd runs: writes down what it was told; what needs no systemd it does. */
const SYSTEMCTL = `#!/bin/sh
echo "$*" >>/${TOLD}
case "$*" in
*preset* | *is-enabled*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real "$@" ;;
*is-active*) [ -e /run/started ] ;;
*is-failed*) exit 1 ;;
*start*) touch /run/started ;;
*stop*) rm -f /run/started ;;
esac
`;

/** Runs a program in the folder $0, with /proc, which systemd's programs ask for. */
const INSIDE = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"';

interface Context {
  system: string;
  inside(...command: string[]): Promise<string>;
  /** What systemctl was told since the last call, less questions. */
  told(): string[];
}

const test = suite<Context>('the package in the hands of dpkg');

test.before(async (context) => {
  const system = mkdtempSync(join(tmpdir(), 'pitayad-dpkg-'));
  context.system = system;
  await succeed('tar', ['-xf', process.env.PITAYAD_DPKG_ROOT ?? '', '-C', system]);
  for (const folder of ['run/systemd/system', 'etc/avahi/services', 'var/log']) {
    mkdirSync(join(system, folder), { recursive: true });
  }
  renameSync(join(system, 'usr/bin/systemctl'), join(system, 'usr/bin/systemctl.real'));
  writeFileSync(join(system, 'usr/bin/systemctl'), SYSTEMCTL, { mode: 0o755 });
  // A board has these groups, and has them otherwise.
  await succeed('chroot', [system, 'groupadd', '--system', 'eeprom']);
  cpSync(packageIn(BUILDS[0]), join(system, 'old.deb'));
  await succeed('dpkg-deb', ['--raw-extract', packageIn(BUILDS[0]), join(system, 'newer')]);
  const control = join(system, 'newer/DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(`Version: ${VERSION}\n`, `Version: ${NEWER}\n`));
  appendFileSync(join(system, 'newer/usr/lib/pitayad/bundle.cjs'), '// newer\n');
  const fpga = join(system, 'newer/usr/lib/pitayad/fpga/red_pitaya.bin');
  appendFileSync(fpga, 'another design');
  await succeed('dpkg-deb', [
    '--root-owner-group',
    '-Zgzip',
    '-z1',
    '--build',
    join(system, 'newer'),
    join(system, 'newer.deb'),
  ]);
  rmSync(join(system, 'newer'), { recursive: true });

  const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C', 'DEBIAN_FRONTEND=noninteractive'];
  context.inside = (...command) =>
    succeed('unshare', ['--mount', 'sh', '-c', INSIDE, system, ...environment, ...command]);
  context.told = () => {
    const path = join(system, TOLD);
    const lines = existsSync(path)
      ? readFileSync(path, 'utf8')
          .trim()
          .replace(/^(--\S+ )+/gm, '')
          .split('\n')
      : [];
    writeFileSync(path, '');
    return lines.filter(
      (line) => /pitayad/.test(line) && !/is-(failed|enabled|active)|preset|daemon-reload|reset-failed/.test(line),
    );
  };
});

test.after(({ system }) => {
  rmSync(system, { recursive: true });
});

async function version({ inside }: Context): Promise<string> {
  const status = await inside('dpkg-query', '--status', 'pitayad');
  return ['Status', 'Version'].map((name) => new RegExp(`^${name}: (.*)$`, 'm').exec(status)?.[1]).join(' ');
}

/** `dpkg --install`, which would ask on a terminal that it has not if it had a question. */
function install({ inside }: Context, name: string): Promise<string> {
  return inside('dpkg', '--force-architecture', '--install', name);
}

test('it installs, makes its user, enables its units and starts the daemon', async (context) => {
  const { system, inside, told } = context;
  await install(context, '/old.deb');
  assert.equal(await version(context), `install ok installed ${VERSION}`);
  const groups = (await inside('id', '-nG', 'pitayad')).trim().split(' ');
  assert.deepEqual(groups.sort(), ['eeprom', 'kmem', 'pitayad']);
  assert.match(await inside('getent', 'passwd', 'pitayad'), /:\/var\/lib\/pitayad:\/usr\/sbin\/nologin$/m);
  for (const unit of ['pitayad-fpga.service', 'pitayad.service']) {
    assert.ok((await inside('readlink', `/etc/systemd/system/multi-user.target.wants/${unit}`)).includes(unit));
  }
  assert.deepEqual(told(), ['start pitayad.service']);
  assert.ok(existsSync(join(system, CONFIG)));
  // What only the daemon may write, and the one file by which it speaks to avahi.
  for (const [path, mode] of [
    ['var/lib/pitayad', 0o40750],
    [AVAHI, 0o100644],
  ] as const) {
    const owner = Number(await inside('id', '-u', 'pitayad'));
    const found = statSync(join(system, path));
    assert.deepEqual([found.uid, found.mode], [owner, mode], path);
  }
});

test('an upgrade restarts the daemon alone, keeps what is the user’s, and tells of another design', async (context) => {
  const { system, told } = context;
  writeFileSync(join(system, CONFIG), BY_USER);
  writeFileSync(join(system, 'var/lib/pitayad/state.json'), '{}');
  const [sum] = (await succeed('sha256sum', [join(system, 'usr/lib/pitayad/fpga/red_pitaya.bin')])).split(' ');
  writeFileSync(join(system, 'run/pitayad-fpga.json'), JSON.stringify({ sha256: sum, boot: '' }));

  const said = await install(context, '/newer.deb');
  assert.equal(await version(context), `install ok installed ${NEWER}`);
  assert.match(said, /another FPGA design; the former one goes on until you reboot or say: pitayad reload/);
  assert.deepEqual(told(), ['try-restart pitayad.service']);
  assert.equal(readFileSync(join(system, CONFIG), 'utf8'), BY_USER);
  assert.ok(existsSync(join(system, 'var/lib/pitayad/state.json')));
});

test('a rollback brings the former release back as it was, without a word to the FPGA, and can be undone', async (context) => {
  const { system, inside, told } = context;
  const bundle = join(system, 'usr/lib/pitayad/bundle.cjs');
  const newer = readFileSync(bundle, 'utf8');
  // An armhf package on this processor: on a board dpkg would not have to be told.
  writeFileSync(join(system, 'etc/dpkg/dpkg.cfg.d/test'), 'force-architecture\n');
  const said = await inside('pitayad', 'rollback');
  assert.match(said, new RegExp(`from ${NEWER.replaceAll(/[.+]/g, '\\$&')} back to ${VERSION}`));
  assert.equal(await version(context), `install ok installed ${VERSION}`);
  assert.equal(`${readFileSync(bundle, 'utf8')}// newer\n`, newer);
  assert.equal(await inside('dpkg', '--verify', 'pitayad'), '??5?????? c /etc/pitayad/config.yaml\n');
  const list = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(folder, path)).isFile());
  for (const path of list(join(BUILDS[0], 'tree'))) {
    if (path === CONFIG) continue;
    const [was, is] = [join(BUILDS[0], 'tree', path), join(system, path)].map((file) => statSync(file));
    assert.deepEqual([is?.size, is?.mode, is?.uid], [was?.size, was?.mode, 0], path);
  }
  assert.deepEqual(told(), ['try-restart pitayad.service']);
  assert.equal(readFileSync(join(system, CONFIG), 'utf8'), BY_USER);
  assert.deepEqual(readdirSync(join(system, 'var/lib/pitayad-releases')), [NEWER]);

  await inside('pitayad', 'rollback');
  assert.equal(await version(context), `install ok installed ${NEWER}`);
  assert.equal(readFileSync(bundle, 'utf8'), newer);
  assert.equal(readFileSync(join(system, CONFIG), 'utf8'), BY_USER);
  assert.deepEqual(readdirSync(join(system, 'var/lib/pitayad-releases')), [VERSION]);
  told();
});

test('removed, it stops both and announces nothing any more; purged, it leaves nothing of its own', async (context) => {
  const { system, inside, told } = context;
  writeFileSync(join(system, AVAHI), '<service-group/>');
  await inside('dpkg', '--remove', 'pitayad');
  assert.deepEqual(told(), ['stop pitayad.service pitayad-fpga.service']);
  assert.ok(!existsSync(join(system, AVAHI)));
  assert.equal(readFileSync(join(system, CONFIG), 'utf8'), BY_USER);
  assert.ok(existsSync(join(system, 'var/lib/pitayad/state.json')));

  await inside('dpkg', '--purge', 'pitayad');
  const left = await inside('find', '/etc', '/usr', '/lib', '/var', '-name', '*pitayad*');
  assert.deepEqual(
    left
      .trim()
      .split('\n')
      .filter((path) => !/^\/var\/(log|cache)\//.test(path)),
    [''],
  );
});

test('without a former release a rollback says so', async (context) => {
  await install(context, '/old.deb');
  await assert.rejects(
    context.inside('pitayad', 'rollback'),
    /no former release is kept on this board .* nothing was changed/,
  );
});

test.run();
