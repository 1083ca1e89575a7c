// Runs one algorithm under its strategy, in a forked child process; what it does streams back as it happens.
import type { FinalState } from '../domain/calibration.ts';
import type { ErrorText } from '../domain/event.ts';
import type { ExecutionRecord, ReportedResult } from '../domain/execution.ts';
import type { Iov, Run } from '../domain/iov.ts';
import type { StrategyJob } from '../worker/contract.ts';

export interface AlgorithmListener {
  ready(runs: readonly Run[]): void;
  executionStarted(seq: number, runs: readonly Run[], iov: Iov): void;
  executionFinished(execution: ExecutionRecord): void;
  resultReported(report: ReportedResult): void;
  warning(message: string): void;
}

export interface AlgorithmOutcome {
  readonly finalState: FinalState;
  readonly gaps: readonly Iov[] | null;
  /** Why the child or the strategy failed beyond the reported results; null otherwise. */
  readonly error: ErrorText | null;
  /** True: it was ended because `signal` aborted; this says nothing about the algorithm. */
  readonly cancelled?: boolean;
}

export interface AlgorithmRun {
  readonly job: StrategyJob;
  /** Per execution; the child is ended when one takes longer. */
  readonly executionTimeLimitMs: number;
  /** Of the child and its programs together; null = not limited. */
  readonly memoryLimitBytes: number | null;
  /** Complete environment of the child and its programs. */
  readonly env: Readonly<Record<string, string>>;
}

/** Replaceable by users. Never rejects: a child that crashes, hangs or says nothing is an outcome with an error. */
export interface AlgorithmsRunner {
  run(run: AlgorithmRun, listener: AlgorithmListener, signal: AbortSignal): Promise<AlgorithmOutcome>;
}
