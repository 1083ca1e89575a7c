// singleIov, simpleRunByRun, the selection of runs, and what is said about wrong options.
import { describe, expect, test } from 'vitest';
import type { Iov, Run } from '../../src/domain/iov.ts';
import { selectRuns } from '../../src/strategies/select-runs.ts';
import { sequentialBoundaries } from '../../src/strategies/sequential-boundaries.ts';
import { sequentialRunByRun } from '../../src/strategies/sequential-run-by-run.ts';
import { simpleRunByRun } from '../../src/strategies/simple-run-by-run.ts';
import { singleIov } from '../../src/strategies/single-iov.ts';
import { driveStrategy } from '../support/mock-algorithm.ts';

describe('singleIov', () => {
  test('labels from the first to the last run that was used: ignored runs at the edges shrink it', () => {
    const driven = driveStrategy(singleIov(), {
      data: [
        [3, 1, 100],
        [1, 9, 100],
        [2, 2, 100],
        [3, 4, 100],
      ],
      requestedIov: [1, 0, -1, -1],
      ignoredRuns: [[3, 4]],
    });
    expect(driven.executions).toEqual([
      {
        runs: [
          [1, 9],
          [2, 2],
          [3, 1],
        ],
        iov: [1, 9, 3, 1],
        result: 'ok',
      },
    ]);
    expect(driven.gaps).toBeNull();
  });

  test('data of unknown runs are valid for everything, unless applyIov says otherwise', () => {
    const algorithm = { minEntries: 0 };
    expect(driveStrategy(singleIov(), { data: [], algorithm }).commits).toEqual([[0, 0, -1, -1]]);
    expect(driveStrategy(singleIov({ applyIov: [5, 0, 5, -1] }), { data: [], algorithm }).commits).toEqual([[5, 0, 5, -1]]);
  });
});

describe('simpleRunByRun', () => {
  const strategyCase = {
    data: [
      [1, 1, 100],
      [1, 3, 10],
      [1, 4, 100],
      [1, 9, 100],
    ] as const,
    algorithm: { failRuns: [[1, 4]] as Run[] },
  };

  test('attempts every run, and fails if one of them failed or lacked data', () => {
    const driven = driveStrategy(simpleRunByRun(), strategyCase);
    expect(driven.results.map(({ result }) => result)).toEqual(['ok', 'not-enough-data', 'failure', 'ok']);
    expect(driven.gaps).toEqual([
      [1, 2, 1, 2],
      [1, 5, 1, 8],
    ]);
    expect(driven.finalState).toBe('failed');
  });

  test('completes all the same with allowFailures', () => {
    const driven = driveStrategy(simpleRunByRun({ allowFailures: true }), strategyCase);
    expect(driven.commits).toEqual([
      [1, 1, 1, 1],
      [1, 9, 1, 9],
    ]);
    expect(driven.finalState).toBe('completed');
  });
});

describe('selectRuns', () => {
  const collected: Run[] = [
    [2, 1],
    [1, 10],
    [1, 2],
    [1, 10],
    [0, 5],
  ];

  test.each<{ requestedIov: Iov | null; ignored: Run[]; expected: Run[] }>([
    {
      requestedIov: null,
      ignored: [],
      expected: [
        [0, 5],
        [1, 2],
        [1, 10],
        [2, 1],
      ],
    },
    { requestedIov: [1, 3, 2, 0], ignored: [], expected: [[1, 10]] },
    {
      requestedIov: [1, 0, -1, -1],
      ignored: [
        [1, 10],
        [7, 7],
      ],
      expected: [
        [1, 2],
        [2, 1],
      ],
    },
    { requestedIov: [0, 0, 0, -1], ignored: [[0, 5]], expected: [] },
  ])('sorts, and keeps what lies in $requestedIov and is not in $ignored', ({ requestedIov, ignored, expected }) => {
    expect(selectRuns(collected, requestedIov, ignored)).toEqual(expected);
  });
});

describe('options', () => {
  test('none and {} are the defaults', () => {
    for (const strategy of [singleIov, simpleRunByRun, sequentialRunByRun, sequentialBoundaries]) {
      expect(strategy({}).problems).toEqual([]);
      expect(strategy({}).options).toEqual(strategy().options);
    }
    expect(sequentialRunByRun().options).toEqual({ stepSize: 1, coverage: null });
  });

  test.each<{ strategy: (options: never) => ReturnType<typeof singleIov>; options: unknown; problems: readonly [string, RegExp][] }>([
    {
      strategy: sequentialRunByRun,
      options: { stepsize: 2 },
      problems: [['stepsize', /^sequentialRunByRun has no option 'stepsize': did you mean 'stepSize'\?$/]],
    },
    { strategy: sequentialRunByRun, options: { merge: true }, problems: [['merge', /it has stepSize, coverage$/]] },
    { strategy: sequentialRunByRun, options: { stepSize: 0 }, problems: [['stepSize', /at least 1, found 0$/]] },
    {
      strategy: sequentialRunByRun,
      options: { stepSize: 1.5, coverage: [2, 0, 1, 0] },
      problems: [
        ['stepSize', /found 1\.5$/],
        ['coverage', /2,0,1,0/],
      ],
    },
    { strategy: sequentialBoundaries, options: { boundaries: [[1, 2], [3]] }, problems: [['boundaries', /\[3\]/]] },
    { strategy: sequentialBoundaries, options: { boundaries: 'all' }, problems: [['boundaries', /'all'/]] },
    { strategy: simpleRunByRun, options: { allowFailures: 'yes' }, problems: [['allowFailures', /true or false, found 'yes'/]] },
    { strategy: singleIov, options: { applyIov: [1, 1, -1, 3] }, problems: [['applyIov', /1,1,-1,3/]] },
    { strategy: singleIov, options: null, problems: [['', /applyIov.*found null/]] },
    { strategy: singleIov, options: [1, 0, -1, -1], problems: [['', /applyIov.*found a list of 4/]] },
  ])('$options is refused with a reason', ({ strategy, options, problems }) => {
    const found = strategy(options as never).problems;
    expect(found.map(({ path }) => path)).toEqual(problems.map(([path]) => path));
    for (const [index, [, pattern]] of problems.entries()) expect(found[index]?.message).toMatch(pattern);
  });
});
