import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { suite } from 'uvu';
import { clientJournal, openLog } from '../src/log.ts';

const test = suite('log');

/** A log into memory, and its lines. */
function memory(options: { level?: string; format: 'json' | 'pretty' }): {
  log: ReturnType<typeof openLog>;
  text: () => string;
} {
  let written = '';
  const to = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  return { log: openLog({ level: 'info', ...options, to }), text: () => written };
}

function journal(level = 'info'): {
  lines: () => Record<string, unknown>[];
  at: { ms: number };
  client: ReturnType<typeof clientJournal>;
} {
  const { log, text } = memory({ level, format: 'json' });
  const at = { ms: 1000 };
  const lines = (): Record<string, unknown>[] =>
    text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { time: _time, level: _level, ...rest } = JSON.parse(line) as Record<string, unknown>;
        return rest;
      });
  return { lines, at, client: clientJournal(log.child({ client: '192.0.2.1:5' }), () => at.ms) };
}

test('JSON: an object a line, with level and time', () => {
  const { log, text } = memory({ format: 'json' });
  log.info({ pymodaq: { host: '::', port: 6341 } }, 'serving');
  log.debug('not told at this level');
  assert.match(
    text(),
    /^{"level":30,"time":"\d{4}-\d\d-\d\dT[\d:.]+Z","pymodaq":{"host":"::","port":6341},"msg":"serving"}\n$/,
  );
});

test('pretty: one readable line an event', () => {
  const { log, text } = memory({ format: 'pretty' });
  log.info({ module: 'scope', from: 8, to: 64, by: 'lab' }, 'changed');
  log.warn('second');
  assert.match(
    text(),
    /^\[\d\d:\d\d:\d\d\] INFO: changed {"module":"scope","from":8,"to":64,"by":"lab"}\n\[[\d:]+\] WARN: second\n$/,
  );
});

test('a refusal is told once, its repetitions are counted in the summary of the minute', () => {
  const { lines, at, client } = journal();
  for (let k = 0; k < 5; k++) client.refused('get', 'There is no module "skope".');
  client.refused('configure', 'amplitude must be at most 1 V.');
  assert.deepEqual(lines(), [
    { client: '192.0.2.1:5', command: 'get', reason: 'There is no module "skope".', msg: 'refused' },
    { client: '192.0.2.1:5', command: 'configure', reason: 'amplitude must be at most 1 V.', msg: 'refused' },
  ]);
  at.ms += 59_999;
  client.tick();
  assert.equal(lines().length, 2);
  at.ms += 1;
  client.tick();
  assert.deepEqual(lines().slice(2), [
    {
      client: '192.0.2.1:5',
      seconds: 60,
      refusedAgain: [{ times: 4, reason: 'There is no module "skope".' }],
      msg: 'summary',
    },
  ]);
  client.refused('get', 'There is no module "skope".');
  assert.equal(lines().length, 4, 'told again in another minute');
});

test('answers are numbers in the summary, and lines at debug', () => {
  const { lines, at, client } = journal('debug');
  client.answered('grab', { points: 16_384 });
  client.answered('grab', { points: 16_384 });
  client.answered('move_abs');
  assert.deepEqual(lines()[0], { client: '192.0.2.1:5', points: 16_384, command: 'grab', msg: 'answered' });
  at.ms += 60_000;
  client.tick();
  const [summary] = lines().slice(3);
  assert.deepEqual(summary, { client: '192.0.2.1:5', seconds: 60, answered: { grab: 2, move_abs: 1 }, msg: 'summary' });
});

test('a minute without anything is not told; the rest of a minute is, when the client leaves', () => {
  const { lines, at, client } = journal();
  for (let k = 0; k < 5; k++) {
    at.ms += 60_000;
    client.tick();
  }
  assert.deepEqual(lines(), []);
  client.answered('ping');
  at.ms += 2000;
  client.close();
  assert.deepEqual(lines(), [{ client: '192.0.2.1:5', seconds: 2, answered: { ping: 1 }, msg: 'disconnected' }]);
});

test('a client that is refused in ever new words fills no log and no memory', () => {
  const { lines, at, client } = journal();
  for (let k = 0; k < 10_000; k++) client.refused('get', `There is no module "${k}".`);
  assert.equal(lines().length, 20);
  at.ms += 60_000;
  client.tick();
  assert.equal(lines().at(-1)?.refusedOtherwise, 9980);
});

test.run();
