// sequentialBoundaries: one payload from each boundary to the next; segments without enough data are merged.
import { errorText } from '../domain/errors.ts';
import { checkIov, type Iov, type Run, runKey, sortRuns } from '../domain/iov.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { readOptions, readRuns } from './options.ts';
import { coverageProblem, executePieces, type Piece, type Span, spansOf } from './sequence.ts';
import type { Strategy } from './strategy.ts';
import { cannotGoOn, StrategyLog } from './strategy-log.ts';

export interface SequentialBoundariesOptions {
  /**
   * Runs at which a new interval begins, in any order; `[]` = one payload per experiment. Default: the algorithm's `findBoundaries` is asked.
   * An experiment always begins a new interval, too.
   */
  readonly boundaries?: readonly Run[] | undefined;
  /** Stretches the start of the first label and the end of the last; it must enclose the data. Default: the data. */
  readonly coverage?: Iov | undefined;
}

/** One payload per interval between boundaries that holds data. Never throws; wrong options become `problems`. */
export function sequentialBoundaries(options: SequentialBoundariesOptions = {}): Strategy {
  const { values, problems } = readOptions('sequentialBoundaries', options, { boundaries: readRuns, coverage: checkIov });
  // As they are used: their order says nothing, and must not redo what was made with another.
  const given = values.boundaries === undefined ? null : sortRuns(values.boundaries);
  const coverage = values.coverage ?? null;
  return {
    name: 'sequentialBoundaries',
    options: { boundaries: given, coverage },
    granularities: ['run'],
    problems,
    asksForBoundaries: given === null,
    *run({ runs }) {
      const problem = coverageProblem(runs, coverage);
      if (problem !== null) return cannotGoOn(problem);
      const found = readAnswer(given ?? (yield { type: 'find-boundaries', runs }));
      if (!found.ok) return cannotGoOn(`findBoundaries gave no list of runs. ${found.error}`);
      const sorted = found.value;
      const log = new StrategyLog();
      let next = 0;
      for (const span of spansOf(runs, coverage)) {
        while ((sorted[next]?.[0] ?? Infinity) < span.experiment) next++;
        const from = next;
        while (sorted[next]?.[0] === span.experiment) next++;
        yield* executePieces(log, piecesOf(span, sorted.slice(from, next)), span);
      }
      return log.end({ writesGaps: true, allowsFailures: false });
    },
  };
}

const readAnswer = (answer: unknown): Result<readonly Run[], string> => {
  try {
    return ok(sortRuns(readRuns(answer)));
  } catch (error) {
    return err(errorText(error).message);
  }
};

/** The segments that hold runs: an empty one vanishes, and the piece before it lasts until the next one that is not empty. */
const piecesOf = ({ experiment, runs }: Span, boundaries: readonly Run[]): readonly Piece[] => {
  const pieces: { readonly start: Run; readonly runs: Run[] }[] = [];
  let start: Run = [experiment, 0];
  let next = 0;
  let open = false;
  for (const run of runs) {
    for (let boundary = boundaries[next]; boundary !== undefined && runKey(boundary) <= runKey(run); boundary = boundaries[next]) {
      start = boundary;
      open = false;
      next++;
    }
    const piece = pieces.at(-1);
    if (open && piece !== undefined) piece.runs.push(run);
    else pieces.push({ start, runs: [run] });
    open = true;
  }
  return pieces;
};
