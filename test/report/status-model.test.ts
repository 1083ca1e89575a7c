// The document of caf status --json, as users' scripts read it.
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Journal } from '../../src/database/journal.ts';
import { type ObservedSnapshot, openJournalForReading } from '../../src/database/journal-reader.ts';
import { createSeenJobs } from '../../src/database/seen-jobs.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';
import { describeStatus, judgeState, readStatus } from '../../src/report/status-model.ts';
import {
  algorithmKey,
  ENTRIES,
  entriesUpTo,
  execution,
  jobKey,
  openForTest,
  startChild,
  temporaryDirectory,
} from '../database/journal-support.ts';

const appendAll = (journal: Journal, entries: readonly JournalEntry[]) => {
  for (const entry of entries) journal.append(entry);
};

test('a completed campaign is told in exactly the agreed shape, in the agreed order', () => {
  const directory = temporaryDirectory();
  let time = Date.parse('2026-11-21T20:00:00Z');
  const journal = openForTest(directory, { now: () => new Date(time) });
  for (const entry of entriesUpTo('invocation.ended')) {
    journal.append(entry);
    journal.commit();
    time += 1000;
  }
  journal.close();
  expect(
    JSON.stringify(readStatus(directory), null, 1).replaceAll(
      /\[\s+([-\d,\s]+?)\s+\]/g,
      (_, list: string) => `[${list.replaceAll(/\s+/g, '')}]`,
    ),
  ).toMatchInlineSnapshot(`
    "{
     "v": 1,
     "state": "completed",
     "calibrations": [
      {
       "name": "pedestals",
       "state": "completed",
       "checkpoint": "completed",
       "iteration": 0,
       "converged": true,
       "jobs": {
        "total": 3,
        "succeeded": 1,
        "failed": 0,
        "running": 0,
        "queued": 2,
        "reused": 0
       },
       "iterations": [
        {
         "iteration": 0,
         "jobs": {
          "total": 3,
          "succeeded": 1,
          "failed": 0,
          "running": 0,
          "queued": 2,
          "reused": 0
         },
         "algorithms": [
          {
           "name": "means",
           "finalState": "completed",
           "executions": [
            {
             "runs": [
              [1,1]
             ],
             "iov": [1,1,1,1],
             "result": "ok",
             "seconds": 0.25
            }
           ],
           "results": [
            {
             "iov": [1,1,1,3],
             "result": "ok"
            }
           ],
           "gaps": [
            [1,4,1,4]
           ],
           "error": null
          }
         ],
         "outcome": "ok",
         "versionId": "v1"
        }
       ],
       "localdb": "pedestals/localdb",
       "error": null,
       "reason": "never run",
       "seconds": 11,
       "payloads": 1
      }
     ],
     "invocation": {
      "number": 1,
      "config": "/here/caf.config.ts",
      "argv": [
       "run",
       "--quiet"
      ],
      "version": "0.1.0",
      "actor": "physicist@login02",
      "startedAt": "2026-11-21T20:00:00.000Z",
      "endedAt": "2026-11-21T20:00:14.000Z",
      "outcome": "completed",
      "seconds": 14
     },
     "owner": null
    }"
  `);
});

describe('the state of the campaign', () => {
  test('is running while the process of its newest invocation lives, interrupted when that was killed', async () => {
    const directory = temporaryDirectory();
    const child = startChild('hold', directory);
    await child.nextLine();
    expect(readStatus(directory)).toMatchObject({
      state: 'running',
      owner: { pid: child.pid, alive: true },
      invocation: { number: 1, outcome: null },
    });
    child.kill('SIGKILL');
    await child.ended();
    const after = readStatus(directory);
    expect(after).toMatchObject({ state: 'interrupted', owner: { pid: child.pid, alive: false } });
    expect(after.invocation?.seconds, 'nobody knows when it died').toBeNull();
  });

  test('is running on a network file system too, told by the published file', async () => {
    const directory = temporaryDirectory();
    const child = startChild('hold', directory, { env: { CAF_FILESYSTEM: 'network', CAF_LEASE_STALE_MS: '1000' } });
    await child.nextLine();
    expect(readStatus(directory)).toMatchObject({ state: 'running', owner: { pid: child.pid, alive: true } });
    child.endInput();
    await child.ended();
    expect(readStatus(directory)).toMatchObject({ state: 'interrupted', owner: null, calibrations: [{ name: 'held', state: 'init' }] });
  });

  const OWNER = {
    host: 'h',
    bootId: 'b',
    pid: 1,
    startTicks: 1,
    beat: 0,
    beatAt: '2026-11-21T20:00:00Z',
    command: 'caf run',
    acquiredAt: '2026-11-21T20:00:00Z',
  };
  const INVOCATION = { invocation: 2, argv: [], version: '1', config: 'c', actor: 'a', startedAt: '2026-11-21T20:00:00Z', endedAt: null };
  const calibration = (state: string, plannedIn: number) => ({ calibration: state, state, plannedIn, iterations: [] });
  const snapshot = (parts: object) =>
    ({ v: 1, owner: null, ownerAlive: false, invocation: null, calibrations: [], ...parts }) as unknown as ObservedSnapshot;
  const ended = (outcome: string) => ({ ...INVOCATION, endedAt: '2026-11-21T20:10:00Z', outcome });

  test.each([
    ['a journal that was just made, and its maker lives', { owner: { ...OWNER, invocation: null }, ownerAlive: true }, 'running'],
    ['a journal without any invocation', {}, 'interrupted'],
    ['an invocation without an end, and nobody there', { invocation: { ...INVOCATION, outcome: null } }, 'interrupted'],
    [
      'an invocation without an end, and another command is there (caf reset)',
      { invocation: { ...INVOCATION, outcome: null }, owner: { ...OWNER, invocation: null }, ownerAlive: true },
      'interrupted',
    ],
    [
      'an invocation that said failed, still closing',
      { invocation: ended('failed'), owner: { ...OWNER, invocation: 2 }, ownerAlive: true },
      'failed',
    ],
    ['an invocation that said interrupted', { invocation: ended('interrupted') }, 'interrupted'],
    ['completed, and all of its plan is', { invocation: ended('completed'), calibrations: [calibration('completed', 2)] }, 'completed'],
    [
      'completed, but one was reset since',
      { invocation: ended('completed'), calibrations: [calibration('completed', 2), calibration('init', 2)] },
      'interrupted',
    ],
    [
      'completed with --only, but another of the plan had failed',
      { invocation: ended('completed'), calibrations: [calibration('failed', 2)] },
      'failed',
    ],
    [
      'completed; one that has left the config had failed',
      { invocation: ended('completed'), calibrations: [calibration('failed', 1), calibration('completed', 2)] },
      'completed',
    ],
  ])('%s', (_, parts, state) => {
    expect(judgeState(snapshot(parts))).toBe(state);
  });
});

test('a failed calibration shows its error, its jobs and what its algorithms did', () => {
  const directory = temporaryDirectory();
  const journal = openForTest(directory);
  const error = { code: 'CAF_ALGORITHM_FAILED', message: 'means: 1 of 2 results is failure', hint: 'caf logs pedestals' };
  appendAll(journal, entriesUpTo('execution.finished'));
  journal.append({ ...ENTRIES['attempt.started'], ...jobKey(1) });
  journal.append({ kind: 'execution.finished', ...algorithmKey(), execution: execution(1, 'failure') });
  journal.append({ ...ENTRIES['result.reported'], report: { seq: 0, execution: 1, iov: [1, 2, 1, 2], result: 'failure' } });
  journal.append({ ...ENTRIES['algorithm.finished'], finalState: 'failed', gaps: null });
  journal.append({ ...ENTRIES['calibration.state'], state: 'failed', error });
  journal.append({ ...ENTRIES['invocation.ended'], outcome: 'failed' });
  journal.close();
  const status = readStatus(directory);
  expect(status.state).toBe('failed');
  expect(status.calibrations[0]).toMatchObject({
    state: 'failed',
    converged: null,
    localdb: null,
    error,
    jobs: { total: 3, succeeded: 1, running: 1, queued: 1 },
  });
  expect(status.calibrations[0]?.iterations[0]?.algorithms[0]).toMatchObject({
    finalState: 'failed',
    executions: [{ result: 'ok' }, { result: 'failure' }],
    results: [{ iov: [1, 2, 1, 2], result: 'failure' }],
    gaps: null,
  });
});

test('of jobs on an engine only those are running of which the engine said so', () => {
  const directory = temporaryDirectory();
  const journal = openForTest(directory);
  appendAll(journal, entriesUpTo('iteration.started'));
  for (const job of [0, 1, 2]) journal.append({ ...ENTRIES['attempt.started'], ...jobKey(job) });
  journal.commit();
  const jobs = () => readStatus(directory).calibrations[0]?.jobs;
  const before = { total: 3, succeeded: 0, failed: 0, running: 3, queued: 0, reused: 0 };
  expect(jobs()).toEqual(before);
  const seen = createSeenJobs(directory);
  const { calibration, iteration } = jobKey(0);
  const places = { running: 1, queued: 1, held: 1, suspended: 0, reason: 'Priority', algorithm: null };
  seen.note({ type: 'jobs.seen', engine: 'slurm', calibration, iteration, ...places });
  expect(jobs()).toEqual({
    ...before,
    running: 1,
    queued: 2,
    engine: { name: 'slurm', queued: 1, held: 1, suspended: 0, reason: 'Priority' },
  });
  // Of an iteration that is not the one, and of none.
  seen.note({ type: 'jobs.seen', engine: 'slurm', calibration, iteration: 7, ...places });
  expect(jobs()).toEqual(before);
  const files = readdirSync(directory).length;
  seen.note({ type: 'jobs.seen', engine: 'slurm', calibration, iteration, ...places, running: 0, queued: 0, held: 0 });
  expect(readdirSync(directory)).toHaveLength(files - 1);
  journal.close();
});

test('clocks that went back give no negative durations', () => {
  const directory = temporaryDirectory();
  let time = Date.parse('2026-11-21T20:00:00Z');
  const journal = openForTest(directory, { now: () => new Date(time) });
  for (const entry of entriesUpTo('invocation.ended')) {
    journal.append(entry);
    journal.commit();
    time -= 3_600_000;
  }
  const reader = openJournalForReading(directory, { now: () => new Date(time) });
  const { invocation, owner, calibrations } = describeStatus(reader.status());
  expect([invocation?.seconds, owner?.secondsSinceBeat, calibrations[0]?.seconds]).toEqual([0, 0, 0]);
  reader.close();
});
