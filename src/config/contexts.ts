// What the functions of a config receive: the types a user sees, implemented by the worker.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { AlgorithmResult } from '../domain/calibration.ts';
import type { Iov, Run } from '../domain/iov.ts';
import type { PayloadDefinition } from '../domain/payload.ts';

/** A payload with a schema: its value is committed, and read back, as JSON. */
export type ValuePayload<Value> = PayloadDefinition<Value> & { readonly schema: StandardSchemaV1<unknown, Value> };

/** A payload without a schema: a file, committed by path. What `conditions` gives for it is the absolute path of a copy to read. */
export type FilePayload = PayloadDefinition<string> & { readonly schema: null };

/** What `conditions` gives for a definition: the value, or for a file payload the absolute path of the file. */
export type PayloadValue<Definition extends PayloadDefinition> =
  Definition extends PayloadDefinition<infer Value> ? (Definition['schema'] extends null ? string : Value) : never;

export interface ConditionsOptions {
  /** The event of the run: which part of an intra-run payload is asked for. Other payloads do not depend on it. */
  readonly event?: number | undefined;
}

/** The database chain as it was locked when the job was made. */
export interface Conditions {
  /**
   * The payload valid for this run. Rejects with CAF_DB_NOT_FOUND when no database of the chain has one, with CAF_PAYLOAD_EVENT for an
   * intra-run payload without `event`, with CAF_PAYLOAD_VERSION when it was written with another version and cannot be migrated, and with
   * CAF_IOV_* for what is no run.
   */
  get<Definition extends PayloadDefinition>(
    definition: Definition,
    run: Run,
    options?: ConditionsOptions,
  ): Promise<PayloadValue<Definition>>;
  /** As `get`, but undefined when no database of the chain has one. */
  find<Definition extends PayloadDefinition>(
    definition: Definition,
    run: Run,
    options?: ConditionsOptions,
  ): Promise<PayloadValue<Definition> | undefined>;
}

export interface CollectedRecord<Value> {
  readonly run: Run;
  readonly value: Value;
}

/** What the collectors made, restricted to the runs of this execution. */
export interface Data {
  /** The selected runs, sorted. */
  readonly runs: readonly Run[];
  /** The records filed under `name`, in the order collection, job, line. */
  records<Value = unknown>(name: string): AsyncIterable<CollectedRecord<Value>>;
  /** Absolute paths of the output files of jobs with these runs, in the order collection, job, path; all of them without a pattern (a glob). */
  files(pattern?: string): readonly string[];
}

export type LogDetails = { readonly [name: string]: unknown };

/** Writes a line to the log of this job or algorithm. `log(...)` is `log.info(...)`. */
export interface Log {
  (message: string, details?: LogDetails): void;
  debug(message: string, details?: LogDetails): void;
  info(message: string, details?: LogDetails): void;
  warn(message: string, details?: LogDetails): void;
  error(message: string, details?: LogDetails): void;
}

/** Files a JSON value under a data run. Synchronous; throws CAF_PAYLOAD_INVALID on what JSON cannot hold. */
export type Record = (run: Run, name: string, value: unknown) => void;

export interface CommitOptions {
  /** The interval it is valid for; default the interval of this execution. */
  readonly iov?: Iov | undefined;
}

/** Queues a payload: it is committed if the strategy reports this execution as ok or iterate. Throws at once on a bad value. */
export type Commit = <Value>(definition: ValuePayload<Value>, value: NoInfer<Value>, options?: CommitOptions) => void;

/**
 * Queues an intra-run payload: several values for one run, each valid from its `firstEvent` (the first from 0) to the event before the next
 * one's. Read with `conditions.get(definition, run, { event })`. Events count within a run, so give it an interval of one run.
 */
export type CommitIntraRun = <Value>(
  definition: ValuePayload<Value>,
  parts: readonly { readonly firstEvent: number; readonly value: NoInfer<Value> }[],
  options?: CommitOptions,
) => void;

/** Queues a file as payload. A relative path is relative to the algorithm's working directory. */
export type CommitFile = (definition: FilePayload, path: string, options?: CommitOptions) => Promise<void>;

/** What `collect` receives. */
export interface CollectContext {
  /** Absolute paths; URLs as written. */
  readonly files: readonly string[];
  /** This job's entry of `split.arguments`; empty without. */
  readonly arguments: readonly string[];
  readonly record: Record;
  readonly conditions: Conditions;
  /** From 0. */
  readonly iteration: number;
  /** Absolute; also the working directory. Files made here that match `outputs` are kept. */
  readonly outputDirectory: string;
  readonly log: Log;
  /** Aborts when the job is cancelled or runs out of time. */
  readonly signal: AbortSignal;
}

/** What an algorithm's `run` receives. */
export interface AlgorithmContext {
  /** The runs of this execution, sorted. */
  readonly runs: readonly Run[];
  /** The interval of this execution: what its payloads are valid for. */
  readonly iov: Iov;
  readonly data: Data;
  readonly conditions: Conditions;
  readonly commit: Commit;
  readonly commitIntraRun: CommitIntraRun;
  readonly commitFile: CommitFile;
  /** From 0. */
  readonly iteration: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What `setup` receives, once before the executions of each iteration, and again when caf continues after an interruption: as `run`, without `runs` and `iov`. */
export type SetupContext = Omit<AlgorithmContext, 'runs' | 'iov' | 'commit' | 'commitIntraRun' | 'commitFile'>;

/** What `findBoundaries` receives. */
export interface BoundariesContext {
  /** All selected runs, sorted. */
  readonly runs: readonly Run[];
  readonly data: Data;
  readonly conditions: Conditions;
  /** From 0. */
  readonly iteration: number;
}

export type Collect = (context: CollectContext) => void | Promise<void>;
/** `Result` is inferred by defineCalibration: without it TypeScript takes the only `return 'ok'` of an async function for a string. */
export type RunAlgorithm<Result extends AlgorithmResult = AlgorithmResult> = (context: AlgorithmContext) => Result | Promise<Result>;
export type Setup = (context: SetupContext) => void | Promise<void>;
/**
 * Returns the runs at which a new interval begins: in any order, repeated, from experiments without data; `[]` = one payload per experiment.
 * Asked again when caf continues after an interruption, and must then answer the same.
 */
export type FindBoundaries = (context: BoundariesContext) => readonly Run[] | Promise<readonly Run[]>;
