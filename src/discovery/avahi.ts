/**
 * Leaves the announcing to a running avahi, which owns the host name on Red Pitaya OS: a file in its folder of services
 * is announced for as long as it is there, with the host's name and addresses as avahi knows them.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Announcement, SERVICE_TYPE, type Service } from './discovery.ts';

/** Where avahi looks for services, and where it says that it runs. */
const SERVICES = 'etc/avahi/services';
export const RUNNING = 'run/avahi-daemon/pid';
export const SERVICE_FILE = `${SERVICES}/pitayad.service`;

/** A goodbye is said by avahi; this is how long our part of it may take, in ms. */
const STOP_MS = 500;

/**
 * Whether avahi runs here and takes a service from us.
 * @param root where the file system starts; for tests
 */
export function avahiTakes(root = '/'): boolean {
  // The folder is root's: what may be ours is the file, made when pitayad was installed.
  return existsSync(join(root, RUNNING)) && [SERVICES, SERVICE_FILE].some((path) => isWritable(join(root, path)));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param root where the file system starts; for tests */
export function announceByAvahi(service: Service, log: Logger, root = '/'): Announcement {
  const path = join(root, SERVICE_FILE);
  // In one piece: avahi reads it as soon as it changes.
  const written = writeFile(path, serviceXml(service)).then(
    () => log.info({ name: service.name, port: service.port, by: 'avahi' }, 'announced'),
    (error: Error) => log.warn({ path, reason: error.message }, 'the board could not be announced by avahi'),
  );
  return {
    name: service.name,
    async stop() {
      // An empty file is no service, where the folder is not ours.
      const gone = written.then(() => unlink(path).catch(() => writeFile(path, ''))).catch(() => undefined);
      await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
    },
  };
}

/** The file as avahi.service(5) has it. A name that is in use gets a number from avahi. */
export function serviceXml({ name, port, listensOn, txt }: Service): string {
  const records = Object.entries(txt).map(([key, value]) => `    <txt-record>${xml(`${key}=${value}`)}</txt-record>`);
  const protocol = listensOn === '0.0.0.0' ? ' protocol="ipv4"' : '';
  return [
    '<?xml version="1.0" standalone="no"?>',
    '<!DOCTYPE service-group SYSTEM "avahi-service.dtd">',
    '<!-- Written by pitayad when it starts, removed when it ends. -->',
    '<service-group>',
    `  <name>${xml(name)}</name>`,
    `  <service${protocol}>`,
    `    <type>_${SERVICE_TYPE}._tcp</type>`,
    `    <port>${port}</port>`,
    ...records,
    '  </service>',
    '</service-group>',
    '',
  ].join('\n');
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
