// sequentialRunByRun: runs in order, merged until there are enough data; labels tile each experiment.
import { checkIov, type Iov } from '../domain/iov.ts';
import { readOptions, readStepSize } from './options.ts';
import { coverageProblem, executePieces, type Piece, type Span, spansOf } from './sequence.ts';
import type { Strategy } from './strategy.ts';
import { cannotGoOn, StrategyLog } from './strategy-log.ts';

export interface SequentialRunByRunOptions {
  /** Runs added at a time; default 1. */
  readonly stepSize?: number | undefined;
  /** Stretches the start of the first label and the end of the last; it must enclose the data. Default: the data. */
  readonly coverage?: Iov | undefined;
}

/**
 * Runs in order, `stepSize` at a time; runs without enough data are merged with the following ones, the last ones with those before.
 * A payload is valid up to the run before the next data. Never throws; wrong options become `problems`.
 */
export function sequentialRunByRun(options: SequentialRunByRunOptions = {}): Strategy {
  const { values, problems } = readOptions('sequentialRunByRun', options, { stepSize: readStepSize, coverage: checkIov });
  const stepSize = values.stepSize ?? 1;
  const coverage = values.coverage ?? null;
  return {
    name: 'sequentialRunByRun',
    options: { stepSize, coverage },
    granularities: ['run'],
    problems,
    *run({ runs }) {
      const problem = coverageProblem(runs, coverage);
      if (problem !== null) return cannotGoOn(problem);
      const log = new StrategyLog();
      for (const span of spansOf(runs, coverage)) yield* executePieces(log, piecesOf(span, stepSize), span);
      return log.end({ writesGaps: true, allowsFailures: false });
    },
  };
}

const piecesOf = ({ runs }: Span, stepSize: number): readonly Piece[] => {
  const pieces: Piece[] = [];
  for (let index = 0; index < runs.length; index += stepSize) {
    const start = runs[index];
    if (start !== undefined) pieces.push({ start, runs: runs.slice(index, index + stepSize) });
  }
  return pieces;
};
