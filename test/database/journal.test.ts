// Entries and what is read back; transactions; semantics of redoing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import { JOURNAL_SCHEMA } from '../../src/database/journal-schema.ts';
import { JOURNAL_KINDS, type JournalEntry, type JournalKind } from '../../src/domain/journal.ts';
import {
  algorithmKey,
  ENTRIES,
  entriesUpTo,
  execution,
  FINGERPRINT,
  jobKey,
  openForTest,
  PROCESS,
  RESOURCES,
  temporaryDirectory,
} from './journal-support.ts';

const appendAll = (journal: { append(entry: JournalEntry): void }, entries: readonly JournalEntry[]) => {
  for (const entry of entries) journal.append(entry);
};

test('the embedded schema is the documented one, letter by letter', () => {
  expect(JOURNAL_SCHEMA).toBe(readFileSync(join(import.meta.dirname, '../../localdb/schema/0002-journal.sql'), 'utf8'));
});

describe('every kind of entry can be read back', () => {
  const AT = '2026-11-21T20:14:03.000Z';
  /** What a reopened journal says after everything up to that entry. */
  const readBack = (kind: JournalKind) => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory, { now: () => new Date(AT) });
    appendAll(journal, entriesUpTo(kind));
    journal.close();
    return openForTest(directory, { now: () => new Date(AT) });
  };
  const calibration = {
    calibration: 'pedestals',
    position: 0,
    state: 'init',
    checkpoint: 'init',
    iteration: 0,
    converged: null,
    fingerprint: FINGERPRINT,
    reason: 'never run',
    error: null,
    startedAt: null,
    completedAt: null,
    result: null,
    payloads: null,
    plannedIn: 1,
  };
  const invocation = {
    invocation: 1,
    argv: ['run', '--quiet'],
    version: '0.1.0',
    config: '/here/caf.config.ts',
    actor: 'physicist@login02',
    startedAt: AT,
    endedAt: null,
    outcome: null,
  };
  const iteration = {
    calibration: 'pedestals',
    iteration: 0,
    chainDigest: 'd1',
    jobs: { random: 2, muons: 1 },
    outcome: null,
    version: null,
    startedAt: AT,
    endedAt: null,
  };
  const attempt = {
    ...jobKey(0),
    attempt: 0,
    token: 't0',
    directory: 'pedestals/0/collector/random/0.attempt-0',
    handle: null,
    startedAt: AT,
    endedAt: null,
    outcome: null,
    usage: null,
    resources: RESOURCES,
  };
  const algorithm = {
    ...algorithmKey(),
    runs: [[1, 1]],
    finalState: null,
    gaps: null,
    error: null,
    startedAt: AT,
    endedAt: null,
    executions: [],
    reports: [],
  };
  const completed = { result: { versionId: 'v2', contentId: 'c2', viewId: 'w2' }, converged: true, payloads: 1, completedAt: AT };

  const expected: { readonly [K in JournalKind]: readonly [read: (journal: ReturnType<typeof readBack>) => unknown, value: unknown] } = {
    'invocation.started': [(journal) => journal.lastInvocation(), invocation],
    'invocation.ended': [(journal) => journal.lastInvocation(), { ...invocation, endedAt: AT, outcome: 'completed' }],
    'calibration.planned': [(journal) => journal.calibration('pedestals'), calibration],
    'calibration.state': [(journal) => journal.calibration('pedestals'), { ...calibration, state: 'running_collector', startedAt: AT }],
    'calibration.completed': [
      (journal) => journal.calibration('pedestals'),
      { ...calibration, state: 'completed', checkpoint: 'completed', startedAt: AT, ...completed },
    ],
    'calibration.reset': [
      (journal) => [journal.calibration('pedestals'), journal.iterations('pedestals'), journal.attempts(jobKey(0))],
      [calibration, [], []],
    ],
    'iteration.started': [(journal) => journal.iteration('pedestals', 0), iteration],
    'iteration.committed': [
      (journal) => journal.iterations('pedestals'),
      [{ ...iteration, outcome: 'ok', version: { versionId: 'v1', contentId: 'c1', viewId: 'w1' }, endedAt: AT }],
    ],
    'attempt.started': [(journal) => journal.attempts(jobKey(0)), [attempt]],
    'attempt.spawned': [(journal) => journal.unfinishedAttempts(), [{ ...attempt, handle: PROCESS }]],
    'attempt.finished': [
      (journal) => journal.jobs('pedestals', 0, 'random').get(0)?.lastAttempt,
      { ...attempt, handle: PROCESS, endedAt: AT, outcome: { state: 'succeeded' }, usage: { seconds: 2.5, maxRssBytes: 1_000_000 } },
    ],
    'job.finished': [
      (journal) => journal.jobs('pedestals', 0, 'random'),
      new Map([
        [
          0,
          {
            ...jobKey(0),
            attempt: 0,
            failedAttempts: 0,
            inputs: 'i0',
            finished: { state: 'succeeded' },
            warnings: ['a record lies outside'],
            reused: true,
            lastAttempt: null,
          },
        ],
      ]),
    ],
    'algorithm.started': [(journal) => journal.algorithm('pedestals', 0, 'means'), algorithm],
    'execution.finished': [(journal) => journal.algorithm('pedestals', 0, 'means')?.executions, [execution(0)]],
    'result.reported': [
      (journal) => journal.algorithm('pedestals', 0, 'means')?.reports,
      [{ seq: 0, execution: 0, iov: [1, 1, 1, 3], result: 'ok' }],
    ],
    'algorithm.finished': [
      (journal) => journal.algorithm('pedestals', 0, 'means'),
      {
        ...algorithm,
        finalState: 'completed',
        gaps: [[1, 4, 1, 4]],
        endedAt: AT,
        executions: [execution(0)],
        reports: [{ seq: 0, execution: 0, iov: [1, 1, 1, 3], result: 'ok' }],
      },
    ],
  };

  test.each(JOURNAL_KINDS)('%s', (kind) => {
    const [read, value] = expected[kind];
    expect(read(readBack(kind))).toEqual(value);
  });

  test('errors of calibrations and algorithms, failures and cancellations of attempts keep their words', () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    const error = { code: 'CAF_JOB_FAILED', message: '1 of 2 jobs failed', hint: 'see caf logs' };
    appendAll(journal, entriesUpTo('attempt.spawned'));
    const failed = { state: 'failed', cause: 'out-of-memory', detail: 'used 3 GB of 2 GB' } as const;
    const cancelled = { state: 'cancelled', detail: 'Ctrl-C' } as const;
    journal.append({ ...ENTRIES['attempt.finished'], outcome: failed, usage: { seconds: 1, maxRssBytes: 3e9 } });
    journal.append({ ...ENTRIES['attempt.started'], attempt: 1 });
    journal.append({ ...ENTRIES['attempt.finished'], attempt: 1, outcome: cancelled, usage: { seconds: 1, maxRssBytes: null } });
    journal.append({ ...ENTRIES['job.finished'], attempt: 1, outcome: failed });
    journal.append({ ...ENTRIES['calibration.state'], state: 'collector_failed', error });
    journal.append(ENTRIES['algorithm.started']);
    journal.append({ ...ENTRIES['algorithm.finished'], finalState: 'failed', gaps: null, error });
    expect(journal.attempts(jobKey(0)).map(({ outcome, usage }) => [outcome, usage?.maxRssBytes])).toEqual([
      [failed, 3e9],
      [cancelled, null],
    ]);
    expect(journal.jobs('pedestals', 0, 'random').get(0)).toMatchObject({
      finished: failed,
      lastAttempt: { attempt: 1, outcome: cancelled },
    });
    expect(journal.calibration('pedestals')?.error).toEqual(error);
    expect(journal.algorithm('pedestals', 0, 'means')?.error).toEqual(error);

    journal.append({ ...ENTRIES['calibration.state'], state: 'failed' });
    expect(journal.calibration('pedestals')?.error, 'a failed state that names no error keeps the known one').toEqual(error);
    journal.append({ ...ENTRIES['calibration.state'], state: 'running_collector' });
    expect(journal.calibration('pedestals')).toMatchObject({ error: null, completedAt: null });
  });

  test('an entry about something that was never begun is refused as a bug, and the journal goes on', () => {
    const journal = openForTest(temporaryDirectory());
    expect(() => journal.append(ENTRIES['job.finished'])).toThrow(/job.finished of something that was never begun/);
    appendAll(journal, entriesUpTo('job.finished'));
    journal.commit();
    expect(journal.jobCounts('pedestals', 0).succeeded).toBe(1);
  });
});

describe('transactions', () => {
  test('a reader sees nothing of a turn before its commit, and all of it after', async () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    const reader = openJournalForReading(directory);
    appendAll(journal, entriesUpTo('job.finished'));
    expect(reader.journal?.calibrations()).toEqual([]);
    expect(reader.journal?.lastInvocation()).toBeNull();
    expect(journal.calibrations(), 'the writer sees its own entries').toHaveLength(1);
    await turn();
    await turn();
    expect(reader.journal?.calibrations()).toHaveLength(1);
    expect(reader.journal?.jobCounts('pedestals', 0)).toEqual({ total: 3, succeeded: 1, failed: 0, running: 0, queued: 2, reused: 0 });
    reader.close();
  });

  test('commit() makes them visible at once, and the end of the turn has nothing left to do', async () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    const reader = openJournalForReading(directory);
    appendAll(journal, entriesUpTo('calibration.planned'));
    journal.commit();
    expect(reader.journal?.calibrations()).toHaveLength(1);
    journal.append({ ...ENTRIES['calibration.planned'], calibration: 'gain', position: 1 });
    expect(reader.journal?.calibrations()).toHaveLength(1);
    await turn();
    await turn();
    expect(reader.journal?.calibrations().map(({ calibration }) => calibration)).toEqual(['pedestals', 'gain']);
    reader.close();
  });

  test('close commits, and closing twice is closing once', () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    appendAll(journal, entriesUpTo('calibration.planned'));
    journal.close();
    journal.close();
    expect(openForTest(directory).calibrations()).toHaveLength(1);
    expect(() => journal.append(ENTRIES['calibration.planned'])).toThrow(/after close/);
  });

  test('order comes from numbers: a clock that jumps back by an hour, then a year ahead, changes nothing', () => {
    const directory = temporaryDirectory();
    const times = ['2026-11-21T20:00:00Z', '2026-11-21T19:00:00Z', '2027-11-21T19:00:00Z', '2026-11-21T19:00:00Z'];
    let read = 0;
    const now = () => new Date(times[read++ % times.length]!);
    for (const invocation of [1, 2, 3]) {
      const journal = openForTest(directory, { now });
      journal.append(ENTRIES['invocation.started']);
      expect(journal.invocation).toBe(invocation);
      journal.append({ ...ENTRIES['calibration.planned'], calibration: `c${invocation}`, position: invocation });
      journal.commit();
      journal.append({ ...ENTRIES['iteration.started'], iteration: invocation });
      journal.commit();
      journal.append({ ...ENTRIES['attempt.started'], attempt: invocation });
      journal.commit();
      journal.append({ ...ENTRIES['execution.finished'], execution: execution(invocation) });
      journal.append({ ...ENTRIES['algorithm.started'], algorithm: `a${invocation}` });
      journal.close();
    }
    const journal = openForTest(directory, { now });
    expect(journal.lastInvocation()?.invocation).toBe(3);
    expect(journal.calibrations().map(({ calibration }) => calibration)).toEqual(['c1', 'c2', 'c3']);
    expect(journal.iterations('pedestals').map(({ iteration }) => iteration)).toEqual([1, 2, 3]);
    expect(journal.attempts(jobKey(0)).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(journal.algorithms('pedestals', 0)).toEqual(['a1', 'a2', 'a3']);
  });
});

describe('doing things again', () => {
  /** Two iterations, the second one collecting. */
  const inSecondIteration = () => {
    const directory = temporaryDirectory();
    const journal = openForTest(directory);
    appendAll(journal, entriesUpTo('iteration.committed'));
    journal.append({ ...ENTRIES['iteration.started'], iteration: 1 });
    journal.append({ ...ENTRIES['calibration.state'], iteration: 1 });
    journal.append({ ...ENTRIES['attempt.started'], ...jobKey(1, 1) });
    journal.append({ ...ENTRIES['algorithm.started'], ...algorithmKey(1) });
    return journal;
  };
  const plan = ENTRIES['calibration.planned'];

  test('planned with redo "nothing" keeps all rows and takes the new fingerprint and reason', () => {
    const journal = inSecondIteration();
    journal.append({ ...plan, position: 4, reason: 'continued', fingerprint: { collectors: {}, algorithms: {}, code: {} } });
    expect(journal.calibration('pedestals')).toMatchObject({ position: 4, reason: 'continued', iteration: 1, state: 'running_collector' });
    expect(journal.calibration('pedestals')?.fingerprint.collectors).toEqual({});
    expect(journal.iterations('pedestals')).toHaveLength(2);
  });

  test('planned with redo "all" drops everything of that calibration and nothing of others', () => {
    const journal = inSecondIteration();
    journal.append({ ...plan, calibration: 'gain', position: 1 });
    journal.append({ ...ENTRIES['iteration.started'], calibration: 'gain' });
    journal.append({ ...plan, redo: 'all', reason: 'data/random-1.csv changed' });
    expect(journal.calibration('pedestals')).toMatchObject({
      state: 'init',
      checkpoint: 'init',
      iteration: 0,
      startedAt: null,
      reason: 'data/random-1.csv changed',
    });
    expect(journal.iterations('pedestals')).toEqual([]);
    expect(journal.jobs('pedestals', 0, 'random').size + journal.jobs('pedestals', 1, 'random').size).toBe(0);
    expect(journal.attempts(jobKey(0))).toEqual([]);
    expect(journal.algorithm('pedestals', 0, 'means')).toBeNull();
    expect(journal.iterations('gain')).toHaveLength(1);
  });

  test('planned with redo "algorithms" keeps the jobs of iteration 0, ready for the algorithms', () => {
    const journal = inSecondIteration();
    journal.append({ ...plan, redo: 'algorithms' });
    expect(journal.calibration('pedestals')).toMatchObject({
      state: 'collector_completed',
      checkpoint: 'collector_completed',
      iteration: 0,
    });
    expect(journal.iterations('pedestals')).toMatchObject([{ iteration: 0, outcome: null, version: null, chainDigest: 'd1' }]);
    expect(journal.jobs('pedestals', 0, 'random').get(0)?.finished).toEqual({ state: 'succeeded' });
    expect(journal.attempts(jobKey(0))).toHaveLength(1);
    expect(journal.attempts(jobKey(1, 1))).toEqual([]);
    expect(journal.algorithms('pedestals', 0)).toEqual([]);
    expect(journal.algorithms('pedestals', 1)).toEqual([]);
  });

  test('planned with redo "algorithms" while iteration 0 still collects goes on collecting', () => {
    const journal = openForTest(temporaryDirectory());
    appendAll(journal, entriesUpTo('job.finished'));
    journal.append({ ...plan, redo: 'algorithms' });
    expect(journal.calibration('pedestals')).toMatchObject({ state: 'init', checkpoint: 'init', iteration: 0 });
    expect(journal.jobCounts('pedestals', 0)).toMatchObject({ succeeded: 1, queued: 2 });
  });

  test('an algorithm that failed replays its executions up to the first failure, and reports anew', () => {
    const journal = openForTest(temporaryDirectory());
    appendAll(journal, entriesUpTo('result.reported'));
    for (const [seq, result] of (['ok', 'iterate', 'failure', 'ok'] as const).entries()) {
      journal.append({ kind: 'execution.finished', ...algorithmKey(), execution: execution(seq, result) });
    }
    journal.append({ ...ENTRIES['algorithm.finished'], finalState: 'failed' });
    journal.append(ENTRIES['algorithm.started']);
    expect(journal.algorithm('pedestals', 0, 'means')).toMatchObject({ finalState: null, gaps: null, endedAt: null, reports: [] });
    expect(journal.algorithm('pedestals', 0, 'means')?.executions.map(({ result }) => result)).toEqual(['ok', 'iterate']);
  });

  test('an algorithm that failed without a failed execution (its child was killed) keeps all executions', () => {
    const journal = openForTest(temporaryDirectory());
    appendAll(journal, entriesUpTo('result.reported'));
    journal.append({ ...ENTRIES['algorithm.finished'], finalState: 'failed' });
    journal.append(ENTRIES['algorithm.started']);
    expect(journal.algorithm('pedestals', 0, 'means')).toMatchObject({ executions: [{ seq: 0 }], reports: [] });
  });

  test('an algorithm that was interrupted keeps executions and reports; what is replayed replaces equal rows', () => {
    const journal = openForTest(temporaryDirectory());
    appendAll(journal, entriesUpTo('result.reported'));
    appendAll(journal, [ENTRIES['algorithm.started'], ENTRIES['execution.finished'], ENTRIES['result.reported']]);
    expect(journal.algorithm('pedestals', 0, 'means')).toMatchObject({ executions: [{ seq: 0 }], reports: [{ seq: 0 }] });
  });

  test('a job that was given up starts again with the next attempt, and its retries count from there', () => {
    const journal = openForTest(temporaryDirectory());
    appendAll(journal, entriesUpTo('attempt.spawned'));
    const failed = { state: 'failed', cause: 'exit', detail: 'exit status 1' } as const;
    journal.append({ ...ENTRIES['attempt.finished'], outcome: failed });
    journal.append({ ...ENTRIES['attempt.started'], attempt: 1 });
    journal.append({ ...ENTRIES['attempt.finished'], attempt: 1, outcome: { ...failed, cause: 'preempted' } });
    expect(journal.jobs('pedestals', 0, 'random').get(0)).toMatchObject({ attempt: 1, failedAttempts: 1, finished: null });
    journal.append({ ...ENTRIES['job.finished'], attempt: 1, outcome: failed });
    expect(journal.jobCounts('pedestals', 0)).toMatchObject({ failed: 1, running: 0, queued: 2 });
    journal.append({ ...ENTRIES['attempt.started'], attempt: 2 });
    expect(journal.jobs('pedestals', 0, 'random').get(0)).toMatchObject({
      attempt: 2,
      failedAttempts: 0,
      finished: null,
      warnings: [],
      lastAttempt: { attempt: 2 },
    });
    expect(journal.jobCounts('pedestals', 0)).toMatchObject({ failed: 0, running: 1, queued: 2 });
  });

  test('a job is at work while its attempt is: one that was cancelled waits to be done again', () => {
    const journal = openForTest(temporaryDirectory());
    appendAll(journal, entriesUpTo('attempt.spawned'));
    expect(journal.jobCounts('pedestals', 0)).toMatchObject({ running: 1, queued: 2 });
    journal.append({ ...ENTRIES['attempt.finished'], outcome: { state: 'cancelled', detail: 'it was cancelled' } });
    expect(journal.jobCounts('pedestals', 0)).toMatchObject({ succeeded: 0, failed: 0, running: 0, queued: 3 });
    expect(journal.jobs('pedestals', 0, 'random').get(0)).toMatchObject({ finished: null, failedAttempts: 0 });
  });

  test('jobs finished in an earlier invocation count as reused; those finished now do not', () => {
    const directory = temporaryDirectory();
    const first = openForTest(directory);
    appendAll(first, entriesUpTo('job.finished'));
    expect(first.jobs('pedestals', 0, 'random').get(0)?.reused).toBe(false);
    first.close();
    const second = openForTest(directory);
    second.append(ENTRIES['invocation.started']);
    second.append({ ...ENTRIES['attempt.started'], ...jobKey(1) });
    second.append({ ...ENTRIES['job.finished'], ...jobKey(1) });
    expect(second.jobCounts('pedestals', 0)).toEqual({ total: 3, succeeded: 2, failed: 0, running: 0, queued: 1, reused: 1 });
    expect([...second.jobs('pedestals', 0, 'random').values()].map(({ reused }) => reused)).toEqual([true, false]);
  });
});
