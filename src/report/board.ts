// What is known of a campaign while it runs: a pure fold of events, cheap enough for every one of 100,000 jobs.
import type { CalibrationState } from '../domain/calibration.ts';
import type { CafEvent, EngineCounts, ErrorText, JobsSeen, TimedEvent } from '../domain/event.ts';
import type { AttemptOutcome } from '../domain/job.ts';
import { unreachable } from '../domain/result.ts';

/** How many failed jobs and warnings are kept to be shown; all are counted. */
const KEPT = 20;

export interface FailedJob {
  readonly iteration: number;
  readonly collection: string;
  readonly job: number;
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  readonly seconds: number | null;
  /** Null: it ran beside caf, or nobody knows. */
  readonly node: string | null;
  readonly directory: string;
}

export interface FailedAlgorithm {
  readonly iteration: number;
  readonly algorithm: string;
  readonly directory: string | null;
  readonly error: ErrorText | null;
}

/** One calibration. */
export interface Row {
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly maxIterations: number;
  readonly reason: string;
  /** Null: not started in this invocation. */
  readonly state: CalibrationState | null;
  readonly reused: boolean;
  readonly iteration: number;
  readonly iterations: number;
  /** Of the current iteration. */
  readonly jobs: { readonly total: number; readonly succeeded: number; readonly failed: number; readonly running: number };
  /** What the engine has said of the jobs of the current iteration; null = they are on none. */
  readonly engine: EngineCounts | null;
  /** Where the engine has the job of the algorithm; null = it is on none. */
  readonly algorithmPlace: JobsSeen['algorithm'];
  /** Over all iterations, those kept from earlier invocations too. */
  readonly jobsDone: number;
  readonly algorithm: { readonly name: string; readonly directory: string; readonly executions: number } | null;
  readonly payloads: number;
  readonly converged: boolean | null;
  /** Milliseconds since the epoch. */
  readonly startedAt: number | null;
  readonly seconds: number | null;
  readonly blockedBy: readonly string[];
  readonly error: ErrorText | null;
  readonly failedJobs: readonly FailedJob[];
  readonly failedAlgorithms: readonly FailedAlgorithm[];
}

export type Warning = Extract<CafEvent, { type: 'warning' }>;

export interface Board {
  readonly started: Extract<CafEvent, { type: 'campaign.started' }> | null;
  readonly startedAt: number | null;
  readonly ended: Extract<CafEvent, { type: 'campaign.ended' }> | null;
  readonly phase: 'running' | 'stopping' | 'cancelling';
  /** In the order of the plan. */
  readonly rows: readonly Row[];
  /** name -> index into rows */
  readonly index: ReadonlyMap<string, number>;
  /** Names, in the order in which they ended. */
  readonly finished: readonly string[];
  readonly warnings: readonly Warning[];
  readonly warningCount: number;
}

export const emptyBoard: Board = {
  started: null,
  startedAt: null,
  ended: null,
  phase: 'running',
  rows: [],
  index: new Map(),
  finished: [],
  warnings: [],
  warningCount: 0,
};

const NO_JOBS = { total: 0, succeeded: 0, failed: 0, running: 0 };

export function foldBoard(board: Board, event: TimedEvent): Board {
  switch (event.type) {
    case 'campaign.started': {
      const rows = event.calibrations.map((calibration) => newRow(calibration));
      return {
        ...emptyBoard,
        started: event,
        startedAt: Date.parse(event.at),
        rows,
        index: new Map(rows.map((row, i) => [row.name, i])),
      };
    }
    case 'campaign.ended':
      return { ...board, ended: event };
    case 'campaign.stopping':
      return { ...board, phase: 'stopping' };
    case 'campaign.cancelling':
      return { ...board, phase: 'cancelling' };
    case 'warning':
      return {
        ...board,
        warningCount: board.warningCount + 1,
        warnings: board.warnings.length < KEPT ? [...board.warnings, event] : board.warnings,
      };
    case 'calibration.reused':
    case 'calibration.completed':
    case 'calibration.failed':
    case 'calibration.blocked': {
      const after = foldRow(board, event);
      return board.finished.includes(event.calibration) ? after : { ...after, finished: [...board.finished, event.calibration] };
    }
    default:
      return foldRow(board, event);
  }
}

type RowEvent = Extract<TimedEvent, { readonly calibration: string }>;

function foldRow(board: Board, event: Exclude<RowEvent, Warning>): Board {
  const known = board.index.get(event.calibration);
  if (known !== undefined) {
    const row = board.rows[known];
    if (row === undefined) return board;
    const next = nextRow(row, event);
    return next === row ? board : { ...board, rows: board.rows.with(known, next) };
  }
  // A calibration that the plan did not name: shown rather than lost.
  const row = nextRow(newRow({ name: event.calibration, dependsOn: [], maxIterations: 0, reason: '' }), event);
  return { ...board, rows: [...board.rows, row], index: new Map([...board.index, [event.calibration, board.rows.length]]) };
}

function newRow(calibration: Pick<Row, 'name' | 'dependsOn' | 'maxIterations' | 'reason'>): Row {
  const { name, dependsOn, maxIterations, reason } = calibration;
  return {
    name,
    dependsOn,
    maxIterations,
    reason,
    state: null,
    reused: false,
    iteration: 0,
    iterations: 0,
    jobs: NO_JOBS,
    engine: null,
    algorithmPlace: null,
    jobsDone: 0,
    algorithm: null,
    payloads: 0,
    converged: null,
    startedAt: null,
    seconds: null,
    blockedBy: [],
    error: null,
    failedJobs: [],
    failedAlgorithms: [],
  };
}

function nextRow(row: Row, event: Exclude<RowEvent, Warning>): Row {
  const { jobs } = row;
  switch (event.type) {
    case 'calibration.reused':
      return { ...row, state: 'completed', reused: true, iterations: event.iterations, payloads: event.payloads };
    case 'calibration.started':
      return { ...row, state: 'init', reason: event.reason, iteration: event.iteration, startedAt: Date.parse(event.at) };
    case 'calibration.state':
      return { ...row, state: event.state, iteration: event.iteration };
    case 'calibration.completed':
      return {
        ...row,
        state: 'completed',
        iterations: event.iterations,
        converged: event.converged,
        payloads: event.payloads,
        seconds: event.seconds,
        jobs: { ...jobs, running: 0 },
        engine: null,
        algorithm: null,
      };
    case 'calibration.failed':
      return {
        ...row,
        state: 'failed',
        error: event.error,
        seconds: event.seconds,
        jobs: { ...jobs, running: 0 },
        engine: null,
        algorithm: null,
      };
    case 'calibration.blocked':
      return { ...row, state: 'blocked', blockedBy: event.by };
    case 'iteration.started':
      return {
        ...row,
        iteration: event.iteration,
        jobs: { ...NO_JOBS, total: event.jobs, succeeded: event.reused },
        // The next ones go to the same place.
        engine: row.engine === null ? null : { ...row.engine, queued: 0, held: 0, suspended: 0, reason: null },
        jobsDone: row.jobsDone + event.reused,
        algorithm: null,
        failedJobs: [],
        failedAlgorithms: [],
      };
    case 'iteration.committed':
      return { ...row, payloads: event.payloads, algorithm: null };
    case 'job.started': {
      // What an engine has taken begins to run when the engine says so.
      const running = row.engine === null ? jobs.running + 1 : jobs.running;
      return { ...row, jobs: { ...jobs, running } };
    }
    case 'jobs.seen': {
      if (event.iteration !== row.iteration) return row;
      const { engine, queued, held, suspended, reason, running, algorithm } = event;
      return {
        ...row,
        engine: { engine, queued, held, suspended, reason },
        algorithmPlace: algorithm,
        jobs: { ...jobs, running },
      };
    }
    case 'job.retried':
      return { ...row, jobs: { ...jobs, running: oneLess(row) } };
    case 'job.finished': {
      const running = oneLess(row);
      if (event.outcome.state === 'succeeded')
        return { ...row, jobs: { ...jobs, running, succeeded: jobs.succeeded + 1 }, jobsDone: row.jobsDone + 1 };
      if (event.outcome.state === 'cancelled') return { ...row, jobs: { ...jobs, running } };
      const { iteration, collection, job, attempt, outcome, directory } = event;
      const failure = {
        iteration,
        collection,
        job,
        attempt,
        outcome,
        directory,
        seconds: event.usage?.seconds ?? null,
        node: event.usage?.node ?? null,
      };
      return {
        ...row,
        jobs: { ...jobs, running, failed: jobs.failed + 1 },
        failedJobs: row.failedJobs.length < KEPT ? [...row.failedJobs, failure] : row.failedJobs,
      };
    }
    case 'algorithm.started':
      return { ...row, algorithmPlace: null, algorithm: { name: event.algorithm, directory: event.directory, executions: 0 } };
    case 'execution.finished':
      return row.algorithm === null ? row : { ...row, algorithm: { ...row.algorithm, executions: row.algorithm.executions + 1 } };
    case 'algorithm.finished': {
      if (event.finalState === 'completed') return row;
      const { iteration, algorithm, error } = event;
      const directory = row.algorithm?.name === algorithm ? row.algorithm.directory : null;
      return { ...row, failedAlgorithms: [...row.failedAlgorithms, { iteration, algorithm, error, directory }] };
    }
    case 'execution.started':
    case 'collection.archived':
    case 'result.reported':
      return row;
    default:
      return unreachable(event);
  }
}

/** Of jobs on an engine the next one may run already: the engine says how many do. */
const oneLess = ({ jobs, engine }: Row) =>
  Math.max(engine === null ? jobs.running - 1 : Math.min(jobs.running, jobs.total - jobs.succeeded - jobs.failed - 1), 0);

export const isFinished = (row: Row): boolean => row.state === 'completed' || row.state === 'failed' || row.state === 'blocked';
export const isActive = (row: Row): boolean => row.state !== null && !isFinished(row);
