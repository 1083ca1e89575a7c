// The two sequential strategies: what is executed, in which order it is reported, and which labels it gets.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains, covers, type Iov, intersect, type Run, runKey } from '../../src/domain/iov.ts';
import { sequentialBoundaries } from '../../src/strategies/sequential-boundaries.ts';
import { sequentialRunByRun } from '../../src/strategies/sequential-run-by-run.ts';
import { type Driven, driveStrategy } from '../support/mock-algorithm.ts';

/** `runs@label=result` per line, the way a person would tell it. */
const told = ({ executions, results }: Driven) => ({
  executions: executions.map(({ runs, iov, result }) => `${runs.map((run) => run.join('.')).join(' ')} @ ${iov} ${result}`),
  results: results.map(({ iov, result }) => `${iov} ${result}`),
});

describe('sequentialRunByRun', () => {
  test('a held success is reported before a later failure, and the next experiment is still attempted', () => {
    const driven = driveStrategy(sequentialRunByRun(), {
      data: [
        [1, 1, 100],
        [1, 2, 100],
        [1, 3, 100],
        [2, 5, 100],
      ],
      algorithm: { failRuns: [[1, 2]] },
    });
    expect(told(driven)).toEqual({
      executions: ['1.1 @ 1,1,1,1 ok', '1.2 @ 1,2,1,2 failure', '2.5 @ 2,0,2,5 ok'],
      results: ['1,1,1,1 ok', '1,2,1,2 failure', '2,0,2,5 ok'],
    });
    expect(driven.finalState).toBe('failed');
    expect(driven.gaps).toEqual([]);
  });

  test('when the tail merged into the held success fails, the held success keeps its own label', () => {
    const driven = driveStrategy(sequentialRunByRun(), {
      data: [
        [1, 1, 100],
        [1, 4, 100],
        [1, 6, 10],
        [1, 9, 10],
      ],
      algorithm: { failIfRunCountAtLeast: 3 },
    });
    expect(told(driven)).toEqual({
      executions: [
        '1.1 @ 1,1,1,3 ok',
        '1.4 @ 1,4,1,5 ok',
        '1.6 @ 1,6,1,8 not-enough-data',
        '1.6 1.9 @ 1,6,1,9 not-enough-data',
        '1.4 1.6 1.9 @ 1,4,1,9 failure',
      ],
      results: ['1,1,1,3 ok', '1,4,1,5 ok', '1,4,1,9 failure'],
    });
    expect(driven.commits).toEqual([
      [1, 1, 1, 3],
      [1, 4, 1, 5],
    ]);
    expect(driven.finalState).toBe('failed');
  });

  test('an experiment that never has enough data is reported once, over its whole range', () => {
    const driven = driveStrategy(sequentialRunByRun(), {
      data: [
        [1, 5, 10],
        [1, 8, 10],
        [2, 1, 100],
      ],
    });
    expect(told(driven)).toEqual({
      executions: ['1.5 @ 1,5,1,7 not-enough-data', '1.5 1.8 @ 1,5,1,-1 not-enough-data', '2.1 @ 2,0,2,1 ok'],
      results: ['1,5,1,-1 not-enough-data', '2,0,2,1 ok'],
    });
    expect(driven.finalState).toBe('failed');
  });

  test('a merged tail that says iterate is a success', () => {
    const driven = driveStrategy(sequentialRunByRun(), {
      data: [
        [1, 1, 100],
        [1, 2, 10],
      ],
      algorithm: { iterateRuns: [[1, 2]] },
    });
    expect(told(driven).results).toEqual(['1,1,1,2 iterate']);
    expect(driven.finalState).toBe('completed');
  });

  test.each<{ readonly what: string; readonly requestedIov: Iov | null }>([
    { what: 'without a requested IoV', requestedIov: null },
    { what: 'together with a requested IoV', requestedIov: [1, 1, 1, 4] },
  ])('ignored runs are not executed $what, and the payload before covers them', ({ requestedIov }) => {
    const driven = driveStrategy(sequentialRunByRun(), {
      data: [
        [1, 1, 100],
        [1, 2, 100],
        [1, 4, 100],
      ],
      requestedIov,
      ignoredRuns: [[1, 2]],
    });
    expect(told(driven).executions).toEqual(['1.1 @ 1,1,1,3 ok', '1.4 @ 1,4,1,4 ok']);
  });

  test('coverage reaches into experiments without data', () => {
    const driven = driveStrategy(sequentialRunByRun({ coverage: [0, 0, 9, -1] }), { data: [[4, 2, 100]] });
    expect(told(driven).results).toEqual(['0,0,9,-1 ok']);
  });

  test('coverage that does not enclose the data is refused before anything is executed', () => {
    const driven = driveStrategy(sequentialRunByRun({ coverage: [1, 2, 1, 9] }), {
      data: [
        [1, 1, 100],
        [1, 12, 100],
      ],
    });
    expect(driven.executions).toEqual([]);
    expect(driven.finalState).toBe('failed');
    expect(driven.reason).toBe('coverage [1, 2, 1, 9] does not enclose the data, which go from run [1, 1] to run [1, 12]');
  });

  test.each([2_000, 200_000])('%i runs that all succeed are each read once', (count) => {
    const data = Array.from({ length: count }, (_, index): [number, number, number] => [Math.floor(index / 5_000), index, 100]);
    const driven = driveStrategy(sequentialRunByRun(), { data });
    expect(driven.runsRead).toBe(count);
    expect(driven.executions.length).toBe(count);
    expect(driven.results.length).toBe(count);
  });
});

describe('sequentialBoundaries', () => {
  const data: [number, number, number][] = [
    [1, 1, 100],
    [1, 5, 100],
    [2, 3, 100],
    [2, 8, 100],
  ];

  test('boundaries may be unordered, repeated, and from experiments without data', () => {
    const boundaries: Run[] = [
      [2, 7],
      [0, 3],
      [1, 4],
      [9, 9],
      [2, 7],
      [1, 4],
      [1, 3],
    ];
    expect(told(driveStrategy(sequentialBoundaries({ boundaries }), { data }))).toEqual({
      executions: ['1.1 @ 1,1,1,3 ok', '1.5 @ 1,4,1,-1 ok', '2.3 @ 2,0,2,6 ok', '2.8 @ 2,7,2,8 ok'],
      results: ['1,1,1,3 ok', '1,4,1,-1 ok', '2,0,2,6 ok', '2,7,2,8 ok'],
    });
  });

  test.each([
    { what: 'an empty option', strategy: sequentialBoundaries({ boundaries: [] }) },
    { what: 'an empty answer of findBoundaries', strategy: sequentialBoundaries() },
  ])('$what means one payload per experiment', ({ strategy }) => {
    expect(told(driveStrategy(strategy, { data, boundaries: [] })).executions).toEqual(['1.1 1.5 @ 1,1,1,-1 ok', '2.3 2.8 @ 2,0,2,8 ok']);
  });

  test('are the same option in whatever order they are written, and however often', () => {
    const written = sequentialBoundaries({
      boundaries: [
        [1, 4],
        [1, 2],
        [1, 4],
      ],
    });
    expect(written.options).toEqual(
      sequentialBoundaries({
        boundaries: [
          [1, 2],
          [1, 4],
        ],
      }).options,
    );
    expect(sequentialBoundaries({ boundaries: [] }).options).not.toEqual(sequentialBoundaries().options);
  });

  test('findBoundaries is asked about the selected runs, only when no boundaries are given', () => {
    const strategyCase = { data, boundaries: [[1, 2]], ignoredRuns: [[2, 8]] as Run[] };
    expect(sequentialBoundaries().asksForBoundaries).toBe(true);
    expect(driveStrategy(sequentialBoundaries(), strategyCase).askedFor).toEqual([
      [1, 1],
      [1, 5],
      [2, 3],
    ]);
    expect(sequentialBoundaries({ boundaries: [] }).asksForBoundaries).toBe(false);
    expect(driveStrategy(sequentialBoundaries({ boundaries: [] }), strategyCase).askedFor).toBeNull();
  });

  test.each([
    { answer: undefined, reason: /findBoundaries gave no list of runs.*found undefined/ },
    { answer: [[1, -1]], reason: /findBoundaries gave no list of runs.*1,-1/ },
    { answer: [[1]], reason: /findBoundaries gave no list of runs.*\[1\]/ },
  ])('the answer $answer of findBoundaries fails with a reason', ({ answer, reason }) => {
    const driven = driveStrategy(sequentialBoundaries(), { data, boundaries: answer });
    expect(driven.finalState).toBe('failed');
    expect(driven.reason).toMatch(reason);
    expect(driven.executions).toEqual([]);
  });

  test('segments without data vanish: the one before lasts until the next with data, leading and trailing ones leave no trace', () => {
    const boundaries: Run[] = [
      [1, 2],
      [1, 4],
      [1, 6],
      [1, 8],
      [1, 10],
      [1, 30],
    ];
    const driven = driveStrategy(sequentialBoundaries({ boundaries }), {
      data: [
        [1, 5, 100],
        [1, 9, 100],
        [1, 12, 100],
      ],
    });
    expect(told(driven).results).toEqual(['1,5,1,7 ok', '1,8,1,9 ok', '1,10,1,12 ok']);
  });

  test('a failure ends its experiment only, after the held success', () => {
    const driven = driveStrategy(sequentialBoundaries({ boundaries: [[1, 4]] }), { data, algorithm: { failRuns: [[1, 5]] } });
    expect(told(driven).results).toEqual(['1,1,1,3 ok', '1,4,1,-1 failure', '2,0,2,8 ok']);
    expect(driven.finalState).toBe('failed');
    expect(driven.gaps).toEqual([]);
  });

  test('a last segment without enough data and nothing before it is reported', () => {
    const driven = driveStrategy(sequentialBoundaries({ boundaries: [] }), { data: [[3, 4, 10]] });
    expect(told(driven).results).toEqual(['3,4,3,4 not-enough-data']);
    expect(driven.finalState).toBe('failed');
  });

  test('200000 runs between 20000 boundaries are each read once', () => {
    const runs = Array.from({ length: 200_000 }, (_, run): [number, number, number] => [1, run, 100]);
    const boundaries = Array.from({ length: 20_000 }, (_, index): Run => [1, index * 10]);
    const driven = driveStrategy(sequentialBoundaries({ boundaries }), { data: runs });
    expect(driven.runsRead).toBe(200_000);
    expect(driven.executions.length).toBe(20_000);
  });
});

const runsArbitrary = fc
  .uniqueArray(fc.tuple(fc.nat(3), fc.nat(40)), { minLength: 1, maxLength: 40, selector: (run) => runKey(run) })
  .map((runs) => runs as readonly Run[]);

describe('whatever the data are', () => {
  const expectTiling = (driven: Driven, runs: readonly Run[], coverage: Iov | null) => {
    const labels = driven.commits;
    for (const [index, label] of labels.entries()) {
      for (const other of labels.slice(index + 1)) expect(intersect(label, other)).toBeNull();
    }
    const sorted = [...runs].sort((a, b) => runKey(a) - runKey(b));
    const [first, last] = [sorted[0]!, sorted.at(-1)!];
    const outer: Iov = coverage ?? [...first, ...last];
    for (const experiment of new Set(runs.map((run) => run[0]))) {
      const range = intersect(outer, [experiment, 0, experiment, -1])!;
      expect(covers(labels, range)).toBe(true);
    }
    expect(labels.every((label) => covers([outer], label))).toBe(true);
    expect(driven.gaps).toEqual([]);
    expect(driven.finalState).toBe('completed');
  };

  test('labels are disjoint and tile each experiment between the outer ends when all succeeds', () => {
    fc.assert(
      fc.property(
        runsArbitrary,
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom(null, [0, 0, -1, -1] as Iov),
        (runs, stepSize, coverage) => {
          const data = runs.map(([experiment, run]): [number, number, number] => [experiment, run, 100]);
          const driven = driveStrategy(sequentialRunByRun({ stepSize, coverage: coverage ?? undefined }), { data });
          expectTiling(driven, runs, coverage);
          const perExperiment = Map.groupBy(runs, ([experiment]) => experiment);
          const expected = [...perExperiment.values()].reduce((sum, some) => sum + Math.ceil(some.length / stepSize), 0);
          expect(driven.executions.length).toBe(expected);
        },
      ),
    );
  });

  test('labels between boundaries are disjoint and tile, too, and no execution crosses a boundary', () => {
    fc.assert(
      fc.property(runsArbitrary, fc.array(fc.tuple(fc.nat(4), fc.nat(45)), { maxLength: 12 }), (runs, boundaries) => {
        const data = runs.map(([experiment, run]): [number, number, number] => [experiment, run, 100]);
        const driven = driveStrategy(sequentialBoundaries({ boundaries }), { data });
        expectTiling(driven, runs, null);
        for (const execution of driven.executions) {
          const [first, last] = [execution.runs[0]!, execution.runs.at(-1)!];
          expect(boundaries.some((boundary) => runKey(boundary) > runKey(first) && runKey(boundary) <= runKey(last))).toBe(false);
        }
      }),
    );
  });

  test('executions use selected runs only, each label holds its runs, every success is reported or merged, and bad results fail', () => {
    const dataArbitrary = fc.uniqueArray(fc.tuple(fc.nat(2), fc.nat(20), fc.constantFrom(20, 60, 100)), {
      minLength: 1,
      maxLength: 25,
      selector: ([experiment, run]) => runKey([experiment, run]),
    });
    const someRuns = fc.array(fc.tuple(fc.nat(2), fc.nat(20)), { maxLength: 4 });
    const strategies = fc.oneof(
      fc.integer({ min: 1, max: 4 }).map((stepSize) => sequentialRunByRun({ stepSize })),
      someRuns.map((boundaries) => sequentialBoundaries({ boundaries })),
    );
    fc.assert(
      fc.property(dataArbitrary, strategies, someRuns, someRuns, (data, strategy, failRuns, ignoredRuns) => {
        const ignored = new Set(ignoredRuns.map(runKey));
        fc.pre(data.some(([experiment, run]) => !ignored.has(runKey([experiment, run]))));
        const driven = driveStrategy(strategy, { data, algorithm: { failRuns }, ignoredRuns });
        const collected = new Set(data.map(([experiment, run]) => runKey([experiment, run])));
        for (const { runs, iov } of driven.executions) {
          for (const run of runs) {
            expect(collected.has(runKey(run)) && !ignored.has(runKey(run))).toBe(true);
            expect(contains(iov, run)).toBe(true);
          }
        }
        // No success is lost: each run that was part of one is covered by a committed label.
        for (const { runs, result } of driven.executions) {
          if (result !== 'ok') continue;
          for (const run of runs) expect(driven.commits.some((label) => contains(label, run))).toBe(true);
        }
        expect(driven.finalState).toBe(driven.results.some(({ result }) => result !== 'ok') ? 'failed' : 'completed');
      }),
    );
  });
});
