// Jobs and attempts: which job, what it may use, and how an attempt can end.
import type { Resources } from './calibration.ts';

/** A job within a campaign. `job` counts from 0 within its collection and iteration. */
export interface JobKey {
  readonly calibration: string;
  readonly iteration: number;
  readonly collection: string;
  readonly job: number;
}

export const jobText = (key: JobKey): string => `${key.calibration}/${key.iteration}/${key.collection}/${key.job}`;

export const FAILURE_CAUSES = [
  'exit',
  'signal',
  'out-of-memory',
  'time-limit',
  'node-lost',
  'preempted',
  'removed',
  'bad-result',
  'bad-input',
  'disk-full',
  'not-started',
] as const;
/**
 * Why an attempt failed. `bad-input`: an input file is missing or unreadable, not retried blindly.
 * `disk-full`: nothing can be written where it works, not retried before somebody makes space. `bad-result`: it ended, but its result or outputs are not as agreed. `node-lost` and `preempted` do not count against retries.
 * `removed`: somebody ended it with the engine's own commands, and would not like to see it again.
 */
export type FailureCause = (typeof FAILURE_CAUSES)[number];

/** Not the job's fault: another attempt does not count against its retries. */
export const UNCOUNTED_CAUSES = ['preempted', 'node-lost'] as const satisfies readonly FailureCause[];

export interface Usage {
  readonly seconds: number;
  /** Highest resident memory of the process tree that was seen, in bytes; null when no sample was taken. */
  readonly maxRssBytes: number | null;
  /** The machine of a batch job, as it calls itself; missing where it is not known, and for jobs beside caf. */
  readonly node?: string;
}

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly state: 'succeeded' }
  | { readonly state: 'failed'; readonly cause: FailureCause; readonly detail: string }
  | { readonly state: 'cancelled'; readonly detail: string };

/** What identifies a local process for ever: pids are reused, pid and start time are not. */
export interface ProcessIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  /** Start time in clock ticks since boot, from /proc/PID/stat. */
  readonly startTicks: number;
}

/** A job of a batch engine: what its own commands call it. */
export interface EngineJob {
  /** Name of the backend, for instance `slurm`. */
  readonly engine: string;
  /** For instance `4711_3`. */
  readonly id: string;
}

/** What finds a running attempt again, whoever started it. */
export type JobHandle = ProcessIdentity | EngineJob;

export const isEngineJob = (handle: JobHandle): handle is EngineJob => 'engine' in handle;

export interface AttemptRecord extends JobKey {
  readonly attempt: number;
  /** Secret-free random word that ties a result to its attempt. */
  readonly token: string;
  /** Working directory, relative to the results directory. */
  readonly directory: string;
  /** Null = not written down: it was not started yet, or its caf was killed in that moment. */
  readonly handle: JobHandle | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly outcome: AttemptOutcome | null;
  readonly usage: Usage | null;
  readonly resources: Resources;
}
