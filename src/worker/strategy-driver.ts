// Drives a strategy's generator: executions are answered from an earlier invocation's record or run, reports are passed on.
import type { AlgorithmResult } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import type { ExecutionRecord, ReportedResult } from '../domain/execution.ts';
import type { Iov, Run } from '../domain/iov.ts';
import { unreachable } from '../domain/result.ts';
import type { Strategy, StrategyAnswer, StrategyContext, StrategyEnd, StrategyRequest } from '../strategies/strategy.ts';

/** What a strategy's wishes are granted with. */
export interface StrategyHands {
  /** Never rejects for what the algorithm does wrong: that is a record with result `failure`. */
  execute(seq: number, runs: readonly Run[], iov: Iov): Promise<ExecutionRecord>;
  /** Rejects when the algorithm cannot tell: the strategy then fails. */
  findBoundaries(runs: readonly Run[]): Promise<readonly Run[]>;
  started(seq: number, runs: readonly Run[], iov: Iov): Promise<void>;
  finished(execution: ExecutionRecord): Promise<void>;
  reported(report: ReportedResult): Promise<void>;
}

export interface StrategySummary extends StrategyEnd {
  /** Payloads of all results reported as ok or iterate. */
  readonly payloads: number;
}

/**
 * Recorded executions are not run again and not announced again; reports are, each with the number it had.
 * Rejects with CAF_ALGORITHM_CHANGED when the recorded executions are not those the strategy asks for, with an Error when it breaks its contract.
 */
export async function driveStrategy(
  strategy: Pick<Strategy, 'name' | 'run'>,
  context: StrategyContext,
  recorded: readonly ExecutionRecord[],
  hands: StrategyHands,
): Promise<StrategySummary> {
  const executions: ExecutionRecord[] = [];
  let reports = 0;
  let payloads = 0;

  const execute = async (runs: readonly Run[], iov: Iov): Promise<AlgorithmResult> => {
    const seq = executions.length;
    const known = recorded[seq];
    if (known !== undefined) {
      if (!isSame(known.runs, runs) || !isSame(known.iov, iov) || known.seq !== seq) {
        throw new CafError(
          'CAF_ALGORITHM_CHANGED',
          `Execution ${seq} was done for runs ${JSON.stringify(known.runs)}, IoV ${JSON.stringify(known.iov)}, ` +
            `but strategy ${strategy.name} now asks for runs ${JSON.stringify(runs)}, IoV ${JSON.stringify(iov)}`,
          { hint: 'let findBoundaries, and a strategy of your own, answer the same for the same data; caf reset begins anew' },
        );
      }
      executions.push(known);
      return known.result;
    }
    await hands.started(seq, runs, iov);
    const execution = await hands.execute(seq, runs, iov);
    await hands.finished(execution);
    executions.push(execution);
    return execution.result;
  };

  const report = async (request: Extract<StrategyRequest, { type: 'report' }>): Promise<void> => {
    const execution = executions[request.execution];
    if (execution === undefined) {
      throw new Error(`strategy ${strategy.name} reported execution ${request.execution}, but only ${executions.length} were run`);
    }
    if (isGood(request.result)) {
      if (!isGood(execution.result)) {
        throw new Error(
          `strategy ${strategy.name} reported execution ${request.execution} as ${request.result}, but its result was ${execution.result}`,
        );
      }
      payloads += execution.payloads.length;
    }
    await hands.reported({ seq: reports, execution: request.execution, iov: request.iov, result: request.result });
    reports += 1;
  };

  const grant = async (request: StrategyRequest): Promise<StrategyAnswer> => {
    switch (request.type) {
      case 'execute':
        return execute(request.runs, request.iov);
      case 'report':
        await report(request);
        return undefined;
      case 'find-boundaries':
        return hands.findBoundaries(request.runs);
      default:
        return unreachable(request);
    }
  };

  const wishes = strategy.run(context);
  let step = wishes.next();
  while (step.done !== true) step = wishes.next(await grant(step.value));
  return { ...step.value, payloads };
}

const isGood = (result: AlgorithmResult): boolean => result === 'ok' || result === 'iterate';
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
