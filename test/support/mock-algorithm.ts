// The mock algorithm of shared/spec/strategies.json, and a driver that runs a strategy with it in memory.
import type { AlgorithmResult, FinalState } from '../../src/domain/calibration.ts';
import { type Iov, type Run, runKey } from '../../src/domain/iov.ts';
import { selectRuns } from '../../src/strategies/select-runs.ts';
import type { Strategy, StrategyAnswer } from '../../src/strategies/strategy.ts';

export interface MockAlgorithm {
  readonly minEntries: number;
  readonly failRuns: readonly Run[];
  readonly iterateRuns: readonly Run[];
  /** An execution over at least so many runs fails; null = never. */
  readonly failIfRunCountAtLeast: number | null;
}

export interface StrategyCase {
  readonly data: readonly (readonly [experiment: number, run: number, entries: number])[];
  readonly algorithm?: Partial<MockAlgorithm>;
  readonly requestedIov?: Iov | null;
  readonly ignoredRuns?: readonly Run[];
  /** The answer to find-boundaries. */
  readonly boundaries?: unknown;
}

export interface Driven {
  readonly executions: readonly { readonly runs: readonly Run[]; readonly iov: Iov; readonly result: AlgorithmResult }[];
  /** Labels of the reported results that commit. */
  readonly commits: readonly Iov[];
  readonly results: readonly { readonly iov: Iov; readonly result: AlgorithmResult }[];
  readonly gaps: readonly Iov[] | null;
  readonly finalState: FinalState;
  readonly reason?: string;
  /** Runs handed to the algorithm, all executions together: the cost that must not be quadratic. */
  readonly runsRead: number;
  /** Runs the strategy asked boundaries for; null = it did not ask. */
  readonly askedFor: readonly Run[] | null;
}

export function driveStrategy(strategy: Strategy, strategyCase: StrategyCase): Driven {
  const { minEntries = 100, failRuns = [], iterateRuns = [], failIfRunCountAtLeast = null } = strategyCase.algorithm ?? {};
  const entries = new Map(strategyCase.data.map(([experiment, run, count]) => [runKey([experiment, run]), count]));
  const failing = new Set(failRuns.map(runKey));
  const iterating = new Set(iterateRuns.map(runKey));
  const judge = (runs: readonly Run[]): AlgorithmResult => {
    if (runs.some((run) => failing.has(runKey(run)))) return 'failure';
    if (runs.reduce((sum, run) => sum + (entries.get(runKey(run)) ?? 0), 0) < minEntries) return 'not-enough-data';
    if (failIfRunCountAtLeast !== null && runs.length >= failIfRunCountAtLeast) return 'failure';
    return runs.some((run) => iterating.has(runKey(run))) ? 'iterate' : 'ok';
  };

  const collected = strategyCase.data.map(([experiment, run]): Run => [experiment, run]);
  const runs = selectRuns(collected, strategyCase.requestedIov ?? null, strategyCase.ignoredRuns ?? []);
  const executions: Driven['executions'][number][] = [];
  const results: Driven['results'][number][] = [];
  let runsRead = 0;
  let askedFor: readonly Run[] | null = null;

  const generator = strategy.run({ runs, iteration: 0 });
  let answer: StrategyAnswer;
  for (;;) {
    const step = generator.next(answer);
    if (step.done === true) {
      const commits = results.filter(({ result }) => result === 'ok' || result === 'iterate').map(({ iov }) => iov);
      return { executions, commits, results, runsRead, askedFor, ...step.value };
    }
    const request = step.value;
    answer = undefined;
    switch (request.type) {
      case 'execute': {
        const result = judge(request.runs);
        runsRead += request.runs.length;
        executions.push({ runs: request.runs, iov: request.iov, result });
        answer = result;
        break;
      }
      case 'report': {
        const execution = executions[request.execution];
        if (execution === undefined) throw new Error(`execution ${request.execution} was never run`);
        if (execution.result !== request.result) throw new Error(`execution ${request.execution} is reported as ${request.result}`);
        results.push({ iov: request.iov, result: request.result });
        break;
      }
      case 'find-boundaries':
        askedFor = request.runs;
        answer = strategyCase.boundaries as readonly Run[];
        break;
    }
  }
}
