// Runs one algorithm under its strategy. CAF's own runner forks a child process; users may bring another (option algorithmsRunner).
import type { Container, FinalState } from './calibration.ts';
import type { ErrorText } from './event.ts';
import type { ExecutionRecord, ReportedResult } from './execution.ts';
import type { Iov, Run } from './iov.ts';

/** What there is to do: one algorithm of one iteration. */
export interface ProgramContainer extends Container {
  /** The programs' own variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of the results directory, which they may read. */
  readonly results: string;
  /** Limit of one execution. */
  readonly timeMs: number;
}

export interface StrategyJob {
  readonly configPath: string;
  readonly calibration: string;
  readonly algorithm: string;
  readonly iteration: number;
  /** Absolute working directory: `<calibration>/<iteration>/algorithms/<algorithm>`. */
  readonly directory: string;
  /** Absolute path of the results directory's object store. */
  readonly objects: string;
  /** File with the CollectedJob list (worker/contract.ts) as JSON lines, in the fixed order collection, job. */
  readonly dataFile: string;
  readonly chain: string;
  readonly conditions: string;
  readonly requestedIov: Iov | null;
  readonly ignoredRuns: readonly Run[];
  /** What its programs run in; null = nothing. */
  readonly container: ProgramContainer | null;
  /** Executions recorded by an earlier invocation: answered from here, not run again. */
  readonly recorded: readonly ExecutionRecord[];
}

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
  /** True: it was ended because `signal` aborted, or left off after `stopping`; this says nothing about the algorithm. */
  readonly cancelled?: boolean;
}

export interface AlgorithmRun {
  readonly job: StrategyJob;
  /** Per execution; the child is ended when one takes longer. */
  readonly executionTimeLimitMs: number;
  /** Of the child and its programs together; null = not limited. */
  readonly memoryLimitBytes: number | null;
  /** Aborted by Ctrl-C: the execution at work may end, no other should begin. A runner that cannot do that goes on until `signal` aborts. */
  readonly stopping: AbortSignal;
  /** Complete environment of the child and its programs. */
  readonly env: Readonly<Record<string, string>>;
}

/** Replaceable by users. Never rejects: a child that crashes, hangs or says nothing is an outcome with an error. */
export interface AlgorithmsRunner {
  run(run: AlgorithmRun, listener: AlgorithmListener, signal: AbortSignal): Promise<AlgorithmOutcome>;
}
