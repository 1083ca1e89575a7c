// The state of a whole campaign as facts in one value: read from the journal, or from the file published beside one that only its writer can open.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AlgorithmResult, FinalState } from '../domain/calibration.ts';
import type { ErrorText, JobCounts } from '../domain/event.ts';
import type { Iov, Run } from '../domain/iov.ts';
import { type Sqlite, STATUS_FILE } from './journal-open.ts';
import type { CalibrationRecord, InvocationRecord, IterationRecord, JournalReads, OwnerRecord } from './journal-records.ts';
import { readOwner } from './lease.ts';

/** Facts only: whether the owner is alive is judged when they are read. */
export interface CampaignSnapshot {
  readonly v: 1;
  readonly takenAt: string;
  /** Null: nobody holds the journal. */
  readonly owner: OwnerRecord | null;
  readonly invocation: InvocationRecord | null;
  /** In the order of the plan. */
  readonly calibrations: readonly CalibrationSnapshot[];
}

export interface CalibrationSnapshot extends Omit<CalibrationRecord, 'fingerprint'> {
  readonly iterations: readonly IterationSnapshot[];
}

export interface IterationSnapshot extends Omit<IterationRecord, 'calibration' | 'jobs'> {
  readonly jobs: JobCounts;
  /** In the order they were first started. */
  readonly algorithms: readonly AlgorithmSnapshot[];
}

export interface AlgorithmSnapshot {
  readonly name: string;
  /** Null: not finished. */
  readonly finalState: FinalState | null;
  readonly executions: readonly {
    readonly runs: readonly Run[];
    readonly iov: Iov;
    readonly result: AlgorithmResult;
    readonly seconds: number;
  }[];
  readonly results: readonly { readonly iov: Iov; readonly result: AlgorithmResult }[];
  readonly gaps: readonly Iov[] | null;
  readonly error: ErrorText | null;
}

/** Several reads: to be called inside one transaction, or by the writer. */
export function readSnapshot(db: Sqlite, reads: JournalReads, now: Date): CampaignSnapshot {
  return {
    v: 1,
    takenAt: now.toISOString(),
    owner: readOwner(db),
    invocation: reads.lastInvocation(),
    calibrations: reads.calibrations().map(({ fingerprint: _, ...record }) => ({
      ...record,
      iterations: reads.iterations(record.calibration).map(({ calibration, jobs: __, ...iteration }) => ({
        ...iteration,
        jobs: reads.jobCounts(calibration, iteration.iteration),
        algorithms: reads
          .algorithms(calibration, iteration.iteration)
          .map((name) => readAlgorithm(reads, calibration, iteration.iteration, name)),
      })),
    })),
  };
}

function readAlgorithm(reads: JournalReads, calibration: string, iteration: number, name: string): AlgorithmSnapshot {
  const record = reads.algorithm(calibration, iteration, name);
  return {
    name,
    finalState: record?.finalState ?? null,
    executions: (record?.executions ?? []).map(({ runs, iov, result, seconds }) => ({ runs, iov, result, seconds })),
    results: (record?.reports ?? []).map(({ iov, result }) => ({ iov, result })),
    gaps: record?.gaps ?? null,
    error: record?.error ?? null,
  };
}

export interface StatusPublisher {
  /** Publishes now, or when a second has passed since the last time; later where a campaign is so large that it takes long. */
  changed(): void;
  /** Publishes for the last time. */
  close(): void;
}

const PUBLISH_INTERVAL_MS = 1000;
/** The whole campaign is read and written each time: that may take this share of the writer's time. */
const PUBLISH_SHARE = 0.05;

/** `guard` runs what happens on the timer, where no caller waits for an error. */
export function createStatusPublisher(
  directory: string,
  snapshot: () => CampaignSnapshot,
  guard: (action: () => void) => void,
): StatusPublisher {
  let nextAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | null = null;
  const publish = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const begin = performance.now();
    writeStatusFile(directory, snapshot());
    const end = performance.now();
    nextAt = end + Math.max(PUBLISH_INTERVAL_MS, (end - begin) / PUBLISH_SHARE);
  };
  return {
    changed() {
      if (timer !== null) return;
      const wait = nextAt - performance.now();
      if (wait <= 0) publish();
      else timer = setTimeout(() => guard(publish), wait).unref();
    },
    close: publish,
  };
}

function writeStatusFile(directory: string, snapshot: CampaignSnapshot): void {
  const path = join(directory, STATUS_FILE);
  const temporary = `${path}.new-${process.pid}`;
  try {
    writeFileSync(temporary, `${JSON.stringify(snapshot)}\n`);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Null where there is none, or it is not one. */
export function readStatusFile(directory: string): CampaignSnapshot | null {
  try {
    const value: unknown = JSON.parse(readFileSync(join(directory, STATUS_FILE), 'utf8'));
    return typeof value === 'object' && value !== null && (value as { v?: unknown }).v === 1 ? (value as CampaignSnapshot) : null;
  } catch {
    return null;
  }
}
