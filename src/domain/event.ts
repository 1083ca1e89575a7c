// Everything that can happen, as one union. The report folds it, caf.log keeps it, --json prints it.
import type { AlgorithmResult, CalibrationState, FinalState } from './calibration.ts';
import type { ExecutionRecord, ReportedResult } from './execution.ts';
import type { Iov, Run } from './iov.ts';
import type { AttemptOutcome, JobKey, Usage } from './job.ts';

export interface ErrorText {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export interface JobCounts {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly running: number;
  readonly queued: number;
  /** Kept from an earlier invocation; contained in succeeded. */
  readonly reused: number;
}

/** What a batch engine says of the jobs that caf has given to it, or is about to. */
export interface EngineCounts {
  /** Name of the engine. */
  readonly engine: string;
  /** Not yet, or not any more, at work. */
  readonly queued: number;
  /** Wait until somebody releases them. */
  readonly held: number;
  /** Have begun, and are stopped for the moment. */
  readonly suspended: number;
  /** The engine's word for why most of those in the queue wait; null = it says none. */
  readonly reason: string | null;
}

type InCalibration = { readonly calibration: string };
type InIteration = InCalibration & { readonly iteration: number };
type InAlgorithm = InIteration & { readonly algorithm: string };

export type CafEvent =
  /** An invocation has its plan and begins. `reused` = completed and unchanged. */
  | {
      readonly type: 'campaign.started';
      readonly output: string;
      readonly config: string;
      readonly version: string;
      readonly calibrations: readonly {
        readonly name: string;
        readonly dependsOn: readonly string[];
        readonly maxIterations: number;
        readonly reason: string;
        readonly reused: boolean;
      }[];
    }
  /** Nothing more will happen in this invocation. */
  | {
      readonly type: 'campaign.ended';
      readonly outcome: 'completed' | 'failed' | 'interrupted';
      readonly completed: number;
      readonly failed: number;
      readonly blocked: number;
      readonly notStarted: number;
      readonly payloads: number;
      readonly seconds: number;
      /** As in StopWish. */
      readonly signal?: string;
      readonly by?: string;
      readonly jobsLeft?: number;
    }
  /** Ctrl-C, or `caf cancel --drain`: nothing new starts. */
  | { readonly type: 'campaign.stopping'; readonly signal: string; readonly by?: string; readonly runningJobs: number }
  /** Second Ctrl-C, or `caf cancel`: running jobs are being cancelled. */
  | { readonly type: 'campaign.cancelling'; readonly signal: string; readonly by?: string }
  /** A calibration is not done because it is already done, and nothing it depends on has changed. */
  | (InCalibration & { readonly type: 'calibration.reused'; readonly iterations: number; readonly payloads: number })
  | (InCalibration & { readonly type: 'calibration.started'; readonly reason: string; readonly iteration: number })
  | (InIteration & { readonly type: 'calibration.state'; readonly state: CalibrationState })
  | (InCalibration & {
      readonly type: 'calibration.completed';
      readonly iterations: number;
      readonly converged: boolean;
      readonly payloads: number;
      readonly seconds: number;
    })
  | (InCalibration & { readonly type: 'calibration.failed'; readonly state: 'failed'; readonly error: ErrorText; readonly seconds: number })
  | (InCalibration & { readonly type: 'calibration.blocked'; readonly by: readonly string[] })
  | (InIteration & { readonly type: 'iteration.started'; readonly jobs: number; readonly reused: number })
  | (InIteration & {
      readonly type: 'iteration.committed';
      readonly versionId: string;
      readonly viewId: string;
      readonly payloads: number;
      readonly directory: string;
      readonly iterate: boolean;
    })
  /** `caf run --compact`: the finished jobs of a collection lie in one file now. `entries`: the files and directories that there were. */
  | (InIteration & {
      readonly type: 'collection.archived';
      readonly collection: string;
      readonly jobs: number;
      readonly entries: number;
      readonly bytes: number;
    })
  | JobsSeen
  | (JobKey & { readonly type: 'job.started'; readonly attempt: number; readonly directory: string; readonly adopted: boolean })
  /** An attempt failed and another follows. */
  | (JobKey & { readonly type: 'job.retried'; readonly attempt: number; readonly outcome: AttemptOutcome; readonly directory: string })
  | (JobKey & {
      readonly type: 'job.finished';
      readonly attempt: number;
      readonly outcome: AttemptOutcome;
      readonly usage: Usage | null;
      readonly directory: string;
      readonly willRetry: false;
    })
  | (InAlgorithm & { readonly type: 'algorithm.started'; readonly directory: string })
  | (InAlgorithm & { readonly type: 'execution.started'; readonly seq: number; readonly runs: readonly Run[]; readonly iov: Iov })
  | (InAlgorithm & { readonly type: 'execution.finished'; readonly execution: ExecutionRecord })
  | (InAlgorithm & { readonly type: 'result.reported'; readonly report: ReportedResult })
  | (InAlgorithm & {
      readonly type: 'algorithm.finished';
      readonly finalState: FinalState;
      readonly results: Readonly<Partial<Record<AlgorithmResult, number>>>;
      readonly gaps: readonly Iov[] | null;
      readonly error: ErrorText | null;
    })
  /** Something the user should know that is not a failure. */
  | {
      readonly type: 'warning';
      readonly code: string;
      readonly message: string;
      readonly hint?: string;
      readonly calibration?: string;
      readonly iteration?: number;
    };

/** Where a job can be on its engine. */
export const ENGINE_PLACES = ['running', 'queued', 'held', 'suspended'] as const;
export type EnginePlace = (typeof ENGINE_PLACES)[number];

/** Where the jobs of an iteration are on their engine has changed; small changes are told together. Those that are over are none of them. */
export interface JobsSeen extends InIteration, EngineCounts {
  readonly type: 'jobs.seen';
  readonly running: number;
  /** Where the job of the algorithm is that is done on the engine; null = there is none. */
  readonly algorithm: EnginePlace | null;
}

/** An event with its time, as every consumer gets it. */
export type TimedEvent = CafEvent & { readonly at: string };

/** Where runners put events. Never throws. */
export type Emit = (event: CafEvent) => void;
