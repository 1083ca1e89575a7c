// Whole screens of the live board.
import { expect, test } from 'vitest';
import { emptyBoard, foldBoard } from '../../src/report/board.ts';
import { type Canvas, drawBoard, drawFinished, drawOpening } from '../../src/report/draw-board.ts';
import { displayWidth } from '../../src/report/text.ts';
import { asciiStyle, at, begin, busyEvents, foldAll, jobStarted, jobsSeen, plainStyle, plan, T0 } from './events.ts';

const canvas = (columns: number, rows = 24, style = plainStyle): Canvas => ({ columns, rows, now: T0 + 1500_000, style });

const screen = (lines: readonly string[]) => `\n${lines.join('\n')}\n`;

test('in 80 columns', () => {
  const board = foldAll(busyEvents());
  expect(screen(drawBoard(board, canvas(80)))).toMatchInlineSnapshot(`
    "
    ────────────────────────────────────────────────────────────────────────────────
    ● ecal-gain    running_collector   it 0  ██████     97/128  31 running  6m 40s
    ● klm-time     running_algorithms  it 0            112/112  times       9m 58s
    ✖ arich-align  running_collector   it 0  █▌          12/64  3 failed    2m 31s
    ○ top-align    waiting for ecal-gain, arich-align

    2 of 6 done   31 jobs running   25m 00s                          ^C stops safely
    "
  `);
});

test('in 120 columns every column has room', () => {
  expect(screen(drawBoard(foldAll(busyEvents()), canvas(120)))).toMatchInlineSnapshot(`
    "
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    ● ecal-gain    running_collector   it 0  █████████      97/128  31 running  6m 40s
    ● klm-time     running_algorithms  it 0                112/112  times       9m 58s
    ✖ arich-align  running_collector   it 0  ██▎             12/64  3 failed    2m 31s
    ○ top-align    waiting for ecal-gain, arich-align

    2 of 6 done   31 jobs running   25m 00s                                                                  ^C stops safely
    "
  `);
});

test('in 40 columns', () => {
  expect(screen(drawBoard(foldAll(busyEvents()), canvas(40)))).toMatchInlineSnapshot(`
    "
    ────────────────────────────────────────
    ● ecal-gain     97/128
    ● klm-time     112/112
    ✖ arich-align    12/64
    ○ top-align    waiting for ecal-gain, a…

    2 of 6 done   31 jobs running   25m 00s
    "
  `);
});

test('in 20 columns', () => {
  expect(screen(drawBoard(foldAll(busyEvents()), canvas(20)))).toMatchInlineSnapshot(`
    "
    ────────────────────
    ● ecal-gain   97/128
    ● klm-time   112/112
    ✖ aric…lign    12/64
    ○ top-align  waitin…

    2 of 6 done   31 jo…
    "
  `);
});

test('in ASCII where the locale is not UTF-8', () => {
  expect(screen(drawBoard(foldAll(busyEvents()), canvas(80, 24, asciiStyle)))).toMatchInlineSnapshot(`
    "
    --------------------------------------------------------------------------------
    .. ecal-gain    running_collector   it 0  ######..   97/128  31 running  6m 40s
    .. klm-time     running_algorithms  it 0            112/112  times       9m 58s
    !! arich-align  running_collector   it 0  #.......    12/64  3 failed    2m 31s
    -- top-align    waiting for ecal-gain, arich-align

    2 of 6 done   31 jobs running   25m 00s                          ^C stops safely
    "
  `);
});

test('on an engine, what waits in its queue, is held or suspended is told apart from what runs', () => {
  const board = foldAll([
    at(0, plan('gain', 't0', 'fit')),
    ...begin('gain', 200).map((event) => at(0, event)),
    ...begin('t0', 9).map((event) => at(0, event)),
    ...begin('fit', 1).map((event) => at(0, event)),
    at(1, jobsSeen('gain', { running: 16, queued: 180, held: 4, reason: 'Priority' })),
    at(1, jobsSeen('t0', { running: 2, queued: 6, suspended: 1 })),
    at(2, { type: 'calibration.state', calibration: 'fit', iteration: 0, state: 'running_algorithms' }),
    at(2, { type: 'algorithm.started', calibration: 'fit', iteration: 0, algorithm: 'means', directory: 'fit/0/algorithms/means' }),
    at(2, jobsSeen('fit', { algorithm: 'queued' })),
  ]);
  expect(screen(drawBoard(board, canvas(120)))).toMatchInlineSnapshot(`
    "
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    ● gain  running_collector   it 0                0/200  16 running, 180 queued, 4 held    25m 00s
    ● t0    running_collector   it 0                  0/9  2 running, 6 queued, 1 suspended  25m 00s
    ● fit   running_algorithms  it 0                  0/1  means queued                      25m 00s

    0 of 3 done   18 jobs running, 186 queued (Priority), 4 held, 1 suspended   25m 00s                      ^C stops safely
    "
  `);
});

test('200 calibrations in a terminal of 10 rows: running ones first, the rest is counted', () => {
  const names = Array.from({ length: 200 }, (_, i) => `calibration-${i}`);
  const active = [7, 8, 9].flatMap((i) => begin(`calibration-${i}`, 10).map((event) => at(1, event)));
  const board = foldAll([at(0, plan(...names)), ...active, at(2, jobStarted('calibration-8', 0))]);
  expect(screen(drawBoard(board, canvas(80, 10)))).toMatchInlineSnapshot(`
    "
    ────────────────────────────────────────────────────────────────────────────────
    ● calibration-7    running_collector  it 0            0/10             24m 59s
    ● calibration-8    running_collector  it 0            0/10  1 running  24m 59s
    ● calibration-9    running_collector  it 0            0/10             24m 59s
    ○ calibration-0    waiting
    ○ calibration-1    waiting
      plus 195 more: 195 waiting

    0 of 200 done   1 job running   25m 00s                          ^C stops safely
    "
  `);
});

test('what has ended is drawn as history, once and for all', () => {
  const board = foldAll([
    ...busyEvents(),
    at(1400, {
      type: 'calibration.failed',
      calibration: 'arich-align',
      state: 'failed',
      error: { code: 'CAF_JOB_FAILED', message: '3 of 64 jobs failed' },
      seconds: 151,
    }),
    at(1400, { type: 'calibration.blocked', calibration: 'top-align', by: ['arich-align'] }),
  ]);
  const rows = board.finished.map((name) => board.rows[board.index.get(name) ?? -1]!);
  const opening = drawOpening(board, 'caf.config.ts', 'calibration_results', canvas(80));
  expect(screen([...opening, ...rows.map((row) => drawFinished(board, row, canvas(80)))])).toMatchInlineSnapshot(`
    "
    caf 0.1.0   caf.config.ts   → calibration_results   6 calibrations
    ✔ svd-noise    reused        1 payload
    ✔ cdc-t0       completed     2 iterations   1 job   3 payloads           18m 03s
    ✖ arich-align  failed        3 of 64 jobs failed                          2m 31s
    ○ top-align    blocked       by arich-align
    "
  `);
});

test('of 500 calibrations that end, names are looked at a few times each', () => {
  const calibrations = Array.from({ length: 500 }, (_, i) => ({
    name: `c${i}`,
    dependsOn: [],
    maxIterations: 1,
    reason: '',
    reused: true,
  }));
  const board = foldBoard(emptyBoard, {
    type: 'campaign.started',
    at: '2026-01-01T00:00:00Z',
    output: '/o',
    config: '/c',
    version: '1',
    calibrations,
  });
  let reads = 0;
  const rows = board.rows.map((row) => ({
    ...row,
    get name() {
      reads++;
      return row.name;
    },
  }));
  const drawn = rows.map((row) => drawFinished({ ...board, rows }, row, canvas(80)));
  expect(drawn[7]).toMatch(/^○ c7 {4}completed/);
  expect(reads).toBeLessThan(10 * rows.length);
});

test('the window says what Ctrl-C does, and then what it does next', () => {
  const events = busyEvents();
  const stopping = foldAll([...events, at(1400, { type: 'campaign.stopping', signal: 'SIGINT', runningJobs: 31 })]);
  const cancelling = foldAll([...events, at(1400, { type: 'campaign.cancelling', signal: 'SIGINT' })]);
  expect(drawBoard(stopping, canvas(100)).at(-1)).toMatchInlineSnapshot(
    `"2 of 6 done   31 jobs running   25m 00s           stopping when 31 jobs have ended; ^C again cancels"`,
  );
  expect(drawBoard(cancelling, canvas(80)).at(-1)).toMatchInlineSnapshot(
    `"2 of 6 done   31 jobs running   25m 00s              cancelling the running jobs"`,
  );
});

test.each([1, 5, 10, 20, 33, 47, 60, 79, 80, 81, 200])('no line is wider than %i columns', (columns) => {
  const board = foldAll([at(0, plan('日本語'.repeat(20), 'x'.repeat(100))), ...busyEvents()]);
  for (const style of [plainStyle, asciiStyle]) {
    for (const line of drawBoard(board, canvas(Math.max(columns, 5), 24, style)))
      expect(displayWidth(line)).toBeLessThanOrEqual(Math.max(columns, 5));
  }
});

test.each([1, 2, 3, 5, 8, 24])('the window fits into %i rows where there is room for its frame', (rows) => {
  expect(drawBoard(foldAll(busyEvents()), canvas(80, rows)).length).toBeLessThanOrEqual(Math.max(rows, 5));
});

test('a clock that jumps back shows no negative time', () => {
  const lines = drawBoard(foldAll(busyEvents()), { ...canvas(120), now: T0 - 3600_000 });
  expect(lines.join('\n')).not.toMatch(/-\d/);
});
