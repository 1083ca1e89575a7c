// One execution of an algorithm, and what its strategy reported.
import type { AlgorithmResult } from './calibration.ts';
import type { Iov, Run } from './iov.ts';
import type { StoredPayload } from './payload.ts';

/** An execution that ended. `seq` counts from 0 in the order the strategy asked. */
export interface ExecutionRecord {
  readonly seq: number;
  readonly runs: readonly Run[];
  readonly iov: Iov;
  readonly result: AlgorithmResult;
  readonly seconds: number;
  /** What it queued: committed only if the strategy reports it as ok or iterate. */
  readonly payloads: readonly StoredPayload[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Why it failed, for result `failure`; null otherwise or when the algorithm itself said so. */
  readonly error: string | null;
}

/** A result the strategy reported, in order. `execution` = seq of the execution whose payloads it commits or discards. */
export interface ReportedResult {
  readonly seq: number;
  readonly execution: number;
  readonly iov: Iov;
  readonly result: AlgorithmResult;
}
