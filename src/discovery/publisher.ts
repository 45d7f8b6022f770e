/** Who announces the board: always one, never two. */
import { announceByAvahi, avahiTakes } from './avahi.ts';
import { announceByBonjour } from './bonjour.ts';
import type { Publisher } from './discovery.ts';

/**
 * @param choice `auto`: avahi, where it runs and takes a service from us (it owns the host name then)
 * @param root where the file system starts; for tests
 */
export function publisherOf(choice: 'auto' | 'avahi' | 'bonjour', root = '/'): Publisher {
  const byAvahi = choice === 'avahi' || (choice === 'auto' && avahiTakes(root));
  return byAvahi ? (service, log) => announceByAvahi(service, log, root) : announceByBonjour;
}
