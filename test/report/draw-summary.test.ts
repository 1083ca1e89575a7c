// The last words of a campaign.
import { expect, test } from 'vitest';
import type { CafEvent } from '../../src/domain/event.ts';
import { drawSummary, type SummaryOptions } from '../../src/report/draw-summary.ts';
import { asciiStyle, at, begin, completed, foldAll, jobFinished, plainStyle, plan } from './events.ts';

const options = (changes: Partial<SummaryOptions> = {}): SummaryOptions => ({
  columns: 80,
  style: plainStyle,
  output: 'calibration_results',
  resume: 'caf run',
  quotes: new Map(),
  ...changes,
});

const ended = (outcome: 'completed' | 'failed' | 'interrupted', changes: object = {}): CafEvent => ({
  type: 'campaign.ended',
  outcome,
  completed: 0,
  failed: 0,
  blocked: 0,
  notStarted: 0,
  payloads: 9,
  seconds: 2482,
  ...changes,
});

const screen = (lines: readonly string[]) => `\n${lines.join('\n')}\n`;

test('success is short, and says where the payloads are', () => {
  const board = foldAll([
    at(0, plan('t0', ['gain', 't0'])),
    at(1, completed('t0', 1)),
    at(2, completed('gain', 1, 5, false)),
    at(3, ended('completed')),
  ]);
  expect(screen(drawSummary(board, options()))).toMatchInlineSnapshot(`
    "
    ✔ 2 calibrations, 9 payloads in 41m 22s                      calibration_results
      gain did not converge within 5 iterations

      caf db show calibration_results/gain/localdb   its payloads
    "
  `);
});

test('when everything is up to date, it says so', () => {
  const reused = { type: 'calibration.reused', calibration: 't0', iterations: 2, payloads: 9 } as const;
  const board = foldAll([at(0, plan('t0')), at(0, reused), at(0, ended('completed', { seconds: 0 }))]);
  expect(screen(drawSummary(board, options()))).toMatchInlineSnapshot(`
    "
    ✔ nothing to do: 1 calibration, 9 payloads, all up to date   calibration_results

      caf db show calibration_results/t0/localdb   its payloads
    "
  `);
});

const failedEvents = () => [
  at(0, plan('t0', 'arich', ['top', 'arich'])),
  at(1, completed('t0', 1)),
  ...begin('arich', 64).map((event) => at(1, event)),
  ...[0, 1, 2, 3].map((job) => at(2, jobFinished('arich', job))),
  at(3, jobFinished('arich', 17, { state: 'failed', cause: 'signal', detail: 'ended by signal SIGSEGV (segmentation fault)' })),
  at(4, jobFinished('arich', 40, { state: 'failed', cause: 'out-of-memory', detail: 'used 2.1 GB of 2 GB' })),
  at(5, {
    type: 'calibration.failed',
    calibration: 'arich',
    state: 'failed',
    error: { code: 'CAF_JOB_FAILED', message: '2 of 64 jobs of random failed', hint: 'see the log of random/17' },
    seconds: 151,
  }),
  at(5, { type: 'calibration.blocked', calibration: 'top', by: ['arich'] }),
  at(6, ended('failed', { completed: 1, failed: 1, blocked: 1 })),
];

test('a failure shows the failed jobs, the last lines of the first, hints and the next commands', () => {
  const quotes = new Map([
    ['arich', { title: 'random/17', lines: ['reading /data/e21/r00341.root', '*** Break *** segmentation violation'] }],
  ]);
  expect(screen(drawSummary(foldAll(failedEvents()), options({ quotes })))).toMatchInlineSnapshot(`
    "
    ✖ 1 of 3 calibrations failed, 1 not started        calibration_results   41m 22s

      arich   2 of 64 jobs of random failed                           CAF_JOB_FAILED
        random/17   ended by signal SIGSEGV (segmentation fault)   after 41s
        random/40   out of memory: used 2.1 GB of 2 GB   after 41s

        last lines of random/17:
          │ reading /data/e21/r00341.root
          │ *** Break *** segmentation violation

      hint: give job 40 more memory: resources.memory in collection 'random' of
            'arich'
      hint: see the log of random/17

      caf logs arich/0/random/17   the whole log
      caf run                      continue; 4 finished jobs are kept; top follows
    "
  `);
});

test('a failure in 40 columns and ASCII', () => {
  expect(screen(drawSummary(foldAll(failedEvents()), options({ columns: 40, style: asciiStyle })))).toMatchInlineSnapshot(`
    "
    !! 1 of 3 calibrations failed, 1 not s..

      arich   2 of 64 jobs of random failed
        CAF_JOB_FAILED
        random/17   ended by signal SIGSEG..
        random/40   out of memory: used 2...

      hint: give job 40 more memory:
            resources.memory in collection
            'random' of 'arich'
      hint: see the log of random/17

      caf logs arich/0/random/17   the whole log
      caf run                      continue; 4 finished jobs are kept; top follows
    "
  `);
});

test('a failed algorithm is named with its reason, and its log', () => {
  const board = foldAll([
    at(0, plan('gain')),
    at(1, { type: 'algorithm.started', calibration: 'gain', iteration: 2, algorithm: 'fit', directory: 'gain/2/algorithms/fit' }),
    at(2, {
      type: 'algorithm.finished',
      calibration: 'gain',
      iteration: 2,
      algorithm: 'fit',
      finalState: 'failed',
      results: { failure: 1 },
      gaps: null,
      error: { code: 'CAF_ALGORITHM_CRASHED', message: 'the child process of fit was ended by SIGKILL' },
    }),
    at(3, {
      type: 'calibration.failed',
      calibration: 'gain',
      state: 'failed',
      error: { code: 'CAF_ALGORITHM_FAILED', message: 'fit failed in iteration 2' },
      seconds: 2,
    }),
    at(3, ended('failed', { failed: 1, seconds: 2 })),
  ]);
  expect(screen(drawSummary(board, options()))).toMatchInlineSnapshot(`
    "
    ✖ 1 of 1 calibration failed                           calibration_results   2.0s

      gain   fit failed in iteration 2                          CAF_ALGORITHM_FAILED
        fit   the child process of fit was ended by SIGKILL

      caf logs gain/2/fit   the whole log
      caf run               continue
    "
  `);
});

test('an interruption says what is kept and how to go on', () => {
  const board = foldAll([
    at(0, plan('gain')),
    ...begin('gain', 4).map((event) => at(1, event)),
    at(2, jobFinished('gain', 0)),
    at(3, ended('interrupted', { signal: 'SIGINT', jobsLeft: 3, seconds: 3 })),
  ]);
  expect(screen(drawSummary(board, options({ resume: 'caf run prompt.config.ts --output out' })))).toMatchInlineSnapshot(`
    "
    ↻ interrupted by SIGINT after 3.0s; 3 jobs still running     calibration_results

      caf run prompt.config.ts --output out   continue; 1 finished job is kept
    "
  `);
});

test('jobs that stay on an engine are said to be there', () => {
  const seen = {
    engine: 'slurm',
    calibration: 'gain',
    iteration: 0,
    running: 1,
    queued: 3,
    held: 0,
    suspended: 0,
    reason: null,
    algorithm: null,
  };
  const board = foldAll([
    at(0, plan('gain')),
    ...begin('gain', 4).map((event) => at(1, event)),
    at(2, { type: 'jobs.seen', ...seen }),
    at(3, ended('interrupted', { signal: 'SIGINT', jobsLeft: 4, seconds: 3 })),
  ]);
  expect(screen(drawSummary(board, options()))).toContain('interrupted by SIGINT after 3.0s; 4 jobs left to slurm');
});

test('nothing is said of a campaign that has not ended', () => {
  expect(drawSummary(foldAll([at(0, plan('gain'))]), options())).toEqual([]);
});

test('the database that is proposed has payloads, and its path can be typed', () => {
  const board = foldAll([
    at(0, plan('t0', 'counts')),
    at(1, completed('t0', 1)),
    at(2, { ...completed('counts', 1), payloads: 0 } as CafEvent),
    at(3, ended('completed')),
  ]);
  expect(screen(drawSummary(board, options({ output: 'my results' })))).toContain("  caf db show 'my results/t0/localdb'   its payloads\n");
});

test('to look at the program is advised only where a program could not be started', () => {
  const failure = (detail: string) =>
    drawSummary(
      foldAll([
        at(0, plan('t0')),
        ...begin('t0', 1).map((event) => at(1, event)),
        at(2, jobFinished('t0', 0, { state: 'failed', cause: 'not-started', detail })),
        at(3, {
          type: 'calibration.failed',
          calibration: 't0',
          state: 'failed',
          error: { code: 'CAF_JOB_FAILED', message: 'x' },
          seconds: 1,
        }),
        at(3, ended('failed', { failed: 1 })),
      ]),
      options(),
    ).join('\n');
  expect(failure('it could not be started: the program "fit" was not found on PATH (/bin)')).toContain('hint: check that the program');
  expect(failure('it could not be started: the system refused another process')).not.toContain('hint:');
});
