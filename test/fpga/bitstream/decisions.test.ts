/**
 * The loader's decision table: what it does on each generation of the OS in each situation, and that no register is
 * touched but those of the identity, and these only while the kernel says that the FPGA runs. Printed as a table.
 */
import assert from 'node:assert';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { IMAGE, type LoaderBench, loaderBench } from './bench.ts';
import { bitstream, type FakeBoard, type FakeOptions, IDCODES, IDENTITY, type Os, sha256 } from './fake-board.ts';

type Outcome =
  | 'loaded, with overlay'
  | 'loaded, without overlay'
  | 'was running, untouched'
  | { readonly refused: RegExp };

interface Situation {
  readonly name: string;
  readonly board?: Omit<FakeOptions, 'os'>;
  readonly image?: Buffer;
  readonly sha256?: string;
  /** Before the load that is judged. */
  prepare?(bench: LoaderBench): Promise<void> | void;
  readonly asNobody?: boolean;
  readonly outcome: Readonly<Record<Os, Outcome>>;
  /** Identity registers may have been asked: the kernel said that the FPGA ran. Default: where it was loaded or ran. */
  readonly asked?: boolean;
}

const every = (outcome: Outcome): Record<Os, Outcome> => ({ '1.04': outcome, '2.x': outcome, '3.x': outcome });
const LOADED: Record<Os, Outcome> = { ...every('loaded, with overlay'), '1.04': 'loaded, without overlay' };
const PLAIN = every('loaded, without overlay');

const TABLE: readonly Situation[] = [
  { name: 'nothing loaded', outcome: LOADED },
  {
    name: 'ours running',
    prepare: async ({ load }) => void (await load()),
    outcome: every('was running, untouched'),
  },
  { name: 'foreign running', board: { foreign: true }, outcome: LOADED },
  {
    name: 'foreign loaded over ours',
    prepare: async ({ load, board }) => {
      await load();
      await new Promise((resolve) => setTimeout(resolve, 20));
      board.write('tmp/loaded_fpga.inf', 'v0.94\n');
    },
    outcome: LOADED,
  },
  {
    name: 'load fails silently',
    board: { failsSilently: true },
    outcome: { ...every({ refused: /not configured: the kernel says unknown/ }), '1.04': { refused: /kernel says 0/ } },
  },
  {
    name: 'load fails silently, foreign stays',
    board: { failsSilently: true, foreign: true },
    outcome: every({ refused: /configured, but does not answer as PyRPL’s design/ }),
    asked: true,
  },
  {
    name: 'wrong chip (processor)',
    board: { socId: '0x7' },
    outcome: every({ refused: /STEM_125-14_v1\.1, which has a z7010, but its chip is a z7020; nothing was loaded/ }),
  },
  {
    name: 'wrong chip (model)',
    board: { hwRev: 'STEM_125-14_Z7020_v1.0' },
    outcome: every({ refused: /is for a z7010, and STEM_125-14_Z7020_v1\.0 has a z7020; nothing was loaded/ }),
  },
  {
    name: 'wrong chip (file)',
    board: { socId: '0x2' },
    image: bitstream(IDCODES.z7020),
    outcome: every({ refused: /is for a z7020, and STEM_125-14_v1\.1 has a z7010; nothing was loaded/ }),
  },
  {
    name: 'wrong file (no bitstream)',
    image: Buffer.alloc(200_000),
    outcome: every({ refused: /no bitstream: there is no sync word/ }),
  },
  {
    name: 'wrong file (checksum)',
    sha256: sha256(Buffer.from('other')),
    outcome: every({ refused: /not the bitstream that was configured: its SHA-256 is/ }),
  },
  {
    name: 'byte order of a .bit file',
    image: bitstream(IDCODES.z7010, { swapped: true, header: 'red_pitaya_top;UserID=0XFFFFFFFF\0b\0' }),
    outcome: LOADED,
  },
  {
    name: 'overlay missing',
    prepare: ({ board }) => rmSync(join(board.root, 'images/red_pitaya.dtbo')),
    outcome: PLAIN,
  },
  { name: 'overlay not taken', board: { refusesOverlays: true }, outcome: PLAIN },
  { name: 'no configfs', board: { withoutOverlays: true }, outcome: PLAIN },
  {
    name: 'the clock stands after the load',
    prepare: ({ board }) => board.write('sys/kernel/debug/clk/fclk0/clk_enable_count', '0\n'),
    outcome: every({ refused: /clock of the FPGA stands .* were not touched/ }),
  },
  { name: 'no rights', asNobody: true, outcome: every({ refused: /\((EACCES|EPERM)\): only root may load the FPGA/ }) },
];

const SYSTEMS: readonly Os[] = ['1.04', '2.x', '3.x'];
const rows: string[] = [];

const test = suite<{ boards: FakeBoard[] }>('decisions of the loader');
test.before.each((context) => {
  context.boards = [];
});
test.after.each(({ boards }) => {
  for (const board of boards) board.end();
});
test.after(() => console.log(`\n${rows.join('\n')}\n`));

/** What nobody may write, as on a board. */
function closed(board: FakeBoard): void {
  for (const path of ['', 'images', 'lib', 'tmp', 'run', 'lib/firmware']) chmodSync(join(board.root, path), 0o555);
  if (board.read('dev/xdevcfg') !== undefined) chmodSync(join(board.root, 'dev/xdevcfg'), 0o444);
}

async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const root = process.getuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

for (const situation of TABLE) {
  test(situation.name, async ({ boards }) => {
    const { name, image = IMAGE, outcome } = situation;
    const cells: string[] = [];
    for (const os of SYSTEMS) {
      const bench = loaderBench(boards, { ...situation.board, os }, image);
      const { board, load, lines } = bench;
      await situation.prepare?.(bench);
      const [loads, accesses] = [board.loads(), board.accesses.length];
      if (situation.asNobody) closed(board);
      const attempt = () => load(situation.sha256 === undefined ? {} : { sha256: situation.sha256 });
      const result = await (situation.asNobody ? asNobody(attempt) : attempt()).catch((error: Error) => error);
      const wanted = outcome[os];
      const asked = board.accesses.slice(accesses);

      if (typeof wanted === 'object') {
        assert.ok(result instanceof Error, `${os}: ${result}`);
        assert.match(result.message, wanted.refused, os);
        if (!situation.asked) assert.equal(asked.length, 0, `${os}: registers were touched`);
        assert.equal(board.read('run/pitayad-fpga.json'), undefined, os);
        cells.push(`refused: ${result.message.replaceAll(board.root, '')}`);
      } else {
        assert.equal(result, wanted === 'was running, untouched' ? 'was running' : 'loaded', os);
        const withOverlay = board.overlays.has('pitayad');
        if (wanted !== 'was running, untouched') {
          assert.equal(withOverlay, wanted === 'loaded, with overlay', os);
          assert.ok(board.configured()?.equals(IMAGE), os);
          const warned = lines.some(({ msg }) => /without the overlay/.test(String(msg)));
          const fallback = ['overlay missing', 'overlay not taken'].includes(name);
          assert.equal(warned, fallback && os !== '1.04', `${os}: the log says what became of the overlay`);
        }
        assert.equal(board.loads() - loads, wanted === 'was running, untouched' ? 0 : 1, os);
        assert.equal(asked.length, IDENTITY.length, os);
        cells.push(wanted);
      }
      // Whatever the outcome: only what tells the identity, only while it is safe, and never a write.
      const known = new Set(IDENTITY.map(([address]) => address));
      for (const { write, address, operating } of asked) {
        assert.ok(operating, `${os}: a register was touched while the FPGA did not run`);
        assert.ok(!write && known.has(address), `${os}: 0x${address.toString(16)} was touched before the identity`);
      }
    }
    const all = new Set(cells);
    const shown = all.size === 1 ? [`all: ${cells[0]}`] : cells.map((cell, k) => `${SYSTEMS[k]}: ${cell}`);
    rows.push(`  ${name.padEnd(36)}${shown.join(`\n  ${''.padEnd(36)}`)}`);
  });
}

test.run();
