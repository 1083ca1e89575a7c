// What all strategies of caf share: it numbers the executions, remembers what was reported and draws the conclusion.
import type { AlgorithmResult } from '../domain/calibration.ts';
import { gaps, type Iov, type Run } from '../domain/iov.ts';
import type { StrategyAnswer, StrategyEnd, StrategyRequest } from './strategy.ts';

export interface Execution {
  /** 0 = the first. */
  readonly number: number;
  readonly runs: readonly Run[];
  readonly iov: Iov;
  readonly result: AlgorithmResult;
}

/** `ok` and `iterate` commit their payloads. */
export const isSuccess = (result: AlgorithmResult): boolean => result === 'ok' || result === 'iterate';

export class StrategyLog {
  readonly #labels: Iov[] = [];
  #executions = 0;
  #bad = 0;

  *execute(runs: readonly Run[], iov: Iov): Generator<StrategyRequest, Execution, StrategyAnswer> {
    const result = (yield { type: 'execute', runs, iov }) as AlgorithmResult;
    return { number: this.#executions++, runs, iov, result };
  }

  *report({ number, iov, result }: Execution): Generator<StrategyRequest, void, StrategyAnswer> {
    this.#labels.push(iov);
    if (!isSuccess(result)) this.#bad++;
    yield { type: 'report', execution: number, iov, result };
  }

  /** Completed if every reported result is a success (or need not be). Gaps are told after a failure, too. */
  end(options: { readonly writesGaps: boolean; readonly allowsFailures: boolean }): StrategyEnd {
    return {
      finalState: this.#bad === 0 || options.allowsFailures ? 'completed' : 'failed',
      gaps: options.writesGaps ? gaps(this.#labels) : null,
    };
  }
}

/** The end of a strategy that cannot begin, or not go on. */
export const cannotGoOn = (reason: string): StrategyEnd => ({ finalState: 'failed', gaps: [], reason });
