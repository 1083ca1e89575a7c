// singleIov: one execution over all selected runs, one label.
import { checkIov, EVERYTHING, type Iov } from '../domain/iov.ts';
import { readOptions } from './options.ts';
import type { Strategy } from './strategy.ts';
import { StrategyLog } from './strategy-log.ts';

export interface SingleIovOptions {
  /** The label of the payloads; default: from the first to the last run that was used. It is not compared with the data. */
  readonly applyIov?: Iov | undefined;
}

/** One execution over all selected runs: it succeeds or the strategy fails. Never throws; wrong options become `problems`. */
export function singleIov(options: SingleIovOptions = {}): Strategy {
  const { values, problems } = readOptions('singleIov', options, { applyIov: checkIov });
  const applyIov = values.applyIov ?? null;
  return {
    name: 'singleIov',
    options: { applyIov },
    granularities: ['run', 'all'],
    problems,
    *run({ runs }) {
      const log = new StrategyLog();
      const first = runs[0];
      const last = runs.at(-1);
      // With granularity 'all' the runs may be unknown: such data are valid for everything.
      const span: Iov = first === undefined || last === undefined ? EVERYTHING : [first[0], first[1], last[0], last[1]];
      yield* log.report(yield* log.execute(runs, applyIov ?? span));
      return log.end({ writesGaps: false, allowsFailures: false });
    },
  };
}
