// What sequentialRunByRun and sequentialBoundaries have in common: pieces in order, merged forwards while data are missing.
import { contains, type Iov, type Run } from '../domain/iov.ts';
import { unreachable } from '../domain/result.ts';
import type { StrategyAnswer, StrategyRequest } from './strategy.ts';
import { type Execution, isSuccess, type StrategyLog } from './strategy-log.ts';

/** The smallest part that is executed: its runs, and where its label begins. The label ends before the next piece. */
export interface Piece {
  readonly start: Run;
  readonly runs: readonly Run[];
}

/** One experiment: its runs, and the two ends of all its labels together. */
export interface Span {
  readonly experiment: number;
  readonly runs: readonly Run[];
  readonly lowest: Run;
  /** May be open: `[experiment, -1]` or `[-1, -1]`. */
  readonly highest: readonly [experiment: number, run: number];
}

/**
 * The experiments in order. Inner borders are open (from run 0, to -1), so that the labels leave no hole in an experiment;
 * the outer ends follow the coverage, or without it the data.
 */
export function spansOf(runs: readonly Run[], coverage: Iov | null): readonly Span[] {
  const groups = splitByExperiment(runs);
  return groups.flatMap((group, index) => {
    const first = group[0];
    const last = group.at(-1);
    if (first === undefined || last === undefined) return [];
    const experiment = first[0];
    const lowest: Run = index > 0 ? [experiment, 0] : coverage === null ? first : [coverage[0], coverage[1]];
    const highest =
      index < groups.length - 1 ? ([experiment, -1] as const) : coverage === null ? last : ([coverage[2], coverage[3]] as const);
    return [{ experiment, runs: group, lowest, highest }];
  });
}

/** Why this coverage cannot label these runs, or null. The reference leaves it unchecked and makes labels that end before they begin. */
export function coverageProblem(runs: readonly Run[], coverage: Iov | null): string | null {
  const first = runs[0];
  const last = runs.at(-1);
  if (first === undefined || last === undefined) return 'there are no runs';
  if (coverage === null || (contains(coverage, first) && contains(coverage, last))) return null;
  return `coverage [${coverage.join(', ')}] does not enclose the data, which go from run [${first.join(', ')}] to run [${last.join(', ')}]`;
}

/**
 * Executes the pieces of one experiment in order. A success is held back until the next one, because a tail without enough data is merged
 * into it; it is never lost: whatever else fails, it is reported first, with its own label. A failure ends the experiment.
 */
export function* executePieces(log: StrategyLog, pieces: readonly Piece[], span: Span): Generator<StrategyRequest, void, StrategyAnswer> {
  let held: Execution | null = null;
  /** The last execution, when it lacked data: its runs wait for more. */
  let waiting: Execution | null = null;
  for (const [index, piece] of pieces.entries()) {
    const next = pieces[index + 1];
    const runs: readonly Run[] = waiting === null ? piece.runs : waiting.runs.concat(piece.runs);
    const [expLow, runLow]: readonly number[] = waiting === null ? (index === 0 ? span.lowest : piece.start) : waiting.iov;
    const [expHigh, runHigh] = next === undefined ? span.highest : [next.start[0], next.start[1] - 1];
    const execution: Execution = yield* log.execute(runs, [expLow ?? 0, runLow ?? 0, expHigh, runHigh]);
    switch (execution.result) {
      case 'ok':
      case 'iterate':
        if (held !== null) yield* log.report(held);
        held = execution;
        waiting = null;
        break;
      case 'not-enough-data':
        waiting = execution;
        break;
      case 'failure':
        if (held !== null) yield* log.report(held);
        yield* log.report(execution);
        return;
      default:
        unreachable(execution.result);
    }
  }
  if (held === null) {
    if (waiting !== null) yield* log.report(waiting);
    return;
  }
  if (waiting === null) {
    yield* log.report(held);
    return;
  }
  const merged = yield* log.execute(held.runs.concat(waiting.runs), [held.iov[0], held.iov[1], ...span.highest]);
  if (!isSuccess(merged.result)) yield* log.report(held);
  yield* log.report(merged);
}

/** Neighbouring runs of one experiment together. `runs` are sorted. */
function splitByExperiment(runs: readonly Run[]): readonly (readonly Run[])[] {
  const groups: Run[][] = [];
  let current: Run[] = [];
  for (const run of runs) {
    if (current[0] !== undefined && current[0][0] === run[0]) {
      current.push(run);
    } else {
      current = [run];
      groups.push(current);
    }
  }
  return groups;
}
