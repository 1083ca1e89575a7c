// What every runner of one invocation shares: the checked config, the journal, where events go, where jobs run.
import { join } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import type { Journal } from '../database/journal.ts';
import type { AlgorithmsRunner } from '../domain/algorithms-runner.ts';
import type { AlgorithmSpec, BackendSpec, CampaignSpec } from '../domain/calibration.ts';
import type { Emit } from '../domain/event.ts';
import type { JobKey } from '../domain/job.ts';
import type { CampaignPlan } from './campaign-plan.ts';
import type { Compaction } from './compaction.ts';

export interface Hands {
  readonly spec: CampaignSpec;
  readonly plan: CampaignPlan;
  readonly journal: Journal;
  readonly emit: Emit;
  readonly algorithmsRunner: AlgorithmsRunner;
  /** The same for an algorithm that runs as a job of a batch engine; null = it does not. */
  engineRunnerFor(algorithm: AlgorithmSpec): AlgorithmsRunner | null;
  /** user@host, kept with every entry. */
  readonly actor: string;
  /** One backend per distinct specification, shared by all calibrations. */
  backendFor(spec: BackendSpec): Backend;
  /** Aborted by the first wish to stop: nothing new starts. */
  readonly stop: AbortSignal;
  /** Aborted by SIGTERM and SIGHUP: running jobs are left alone, to be adopted by the next invocation. */
  readonly leave: AbortSignal;
  /** Aborted by the second wish: running jobs are ended. */
  readonly cancel: AbortSignal;
  /** Null: directories of finished jobs stay. */
  readonly compaction: Compaction | null;
  /** Jobs that run at this moment, for the messages about stopping. */
  readonly running: Set<string>;
}

export const iterationDirectory = (output: string, calibration: string, iteration: number): string =>
  join(output, calibration, String(iteration));

/** Directory of a job's collection, relative to the results directory. */
export const collectionPath = ({ calibration, iteration, collection }: Omit<JobKey, 'job'>): string =>
  `${calibration}/${iteration}/collector/${collection}`;

/** Where a job that counts lies, relative to the results directory. */
export const jobPath = (key: JobKey): string => `${collectionPath(key)}/${key.job}`;

/** Where one attempt works, relative to the results directory. */
export const attemptPath = (key: JobKey, attempt: number): string => `${collectionPath(key)}/${key.job}.attempt-${attempt}`;

export const algorithmPath = (calibration: string, iteration: number, algorithm: string): string =>
  `${calibration}/${iteration}/algorithms/${algorithm}`;
