// The live report on a small terminal.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createReport } from '../../src/report/report.ts';
import { createTestIo } from '../support/io.ts';
import { at, begin, completed, jobFinished, jobStarted, plan, T0 } from './events.ts';
import { showOnTerminal } from './terminal.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: T0, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const liveIo = (columns = 80) => createTestIo({ isTTY: true, columns, rows: 24, cwd: '/data', env: { LANG: 'C.UTF-8', NO_COLOR: '1' } });
const options = { verbose: false, resume: 'caf run' };

test('what has ended stays above as history, what runs is redrawn below, and nothing is left twice', async () => {
  const io = liveIo();
  const report = createReport('live', io, options);
  report.event(at(0, plan('t0', ['gain', 't0'])));
  for (const event of begin('t0', 4)) report.event(at(0, event));
  vi.advanceTimersByTime(150);
  report.event(at(0, jobStarted('t0', 0)));
  vi.advanceTimersByTime(1000);
  report.event(at(2, jobFinished('t0', 0)));
  report.event(at(2, { type: 'warning', code: 'CAF_X', message: 'a record lies outside the IoV of its file', hint: 'check runs' }));
  report.event(at(3, completed('t0', 3)));
  for (const event of begin('gain', 4)) report.event(at(3, event));
  vi.advanceTimersByTime(150);
  const { lines, isCursorVisible } = showOnTerminal(io.stderr.text, 80);
  expect(isCursorVisible).toBe(false);
  expect(`\n${lines.join('\n')}`).toMatchInlineSnapshot(`
    "
    caf 0.1.0   caf.config.ts   → calibration_results   2 calibrations

    ▲ a record lies outside the IoV of its file
      hint: check runs
    ✔ t0    completed     2 iterations   1 job   3 payloads                     3.0s
    ────────────────────────────────────────────────────────────────────────────────
    ● gain  running_collector  it 0            0/4  0.0s

    1 of 2 done   1.3s                                               ^C stops safely
    "
  `);
  await report.close();
  expect(showOnTerminal(io.stderr.text, 80).isCursorVisible).toBe(true);
});

test('many events between two frames are drawn once', async () => {
  const io = liveIo();
  const report = createReport('live', io, options);
  report.event(at(0, plan('t0')));
  for (const event of begin('t0', 1000)) report.event(at(0, event));
  for (let job = 0; job < 1000; job++) report.event(at(1, jobFinished('t0', job)));
  vi.advanceTimersByTime(100);
  expect(io.stderr.text.split('\u001b[?2026h')).toHaveLength(2);
  await report.close();
});

test('after the terminal became narrower, the old window is erased although its lines were wrapped', async () => {
  const io = liveIo(100);
  const report = createReport('live', io, options);
  report.event(at(0, plan('t0')));
  for (const event of begin('t0', 10)) report.event(at(0, event));
  vi.advanceTimersByTime(100);
  const before = showOnTerminal(io.stderr.text, 100).lines;
  const written = io.stderr.text.length;
  io.stderr.resize(50, 24);
  // What the terminal did to the old lines, then what was written after the resize.
  const { lines } = showOnTerminal(before.join('\n') + io.stderr.text.slice(written), 50);
  expect(lines.filter((line) => line.includes('t0'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('───'))).toHaveLength(1);
  await report.close();
});

test('at the end the window is gone and the summary is on stdout', async () => {
  const io = liveIo();
  const report = createReport('live', io, options);
  report.event(at(0, plan('t0')));
  report.event(at(3, completed('t0', 3)));
  report.event(
    at(3, { type: 'campaign.ended', outcome: 'completed', completed: 1, failed: 0, blocked: 0, notStarted: 0, payloads: 3, seconds: 3 }),
  );
  await report.close();
  expect(`\n${showOnTerminal(io.stderr.text, 80).lines.join('\n')}`).toMatchInlineSnapshot(`
    "
    caf 0.1.0   caf.config.ts   → calibration_results   1 calibration

    ✔ t0  completed     2 iterations   3 payloads                               3.0s
    "
  `);
  expect(io.stdout.text).toContain('1 calibration, 3 payloads in 3.0s');
});

test('closing leaves no listener at the exit of the process', async () => {
  const before = process.listenerCount('exit');
  await createReport('live', liveIo(), options).close();
  expect(process.listenerCount('exit')).toBe(before);
});
