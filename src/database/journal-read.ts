// Reads of the journal as typed rows, for its writer (resume) and for readers (status, logs).
import type { JobCounts } from '../domain/event.ts';
import type { ExecutionRecord, ReportedResult } from '../domain/execution.ts';
import { type AttemptOutcome, type AttemptRecord, type FailureCause, type JobKey, UNCOUNTED_CAUSES } from '../domain/job.ts';
import { reading, type Sqlite, type Statement } from './journal-open.ts';
import type {
  AlgorithmRecord,
  CalibrationRecord,
  InvocationRecord,
  IterationRecord,
  JobRecord,
  JournalReads,
  VersionIds,
} from './journal-records.ts';

// Rows as SQLite gives them. Column names are those of localdb/schema/0002-journal.sql.
interface VersionColumns {
  readonly version_id: string | null;
  readonly content_id: string | null;
  readonly view_id: string | null;
}

interface OutcomeColumns {
  readonly cause: string | null;
  readonly detail: string | null;
}

interface InvocationRow {
  readonly invocation: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly outcome: InvocationRecord['outcome'];
  readonly argv: string;
  readonly version: string;
  readonly config: string;
  readonly actor: string;
}

interface CalibrationRow extends VersionColumns {
  readonly calibration: string;
  readonly position: number;
  readonly state: CalibrationRecord['state'];
  readonly checkpoint: CalibrationRecord['checkpoint'];
  readonly iteration: number;
  readonly converged: number | null;
  readonly fingerprint: string;
  readonly reason: string;
  readonly error: string | null;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly payloads: number | null;
  readonly planned_in: number;
}

interface IterationRow extends VersionColumns {
  readonly calibration: string;
  readonly iteration: number;
  readonly chain_digest: string;
  readonly jobs: string;
  readonly outcome: IterationRecord['outcome'];
  readonly started_at: string;
  readonly ended_at: string | null;
}

interface JobRow extends JobKey, OutcomeColumns {
  readonly state: 'started' | AttemptOutcome['state'];
  readonly attempt: number;
  readonly inputs: string;
  readonly warnings: string | null;
  readonly finished_in: number | null;
}

interface AttemptRow extends JobKey, OutcomeColumns {
  readonly attempt: number;
  readonly token: string;
  readonly directory: string;
  readonly resources: string;
  readonly handle: string | null;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly outcome: AttemptOutcome['state'] | null;
  readonly seconds: number | null;
  readonly max_rss_bytes: number | null;
}

interface AlgorithmRow {
  readonly calibration: string;
  readonly iteration: number;
  readonly algorithm: string;
  readonly runs: string | null;
  readonly final_state: AlgorithmRecord['finalState'];
  readonly gaps: string | null;
  readonly error: string | null;
  readonly started_at: string;
  readonly ended_at: string | null;
}

interface ExecutionRow {
  readonly seq: number;
  readonly runs: string;
  readonly iov: string;
  readonly result: ExecutionRecord['result'];
  readonly seconds: number;
  readonly payloads: string;
  readonly metadata: string;
  readonly error: string | null;
}

interface ResultRow {
  readonly seq: number;
  readonly execution: number;
  readonly iov: string;
  readonly result: ReportedResult['result'];
}

/** Only caf writes these columns, so their shape is known. */
const parse = <T>(text: string): T => JSON.parse(text) as T;
const parseOrNull = <T>(text: string | null): T | null => (text === null ? null : parse<T>(text));

const versionOf = (row: VersionColumns): VersionIds | null =>
  row.version_id === null ? null : { versionId: row.version_id, contentId: row.content_id ?? '', viewId: row.view_id ?? '' };

function outcomeOf(state: AttemptOutcome['state'], row: OutcomeColumns): AttemptOutcome {
  const detail = row.detail ?? '';
  if (state === 'succeeded') return { state };
  return state === 'cancelled' ? { state, detail } : { state, cause: row.cause as FailureCause, detail };
}

const invocationOf = (row: InvocationRow): InvocationRecord => ({
  invocation: row.invocation,
  argv: parse(row.argv),
  version: row.version,
  config: row.config,
  actor: row.actor,
  startedAt: row.started_at,
  endedAt: row.ended_at,
  outcome: row.outcome,
});

const calibrationOf = (row: CalibrationRow): CalibrationRecord => ({
  calibration: row.calibration,
  position: row.position,
  state: row.state,
  checkpoint: row.checkpoint,
  iteration: row.iteration,
  converged: row.converged === null ? null : row.converged === 1,
  fingerprint: parse(row.fingerprint),
  reason: row.reason,
  error: parseOrNull(row.error),
  startedAt: row.started_at,
  completedAt: row.completed_at,
  result: versionOf(row),
  payloads: row.payloads,
  plannedIn: row.planned_in,
});

const iterationOf = (row: IterationRow): IterationRecord => ({
  calibration: row.calibration,
  iteration: row.iteration,
  chainDigest: row.chain_digest,
  jobs: parse(row.jobs),
  outcome: row.outcome,
  version: versionOf(row),
  startedAt: row.started_at,
  endedAt: row.ended_at,
});

const attemptOf = (row: AttemptRow): AttemptRecord => ({
  calibration: row.calibration,
  iteration: row.iteration,
  collection: row.collection,
  job: row.job,
  attempt: row.attempt,
  token: row.token,
  directory: row.directory,
  handle: parseOrNull(row.handle),
  startedAt: row.started_at,
  endedAt: row.ended_at,
  outcome: row.outcome === null ? null : outcomeOf(row.outcome, row),
  usage: row.seconds === null ? null : { seconds: row.seconds, maxRssBytes: row.max_rss_bytes },
  resources: parse(row.resources),
});

const executionOf = (row: ExecutionRow): ExecutionRecord => ({
  seq: row.seq,
  runs: parse(row.runs),
  iov: parse(row.iov),
  result: row.result,
  seconds: row.seconds,
  payloads: parse(row.payloads),
  metadata: parse(row.metadata),
  error: row.error,
});

const resultOf = (row: ResultRow): ReportedResult => ({ seq: row.seq, execution: row.execution, iov: parse(row.iov), result: row.result });

const WHERE_ALGORITHM = 'WHERE calibration = ? AND iteration = ? AND algorithm = ?';

/** `invocation`: the one that asks; what was finished before it counts as reused. `path`: of caf.db, for errors: CAF_JOURNAL_DAMAGED. */
export function createJournalReads(db: Sqlite, invocation: () => number, path: string): JournalReads {
  return guardReads(createReads(db, invocation), path);
}

const guardReads = (reads: JournalReads, path: string): JournalReads =>
  Object.fromEntries(
    Object.entries(reads).map(([name, read]) => [
      name,
      (...values: readonly unknown[]) => reading(path, () => (read as (...values: readonly unknown[]) => unknown)(...values)),
    ]),
  ) as unknown as JournalReads;

const UNCOUNTED = UNCOUNTED_CAUSES.map((cause) => `'${cause}'`).join(', ');

function createReads(db: Sqlite, invocation: () => number): JournalReads {
  const known = new Map<string, Statement>();
  const sql = (text: string): Statement => {
    const statement = known.get(text) ?? db.prepare(text);
    known.set(text, statement);
    return statement;
  };
  const one = <T>(text: string, ...values: readonly unknown[]): T | undefined => sql(text).get(...values) as T | undefined;
  const all = <T>(text: string, ...values: readonly unknown[]): readonly T[] => sql(text).all(...values) as readonly T[];

  const jobOf = (row: JobRow, lastAttempt: AttemptRecord | null, failedAttempts: number): JobRecord => ({
    calibration: row.calibration,
    iteration: row.iteration,
    collection: row.collection,
    job: row.job,
    attempt: row.attempt,
    failedAttempts,
    inputs: row.inputs,
    finished: row.state === 'started' ? null : outcomeOf(row.state, row),
    warnings: row.warnings === null ? [] : parse(row.warnings),
    reused: row.finished_in !== null && row.finished_in < invocation(),
    lastAttempt,
  });

  const openAttempts = (calibration: string, iteration: number): number =>
    one<{ readonly open: number }>(
      'SELECT count(*) AS open FROM attempts WHERE calibration = ? AND iteration = ? AND outcome IS NULL',
      calibration,
      iteration,
    )?.open ?? 0;

  return {
    calibration(name) {
      const row = one<CalibrationRow>('SELECT * FROM calibrations WHERE calibration = ?', name);
      return row === undefined ? null : calibrationOf(row);
    },
    calibrations: () => all<CalibrationRow>('SELECT * FROM calibrations ORDER BY position, rowid').map(calibrationOf),
    iteration(calibration, iteration) {
      const row = one<IterationRow>('SELECT * FROM iterations WHERE calibration = ? AND iteration = ?', calibration, iteration);
      return row === undefined ? null : iterationOf(row);
    },
    iterations: (calibration) =>
      all<IterationRow>('SELECT * FROM iterations WHERE calibration = ? ORDER BY iteration', calibration).map(iterationOf),
    jobs(calibration, iteration, collection) {
      const where = [calibration, iteration, collection] as const;
      const last = new Map(
        all<AttemptRow>(
          `SELECT a.* FROM jobs j JOIN attempts a USING (calibration, iteration, collection, job, attempt)
           WHERE j.calibration = ? AND j.iteration = ? AND j.collection = ? AND j.state <> 'succeeded'`,
          ...where,
        ).map((row) => [row.job, attemptOf(row)]),
      );
      const rows = all<JobRow>('SELECT * FROM jobs WHERE calibration = ? AND iteration = ? AND collection = ? ORDER BY job', ...where);
      const failed = new Map(
        all<{ readonly job: number; readonly failed: number }>(
          `SELECT job, count(*) AS failed FROM jobs j JOIN attempts a USING (calibration, iteration, collection, job)
           WHERE j.calibration = ? AND j.iteration = ? AND j.collection = ? AND j.state <> 'succeeded'
             AND a.attempt >= j.first_attempt AND a.outcome = 'failed' AND a.cause NOT IN (${UNCOUNTED}) GROUP BY job`,
          ...where,
        ).map((row) => [row.job, row.failed]),
      );
      return new Map(rows.map((row) => [row.job, jobOf(row, last.get(row.job) ?? null, failed.get(row.job) ?? 0)]));
    },
    jobCounts(calibration, iteration) {
      const planned = one<{ readonly jobs: string }>(
        'SELECT jobs FROM iterations WHERE calibration = ? AND iteration = ?',
        calibration,
        iteration,
      );
      if (planned === undefined) return NO_JOBS;
      const total = Object.values(parse<Readonly<Record<string, number>>>(planned.jobs)).reduce((sum, jobs) => sum + jobs, 0);
      const counts = one<Omit<JobCounts, 'total' | 'queued' | 'running'> & { readonly started: number }>(
        `SELECT coalesce(sum(state = 'succeeded'), 0) AS succeeded, coalesce(sum(state = 'failed'), 0) AS failed, coalesce(sum(state = 'started'), 0) AS started,
           coalesce(sum(state = 'succeeded' AND finished_in < ?), 0) AS reused FROM jobs WHERE calibration = ? AND iteration = ?`,
        invocation(),
        calibration,
        iteration,
      );
      const { succeeded, failed, started, reused } = counts ?? { ...NO_JOBS, started: 0 };
      // A job that was cancelled, or waits for its next attempt, has been started and is not at work. Counted apart: a look for each job is slow.
      const running = started === 0 ? 0 : Math.min(started, openAttempts(calibration, iteration));
      return { total, succeeded, failed, running, queued: Math.max(0, total - succeeded - failed - running), reused };
    },
    attempts: (key) =>
      all<AttemptRow>(
        'SELECT * FROM attempts WHERE calibration = ? AND iteration = ? AND collection = ? AND job = ? ORDER BY attempt',
        key.calibration,
        key.iteration,
        key.collection,
        key.job,
      ).map(attemptOf),
    // Of one calibration by the primary key: thousands of calibrations are asked about one by one.
    unfinishedAttempts: (calibration) =>
      all<AttemptRow>(
        `SELECT * FROM attempts WHERE outcome IS NULL ${calibration === undefined ? '' : 'AND calibration = ?'} ORDER BY calibration, iteration, collection, job, attempt`,
        ...(calibration === undefined ? [] : [calibration]),
      ).map(attemptOf),
    algorithm(calibration, iteration, algorithm) {
      const where = [calibration, iteration, algorithm] as const;
      const row = one<AlgorithmRow>(`SELECT * FROM algorithms ${WHERE_ALGORITHM}`, ...where);
      if (row === undefined) return null;
      return {
        calibration,
        iteration,
        algorithm,
        runs: parseOrNull(row.runs),
        finalState: row.final_state,
        gaps: parseOrNull(row.gaps),
        error: parseOrNull(row.error),
        startedAt: row.started_at,
        endedAt: row.ended_at,
        executions: all<ExecutionRow>(`SELECT * FROM executions ${WHERE_ALGORITHM} ORDER BY seq`, ...where).map(executionOf),
        reports: all<ResultRow>(`SELECT * FROM results ${WHERE_ALGORITHM} ORDER BY seq`, ...where).map(resultOf),
      };
    },
    algorithms: (calibration, iteration) =>
      all<{ readonly algorithm: string }>(
        'SELECT algorithm FROM algorithms WHERE calibration = ? AND iteration = ? ORDER BY seq',
        calibration,
        iteration,
      ).map((row) => row.algorithm),
    lastInvocation() {
      const row = one<InvocationRow>('SELECT * FROM invocations ORDER BY invocation DESC LIMIT 1');
      return row === undefined ? null : invocationOf(row);
    },
  };
}

export const NO_JOBS: JobCounts = { total: 0, succeeded: 0, failed: 0, running: 0, queued: 0, reused: 0 };
