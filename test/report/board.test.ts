// The fold of events behind every report.
import { expect, test } from 'vitest';
import { emptyBoard, foldBoard } from '../../src/report/board.ts';
import { at, begin, busyEvents, foldAll, jobFinished, jobStarted, jobsSeen, plan } from './events.ts';

test('jobs are counted as they start, fail, are tried again and succeed', () => {
  const failed = { state: 'failed', cause: 'exit', detail: 'exit status 1' } as const;
  const board = foldAll([
    at(0, plan('gain')),
    ...begin('gain', 5, 2).map((event) => at(0, event)),
    at(1, jobStarted('gain', 2)),
    at(1, jobStarted('gain', 3)),
    at(2, {
      type: 'job.retried',
      calibration: 'gain',
      iteration: 0,
      collection: 'random',
      job: 2,
      attempt: 0,
      outcome: failed,
      directory: 'd',
    }),
    at(3, jobStarted('gain', 2)),
    at(4, jobFinished('gain', 2)),
    at(5, jobFinished('gain', 3, failed)),
  ]);
  expect(board.rows[0]?.jobs).toEqual({ total: 5, succeeded: 3, failed: 1, running: 0 });
  expect(board.rows[0]?.jobsDone).toBe(3);
  expect(board.rows[0]?.failedJobs).toHaveLength(1);
});

test('jobs on an engine run when the engine says so, and not before', () => {
  const seen = (running: number, queued: number, more = {}) => at(2, jobsSeen('gain', { running, queued, ...more }));
  const events = [
    at(0, plan('gain')),
    ...begin('gain', 5).map((event) => at(0, event)),
    seen(0, 3),
    ...[0, 1, 2].map((job) => at(1, jobStarted('gain', job))),
  ];
  expect(foldAll(events).rows[0]).toMatchObject({ jobs: { running: 0 }, engine: { engine: 'slurm', queued: 3, held: 0, suspended: 0 } });
  const later = [...events, seen(2, 0, { held: 1 }), at(3, jobFinished('gain', 0))];
  // The next one may have begun: the engine says it.
  expect(foldAll(later).rows[0]).toMatchObject({ jobs: { running: 2, succeeded: 1 }, engine: { queued: 0, held: 1 } });
  const next = foldAll([...later, at(4, { type: 'iteration.started', calibration: 'gain', iteration: 1, jobs: 5, reused: 0 }), seen(5, 0)]);
  expect(next.rows[0]).toMatchObject({ jobs: { running: 0 }, engine: { queued: 0, held: 0 } });
});

test('folding does not change the board it started from', () => {
  const events = busyEvents();
  const before = foldAll(events.slice(0, 20));
  const copy = structuredClone(before);
  foldAll(events.slice(20).map((event) => event));
  events.slice(20).reduce(foldBoard, before);
  expect(before).toEqual(copy);
});

test('a next iteration starts its counts afresh; finished jobs of all iterations add up', () => {
  const board = foldAll([
    at(0, plan('gain')),
    ...begin('gain', 1).map((event) => at(0, event)),
    at(1, jobFinished('gain', 0)),
    at(2, { type: 'iteration.started', calibration: 'gain', iteration: 1, jobs: 1, reused: 0 }),
  ]);
  expect(board.rows[0]).toMatchObject({ iteration: 1, jobs: { total: 1, succeeded: 0 }, jobsDone: 1 });
});

test('of thousands of failures and warnings, twenty are kept and all are counted', () => {
  let board = foldAll([at(0, plan('gain')), ...begin('gain', 5000).map((event) => at(0, event))]);
  for (let job = 0; job < 5000; job++) {
    board = foldBoard(board, at(1, jobFinished('gain', job, { state: 'failed', cause: 'exit', detail: 'exit status 1' })));
    board = foldBoard(board, at(1, { type: 'warning', code: 'CAF_X', message: `${job}` }));
  }
  expect(board.rows[0]?.failedJobs).toHaveLength(20);
  expect(board.rows[0]?.jobs.failed).toBe(5000);
  expect(board.warnings).toHaveLength(20);
  expect(board.warningCount).toBe(5000);
});

test('a calibration the plan did not name is shown all the same', () => {
  const board = foldBoard(emptyBoard, at(0, { type: 'calibration.blocked', calibration: 'surprise', by: ['gain'] }));
  expect(board.rows.map((row) => row.name)).toEqual(['surprise']);
  expect(board.finished).toEqual(['surprise']);
});
