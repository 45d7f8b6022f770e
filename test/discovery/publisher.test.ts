/** Who announces, by what is configured and what runs. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { RUNNING, SERVICE_FILE } from '../../src/discovery/avahi.ts';
import { announceByBonjour } from '../../src/discovery/bonjour.ts';
import { boardService } from '../../src/discovery/discovery.ts';
import { publisherOf } from '../../src/discovery/publisher.ts';
import { eventually, identity, silent } from '../fpga/instrument/fixture.ts';

const test = suite<{ root: string }>('publisher');

test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'pitayad-publisher-'));
});
test.after.each(({ root }) => rmSync(root, { recursive: true }));

function withAvahi(root: string, { runs, folder }: { runs: boolean; folder: boolean }): void {
  mkdirSync(join(root, 'run/avahi-daemon'), { recursive: true });
  if (runs) writeFileSync(join(root, RUNNING), '300\n');
  if (folder) mkdirSync(join(root, 'etc/avahi/services'), { recursive: true });
}

test('auto: avahi where it runs and has a place for us, else we ourselves', ({ root }) => {
  assert.equal(publisherOf('auto', root), announceByBonjour);
  withAvahi(root, { runs: false, folder: true });
  assert.equal(publisherOf('auto', root), announceByBonjour);
  withAvahi(root, { runs: true, folder: true });
  assert.notEqual(publisherOf('auto', root), announceByBonjour);
  assert.equal(publisherOf('bonjour', root), announceByBonjour);
  rmSync(join(root, 'etc'), { recursive: true });
  assert.equal(publisherOf('auto', root), announceByBonjour);
  assert.notEqual(publisherOf('avahi', root), announceByBonjour);
});

test('avahi’s file is there while the board serves, and gone after', async ({ root }) => {
  withAvahi(root, { runs: true, folder: true });
  const service = boardService({ ...identity, hostname: 'a&b' }, ['scope'], { address: '0.0.0.0', port: 6341 });
  const file = join(root, SERVICE_FILE);
  const announcement = publisherOf('auto', root)(service, silent);
  await eventually(() => existsSync(file) && readFileSync(file, 'utf8').includes('</service-group>'), 'the file');
  const xml = readFileSync(file, 'utf8');
  assert.match(xml, /<name>pitayad on a&#38;b<\/name>/);
  assert.match(xml, /<service protocol="ipv4">\s*<type>_pymodaq\._tcp<\/type>\s*<port>6341<\/port>/);
  await announcement.stop();
  assert.ok(!existsSync(file));
});

test.run();
