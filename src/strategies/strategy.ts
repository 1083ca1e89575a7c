// The contract of a strategy: a pure generator that yields what it wants next and receives the answer.
import type { AlgorithmResult, FinalState, Granularity } from '../domain/calibration.ts';
import type { Iov, Run } from '../domain/iov.ts';

export interface StrategyContext {
  /** The selected runs: collected, inside the requested IoV, not ignored; sorted, unique, not empty. */
  readonly runs: readonly Run[];
  readonly iteration: number;
}

/** What a strategy can ask of its driver. */
export type StrategyRequest =
  /** Run the algorithm on these runs, labelled with this IoV. Answer: its result. */
  | { readonly type: 'execute'; readonly runs: readonly Run[]; readonly iov: Iov }
  /** Report execution number `execution` (0 = first yielded); `ok` and `iterate` commit its payloads. Answer: undefined. */
  | { readonly type: 'report'; readonly execution: number; readonly iov: Iov; readonly result: AlgorithmResult }
  /** Ask the algorithm where new intervals begin. Answer: the runs. */
  | { readonly type: 'find-boundaries'; readonly runs: readonly Run[] };

export type StrategyAnswer = AlgorithmResult | readonly Run[] | undefined;

export interface StrategyEnd {
  readonly finalState: FinalState;
  /** Gaps between the labels of all reported results; null = this strategy writes none. */
  readonly gaps: readonly Iov[] | null;
  /** Why it failed, when that is not told by the reported results. */
  readonly reason?: string;
}

export interface Strategy {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly granularities: readonly Granularity[];
  /** What is wrong with the options: each with its path inside them. Never throws. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
  /** True when run() yields find-boundaries: then the algorithm must have `findBoundaries`. Absent = false. */
  readonly asksForBoundaries?: boolean;
  run(context: StrategyContext): Generator<StrategyRequest, StrategyEnd, StrategyAnswer>;
}
