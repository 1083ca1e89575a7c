// The document of `caf status --json`, made from what the journal knows; the text table is drawn from it too.
import { type JournalReader, type ObservedSnapshot, openJournalForReading } from '../database/journal-reader.ts';
import type { AlgorithmSnapshot, CalibrationSnapshot, IterationSnapshot } from '../database/journal-status.ts';
import { readSeenJobs } from '../database/seen-jobs.ts';
import type { CalibrationState, Checkpoint } from '../domain/calibration.ts';
import type { ErrorText, JobCounts, JobsSeen } from '../domain/event.ts';

export type CampaignState = 'completed' | 'failed' | 'running' | 'interrupted';

export interface StatusDocument {
  readonly v: 1;
  readonly state: CampaignState;
  readonly calibrations: readonly StatusCalibration[];
  /** The newest `caf run` on this directory; null when there was none. */
  readonly invocation: {
    readonly number: number;
    readonly config: string;
    /** The words after `caf`. */
    readonly argv: readonly string[];
    readonly version: string;
    readonly actor: string;
    readonly startedAt: string;
    readonly endedAt: string | null;
    readonly outcome: 'completed' | 'failed' | 'interrupted' | null;
    /** Until its end, or until now while it runs; null when nobody knows when it died. */
    readonly seconds: number | null;
  } | null;
  /** Who holds the journal; null when nobody does. One that is not alive was killed, or its machine went down. */
  readonly owner: {
    readonly host: string;
    readonly pid: number;
    readonly command: string;
    readonly alive: boolean;
    readonly secondsSinceBeat: number;
  } | null;
}

/** `running`: at work; where an engine has them, as it said last. All that is neither at work nor over is `queued`. */
export interface StatusJobs extends JobCounts {
  /** Of those queued, what the engine says; only there while an engine has some. */
  readonly engine?: {
    readonly name: string;
    /** Given to the engine, or about to be. */
    readonly queued: number;
    readonly held: number;
    readonly suspended: number;
    readonly reason: string | null;
  };
}

export interface StatusCalibration {
  readonly name: string;
  readonly state: CalibrationState;
  readonly checkpoint: Checkpoint;
  /** 0-based; the current or last one. */
  readonly iteration: number;
  readonly converged: boolean | null;
  /** Of the current or last iteration. */
  readonly jobs: StatusJobs;
  readonly iterations: readonly StatusIteration[];
  /** Relative to the results directory; null until completed. */
  readonly localdb: string | null;
  readonly error: ErrorText | null;
  /** Why it was done (again), or kept. */
  readonly reason: string;
  /** From its first start to its end, or to now while it runs; null when not started or nobody knows when it stopped. */
  readonly seconds: number | null;
  readonly payloads: number | null;
}

export interface StatusIteration {
  readonly iteration: number;
  readonly jobs: StatusJobs;
  readonly algorithms: readonly AlgorithmSnapshot[];
  /** Null: not committed. */
  readonly outcome: 'ok' | 'iterate' | 'failed' | null;
  readonly versionId: string | null;
}

const NO_JOBS: StatusJobs = { total: 0, succeeded: 0, failed: 0, running: 0, queued: 0, reused: 0 };

/** Opens, reads once and closes. Errors: those of openJournalForReading. */
export function readStatus(directory: string): StatusDocument {
  const reader: JournalReader = openJournalForReading(directory);
  try {
    return describeStatus(reader.status(), readSeenJobs(directory));
  } finally {
    reader.close();
  }
}

/** `seen`: where engines have jobs. */
export function describeStatus(snapshot: ObservedSnapshot, seen: readonly JobsSeen[] = []): StatusDocument {
  const state = judgeState(snapshot);
  const { invocation, owner } = snapshot;
  const isRunning = state === 'running';
  return {
    v: 1,
    state,
    calibrations: snapshot.calibrations.map((calibration) =>
      describeCalibration(calibration, isRunning ? snapshot.observedAt : null, seen),
    ),
    invocation:
      invocation === null
        ? null
        : {
            number: invocation.invocation,
            config: invocation.config,
            argv: invocation.argv,
            version: invocation.version,
            actor: invocation.actor,
            startedAt: invocation.startedAt,
            endedAt: invocation.endedAt,
            outcome: invocation.outcome,
            seconds: secondsBetween(invocation.startedAt, invocation.endedAt ?? (isRunning ? snapshot.observedAt : null)),
          },
    owner:
      owner === null
        ? null
        : {
            host: owner.host,
            pid: owner.pid,
            command: owner.command,
            alive: snapshot.ownerAlive,
            secondsSinceBeat: secondsBetween(owner.beatAt, snapshot.observedAt) ?? 0,
          },
  };
}

/**
 * Running only while the process that records the newest invocation is alive. Otherwise what that invocation said; where it said `completed`,
 * only if all calibrations of its plan still are: `--only` leaves some undone, `caf reset` undoes some.
 */
export function judgeState({ invocation, owner, ownerAlive, calibrations }: ObservedSnapshot): CampaignState {
  if (invocation === null) return owner !== null && ownerAlive ? 'running' : 'interrupted';
  if (invocation.outcome === null) {
    return ownerAlive && owner?.invocation === invocation.invocation ? 'running' : 'interrupted';
  }
  if (invocation.outcome !== 'completed') return invocation.outcome;
  const planned = calibrations.filter((calibration) => calibration.plannedIn === invocation.invocation);
  if (planned.every((calibration) => calibration.state === 'completed')) return 'completed';
  return planned.some(({ state }) => state === 'failed' || state === 'blocked') ? 'failed' : 'interrupted';
}

function describeCalibration(calibration: CalibrationSnapshot, now: string | null, seen: readonly JobsSeen[]): StatusCalibration {
  const own = seen.filter(({ calibration: name }) => name === calibration.calibration);
  const iterations = calibration.iterations.map((iteration) => describeIteration(iteration, own));
  const current = iterations.find(({ iteration }) => iteration === calibration.iteration);
  return {
    name: calibration.calibration,
    state: calibration.state,
    checkpoint: calibration.checkpoint,
    iteration: calibration.iteration,
    converged: calibration.converged,
    jobs: current?.jobs ?? NO_JOBS,
    iterations,
    localdb: calibration.state === 'completed' && calibration.result !== null ? `${calibration.calibration}/localdb` : null,
    error: calibration.error,
    reason: calibration.reason,
    seconds: calibration.startedAt === null ? null : secondsBetween(calibration.startedAt, calibration.completedAt ?? now),
    payloads: calibration.payloads,
  };
}

const describeIteration = (
  { iteration, jobs, algorithms, outcome, version }: IterationSnapshot,
  seen: readonly JobsSeen[],
): StatusIteration => ({
  iteration,
  jobs: jobsOn(jobs, seen.find((each) => each.iteration === iteration) ?? null),
  algorithms,
  outcome,
  versionId: version?.versionId ?? null,
});

/** The journal knows what was begun and what is over; how much of the rest is at work, only the engine does. What it said is older than the journal. */
function jobsOn(jobs: JobCounts, seen: JobsSeen | null): StatusJobs {
  if (seen === null || jobs.running === 0) return jobs;
  const running = Math.min(jobs.running, seen.running);
  const queued = jobs.queued + jobs.running - running;
  const { engine: name, held, suspended, reason } = seen;
  return { ...jobs, running, queued, engine: { name, queued: Math.min(seen.queued, queued), held, suspended, reason } };
}

/** Never negative, whatever the clocks did. */
function secondsBetween(from: string, to: string | null): number | null {
  return to === null ? null : Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}
