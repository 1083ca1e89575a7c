// simpleRunByRun: each run alone, labelled with that run.
import { singleRun } from '../domain/iov.ts';
import { readBoolean, readOptions } from './options.ts';
import type { Strategy } from './strategy.ts';
import { StrategyLog } from './strategy-log.ts';

export interface SimpleRunByRunOptions {
  /** Complete although runs failed or lacked data; default false. They are left as holes. */
  readonly allowFailures?: boolean | undefined;
}

/** Every run on its own, whatever became of the others. Never throws; wrong options become `problems`. */
export function simpleRunByRun(options: SimpleRunByRunOptions = {}): Strategy {
  const { values, problems } = readOptions('simpleRunByRun', options, { allowFailures: readBoolean });
  const allowFailures = values.allowFailures ?? false;
  return {
    name: 'simpleRunByRun',
    options: { allowFailures },
    granularities: ['run'],
    problems,
    *run({ runs }) {
      const log = new StrategyLog();
      for (const run of runs) yield* log.report(yield* log.execute([run], singleRun(run)));
      return log.end({ writesGaps: true, allowsFailures: allowFailures });
    },
  };
}
