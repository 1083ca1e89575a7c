// The files and messages between caf and what runs elsewhere. Programs see job.json and result.json (docs/writing-a-calibration.md).

import type { StrategyJob } from '../domain/algorithms-runner.ts';
import type { AlgorithmResult } from '../domain/calibration.ts';
import type { ErrorText } from '../domain/event.ts';
import type { ExecutionRecord, ReportedResult } from '../domain/execution.ts';
import type { Iov, Run } from '../domain/iov.ts';

export const JOB_FILE = 'job.json';
export const RESULT_FILE = 'result.json';
export const RECORDS_FILE = 'records.ndjson';
export const STDOUT_FILE = 'stdout';
export const STDERR_FILE = 'stderr';

/** Where a program works for an execution, and for the question for boundaries: below the directory of its algorithm. */
export const executionDirectory = (seq: number): string => `execution-${seq}`;
export const boundariesDirectory = (question: number): string => `boundaries-${question}`;
/** Of a job of a batch engine: there while it runs, and how it ended. */
export const STARTED_FILE = 'batch.started';
export const ENDED_FILE = 'batch.ended';
/** Files that are caf's own: they never match `outputs`. */
export const OWN_FILES: readonly string[] = [JOB_FILE, RESULT_FILE, RECORDS_FILE, STDOUT_FILE, STDERR_FILE, STARTED_FILE, ENDED_FILE];

/** One member of the chain a job may read. Highest priority first. */
export interface ChainMember {
  /** For people: `pedestals/0`, `draft`, `localdb/base`. */
  readonly label: string;
  /** Null for the draft of the running iteration, which is named by its content id. */
  readonly versionId: string | null;
  readonly contentId: string;
  readonly viewId: string;
  /** Absolute path of the database directory. */
  readonly path: string;
}

/** chain.lock.json */
export interface ChainLock {
  readonly v: 1;
  readonly databases: readonly ChainMember[];
}

/** Paths of the collected data an execution may read: relative to nothing, all absolute. */
export interface JobData {
  readonly records: readonly string[];
  readonly files: readonly string[];
}

/** job.json, for collectors and for each execution of a program algorithm. */
export interface JobFile {
  readonly v: 1;
  readonly calibration: string;
  readonly collection?: string;
  readonly algorithm?: string;
  readonly iteration: number;
  /** Number of the job within its collection; collectors only. */
  readonly job?: number;
  readonly attempt: number;
  readonly token: string;
  /** The runs: of an execution its runs; of a collector job those its files are known to hold (empty when unknown). */
  readonly runs: readonly Run[];
  /** The label of an execution; the requested IoV for a collector, null = everything. */
  readonly iov: Iov | null;
  readonly files: readonly string[];
  readonly arguments: readonly string[];
  /** Value of the payload named `parameters` for these runs, where there is one. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly data: JobData;
  /** Directory with the chain's payloads as files, beside an index.json. */
  readonly conditions: string;
  readonly outputDirectory: string;
  /** Absolute path of the config; what a function collector loads. */
  readonly config: string;
  /** Absolute path of the chain.lock.json that was used. */
  readonly chain: string;
  /** What result.json said, where a job that counts would otherwise have left five files; a job that runs never finds it. */
  readonly result?: ResultFile;
}

/** Where the records of one run lie in one records.ndjson: byte ranges [offset, length]. */
export type RunExtents = readonly (readonly [offset: number, length: number])[];

/** result.json. Programs write the first four fields; caf's own worker adds the rest. */
export interface ResultFile {
  readonly result: AlgorithmResult;
  /** Each with one of `value`, `file` (relative to the output directory) and `parts` (an intra-run payload). */
  readonly payloads?: readonly {
    readonly name: string;
    readonly value?: unknown;
    readonly file?: string;
    readonly parts?: readonly { readonly firstEvent: number; readonly value: unknown }[];
    readonly iov?: Iov;
  }[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** When given it must be the attempt's. */
  readonly token?: string;
  readonly error?: ErrorText & { readonly stack?: string };
  readonly warnings?: readonly string[];
  /** Index of records.ndjson, `"experiment,run"` -> byte ranges; absent = not indexed. */
  readonly runs?: Readonly<Record<string, RunExtents>>;
}

/** Messages to a warm collector child (worker/collector-child.ts). */
export type ToCollectorChild = { readonly type: 'collect'; readonly jobFile: string };
/** Messages from it. `finished` is sent after result.json is in place; after a failed job the child is not used again. */
export type FromCollectorChild = {
  readonly type: 'finished';
  readonly jobFile: string;
  readonly failed: boolean;
  readonly rssBytes: number;
};

/** One finished collector job, as an algorithm reads it. */
export interface CollectedJob {
  readonly collection: string;
  readonly job: number;
  /** Absolute directory. */
  readonly directory: string;
  /** Output files by relative path, sorted (own files left out). */
  readonly outputs: readonly string[];
  /** Runs its input files are known to hold: what it contributes when it has no records. */
  readonly fileRuns: readonly Run[];
}

export type ToStrategyChild =
  | { readonly type: 'start'; readonly job: StrategyJob }
  /** Begin no further execution; what is at work may end. */
  | { readonly type: 'finish' };

export type FromStrategyChild =
  /** Config loaded, data indexed, setup done. */
  | { readonly type: 'ready'; readonly runs: readonly Run[] }
  /** User code outside of an execution begins: the time limit holds for it too. */
  | { readonly type: 'calling'; readonly what: 'setup' | 'findBoundaries' }
  | { readonly type: 'execution.started'; readonly seq: number; readonly runs: readonly Run[]; readonly iov: Iov }
  | { readonly type: 'execution.finished'; readonly execution: ExecutionRecord }
  | { readonly type: 'result.reported'; readonly report: ReportedResult }
  | { readonly type: 'warning'; readonly message: string }
  /** It was told to finish, and another execution would have begun. Instead of `final`. */
  | { readonly type: 'unfinished' }
  /** Exactly one, last. */
  | {
      readonly type: 'final';
      readonly finalState: 'completed' | 'failed';
      readonly gaps: readonly Iov[] | null;
      readonly error: ErrorText | null;
    };
