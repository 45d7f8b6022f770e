import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import { toLine } from '../src/server/wire/notation/notation.ts';
import type { Kind } from '../src/server/wire/values.ts';
import { decodeCapture, encodeCapture, type WireOptions } from '../src/wire-command.ts';
import { kindOf, vectors } from './server/wire/vectors.ts';

interface Output {
  readonly lines: readonly unknown[];
  readonly complaints: readonly string[];
}

async function decode(pieces: Iterable<Uint8Array>, options: WireOptions): Promise<Output> {
  const lines: unknown[] = [];
  const complaints: string[] = [];
  await decodeCapture(
    pieces,
    options,
    (line) => lines.push(JSON.parse(line)),
    (sentence) => complaints.push(sentence),
  );
  return { lines, complaints };
}

test('all vectors, to JSON and back, as bytes and as hexadecimal digits', async () => {
  for (const { form, name, hex, sent } of [...vectors('v4'), ...vectors('v5')]) {
    if (hex === null || name === 'np-float64') continue;
    const as: Kind[] = form === 'v4' ? sent.map(kindOf) : [];
    const bytes = Buffer.from(hex, 'hex');
    const plain = await decode([bytes], { form, as, hex: false });
    assert.deepEqual(plain, { lines: sent, complaints: [] }, `${form} ${name}`);
    const digits = Buffer.from(hex.replace(/(.{7})/g, '$1 \n').toUpperCase());
    const pieces = [digits.subarray(0, 11), digits.subarray(11)];
    assert.deepEqual(await decode(pieces, { form, as, hex: true }), plain);
    const json = Buffer.from(sent.map((each) => `${toLine({ ...each })}\n`).join(''));
    assert.deepEqual(Buffer.from(await encodeCapture([json], { form, as, hex: false })), bytes);
  }
});

test('what is expected comes in turn, over and over', async () => {
  const [done] = vectors('v4').filter(({ name }) => name === 'msg-done');
  const bytes = Buffer.from(String(done?.hex), 'hex');
  const { lines } = await decode([bytes, bytes], { form: 'v4', as: ['string', 'dte'], hex: false });
  assert.deepEqual(lines, [...(done?.sent ?? []), ...(done?.sent ?? [])]);
});

test('an object that is wrong, but ends, is told and skipped', async () => {
  const bytes = Buffer.from('00000001ff0000000161', 'hex');
  const { lines, complaints } = await decode([bytes], { form: 'v4', as: ['string'], hex: false });
  assert.deepEqual(lines, [{ type: 'str', value: 'a' }]);
  assert.equal(complaints.length, 1);
  assert.match(String(complaints[0]), /^object 1: .*not valid UTF-8/);
});

test('v5: an object of another kind than expected is told', async () => {
  const bytes = Buffer.from('0000000c000000084e6f6e6554797065', 'hex');
  const { lines, complaints } = await decode([bytes], { form: 'v5', as: ['string'], hex: false });
  assert.deepEqual(lines, []);
  assert.match(String(complaints[0]), /this is a None, not a string/);
});

test('input that cannot be read ends with a sentence', async () => {
  const v4 = { form: 'v4', as: ['string'], hex: true } as const;
  for (const [input, sentence] of [
    ['00000007 475241', /object 1: the input ends within it, after 7 of its bytes/],
    ['ffffffff', /object 1: a string object of 4294967295 bytes/],
    ['0000000', /odd number/],
    ['0000zz', /"z" is no hexadecimal digit/],
  ] as const) {
    await assert.rejects(decode([Buffer.from(input)], v4), sentence);
  }
});

test('JSON that cannot be sent ends with a sentence that names the line', async () => {
  const good = '{"type": "str", "value": "a"}';
  for (const [line, sentence] of [
    ['nonsense', /line 2: this is not JSON/],
    ['[1]', /line 2: an object is written as/],
    ['{"type": "None", "value": null}', /line 2: PyMoDAQ 4 cannot send a None/],
    ['{"type": "int", "value": 1}', /line 2: this is a int, not a string/],
  ] as const) {
    const as: Kind[] = line.includes('int') ? ['string'] : [];
    await assert.rejects(encodeCapture([Buffer.from(`${good}\n${line}\n`)], { form: 'v4', as, hex: false }), sentence);
  }
  await assert.rejects(encodeCapture([Buffer.of(0x22, 0xff)], { form: 'v4', as: [], hex: false }), /not valid UTF-8/);
});

/** Runs the command as a program of its own. */
function program(
  args: readonly string[],
  input: string | Buffer,
): { status: number | null; stdout: string; stderr: string } {
  const code = `
    import { Command } from 'commander';
    import { wireCommand } from './src/wire-command.ts';
    const program = new Command('pitayad');
    wireCommand(program);
    await program.parseAsync(['node', 'pitayad', ...JSON.parse(process.env.WIRE_ARGS)]);`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', code],
    {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, WIRE_ARGS: JSON.stringify(args) },
      input,
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr };
}

test('the command: decode', () => {
  const { status, stdout, stderr } = program(
    ['wire', 'decode', '--form', 'v5', '--hex'],
    '0000001200000003737472 0000000747524142424552\n',
  );
  assert.deepEqual(
    { status, stdout, stderr },
    { status: 0, stdout: '{"type": "str", "value": "GRABBER"}\n', stderr: '' },
  );
});

test('the command: encode', () => {
  const { status, stdout } = program(['wire', 'encode', '--form', 'v4', '--hex'], '{"type": "int", "value": 42}\n');
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '000000033c6938000000082a00000000000000\n' });
});

test('the command: bad input ends with status 2 and a sentence on standard error', () => {
  for (const [args, input, sentence] of [
    [['wire', 'decode', '--form', 'v4'], '', /--as must name it/],
    [['wire', 'decode', '--form', 'v6'], '', /--form must be v4 or v5/],
    [['wire', 'decode', '--form', 'v5', '--hex'], 'ffffffff', /4294967295 bytes; at most/],
    [['wire', 'encode', '--form', 'v4', '--as', 'word'], '', /--as must be one of/],
  ] as const) {
    const { status, stdout, stderr } = program(args, input);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, sentence);
    assert.match(stderr, /^pitayad wire: [^\n]*\n$/);
  }
});

test.run();
