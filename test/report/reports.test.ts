// The four reports, as their readers get them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { CafEvent, TimedEvent } from '../../src/domain/event.ts';
import { createReport, reportKind } from '../../src/report/report.ts';
import { createTestIo, type TestIo } from '../support/io.ts';
import { at, begin, completed, jobFinished, jobStarted, jobsSeen, plan } from './events.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const options = { verbose: false, resume: 'caf run' };
const ended: CafEvent = {
  type: 'campaign.ended',
  outcome: 'completed',
  completed: 1,
  failed: 0,
  blocked: 0,
  notStarted: 0,
  payloads: 3,
  seconds: 12.5,
};

const goodEvents = (): TimedEvent[] => [
  at(0, plan('gain')),
  ...begin('gain', 2).map((event) => at(1, event)),
  at(2, jobStarted('gain', 0)),
  at(2, jobFinished('gain', 0)),
  at(3, jobFinished('gain', 1)),
  at(4, { type: 'calibration.state', calibration: 'gain', iteration: 0, state: 'running_algorithms' }),
  at(4, { type: 'algorithm.started', calibration: 'gain', iteration: 0, algorithm: 'fit', directory: 'gain/0/algorithms/fit' }),
  at(5, {
    type: 'algorithm.finished',
    calibration: 'gain',
    iteration: 0,
    algorithm: 'fit',
    finalState: 'completed',
    results: { ok: 3 },
    gaps: [],
    error: null,
  }),
  at(5, { type: 'warning', code: 'CAF_NOT_CONVERGED', message: 'maxIterations was reached', calibration: 'gain' }),
  at(12, completed('gain', 11, 1)),
  at(12, ended),
];

async function play(
  kind: 'live' | 'plain' | 'json' | 'quiet',
  events: readonly TimedEvent[],
  io: TestIo,
  more: object = {},
): Promise<void> {
  const report = createReport(kind, io, { ...options, ...more });
  for (const event of events) report.event(event);
  await report.close();
}

test('plain: one line per change on stderr, the summary on stdout', async () => {
  const io = createTestIo({ cwd: '/data' });
  await play('plain', goodEvents(), io);
  expect(`\n${io.stderr.text}`).toMatchInlineSnapshot(`
    "
    2026-11-21T20:14:03Z campaign started config=/data/caf.config.ts output=/data/calibration_results calibrations=1 reused=0
    2026-11-21T20:14:04Z gain started iteration=0
    2026-11-21T20:14:04Z gain iteration 0 started jobs=2 reused=0
    2026-11-21T20:14:07Z gain/0/fit started
    2026-11-21T20:14:08Z gain/0/fit completed ok=3 gaps=0
    2026-11-21T20:14:08Z warning: gain: maxIterations was reached code=CAF_NOT_CONVERGED
    2026-11-21T20:14:15Z gain completed iterations=1 converged=true payloads=3 elapsed=11s
    2026-11-21T20:14:15Z campaign completed completed=1 failed=0 blocked=0 not_started=0 payloads=3 elapsed=13s
    "
  `);
  expect(`\n${io.stdout.text}`).toMatchInlineSnapshot(`
    "

    ✔ 1 calibration, 3 payloads in 13s                           calibration_results

      caf db show calibration_results/gain/localdb   its payloads
    "
  `);
});

test('plain --verbose adds the jobs and the reasons', async () => {
  const io = createTestIo({ cwd: '/data' });
  await play('plain', goodEvents(), io, { verbose: true });
  expect(io.stderr.text).toContain('gain/0/random/0 succeeded attempt=0 elapsed=41s');
  expect(io.stderr.text).toContain('gain started iteration=0 because="never run"');
});

test('plain stays short with 100,000 jobs, whether they succeed or fail', async () => {
  for (const outcome of [{ state: 'succeeded' }, { state: 'failed', cause: 'exit', detail: 'exit status 1' }] as const) {
    const io = createTestIo({ cwd: '/data' });
    const report = createReport('plain', io, options);
    for (const event of [plan('gain'), ...begin('gain', 100_000)]) report.event(at(0, event));
    for (let job = 0; job < 100_000; job++) {
      report.event(at(1, jobStarted('gain', job)));
      report.event(at(1, jobFinished('gain', job, outcome)));
    }
    const lines = io.stderr.text.trimEnd().split('\n');
    expect(lines.length).toBeLessThan(50);
    expect(lines.at(-1)).toMatch(/jobs=100000\/100000/);
    await report.close();
  }
});

test('plain: on an engine, one line when jobs are first seen to wait, run, be held or suspended', async () => {
  const io = createTestIo({ cwd: '/data' });
  const report = createReport('plain', io, options);
  for (const event of [plan('gain'), ...begin('gain', 40)]) report.event(at(0, event));
  report.event(at(1, jobsSeen('gain', { queued: 40, reason: 'Priority' })));
  for (let round = 0; round < 20; round++) {
    report.event(at(2, jobsSeen('gain', { running: 2 + (round % 2), queued: 30 })));
    report.event(at(2, jobsSeen('gain', { queued: 30, held: 2 })));
  }
  for (let job = 0; job < 4; job++) report.event(at(3, jobFinished('gain', job)));
  await report.close();
  expect(io.stderr.text.split('\n').slice(3)).toEqual([
    '2026-11-21T20:14:04Z gain/0 jobs on slurm running=0 queued=40 reason=Priority',
    '2026-11-21T20:14:05Z gain/0 jobs on slurm running=2 queued=30',
    '2026-11-21T20:14:05Z gain/0 jobs on slurm running=0 queued=30 held=2',
    '2026-11-21T20:14:06Z gain/0 jobs=4/40 failed=0 running=0 queued=30',
    '',
  ]);
});

test('what programs print cannot steer the terminal', async () => {
  const io = createTestIo({ cwd: '/data' });
  const detail = 'bad \u001b]0;title\u0007\u001b[2J\u009b31m\r\nnews\u202e';
  await play('plain', [at(0, plan('gain')), at(1, jobFinished('gain', 0, { state: 'failed', cause: 'exit', detail }))], io);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
  expect(io.stderr.text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(io.stderr.text).toContain('news');
});

test('json: one event per line on stdout, nothing else anywhere', async () => {
  const io = createTestIo();
  await play('json', goodEvents(), io);
  const lines = io.stdout.text.trimEnd().split('\n');
  expect(lines).toHaveLength(goodEvents().length);
  for (const line of lines) expect(Object.keys(JSON.parse(line)).slice(0, 3)).toEqual(['v', 'at', 'type']);
  expect(lines[4]).toMatchInlineSnapshot(
    `"{"v":1,"at":"2026-11-21T20:14:05.000Z","type":"job.started","calibration":"gain","iteration":0,"collection":"random","job":0,"attempt":0,"directory":"gain/0/collector/random/0.attempt-0","adopted":false}"`,
  );
  expect(io.stderr.text).toBe('');
});

test('quiet: silence on success', async () => {
  const io = createTestIo();
  await play('quiet', goodEvents(), io);
  expect(io.stdout.text + io.stderr.text).toBe('');
});

test('quiet: of a failure, the summary with the last lines of the log', async () => {
  const output = mkdtempSync(join(tmpdir(), 'caf-'));
  directories.push(output);
  const directory = 'gain/0/collector/random/3.attempt-2';
  mkdirSync(join(output, directory), { recursive: true });
  const noise = Array.from({ length: 50_000 }, (_, i) => `line ${i}`).join('\n');
  writeFileSync(join(output, directory, 'stderr'), `${noise}\n10%\r100%\r\n\u001b[31mno such column: adc\u001b[0m\n`);
  const io = createTestIo({ cwd: output });
  await play(
    'quiet',
    [
      at(0, { ...(plan('gain') as Extract<CafEvent, { type: 'campaign.started' }>), output }),
      ...begin('gain', 4).map((event) => at(1, event)),
      at(2, jobFinished('gain', 3, { state: 'failed', cause: 'exit', detail: 'exit status 1' }, directory)),
      at(3, {
        type: 'calibration.failed',
        calibration: 'gain',
        state: 'failed',
        error: { code: 'CAF_JOB_FAILED', message: '1 of 4 jobs failed' },
        seconds: 2,
      }),
      at(3, { ...ended, outcome: 'failed' } as CafEvent),
    ],
    io,
  );
  expect(io.stdout.text).toBe('');
  expect(io.stderr.text).toMatchInlineSnapshot(`
    "
    ✖ 1 of 1 calibration failed                                              .   13s

      gain   1 of 4 jobs failed                                       CAF_JOB_FAILED
        random/3   exit status 1   after 41s

        last lines of random/3:
          │ line 49996
          │ line 49997
          │ line 49998
          │ line 49999
          │ 100%
          │ no such column: adc

      caf logs gain/0/random/3 --output .   the whole log
      caf run                               continue
    "
  `);
});

test('which report: json and quiet as asked, live only on a terminal that can, else plain', () => {
  const none = { json: false, quiet: false };
  const terminal = (env: NodeJS.ProcessEnv) => createTestIo({ isTTY: true, env });
  expect(reportKind({ json: true, quiet: false }, terminal({}))).toBe('json');
  expect(reportKind({ json: false, quiet: true }, terminal({}))).toBe('quiet');
  expect(reportKind(none, terminal({}))).toBe('live');
  expect(reportKind(none, terminal({ CI: 'true' }))).toBe('plain');
  expect(reportKind(none, terminal({ TERM: 'dumb' }))).toBe('plain');
  expect(reportKind(none, createTestIo())).toBe('plain');
});
