// What can be read from the journal: typed rows, as plain values.
import type { CalibrationState, Checkpoint, FinalState } from '../domain/calibration.ts';
import type { ErrorText, JobCounts } from '../domain/event.ts';
import type { ExecutionRecord, ReportedResult } from '../domain/execution.ts';
import type { Iov, Run } from '../domain/iov.ts';
import type { AttemptOutcome, AttemptRecord, JobKey } from '../domain/job.ts';
import type { Fingerprint } from '../domain/journal.ts';

export interface InvocationRecord {
  /** Counts from 1. */
  readonly invocation: number;
  readonly argv: readonly string[];
  readonly version: string;
  readonly config: string;
  readonly actor: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Null: still running, or killed. */
  readonly outcome: 'completed' | 'failed' | 'interrupted' | null;
}

export interface VersionIds {
  readonly versionId: string;
  readonly contentId: string;
  readonly viewId: string;
}

export interface CalibrationRecord {
  readonly calibration: string;
  readonly position: number;
  readonly state: CalibrationState;
  readonly checkpoint: Checkpoint;
  readonly iteration: number;
  readonly converged: boolean | null;
  readonly fingerprint: Fingerprint;
  readonly reason: string;
  readonly error: ErrorText | null;
  readonly startedAt: string | null;
  /** When it completed or failed. */
  readonly completedAt: string | null;
  /** Of `<calibration>/localdb`; null until completed. */
  readonly result: VersionIds | null;
  readonly payloads: number | null;
  /** The invocation whose plan it was last part of. */
  readonly plannedIn: number;
}

export interface IterationRecord {
  readonly calibration: string;
  readonly iteration: number;
  readonly chainDigest: string;
  /** Number of jobs per collection, those that never started included. */
  readonly jobs: Readonly<Record<string, number>>;
  /** Null: not committed. */
  readonly outcome: 'ok' | 'iterate' | 'failed' | null;
  readonly version: VersionIds | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** A job that was started at least once. A job without a record has never been started. */
export interface JobRecord extends JobKey {
  /** The newest attempt; of a finished job the one that counts. A next attempt is number `attempt + 1`. */
  readonly attempt: number;
  /** Attempts that failed and count against `retries`, since the job was last given up; 0 of one that has succeeded. */
  readonly failedAttempts: number;
  /** Digest of the input files and arguments of the newest attempt. */
  readonly inputs: string;
  /** Null: in flight. */
  readonly finished: AttemptOutcome | null;
  readonly warnings: readonly string[];
  /** Finished in an earlier invocation than the one that is asking (for readers: than the last one). */
  readonly reused: boolean;
  /**
   * The newest attempt of a job that has not succeeded; null for a job that has (ask `attempts`). Of a job in flight it may itself have ended,
   * when caf died before it was renamed into place or followed by another.
   */
  readonly lastAttempt: AttemptRecord | null;
}

export interface AlgorithmRecord {
  readonly calibration: string;
  readonly iteration: number;
  readonly algorithm: string;
  readonly runs: readonly Run[] | null;
  /** Null: not finished. */
  readonly finalState: FinalState | null;
  readonly gaps: readonly Iov[] | null;
  readonly error: ErrorText | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** By seq. */
  readonly executions: readonly ExecutionRecord[];
  /** By seq. */
  readonly reports: readonly ReportedResult[];
}

/** Who holds the journal. */
export interface OwnerRecord {
  /** Names this holding of the lease: a new one each time. */
  readonly token: string;
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  readonly startTicks: number;
  readonly beat: number;
  readonly beatAt: string;
  readonly command: string;
  readonly acquiredAt: string;
  /** The invocation it records; null for a command that records none. */
  readonly invocation: number | null;
}

/** What the journal knows. Reads of the writer see its own entries that are not yet committed. */
export interface JournalReads {
  calibration(name: string): CalibrationRecord | null;
  /** In the order of the plan. */
  calibrations(): readonly CalibrationRecord[];
  iteration(calibration: string, iteration: number): IterationRecord | null;
  iterations(calibration: string): readonly IterationRecord[];
  /** Job number -> record, ascending. The memory they take is the caller's. */
  jobs(calibration: string, iteration: number, collection: string): ReadonlyMap<number, JobRecord>;
  /** Counted by the database: milliseconds for 100,000 jobs. All zero when the iteration never started. */
  jobCounts(calibration: string, iteration: number): JobCounts;
  /** All attempts of a job, first to last. */
  attempts(key: JobKey): readonly AttemptRecord[];
  /** Attempts without an end, of one calibration or of all: what may still run. */
  unfinishedAttempts(calibration?: string): readonly AttemptRecord[];
  algorithm(calibration: string, iteration: number, algorithm: string): AlgorithmRecord | null;
  /** Names, in the order they were first started. */
  algorithms(calibration: string, iteration: number): readonly string[];
  /** The newest; of a writer that has appended `invocation.started`, its own. */
  lastInvocation(): InvocationRecord | null;
}
