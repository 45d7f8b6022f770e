/** The SD-card builder on images of all kinds and of no kind, with a small tree in place of a release. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import type { Staged } from '../../build/release/sdcard/install.ts';
import { makeCard, type Wishes } from '../../build/release/sdcard/make.ts';
import { unpackPackage } from '../../build/release/sdcard/package.ts';
import { ConfigurationError } from '../../src/errors.ts';

const MIB = 1 << 20;
const FAT = { start: 1, size: 40 };
const EXT4 = { start: 41, size: 55 };
const DEVICE = `?offset=${EXT4.start * MIB}`;
/** Files of a system; its library folder is a link, as in newer ones. */
const SYSTEM = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
  'etc/group': 'root:x:0:\nkmem:x:15:\n',
  'etc/shadow': 'root:*:19000::::::\n',
  'var/lib/dpkg/status': 'Package: base-files\nStatus: install ok installed\nVersion: 1\n',
  'root/.version': '2.07\n',
  'usr/lib/systemd/system/stock.service': '[Unit]\n',
};

interface Context {
  folder: string;
  image: string;
}

const test = suite<Context>('SD-card builder');

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'pitayad-sdcard-'));
  context.image = join(context.folder, 'stock.img');
  makeImage(context.image);
});

test.after(({ folder }) => rmSync(folder, { recursive: true }));

function run(program: string, ...args: string[]): string {
  const env = { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin`, DEBUGFS_PAGER: 'cat' };
  return execFileSync(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 }).toString();
}

function put(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** An image with both partitions; `features` and the like are for mke2fs. */
function makeImage(path: string, mke2fs: readonly string[] = [], fatBits: 12 | 16 | 32 = 16): void {
  const root = mkdtempSync(join(tmpdir(), 'pitayad-root-'));
  put(root, SYSTEM);
  // Enough for a folder with an index of its own, as that of dpkg has on a real system.
  for (let k = 0; k < 700; k++) put(root, { [`var/lib/dpkg/info/some-package-with-a-long-name-${k}.list`]: '' });
  execFileSync('ln', ['-s', 'usr/lib', join(root, 'lib')]);
  const table = Buffer.alloc(512);
  for (const [k, { start, size }] of [FAT, EXT4].entries()) {
    // The type byte says FAT16 whatever the width is, as that of the stock images does.
    table[446 + 16 * k + 4] = k === 0 ? 0x0e : 0x83;
    table.writeUInt32LE((start * MIB) / 512, 446 + 16 * k + 8);
    table.writeUInt32LE((size * MIB) / 512, 446 + 16 * k + 12);
  }
  table.writeUInt16LE(0xaa55, 510);
  writeFileSync(path, table);
  truncateSync(path, (EXT4.start + EXT4.size) * MIB);
  const sectors = (FAT.size * MIB) / 512;
  const width = fatBits === 32 ? ['-F', '-c', '1'] : fatBits === 16 ? ['-c', '2'] : ['-c', '64'];
  run('mformat', '-i', `${path}@@${FAT.start}M`, '-T', String(sectors), '-h', '16', '-s', '32', ...width, '::');
  run(
    'mke2fs',
    '-q',
    '-F',
    '-t',
    'ext4',
    ...mke2fs,
    '-E',
    `offset=${EXT4.start * MIB}`,
    '-d',
    root,
    path,
    `${EXT4.size}M`,
  );
  try {
    run('e2fsck', '-fyD', `${path}${DEVICE}`);
  } catch (error) {
    // 1: the indices of folders were made.
    if ((error as { status?: number }).status !== 1) throw error;
  }
  rmSync(root, { recursive: true });
}

/** A staged tree as the release makes it; `files` beside the usual ones. */
function staged(folder: string, version: string, files: Readonly<Record<string, string>> = {}): Staged {
  const root = join(folder, `staged-${version}`);
  rmSync(root, { recursive: true, force: true });
  const tree = {
    'usr/lib/pitayad/program': `#!/bin/sh\necho ${version}\n`,
    'lib/systemd/system/pitayad.service': '[Service]\nExecStart=/usr/lib/pitayad/program\n',
    'etc/pitayad/config.yaml': '# nothing\n',
    ...files,
  };
  put(join(root, 'tree'), tree);
  put(join(root, 'control'), {
    control: `Package: pitayad\nVersion: ${version}\nArchitecture: armhf\nDescription: test\n`,
    conffiles: '/etc/pitayad/config.yaml\n',
    postinst: '#!/bin/sh\n',
  });
  const described = Object.entries(tree).map(([path, text]) => {
    const mode = path.endsWith('program') ? 0o755 : 0o644;
    chmodSync(join(root, 'tree', path), mode);
    return { path, mode, bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') };
  });
  return {
    tree: join(root, 'tree'),
    control: join(root, 'control'),
    version,
    date: 0,
    units: ['pitayad.service'],
    user: { name: 'pitayad', home: '/var/lib/pitayad', groups: ['kmem', 'uio'] },
    files: described,
  } as Staged;
}

/** A file in the image's ext4. */
function inside(image: string, path: string): string {
  return run('debugfs', '-R', `cat ${path}`, `${image}${DEVICE}`);
}

function statInside(image: string, path: string): string {
  return run('debugfs', '-R', `stat ${path}`, `${image}${DEVICE}`);
}

const sum = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Refused with a sentence, the input as it was, and nothing left in the folder. */
async function refused(
  context: Context,
  pattern: RegExp,
  input: string,
  out: string,
  wishes: Wishes = {},
): Promise<void> {
  const before = readdirSync(context.folder).sort();
  await assert.rejects(
    makeCard(input, out, async () => staged(context.folder, '1.0'), wishes),
    (error: unknown) => {
      assert.ok(error instanceof ConfigurationError, String((error as Error).stack));
      assert.match(error.message, pattern);
      return true;
    },
  );
  const after = readdirSync(context.folder).filter((name) => !name.startsWith('staged-'));
  assert.deepEqual(
    after.sort(),
    before.filter((name) => !name.startsWith('staged-')),
  );
}

test('files, account, units, dpkg’s records and settings are in the image; the input stays as it is', async (context) => {
  const { folder, image } = context;
  const out = join(folder, 'card.img');
  const before = sum(image);
  const steps = new Set<string>();
  const wishes: Wishes = {
    sshKey: 'ssh-ed25519 AAAA me',
    network: { address: '192.168.1.20/24' },
    settings: { in1: 'HV' },
  };
  const { sha256 } = await makeCard(
    image,
    out,
    async () => staged(folder, '1.0'),
    wishes,
    (step) => steps.add(step),
  );
  assert.equal(sum(image), before);
  assert.equal(sum(out), sha256);
  assert.deepEqual([...steps], ['copying', 'installing', 'reading back']);
  assert.equal(inside(out, '/usr/lib/pitayad/program'), '#!/bin/sh\necho 1.0\n');
  assert.match(statInside(out, '/usr/lib/pitayad/program'), /Type: regular +Mode: +0755[\s\S]*User: +0 +Group: +0/);
  // By way of the link, which is still one.
  assert.match(inside(out, '/usr/lib/systemd/system/pitayad.service'), /ExecStart/);
  assert.match(statInside(out, '/lib'), /Type: symlink/);
  assert.match(
    statInside(out, '/etc/systemd/system/multi-user.target.wants/pitayad.service'),
    /Fast link dest: "\/lib\/systemd\/system\/pitayad.service"/,
  );
  assert.match(inside(out, '/etc/passwd'), /^pitayad:x:999:999::\/var\/lib\/pitayad:/m);
  assert.match(inside(out, '/etc/group'), /^kmem:x:15:pitayad$/m);
  assert.match(
    inside(out, '/var/lib/dpkg/status'),
    /^Package: base-files[\s\S]*^Package: pitayad\nStatus: install ok installed/m,
  );
  assert.match(inside(out, '/var/lib/dpkg/info/pitayad.list'), /^\/usr\/lib\/pitayad\/program$/m);
  assert.match(statInside(out, '/var/lib/dpkg/info/pitayad.postinst'), /Mode: +0755/);
  assert.equal(inside(out, '/root/.ssh/authorized_keys'), 'ssh-ed25519 AAAA me\n');
  assert.match(statInside(out, '/root/.ssh'), /Mode: +0700/);
  assert.match(inside(out, '/etc/systemd/network/10-pitayad.network'), /^Address=192\.168\.1\.20\/24$/m);
  assert.match(run('mtype', '-i', `${out}@@${FAT.start}M`, '::/pitayad.yaml'), /^in1: HV$/m);
  run('e2fsck', '-fn', `${out}${DEVICE}`);
});

test('made again with another version: replaced and not doubled, what the user changed stays', async (context) => {
  const { folder } = context;
  const [card, again] = [join(folder, 'card.img'), join(folder, 'again.img')];
  const old = join(folder, 'old.img');
  await makeCard(context.image, old, async () => staged(folder, '0.9', { 'usr/lib/pitayad/gone': 'x' }), {
    network: { address: '192.168.1.20/24' },
    settings: { in1: 'HV' },
  });
  run('debugfs', '-w', '-R', 'rm /etc/pitayad/config.yaml', `${old}${DEVICE}`);
  const mine = join(folder, 'mine.yaml');
  writeFileSync(mine, 'max_clients: 3\n');
  run('debugfs', '-w', '-R', `write ${mine} /etc/pitayad/config.yaml`, `${old}${DEVICE}`);
  await makeCard(old, again, async () => staged(folder, '1.0'), {
    network: { address: 'dhcp' },
    settings: { in2: 'HV' },
  });
  assert.equal(inside(again, '/etc/pitayad/config.yaml'), 'max_clients: 3\n');
  assert.match(inside(again, '/usr/lib/pitayad/program'), /1\.0/);
  assert.doesNotMatch(statInside(again, '/usr/lib/pitayad/gone'), /Inode/);
  assert.doesNotMatch(statInside(again, '/etc/systemd/network/10-pitayad.network'), /Inode/);
  for (const path of ['/var/lib/dpkg/status', '/etc/group', '/etc/passwd']) {
    assert.equal(inside(again, path), inside(card, path), path);
  }
  assert.match(run('mtype', '-i', `${again}@@${FAT.start}M`, '::/pitayad.yaml'), /^in1: HV\nin2: HV$/m);
  run('e2fsck', '-fn', `${again}${DEVICE}`);
});

test('packed as .zip or .xz, whatever the name', async ({ folder, image }) => {
  const [zip, xz] = [join(folder, 'a.bin'), join(folder, 'b.bin')];
  const python =
    'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED); z.write(sys.argv[2], "folder/Red Pitaya [2.07].img"); z.writestr("README", "x")';
  run('python3', '-c', python, zip, image);
  writeFileSync(xz, execFileSync('xz', ['-0', '-c', image], { maxBuffer: 1 << 28 }));
  const sums = [];
  for (const packed of [image, zip, xz]) {
    const out = join(folder, 'unpacked.img');
    await makeCard(packed, out, async () => staged(folder, '1.0'));
    assert.match(inside(out, '/usr/lib/pitayad/program'), /1\.0/);
    sums.push(inside(out, '/var/lib/dpkg/status'));
    rmSync(out);
  }
  assert.equal(new Set(sums).size, 1);
  writeFileSync(zip, readFileSync(zip).subarray(0, 50_000));
  writeFileSync(xz, readFileSync(xz).subarray(0, 20_000));
});

test('a Debian package in place of the tree that it was made from', async (context) => {
  const { folder, image } = context;
  const { tree, control } = staged(folder, '2.0');
  const pack = (name: string, change: (text: string) => string): string => {
    const root = join(folder, `package-${name}`);
    cpSync(tree, root, { recursive: true });
    cpSync(control, join(root, 'DEBIAN'), { recursive: true });
    const about = join(root, 'DEBIAN/control');
    writeFileSync(about, `${change(readFileSync(about, 'utf8'))}Maintainer: nobody <nobody@localhost>\n`);
    chmodSync(join(root, 'DEBIAN/postinst'), 0o755);
    run('dpkg-deb', '--root-owner-group', '-Zxz', '-z0', '--build', root, join(folder, `${name}.deb`));
    return join(folder, `${name}.deb`);
  };
  const right = pack('right', (text) => text);
  const out = join(folder, 'from-package.img');
  await makeCard(image, out, (scratch) => unpackPackage(right, scratch));
  assert.match(inside(out, '/usr/lib/pitayad/program'), /echo 2\.0/);
  assert.match(statInside(out, '/usr/lib/pitayad/program'), /Mode: +0755/);
  assert.match(inside(out, '/var/lib/dpkg/status'), /^Version: 2\.0$/m);
  assert.match(inside(out, '/var/lib/dpkg/info/pitayad.postinst'), /^#!/);
  rmSync(out);

  const wrong: [string, RegExp][] = [
    [pack('other', (text) => text.replace('Package: pitayad', 'Package: other')), /is the package other for armhf/],
    [pack('amd64', (text) => text.replace('armhf', 'amd64')), /is the package pitayad for amd64/],
    [join(folder, 'cut.deb'), /is damaged, or not all of it/],
    [image, /is no Debian package/],
    [join(folder, 'absent.deb'), /cannot be read \(ENOENT\)/],
  ];
  writeFileSync(join(folder, 'cut.deb'), readFileSync(right).subarray(0, -10));
  for (const [path, pattern] of wrong) {
    await assert.rejects(
      makeCard(image, out, (scratch) => unpackPackage(path, scratch)),
      (error: unknown) => error instanceof ConfigurationError && pattern.test(error.message),
      path,
    );
  }
  assert.ok(!readdirSync(folder).some((name) => name.startsWith('.pitayad') || name === 'from-package.img'));
});

test('what is no image ends with a sentence', async (context) => {
  const { folder, image } = context;
  const at = (name: string, content: Buffer | string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const out = join(folder, 'none.img');
  await refused(context, /a\.bin is damaged/, join(folder, 'a.bin'), out);
  await refused(context, /b\.bin is damaged/, join(folder, 'b.bin'), out);
  await refused(context, /cannot be read \(ENOENT\)/, join(folder, 'absent.img'), out);
  await refused(context, /is no file/, folder, out);
  await refused(context, /no partition table/, at('empty.img', ''), out);
  await refused(context, /no partition table/, at('text.img', 'hello\n'.repeat(1000)), out);
  await refused(context, /packed in a way/, at('image.gz', Buffer.from([0x1f, 0x8b, 8, 0])), out);
  const whole = readFileSync(image);
  await refused(context, /cut off: its partition 2/, at('cut.img', whole.subarray(0, 60 * MIB)), out);
  const gpt = Buffer.from(whole);
  gpt[446 + 4] = 0xee;
  await refused(context, /has a GPT/, at('gpt.img', gpt), out);
  await refused(context, /no ext4 partition/, at('no-ext4.img', Buffer.from(whole).fill(0, EXT4.start * MIB)), out);
  const noFat = Buffer.from(whole).fill(0, FAT.start * MIB, FAT.start * MIB + 512);
  await refused(context, /no FAT partition/, at('no-fat.img', noFat), out);
  const other = join(folder, 'other.img');
  copyFileSync(image, other);
  run('debugfs', '-w', '-R', 'rm /var/lib/dpkg/status', `${other}${DEVICE}`);
  await refused(context, /no Debian or Ubuntu/, other, out);
  const broken = Buffer.from(whole).fill(0xa5, EXT4.start * MIB + 4096, EXT4.start * MIB + 3 * MIB);
  await refused(context, /is damaged/, at('broken.img', broken), out);
});

test('an output that must not be written ends with a sentence', async (context) => {
  const { folder, image } = context;
  const card = join(folder, 'card.img');
  const before = sum(card);
  await refused(context, /another file than/, image, image);
  await refused(context, /another file than/, image, join(folder, '.', 'x', '..', 'stock.img'));
  await refused(context, /exists already/, image, card);
  await refused(context, /there is no folder/, image, join(folder, 'nowhere/card.img'));
  assert.equal(sum(card), before);
  await assert.rejects(
    makeCard(
      image,
      join(folder, 'none.img'),
      async () => staged(folder, '1.0'),
      {},
      undefined,
      () => 10 * MIB,
    ),
    /has 11 MB free, and the image needs 101 MB/,
  );
});

test('wishes that are wrong end with a sentence, and an ext4 that is full does', async (context) => {
  const { folder, image } = context;
  const out = join(folder, 'none.img');
  await refused(context, /--address must be/, image, out, { network: { address: '1.2.3.4' } });
  await refused(context, /mine, line 1: in1 must be LV or HV/, image, out, {
    config: { text: 'in1: X\n', name: 'mine' },
  });
  await refused(context, /state cannot be set on the card/, image, out, {
    config: { text: 'state: /x\n', name: 'mine' },
  });
  const large = { 'usr/lib/pitayad/large': 'x'.repeat(40 * MIB) };
  await assert.rejects(
    makeCard(image, out, async () => staged(folder, '1.0', large)),
    /too full: pitayad needs 72 MiB, it has \d+ MiB/,
  );
  assert.ok(!readdirSync(folder).some((name) => name.startsWith('.pitayad') || name === 'none.img'));
});

test('a feature that debugfs cannot write is refused', async (context) => {
  const input = join(context.folder, 'inline.img');
  makeImage(input, ['-O', 'inline_data']);
  await refused(context, /has the feature inline_data/, input, join(context.folder, 'none.img'));
});

test('whatever mke2fs and mformat make', async ({ folder }) => {
  const kinds: [string[], 12 | 16 | 32][] = [
    [['-O', '^metadata_csum,^64bit'], 12],
    [['-O', '^extents,^64bit,^flex_bg,^metadata_csum'], 32],
    [['-b', '1024'], 16],
    [['-I', '128', '-O', '^has_journal'], 16],
    [['-O', 'bigalloc'], 16],
    [['-O', 'quota'], 16],
  ];
  for (const [mke2fs, bits] of kinds) {
    const [input, out] = [join(folder, 'kind.img'), join(folder, 'kind-card.img')];
    makeImage(input, mke2fs, bits);
    await makeCard(input, out, async () => staged(folder, '1.0'), { sshKey: 'ssh-ed25519 AAAA me' });
    assert.match(inside(out, '/usr/lib/pitayad/program'), /1\.0/, mke2fs.join(' '));
    run('e2fsck', '-fn', `${out}${DEVICE}`);
    rmSync(input);
    rmSync(out);
  }
});

test.run();
