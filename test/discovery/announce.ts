/**
 * Announces a board from the command line, as the daemon does: announce.ts HOST PORT LISTENS_ON [AVAHI_ROOT]. Ends on
 * SIGTERM.
 */
import { announceByAvahi } from '../../src/discovery/avahi.ts';
import { announceByBonjour } from '../../src/discovery/bonjour.ts';
import { boardService } from '../../src/discovery/discovery.ts';
import { openLog } from '../../src/log.ts';

const [hostname = 'rp', port = '6341', address = '0.0.0.0', avahi] = process.argv.slice(2);
const identity = { model: 'STEMlab 125-14', serial: '0123', hostname, version: '1.2.3', bitstream: '4894f44b' };
const log = openLog({ level: 'debug', format: 'json' });
const service = boardService(identity, ['scope', 'asg0', 'asg1'], { address, port: Number(port) });
const announcement = avahi === undefined ? announceByBonjour(service, log) : announceByAvahi(service, log, avahi);
const alive = setInterval(() => undefined, 1000);
process.once('SIGTERM', async () => {
  await announcement.stop();
  clearInterval(alive);
});
